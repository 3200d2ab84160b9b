"""The candidates of a round that are still in memory, packed, with their origin and score."""

import numpy as np
from numpy.typing import NDArray

from ..events import SAID
from ..generator import CUT
from ..packed import Packed, join, pack
from ..samples import Samples
from .chunks import Stored
from .guard import reasons_of


class Held:
    """Candidates, identified by their number in the round.

    Args:
        keep_all: Whether all of them are kept in memory.
    """

    def __init__(self, keep_all: bool) -> None:
        self._keep_all = keep_all
        self._numbers: list[NDArray[np.int64]] = []
        self._samples: list[Packed] = []
        self._size = self._after_filtering = 0

    def add(self, chunk: int, first: int, some: Stored) -> None:
        """Hold ``some`` of the candidates of a chunk that starts at number ``first``."""
        n, rows = len(some.rows), some.rows.astype(np.int32)
        columns: dict[str, object] = {
            "_chunk": np.full(n, chunk, np.int32),
            "_row": rows,
            "_score": some.verdicts.score[rows],
        }
        if some.notes is not None:
            columns[CUT] = some.notes.cut[rows]
        if self._keep_all:
            columns[SAID] = reasons_of(some.verdicts, np.ones(n, bool))
        self._samples.append(pack(some.samples.with_columns(**columns)))
        self._numbers.append(first + some.rows)
        self._size += n

    def has_grown(self) -> bool:
        """Whether to filter: this copies everything held, so it waits until half as much again was added."""
        return not self._keep_all and self._size > 1.5 * self._after_filtering

    def keep_only(self, retained: NDArray[np.int64]) -> None:
        """Drop all others."""
        stays = [_are_among(numbers, retained) for numbers in self._numbers]
        kept = [(n[s], x.select(s)) for n, x, s in zip(self._numbers, self._samples, stays, strict=True)]
        kept = [(n, x) for n, x in kept if len(n)] or kept[:1]  # an empty part still has the columns
        self._numbers, self._samples = [n for n, _ in kept], [x for _, x in kept]
        self._size = self._after_filtering = len(retained)

    def split(self, chosen: NDArray[np.int64]) -> tuple[Samples, Samples | None]:
        """Return the chosen candidates and, if all are kept, the others."""
        kept = [_are_among(numbers, chosen) for numbers in self._numbers]
        return self._select(kept), self._select([~k for k in kept]) if self._keep_all else None

    def _select(self, masks: list[NDArray[np.bool_]]) -> Samples:
        return join(
            [x if mask.all() else x.select(mask) for x, mask in zip(self._samples, masks, strict=True)]
        )


def _are_among(numbers: NDArray[np.int64], chosen: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which of ``numbers`` are in ``chosen``, which is increasing and may be long."""
    if len(chosen) == 0:
        return np.zeros(len(numbers), bool)
    return chosen[np.minimum(np.searchsorted(chosen, numbers), len(chosen) - 1)] == numbers
