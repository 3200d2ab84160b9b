"""A folder of PNG or JPEG files, with a sub-folder for each class."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from ..errors import DataError
from .own_images import OwnImages, Pictures, SplitName, found
from .pictures import Form, Head, array_of, head_of, opened

ENDINGS = frozenset({".png", ".jpg", ".jpeg"})

_SPLITS: Mapping[str, SplitName] = {
    "train": "train",
    "test": "test",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
}
"""Names of sub-folders that hold splits, not classes."""


class ImageFolder(OwnImages, frozen=True):
    """A user's pictures: a folder of PNG or JPEG files, with a sub-folder for each class.

    Classes are numbered by the order of their folder names; files in deeper folders belong to the class above
    them. Files directly in the folder are pictures without classes. Sub-folders called ``train`` and ``test``
    (and ``validation``) hold the splits, with the classes inside. Hidden files and files of other types are
    ignored.

    Attributes:
        path: Path of the folder; a relative one is searched in the working directory, then in
            ``$VERILOOP_DATA``.

    The other fields are those of `OwnImages`.
    """

    path: Path

    @override
    def pictures(self) -> Mapping[SplitName, Pictures]:
        names = self.names()
        return {
            split: _pictures(*_files(folder, names, self.path)) for split, folder in self._splits().items()
        }

    @override
    def classes(self) -> int:
        return max(1, len(self.names()))

    @override
    def called(self) -> str:
        return str(self.path)

    @override
    def sources(self) -> Mapping[str, Path]:
        return {str(self.path): self._folder()}

    def names(self) -> list[str]:
        """Return the class folders in order; empty if the pictures have no classes.

        Raises:
            DataError: There are pictures next to the class folders.
        """
        folders = list(self._splits().values())
        known = sorted({sub.name for folder in folders for sub in _subfolders(folder) if _below(sub)})
        loose = next((file for folder in folders for file in _below(folder, deep=False)), None)
        if known and loose is not None:
            raise DataError(
                f"{self.path} contains pictures next to class folders",
                got=f"{loose.name} next to {known[0]}/",
                expected="all pictures in class folders, or none",
                fix="move it into the folder of its class",
            )
        return known

    def _folder(self) -> Path:
        return found(self.path, "folder", Path.is_dir)

    def _splits(self) -> dict[SplitName, Path]:
        """Return the folder of each split; the whole folder as training data if there are no splits."""
        folder = self._folder()
        splits: dict[SplitName, Path] = {
            _SPLITS[sub.name.lower()]: sub for sub in _subfolders(folder) if sub.name.lower() in _SPLITS
        }
        if not {"train", "test"} <= set(splits):
            return {"train": folder}
        other = [sub.name for sub in _subfolders(folder) if sub.name.lower() not in _SPLITS and _below(sub)]
        if other:
            raise DataError(
                f"{self.path} contains both split folders and others",
                got=f"{other[0]}/ next to train/ and test/",
                expected="only train/, test/ and validation/, or only class folders",
            )
        return splits


def _subfolders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))


def _below(folder: Path, *, deep: bool = True) -> list[Path]:
    """Return the pictures in ``folder``, without hidden ones, in the order of their names."""
    return sorted(
        path
        for path in (folder.rglob("*") if deep else folder.iterdir())
        if path.suffix.lower() in ENDINGS
        and not any(step.startswith(".") for step in path.relative_to(folder).parts)
        and path.is_file()
    )


def _files(folder: Path, names: Sequence[str], called: Path) -> tuple[list[Path], NDArray[np.int64]]:
    if not names:
        files = _below(folder, deep=False)
        return files, np.zeros(len(files), np.int64)
    by_class = [_below(folder / name) if (folder / name).is_dir() else [] for name in names]
    labels = np.repeat(np.arange(len(names)), [len(files) for files in by_class])
    if not len(labels):
        raise DataError(f"no pictures in {folder.name}/ of {called}", expected="PNG or JPEG files")
    return [file for files in by_class for file in files], labels.astype(np.int64)


def _pictures(files: Sequence[Path], label: NDArray[np.int64]) -> Pictures:
    def head(i: int) -> Head:
        """Return the header of picture ``i``."""
        with opened(files[i]) as picture:
            return head_of(picture, str(files[i]))

    def read(i: int, form: Form) -> NDArray[np.uint8]:
        """Return the pixels of picture ``i`` in the given form."""
        with opened(files[i]) as picture:
            return array_of(picture, str(files[i]), form)

    return Pictures(label, head, read)
