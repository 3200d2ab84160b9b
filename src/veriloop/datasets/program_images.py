"""Pictures returned by a program one by one: PyTorch data sets, and images on Hugging Face."""

import importlib
import inspect
from collections.abc import Mapping
from functools import lru_cache
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import StringConstraints
from typing_extensions import override

from ..errors import ConfigError, DataError, VeriloopError
from ..extras import require
from ..hub import to_fetch
from .hugging_face import VALIDATION, has_split, load_split
from .own_images import OwnImages, Pictures, SplitName
from .pictures import Form, Head, array_of, as_picture, head_of

Name = Annotated[str, StringConstraints(pattern=r"^[\w.]+:\w+$")]


class TorchImages(OwnImages, frozen=True):
    """Any map-style data set: an object with ``len`` whose items are pairs of a picture and its class.

    Data sets of PyTorch and torchvision are of this kind. A picture is a Pillow image, an array or a tensor,
    of bytes or of fractions in [0, 1]; a class is an integer from 0. Each item is read once, in order, so
    random transforms such as flips have no effect beyond that.

    Attributes:
        function: ``package.module:name`` of the training data set, or of a function without arguments that
            returns it; importable from the working directory.
        test_function: The same for the test set; None to hold out a share of the first, see ``held_out``.

    The other fields are those of `OwnImages`.
    """

    function: Name
    test_function: Name | None = None

    @override
    def pictures(self) -> Mapping[SplitName, Pictures]:
        found: dict[SplitName, Pictures] = {"train": _items(self.function)}
        if self.test_function is not None:
            found["test"] = _items(self.test_function)
        return found

    @override
    def classes(self) -> int:
        return 1 + max(int(p.label.max(initial=0)) for p in self.pictures().values())

    @override
    def called(self) -> str:
        return self.function

    @override
    def sources(self) -> Mapping[str, Path]:
        modules = {name.partition(":")[0] for name in (self.function, self.test_function) if name}
        found = {module: PathFinder.find_spec(module) for module in sorted(modules) if "." not in module}
        return {
            f"module {module}": Path(spec.origin) for module, spec in found.items() if spec and spec.origin
        }


@lru_cache(maxsize=2)
def _items(name: str) -> Pictures:
    """Read all items of the data set ``name`` into memory, because reading one may be slow.

    Raises:
        ConfigError: There is no such data set.
        DataError: An item is not a pair of a picture and a class.
    """
    dataset = _imported(name)
    pictures, labels = [], []
    for i in range(len(dataset)):
        where = f"{i} of {name}"
        try:
            item = dataset[i]
        except VeriloopError:
            raise
        except Exception as e:  # user code may raise anything
            raise DataError(f"item {where} cannot be read", got=f"{type(e).__name__}: {e}") from e
        if not isinstance(item, tuple | list) or len(item) != 2:
            raise DataError(
                f"item {where}", got=type(item).__name__, expected="a pair of a picture and its class"
            )
        pictures.append(as_picture(item[0], where))
        labels.append(_class(item[1], where))
    return _in_memory(pictures, np.array(labels, np.int64), name)


def _imported(name: str) -> Any:
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
        if inspect.isroutine(found) or inspect.isclass(found):
            found = found()
    except VeriloopError:
        raise
    except Exception as e:
        raise ConfigError(
            f"data set {name!r} cannot be created",
            got=f"{type(e).__name__}: {e}",
            expected="a data set, or a function without arguments that returns one",
        ) from e
    if not (hasattr(found, "__len__") and hasattr(found, "__getitem__")):
        raise ConfigError(
            f"data set {name!r}",
            got=type(found).__name__,
            expected="an object with len() and items, as map-style data sets of PyTorch are",
        )
    return found


def _class(value: Any, where: str) -> int:
    array = np.asarray(value)
    if array.ndim or array.dtype.kind not in "iu" or array < 0:
        raise DataError(f"class of item {where}", got=f"{value!r}", expected="a whole number from 0")
    return int(array)


def _in_memory(pictures: list[Any], label: NDArray[np.int64], name: str) -> Pictures:
    def head(i: int) -> Head:
        """Return the header of picture ``i``."""
        return head_of(pictures[i], f"{i} of {name}")

    def read(i: int, form: Form) -> NDArray[np.uint8]:
        """Return the pixels of picture ``i`` in the given form."""
        return array_of(pictures[i], f"{i} of {name}", form)

    return Pictures(label, head, read)


