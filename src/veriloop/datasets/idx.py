"""Labelled grey images in MNIST's idx format, binarised: MNIST, Fashion-MNIST, and a user's images.

Files are searched in ``$VERILOOP_DATA/<name>/``, compressed (``.gz``) or not; the two published data sets are
otherwise loaded by their Hugging Face names.
"""

import importlib.util
import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from typing_extensions import override

from ..data_root import data_root, place_in_data_root, under_data_root
from ..errors import DataError, MissingExtraError
from ..hub import to_fetch
from ..rng import Address
from ..samples import Samples
from ..schema import Image, Label, Schema
from .base import Dataset, RealData, check_start
from .idx_files import FILES, Grey, find_file, read_header, read_idx, read_split
from .images import halves, split
from .splits import array_keys, not_in

SHARE = 0.2
"""Share of the test images that is held out if all training images are among them."""

SAME = "a test image is a training image"
"""Reason for leaving out the others."""

FIX = "put the four idx files into $VERILOOP_DATA/NAME/"


def _hugging_face(name: str, looked_in: str) -> tuple[Grey, Grey]:
    """Load both splits of a public image data set with the library ``datasets`` (extra ``llm``)."""
    _check_library(name, looked_in)
    library = importlib.import_module("datasets")
    try:
        loaded: Any = library.load_dataset(name)
        train, test = (
            (np.stack([np.asarray(i) for i in loaded[s]["image"]]), np.asarray(loaded[s]["label"], np.uint8))
            for s in ("train", "test")
        )
    except Exception as e:  # the library passes on errors of its network and file layers
        raise DataError(
            f"no data: looked in {looked_in}, then for {name} on Hugging Face ({type(e).__name__}: {e})",
            fix=FIX,
        ) from e
    return train, test


def _check_library(name: str, looked_in: str) -> None:
    if importlib.util.find_spec("datasets") is None:
        fix = f"{FIX}, or install 'veriloop[llm]' to load {name} from Hugging Face"
        raise MissingExtraError(f"no data: looked in {looked_in}", fix=fix)


class GreyImages(Dataset, frozen=True):
    """Grey images 0..255 made binary, from any data set in idx format.

    The validation images are half of the published test images, equally many of each class, and the same for
    every seed. They cannot be training images, because the metrics' classifier was trained on those. If both
    files hold the same images, a fifth of them is held out.

    Attributes:
        start: Number of images that the start model is trained on, balanced over the classes.
        train: Largest number of real training images, balanced; None for all.
        validation: Largest number of images for decisions, balanced; None for their whole half. 0 for none,
            which makes all published test images test images.
        test: Largest number of images for reported numbers, balanced; None for all others.
        binarize: ``sample``: each pixel is a Bernoulli draw with probability grey/255, the usual statically
            binarised form, which suits a Bernoulli likelihood. The draw is the same for every seed, split and
            run. ``threshold``: grey above 127; sharper edges, no noise.
    """

    levels: ClassVar[int] = 1

    start: Annotated[int, Field(ge=1)] = 500
    train: Annotated[int, Field(ge=1)] | None = None
    validation: Annotated[int, Field(ge=0)] | None = None
    test: Annotated[int, Field(ge=1)] | None = None
    binarize: Literal["sample", "threshold"] = "sample"

    @override
    def schema(self) -> Schema:
        height, width, classes = self.shape()
        return Schema(
            {
                "pixels": Image(height=height, width=width, levels=self.levels),
                "label": Label(classes=classes),
            }
        )

    @override
    def load(self, seed: int) -> RealData:
        """Load and split; ``seed`` only affects the choice and order of training images."""
        (grey, label), (held_grey, held_label) = self.grey()
        train = self._binary(grey, label, "train")
        held_out = self._binary(held_grey, held_label, "test")
        # Contents are compared as published, because two binary draws of one image differ.
        keys, held_keys = array_keys(grey), array_keys(held_grey)
        # The address does not contain the run's seed: one choice for all.
        test, validation = halves(held_label, Address(seed=0, arm="held-out images").rng())
        if self.validation == 0:
            test, validation = np.arange(len(held_out)), validation[:0]
        left_out: dict[str, int] = {}
        if not not_in(keys, held_keys).any():
            # A user with one set of images may put it into both files; then most of it is for training.
            test, validation = (rows[: math.ceil(len(rows) * SHARE)] for rows in (test, validation))
            left_out[SAME] = len(held_out) - len(test) - len(validation)
        test, validation = test[: self.test], validation[: self.validation]
        real = split(
            train,
            held_out.select(validation),
            held_out.select(test),
            keys=(keys, [held_keys[i] for i in validation], [held_keys[i] for i in test]),
            start=self.start,
            cap=self.train,
            seed=seed,
        )
        return replace(real, left_out=left_out)

    @override
    def check_ahead(self, schema: Schema) -> None:
        super().check_ahead(schema)
        n = self.size()
        check_start(self.start, n if self.train is None else min(self.train, n))

    @abstractmethod
    def size(self) -> int:
        """Number of images to train on; reads no images."""

    @abstractmethod
    def grey(self) -> tuple[Grey, Grey]:
        """Return the training and the test images as published, before binarisation."""

    @abstractmethod
    def shape(self) -> tuple[int, int, int]:
        """Return height and width of the images, and the number of classes; reads no images."""

    def _binary(self, grey: NDArray[np.uint8], label: NDArray[np.uint8], part: str) -> Samples:
        if self.binarize == "threshold":
            pixels = grey > 127
        else:
            # One stream per thousand images keeps the floats drawn out of memory.
            address = Address(seed=0, arm=f"binarize {part}")
            pixels = np.empty(grey.shape, np.bool_)
            for chunk, first in enumerate(range(0, len(grey), 1000)):
                rows = slice(first, first + 1000)
                draw = address.at(address.stage, chunk).rng().random(grey[rows].shape, np.float32)
                pixels[rows] = draw < grey[rows] / np.float32(255)
        return Samples(pixels=pixels.view(np.uint8), label=label.astype(np.int64))


