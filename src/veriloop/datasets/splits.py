"""Splits by content: rows with equal content are never on two sides, whatever their ids say.

What tells rows apart is a key for each: the prompt of a row of text, the pixels of an image.
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
"""What each row's content is: equal keys, equal content."""

Size = Annotated[int, Field(strict=True, ge=0)] | Annotated[float, Field(gt=0, le=1)]
"""A number of rows, or a share of them: 1 is one row, 1.0 is all."""


def count(size: int | float, of: int) -> int:
    """How many of ``of`` rows a `Size` means; a share means one at least."""
    return size if isinstance(size, int) else min(of, max(1, round(size * of)))


def text_keys(texts: Iterable[str]) -> list[bytes]:
    """Keys of texts, which are equal where they differ in white space, or in how a letter is encoded."""
    return [_digest(" ".join(unicodedata.normalize("NFC", text).split()).encode()) for text in texts]


def array_keys(rows: NDArray[Any]) -> list[bytes]:
    """Keys of the rows of an array, such as images: their bytes."""
    return [_digest(row.tobytes()) for row in rows]


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


def not_in(rows: Keys, *others: Keys) -> NDArray[np.bool_]:
    """Which of ``rows`` have no equal in any of ``others``, shape (n,)."""
    seen = set().union(*others)
    return np.array([key not in seen for key in rows], bool)


def apart(train: Keys, validation: Keys, test: Keys) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which rows of ``train`` and of ``validation`` can stay, where a row held out for later numbers wins.

    Raises:
        DataError: No training row can.
    """
    stay = not_in(train, validation, test), not_in(validation, test)
    if len(train) and not stay[0].any():
        raise DataError(
            "every training row is also held out",
            got=f"{len(train)} rows, each equal to one held out for validation or test",
            expected="other rows to train on than to measure with",
            fix="name other files or splits to hold out",
        )
    return stay


def counted(**left_out: NDArray[np.bool_]) -> dict[str, int]:
    """For `RealData.duplicates`: how many rows cannot stay, by where they were; without zeros."""
    counts = {where: int(np.count_nonzero(~stay)) for where, stay in left_out.items()}
    return {where: n for where, n in counts.items() if n}


def taken(keys: Keys, order: NDArray[np.integer], n: int) -> NDArray[np.bool_]:
    """Which rows a share of ``n`` takes, in ``order`` and whole groups of equal rows; a few more, maybe.

    Args:
        keys: Of all rows.
        order: In which rows are taken, as row indices.
        n: How many at least, if there are so many.
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
