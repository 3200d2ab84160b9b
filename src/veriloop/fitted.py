"""Fitted things: what a configuration makes of data. They are saved and loaded, and never changed."""

import hashlib
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Self


class Fitted(ABC):
    """A trained model or judge; immutable, and picklable so that other processes can use it."""

    @abstractmethod
    def save(self, directory: Path) -> None:
        """Write it into the existing ``directory``; weights as ``*.safetensors``, never pickle."""

    @classmethod
    @abstractmethod
    def load(cls, directory: Path) -> Self:
        """Read what :meth:`save` wrote; what is loaded does bit for bit what was saved.

        Raises:
            CorruptFileError: A file is missing, cut short or changed.
        """

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def digest(self) -> str:
        """SHA-256 of the files that :meth:`save` writes, in hexadecimal: equal content, equal digest."""
        with tempfile.TemporaryDirectory() as scratch:
            self.save(Path(scratch))
            return digest_of(Path(scratch))


def digest_of(path: Path) -> str:
    """SHA-256 of a file's content, or of the names and contents of all files below a directory.

    Hidden files and folders below it are left out: caches lie there.

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
