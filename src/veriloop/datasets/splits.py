"""Splits by content: rows with equal content are never in two splits, whatever their ids.

Each row has a key for its content: the prompt of a text row, the pixels of an image.
"""

import hashlib
import unicodedata
from collections.abc import Hashable, Iterable, Sequence
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..errors import DataError

Keys = Sequence[Hashable]
"""Content keys of rows; equal keys mean equal content."""

Size = Annotated[int, Field(strict=True, ge=0)] | Annotated[float, Field(gt=0, le=1)]
"""A number of rows, or a share of them: 1 is one row, 1.0 is all."""


def count(size: int | float, of: int) -> int:
    """Return the number of rows that a `Size` means; a share is at least one row."""
    return size if isinstance(size, int) else min(of, max(1, round(size * of)))


def text_keys(texts: Iterable[str]) -> list[bytes]:
    """Return keys of texts; white space and the encoding of accents are ignored."""
    return [_digest(" ".join(unicodedata.normalize("NFC", text).split()).encode()) for text in texts]


def array_keys(rows: NDArray[Any]) -> list[bytes]:
    """Return keys of the rows of an array, such as images: their bytes."""
    return [_digest(row.tobytes()) for row in rows]


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


def not_in(rows: Keys, *others: Keys) -> NDArray[np.bool_]:
    """Return which of ``rows`` have no equal in any of ``others``, shape (n,)."""
    seen = set().union(*others)
    return np.array([key not in seen for key in rows], bool)


def apart(train: Keys, validation: Keys, test: Keys) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which rows of ``train`` and of ``validation`` to keep; equal rows stay only in the later split.

    Raises:
        DataError: No training row can be kept.
    """
    stay = not_in(train, validation, test), not_in(validation, test)
    if len(train) and not stay[0].any():
        raise DataError(
            "every training row is also held out",
            got=f"{len(train)} rows, each equal to one held out for validation or test",
            expected="different rows for training and measuring",
            fix="hold out other files or splits",
        )
    return stay


def counted(**left_out: NDArray[np.bool_]) -> dict[str, int]:
    """Count removed rows by split for `RealData.duplicates`; splits without any are omitted."""
    counts = {where: int(np.count_nonzero(~stay)) for where, stay in left_out.items()}
    return {where: n for where, n in counts.items() if n}


def taken(keys: Keys, order: NDArray[np.integer], n: int) -> NDArray[np.bool_]:
    """Return which rows make up a share of ``n``, in ``order``, with equal rows kept together.

    Args:
        keys: Keys of all rows.
        order: Row indices in the order in which rows are taken.
        n: Least number of rows, if there are enough; there may be a few more.
    """
    sizes: dict[Hashable, int] = {}
    for key in keys:
        sizes[key] = sizes.get(key, 0) + 1
    inside: set[Hashable] = set()
    total = 0
    for row in order:
        if total >= n:
            break
        key = keys[row]
        if key not in inside:
            inside.add(key)
            total += sizes[key]
    return np.array([key in inside for key in keys], bool)
