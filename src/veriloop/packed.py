"""Samples in less memory: columns of zeros and ones use one bit per value instead of one byte."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .samples import Samples, concat


@dataclass(frozen=True)
class Packed:
    """Samples whose uint8 columns of zeros and ones are packed into bits; made by :func:`pack`.

    Attributes:
        samples: Columns; a packed one has shape (n, bytes), each row padded to whole bytes.
        shapes: Shape of one sample for each packed column.
    """

    samples: Samples
    shapes: Mapping[str, tuple[int, ...]]

    def __len__(self) -> int:
        return len(self.samples)

    def select(self, rows: NDArray[Any] | slice) -> "Packed":
        """Return the samples at ``rows``, still packed; see :meth:`Samples.select`."""
        return Packed(self.samples.select(rows), self.shapes)

    def unpack(self) -> Samples:
        """Return the samples that were passed to :func:`pack`."""
        if not self.shapes:
            return self.samples
        columns: dict[str, NDArray[Any]] = {}
        for name, shape in self.shapes.items():
            bits = np.unpackbits(self.samples.array(name), axis=1, count=int(np.prod(shape)))
            columns[name] = bits.reshape(len(self), *shape)
        return self.samples.with_columns(**columns)


def pack(samples: Samples) -> Packed:
    """Pack every uint8 column of zeros and ones whose rows have more than one value."""
    columns: dict[str, NDArray[Any]] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    for name, column in samples.items():
        if not isinstance(column, np.ndarray) or column.dtype != np.uint8 or column.ndim == 1:
            continue
        if column.max(initial=0) <= 1:
            columns[name] = np.packbits(column.reshape(len(column), int(np.prod(column.shape[1:]))), axis=1)
            shapes[name] = column.shape[1:]
    return Packed(samples.with_columns(**columns) if columns else samples, shapes)


def join(parts: Sequence[Packed]) -> Samples:
    """Join all samples of ``parts`` in order, unpacked; no part is unpacked next to the full result.

    Raises:
        DataError: ``parts`` is empty, or the parts do not have the same columns.
    """
    if all(part.shapes == parts[0].shapes for part in parts):
        return Packed(concat([part.samples for part in parts]), parts[0].shapes if parts else {}).unpack()
    # In one part the counts happened to be only zeros and ones; such images are small.
    return concat([part.unpack() for part in parts])
