"""Fitted objects: what a configuration produces from data. They can be saved and loaded, and never change."""

import hashlib
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Self


class Fitted(ABC):
    """A trained model or judge. Immutable, and picklable so that other processes can use it."""

    @abstractmethod
    def save(self, directory: Path) -> None:
        """Write it to the existing ``directory``; weights as ``*.safetensors``, never as pickle."""

    @classmethod
    @abstractmethod
    def load(cls, directory: Path) -> Self:
        """Read what :meth:`save` wrote; the loaded object behaves bit for bit like the saved one.

        Raises:
            CorruptFileError: A file is missing, truncated or changed.
        """

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def digest(self) -> str:
        """SHA-256 of the files that :meth:`save` writes, in hexadecimal, which depends on nothing else."""
        with tempfile.TemporaryDirectory() as scratch:
            self.save(Path(scratch))
            return digest_of(Path(scratch))


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, or of the names and contents of all files in a directory tree.

    Hidden files and folders in the tree are skipped, because caches live there.

    Raises:
        OSError: A file cannot be read.
    """
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    whole = hashlib.sha256()
    names = {file.relative_to(path): file for file in path.rglob("*") if file.is_file()}
    for name in sorted(name for name in names if not any(step.startswith(".") for step in name.parts)):
        text = name.as_posix().encode()
        whole.update(len(text).to_bytes(4, "little") + text + bytes.fromhex(digest_of(names[name])))
    return whole.hexdigest()
