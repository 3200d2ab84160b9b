"""Read files in the idx format of MNIST and similar data sets."""

import hashlib
import math
import zlib
from gzip import GzipFile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..unpack import check_size, open_gzip

FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
"""Names of the image and the label file of each split, without ``.gz``."""

Grey = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Grey values 0..255 of shape (n, height, width), and labels of shape (n,)."""

AGAIN = "download the file again"
GZIP_MAGIC = b"\x1f\x8b"
UNSIGNED_BYTE = 0x08


def read_header(path: Path, axes: int) -> tuple[int, ...]:
    """Return the shape of the array in an idx file of unsigned bytes; reads only the header.

    Raises:
        DataError: The file is missing, not idx, or has another type or number of axes.
    """
    return _shape(path, _beginning(path, 4 + 4 * axes), axes)


def read_idx(path: Path, axes: int) -> NDArray[np.uint8]:
    """Read the array in an idx file of unsigned bytes, compressed with gzip or not.

    The format (Y. LeCun, http://yann.lecun.com/exdb/mnist): two zero bytes, a type code, the number of
    axes, each axis's length as a big-endian 32-bit number, then the values, last axis fastest.

    Args:
        path: Path of the file.
        axes: Expected number of axes: 3 for images, 1 for labels.

    Raises:
        DataError: The file is missing, not idx, truncated, or has another type or number of axes.
    """
    header, shape = 4 + 4 * axes, read_header(path, axes)
    size = header + math.prod(shape)
    if _is_packed(path):
        check_size(path, size)
    # Read one byte more than expected; anything further in the file stays packed.
    content = _beginning(path, size + 1)
    if len(content) != size:
        raise DataError(
            f"idx file {path} does not match its header",
            got=f"{len(content)} bytes" if len(content) < size else f"more than {size} bytes",
            expected=f"{size} for shape {shape}",
            fix=AGAIN,
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _shape(path: Path, content: bytes, axes: int) -> tuple[int, ...]:
    """Return the shape in the header at the start of ``content``."""
    if len(content) < 4 or content[:2] != b"\0\0":
        raise DataError(
            f"{path} is not an idx file",
            got=f"first bytes {content[:4].hex() or 'none'}",
            expected="0000",
            fix=AGAIN,
        )
    kind, dimensions = content[2], content[3]
    if kind != UNSIGNED_BYTE or dimensions != axes:
        raise DataError(
            f"idx file {path} of another kind",
            got=f"type 0x{kind:02x} with {dimensions} axes",
            expected=f"type 0x08 (unsigned bytes) with {axes} axes",
            fix=f"convert it: {'grey images, n x height x width' if axes == 3 else 'labels'}, as bytes",
        )
    if len(content) < 4 + 4 * axes:
        raise DataError(
            f"idx file {path} does not match its header",
            got=f"{len(content)} bytes",
            expected=f"at least {4 + 4 * axes}",
            fix=AGAIN,
        )
    return tuple(int.from_bytes(content[i : i + 4], "big") for i in range(4, 4 + 4 * axes, 4))


def _is_packed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == GZIP_MAGIC


def _beginning(path: Path, size: int) -> bytes:
    """Return the first ``size`` bytes, unpacked; fewer if the file is shorter."""
    try:
        with open_gzip(path) if _is_packed(path) else path.open("rb") as file:
            # Python allocates memory for the size requested, not for the size of the file.
            return file.read(size if isinstance(file, GzipFile) else min(size, path.stat().st_size))
    except (OSError, EOFError, zlib.error) as e:
        raise _unreadable(path, e) from e


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(f"cannot read {path} ({error})", fix=f"check that the file exists, or {AGAIN}")


def read_split(folder: Path, names: tuple[str, str], md5: dict[str, str]) -> Grey:
    """Read the images and labels of one split.

    Args:
        folder: Folder with the files.
        names: Names of the image and the label file, without ``.gz``.
        md5: Known checksums by file name (with ``.gz``); other files are not checked.

    Raises:
        DataError: A file is missing, damaged or does not match its checksum, there are no images, or the
            numbers of labels and images differ.
    """
    images_path, labels_path = (find_file(folder, name) for name in names)
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


def find_file(folder: Path, name: str) -> Path:
    """Find the file ``name`` in ``folder``, compressed or not.

    Raises:
        DataError: There is no such file.
    """
    # Some programs unpack it with a dot before the last part of the name: train-images.idx3-ubyte.
    stem, _, ending = name.rpartition("-idx")
    spelled = [f"{name}.gz", name, f"{stem}.idx{ending}.gz", f"{stem}.idx{ending}"]
    found = [p for p in (folder / s for s in spelled) if p.is_file()]
    if not found:
        suffixes = {p.suffix.lower() for p in folder.rglob("*")}
        if pictures := sorted(suffixes & {".png", ".jpg", ".jpeg"}):
            kinds = " and ".join(suffix[1:].upper() for suffix in pictures)
            raise DataError(
                f"{folder} holds {kinds} files, which kind 'idx' cannot read",
                expected=f"a file {name}.gz or {name}",
                fix="use kind: images, which reads them",
            )
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