class _Known(GreyImages, frozen=True):
    """A published data set of 28x28 images in ten classes, from ``$VERILOOP_DATA`` or Hugging Face."""

    name: ClassVar[str]
    public_name: ClassVar[str]
    md5: ClassVar[dict[str, str]]

    @override
    def grey(self) -> tuple[Grey, Grey]:
        if folder := self._folder():
            return read_split(folder, FILES["train"], self.md5), read_split(folder, FILES["test"], self.md5)
        return _hugging_face(self.public_name, self._looked_in())

    @override
    def check_ahead(self, schema: Schema) -> None:
        super().check_ahead(schema)
        if not self._folder():
            _check_library(self.public_name, self._looked_in())
        self.downloads()

    @override
    def downloads(self) -> str | None:
        if self._folder():
            return None
        fix = FIX.replace("NAME", self.name)
        return to_fetch("dataset", self.public_name, f"looked in {self._looked_in()} first; {fix}")

    @override
    def shape(self) -> tuple[int, int, int]:
        return 28, 28, 10

    @override
    def size(self) -> int:
        return 60_000

    @override
    def sources(self) -> Mapping[str, Path]:
        folder = self._folder()
        return _sources(folder, Path(self.name)) if folder else {}

    def _looked_in(self) -> str:
        return place_in_data_root(self.name)

    def _folder(self) -> Path | None:
        root = data_root()
        return root / self.name if root and (root / self.name).is_dir() else None


def _sources(folder: Path, named: Path) -> dict[str, Path]:
    """Return the four files in ``folder``, named by the folder ``named``."""
    files = [find_file(folder, name) for names in FILES.values() for name in names]
    return {(named / file.name).as_posix(): file for file in files}


class MNIST(_Known, frozen=True):
    """60,000 + 10,000 handwritten digits, 28x28 (Y. LeCun, C. Cortes, C. Burges)."""

    name: ClassVar[str] = "mnist"
    public_name: ClassVar[str] = "ylecun/mnist"
    md5: ClassVar[dict[str, str]] = {
        "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
    }
    """As in torchvision/datasets/mnist.py, class MNIST."""


class FashionMNIST(_Known, frozen=True):
    """60,000 + 10,000 pictures of clothes in ten classes, 28x28 (Zalando Research, MIT licence)."""

    name: ClassVar[str] = "fashion-mnist"
    public_name: ClassVar[str] = "zalando-datasets/fashion_mnist"
    md5: ClassVar[dict[str, str]] = {
        "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
    }
    """As in the data set's README, https://github.com/zalandoresearch/fashion-mnist."""


class IdxFolder(GreyImages, frozen=True):
    """A user's images: a folder with four idx files named like MNIST's, compressed with gzip or not.

    Attributes:
        path: Path of the folder; a relative one is searched in the working directory, then in
            ``$VERILOOP_DATA``.
    """

    path: Path

    @override
    def grey(self) -> tuple[Grey, Grey]:
        folder = self._folder()
        return read_split(folder, FILES["train"], {}), read_split(folder, FILES["test"], {})

    @override
    def shape(self) -> tuple[int, int, int]:
        folder = self._folder()
        sizes, classes = [], 0
        for images_name, labels_name in FILES.values():
            sizes.append(read_header(find_file(folder, images_name), 3)[1:])
            classes = max(classes, 1 + int(read_idx(find_file(folder, labels_name), 1).max(initial=0)))
        if sizes[0] != sizes[1] or not all(sizes[0]):
            got = " and ".join(f"{height}x{width}" for height, width in sizes)
            raise DataError(f"training and test images in {folder}", got=got, expected="images of one size")
        height, width = sizes[0]
        return height, width, classes

    @override
    def size(self) -> int:
        return read_header(find_file(self._folder(), FILES["train"][0]), 3)[0]

    @override
    def sources(self) -> Mapping[str, Path]:
        return _sources(self._folder(), self.path)

    def _folder(self) -> Path:
        candidates = under_data_root(self.path)
        folder = next((p for p in candidates if p.is_dir()), None)
        if folder is None:
            raise DataError(
                f"no folder {self.path}",
                got="looked in " + " and ".join(str(p) for p in candidates),
                expected="a folder with " + ", ".join(name for names in FILES.values() for name in names),
            )
        return folder