class HuggingFaceImages(OwnImages, frozen=True):
    """A data set of images on Hugging Face, or a local folder that the library ``datasets`` can load.

    Attributes:
        name: Name such as ``ylecun/mnist``, or the path of a folder, including one written by
            ``save_to_disk``.
        subset: Name of the subset, if there are several.
        train_split: Name of the training split.
        validation_split: Name of the split for decisions; None uses the split ``validation`` if there is one.
        test_split: Name of the held-out split; None uses the split ``test`` if there is one, else a share.
        image: Name of the picture column; None for the only one.
        label: Name of the class column; None for the only one, or class 0 for all if there is none.

    The other fields are those of `OwnImages`.
    """

    name: str
    subset: str | None = None
    train_split: str = "train"
    validation_split: str | None = None
    test_split: str | None = None
    image: str | None = None
    label: str | None = None

    @override
    def pictures(self) -> Mapping[SplitName, Pictures]:
        train = self._loaded(self.train_split)
        found: dict[SplitName, Pictures] = {"train": self._pictures(train, self.train_split)}
        others: dict[SplitName, tuple[str | None, str]] = {
            "test": (self.test_split, "test"),
            "validation": (self.validation_split, VALIDATION),
        }
        for role, (asked, usual) in others.items():
            split = asked or (usual if self._has(train, usual) else None)
            if split is not None:
                found[role] = self._pictures(self._loaded(split), split)
        return found

    @override
    def classes(self) -> int:
        return 1 + max(int(p.label.max(initial=0)) for p in self.pictures().values())

    @override
    def called(self) -> str:
        return self.name

    @override
    def sources(self) -> Mapping[str, Path]:
        return {self.name: Path(self.name)} if Path(self.name).exists() else {}

    @override
    def downloads(self) -> str | None:
        return None if Path(self.name).exists() else to_fetch("dataset", self.name)

    def _loaded(self, split: str) -> Any:
        return _split(self.name, self.subset, split)

    def _has(self, train: Any, split: str) -> bool:
        if _is_saved(self.name):
            return (Path(self.name) / split).is_dir()
        return has_split(train, split)

    def _pictures(self, loaded: Any, split: str) -> Pictures:
        where = f"{self.name}, split {split}"
        features = dict(loaded.features)
        image = _column(where, "image", self.image, features, ("Image",))
        label = _column(where, "label", self.label, features, ("ClassLabel",))
        if image is None:
            raise DataError(
                f"{where}: no column of images",
                got=", ".join(f"{n} ({type(f).__name__})" for n, f in features.items()),
                fix="use kind: hf for texts, or kind: array for tables",
            )
        n = len(loaded)
        labels = np.zeros(n, np.int64)
        if label is not None:
            labels = np.array([_class(v, f"{i} of {where}") for i, v in enumerate(loaded[label])], np.int64)

        def head(i: int) -> Head:
            """Return the header of picture ``i``."""
            return head_of(as_picture(loaded[i][image], f"{i} of {where}"), f"{i} of {where}")

        def read(i: int, form: Form) -> NDArray[np.uint8]:
            """Return the pixels of picture ``i`` in the given form."""
            return array_of(as_picture(loaded[i][image], f"{i} of {where}"), f"{i} of {where}", form)

        return Pictures(labels, head, read)


def _column(
    where: str, setting: str, asked: str | None, features: Mapping[str, Any], kinds: tuple[str, ...]
) -> str | None:
    """Return the column for ``setting``: the one it names, or the only one of these types."""
    if asked is not None:
        if asked not in features:
            raise ConfigError(f"{where}: {setting}", got=asked, expected=f"one of {', '.join(features)}")
        return asked
    found = [name for name, feature in features.items() if type(feature).__name__ in kinds]
    if len(found) > 1:
        raise ConfigError(
            f"{where}: several columns can be the {setting}",
            got=", ".join(found),
            fix=f"set {setting} to one of them",
        )
    return found[0] if found else None


def _is_saved(name: str) -> bool:
    """Whether ``name`` is a folder written by ``save_to_disk``."""
    folder = Path(name)
    return (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()


@lru_cache(maxsize=4)
def _split(name: str, subset: str | None, split: str) -> Any:
    """Load one split with the library.

    Raises:
        MissingExtraError: The library is not installed.
        DataError: The data set cannot be loaded.
    """
    fix = "check the name, or give the path of a folder that holds it"
    if not _is_saved(name):
        return load_split(name, subset, split, fix)
    require("datasets")
    library = importlib.import_module("datasets")
    try:
        loaded: Any = library.load_from_disk(name)
    except Exception as e:  # the library passes on errors of its file layers
        raise DataError(f"cannot read {name} ({type(e).__name__}: {e})", fix=fix) from e
    if not hasattr(loaded, "keys"):
        return loaded
    if split not in loaded:
        raise DataError(f"{name} has no split {split!r}", got=", ".join(loaded), fix="use one of these")
    return loaded[split]
