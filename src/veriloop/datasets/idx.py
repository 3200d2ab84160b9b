"""Labelled grey images in the idx format of MNIST, binarised: MNIST, Fashion-MNIST, and your own.

Files are looked for in ``$VERILOOP_DATA/<name>/``, as ``.gz`` or unpacked; the two known data sets are
otherwise loaded by their public Hugging Face names.
"""

import gzip
import hashlib
import importlib
import math
import os
import zlib
from abc import abstractmethod
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..errors import DataError, MissingExtraError
from ..rng import Address
from ..samples import Samples
from .base import Dataset, RealData
from .digits import split

FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
"""Names of the image and the label file of each split, without ``.gz``."""

Grey = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Grey values 0..255 of shape (n, height, width), and labels of shape (n,)."""

GZIP_MAGIC = b"\x1f\x8b"
UNSIGNED_BYTE = 0x08


def read_idx(path: Path, axes: int) -> NDArray[np.uint8]:
    """The array in an idx file of unsigned bytes, packed by gzip or not.

    The format (Y. LeCun, http://yann.lecun.com/exdb/mnist): two zero bytes, a type code, the number of
    axes, each axis's length as a big-endian 32-bit number, then the values, last axis fastest.

    Args:
        path: The file.
        axes: How many axes the array must have: 3 for images, 1 for labels.

    Raises:
        DataError: The file is missing, not idx, of another type or number of axes, or cut short.
    """
    content = _unpacked(path)
    fix = "download the file again"
    if len(content) < 4 or content[:2] != b"\0\0":
        raise DataError(
            f"{path} is not an idx file",
            got=f"first bytes {content[:4].hex() or 'none'}",
            expected="0000",
            fix=fix,
        )
    kind, dimensions = content[2], content[3]
    if kind != UNSIGNED_BYTE or dimensions != axes:
        raise DataError(
            f"idx file {path} of another kind",
            got=f"type 0x{kind:02x} with {dimensions} axes",
            expected=f"type 0x08 (unsigned bytes) with {axes} axes",
        )
    header = 4 + 4 * axes
    shape = tuple(int.from_bytes(content[i : i + 4], "big") for i in range(4, header, 4))
    if len(content) < header or len(content) - header != math.prod(shape):
        raise DataError(
            f"idx file {path} does not hold what its header says",
            got=f"{len(content)} bytes",
            expected=f"{header + math.prod(shape)} for shape {shape}",
            fix=fix,
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _unpacked(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content.startswith(GZIP_MAGIC) else content
    except (OSError, EOFError, zlib.error) as e:
        raise DataError(
            f"cannot read {path} ({e})", fix="check that the file is there, or download it again"
        ) from e


def read_split(folder: Path, names: tuple[str, str], md5: dict[str, str]) -> Grey:
    """Images and labels of one split.

    Args:
        folder: Where the files are.
        names: Of the image and the label file, without ``.gz``.
        md5: Known checksums by file name (with ``.gz``); a file not named is not checked.

    Raises:
        DataError: A file is missing, damaged or another one than its checksum says, there are no images,
            or not as many labels as images.
    """
    images_path, labels_path = (_find(folder, name) for name in names)
    for path in (images_path, labels_path):
        _check_md5(path, md5.get(path.name))
    pixels, label = read_idx(images_path, 3), read_idx(labels_path, 1)
    if len(pixels) != len(label) or pixels.size == 0:
        raise DataError(
            f"image and label files in {folder} do not match",
            got=f"images of shape {pixels.shape}, {len(label)} labels",
            expected="at least one image, and one label for each",
        )
    return pixels, label


def _find(folder: Path, name: str) -> Path:
    found = [p for p in (folder / f"{name}.gz", folder / name) if p.is_file()]
    if not found:
        raise DataError(f"no file {name}.gz or {name} in {folder}", fix="put the four idx files there")
    return found[0]


def _check_md5(path: Path, expected: str | None) -> None:
    if expected is None:
        return
    got = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    if got != expected:
        raise DataError(
            f"{path} is not the published file", got=f"md5 {got}", expected=expected, fix="download it again"
        )


def _hugging_face(name: str, looked_in: str) -> tuple[Grey, Grey]:
    """Both splits of a public image data set, by the library ``datasets`` (extra ``llm``)."""
    fix = (
        "put the idx files into $VERILOOP_DATA/NAME/, "
        f"or install 'veriloop[llm]' to load {name} from Hugging Face"
    )
    try:
        library = importlib.import_module("datasets")
    except ImportError as e:
        raise MissingExtraError(f"no data: looked in {looked_in}", fix=fix) from e
    try:
        loaded: Any = library.load_dataset(name)
        train, test = (
            (np.stack([np.asarray(i) for i in loaded[s]["image"]]), np.asarray(loaded[s]["label"], np.uint8))
            for s in ("train", "test")
        )
    except Exception as e:  # the library raises whatever its network and file layers do
        raise DataError(
            f"no data: looked in {looked_in}, then for {name} on Hugging Face ({type(e).__name__}: {e})",
            fix=fix,
        ) from e
    return train, test


class GreyImages(Dataset, frozen=True):
    """Grey images 0..255 made binary (``levels=1``), of any idx-format data set.

    Attributes:
        start: How many images the start model is trained on, balanced over the classes.
        train: At most so many real training images, balanced; None for all.
        binarize: ``sample``: each pixel is one Bernoulli draw with probability grey/255, the usual
            statically binarised form, for which a Bernoulli likelihood is right. The draw is fixed: equal
            for every seed, split and run. ``threshold``: grey above 127; sharper edges, no noise.
    """

    levels: ClassVar[int] = 1

    start: Annotated[int, Field(ge=1)] = 500
    train: Annotated[int, Field(ge=1)] | None = None
    binarize: Literal["sample", "threshold"] = "sample"

    def load(self, seed: int) -> RealData:
        """Load and split; only the choice and order of training images depends on ``seed``."""
        train, test = self.grey()
        return split(self._binary(*train, "train"), self._binary(*test, "test"), self.start, self.train, seed)

    @abstractmethod
    def grey(self) -> tuple[Grey, Grey]:
        """The training and the test images as published, before binarisation."""

    def _binary(self, grey: NDArray[np.uint8], label: NDArray[np.uint8], part: str) -> Samples:
        if self.binarize == "threshold":
            pixels = grey > 127
        else:
            # One stream per thousand images keeps the float draws out of memory.
            address = Address(seed=0, arm=f"binarize {part}")
            pixels = np.empty(grey.shape, np.bool_)
            for chunk, first in enumerate(range(0, len(grey), 1000)):
                rows = slice(first, first + 1000)
                draw = address.at(address.stage, chunk).rng().random(grey[rows].shape, np.float32)
                pixels[rows] = draw < grey[rows] / np.float32(255)
        return Samples(pixels=pixels.view(np.uint8), label=label.astype(np.int64))


def _known(name: str, public_name: str, md5: dict[str, str]) -> tuple[Grey, Grey]:
    root = os.environ.get("VERILOOP_DATA")
    if root and (Path(root) / name).is_dir():
        folder = Path(root) / name
        return read_split(folder, FILES["train"], md5), read_split(folder, FILES["test"], md5)
    looked_in = str(Path(root) / name) if root else f"$VERILOOP_DATA/{name} (VERILOOP_DATA is not set)"
    return _hugging_face(public_name, looked_in)


class MNIST(GreyImages, frozen=True):
    """60,000 + 10,000 handwritten digits, 28x28 (Y. LeCun, C. Cortes, C. Burges)."""

    md5: ClassVar[dict[str, str]] = {
        "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
    }
    """As in torchvision/datasets/mnist.py, class MNIST."""

    def grey(self) -> tuple[Grey, Grey]:
        """From ``$VERILOOP_DATA/mnist``, else ``ylecun/mnist``."""
        return _known("mnist", "ylecun/mnist", self.md5)


class FashionMNIST(GreyImages, frozen=True):
    """60,000 + 10,000 pictures of clothes in ten classes, 28x28 (Zalando Research, MIT licence)."""

    md5: ClassVar[dict[str, str]] = {
        "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
    }
    """As in the data set's README, https://github.com/zalandoresearch/fashion-mnist."""

    def grey(self) -> tuple[Grey, Grey]:
        """From ``$VERILOOP_DATA/fashion-mnist``, else ``zalando-datasets/fashion_mnist``."""
        return _known("fashion-mnist", "zalando-datasets/fashion_mnist", self.md5)


class IdxFolder(GreyImages, frozen=True):
    """Your own images: a folder with four idx files named like MNIST's, packed by gzip or not.

    Attributes:
        path: The folder; a relative one is looked for in the working directory, then in
            ``$VERILOOP_DATA``.
    """

    path: Path

    def grey(self) -> tuple[Grey, Grey]:
        """From the folder."""
        root = os.environ.get("VERILOOP_DATA", "")
        candidates = [self.path, Path(root) / self.path] if root else [self.path]
        folder = next((p for p in candidates if p.is_dir()), None)
        if folder is None:
            raise DataError(
                f"no folder {self.path}",
                got="looked in " + " and ".join(str(p) for p in candidates),
                expected="a folder with " + ", ".join(name for names in FILES.values() for name in names),
            )
        return read_split(folder, FILES["train"], {}), read_split(folder, FILES["test"], {})
