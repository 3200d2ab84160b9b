"""The candidates of a round that are still in memory, packed, with where each was made and its score."""

import numpy as np
from numpy.typing import NDArray

from ..events import SAID
from ..generator import CUT
from ..packed import Packed, join, pack
from ..samples import Samples
from .chunks import Stored
from .guard import reasons_of


class Held:
    """Candidates, known by their number in the round.

    Args:
        keep_all: Whether none of them is ever let go.
    """

    def __init__(self, keep_all: bool) -> None:
        self._keep_all = keep_all
        self._numbers: list[NDArray[np.int64]] = []
        self._samples: list[Packed] = []
        self._size = self._after_filtering = 0

    def add(self, chunk: int, first: int, some: Stored) -> None:
        """Hold ``some`` of the candidates of a chunk, whose first has the number ``first``."""
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
        """Whether to filter: it costs a copy of everything held, so not until half as much again came in."""
        return not self._keep_all and self._size > 1.5 * self._after_filtering

    def keep_only(self, retained: NDArray[np.int64]) -> None:
        """Let the others go."""
        stays = [_are_among(numbers, retained) for numbers in self._numbers]
        kept = [(n[s], x.select(s)) for n, x, s in zip(self._numbers, self._samples, stays, strict=True)]
        kept = [(n, x) for n, x in kept if len(n)] or kept[:1]  # an empty one still has the columns
        self._numbers, self._samples = [n for n, _ in kept], [x for _, x in kept]
        self._size = self._after_filtering = len(retained)

    def split(self, chosen: NDArray[np.int64]) -> tuple[Samples, Samples | None]:
        """The chosen ones and, where all are kept, the others."""
        kept = [_are_among(numbers, chosen) for numbers in self._numbers]
        return self._select(kept), self._select([~k for k in kept]) if self._keep_all else None

    def _select(self, masks: list[NDArray[np.bool_]]) -> Samples:
        return join(
            [x if mask.all() else x.select(mask) for x, mask in zip(self._samples, masks, strict=True)]
        )


def _are_among(numbers: NDArray[np.int64], chosen: NDArray[np.int64]) -> NDArray[np.bool_]:
    """For each of ``numbers``, whether it is in ``chosen``, which is in increasing order and may be long."""
    if len(chosen) == 0:
        return np.zeros(len(numbers), bool)
    return chosen[np.minimum(np.searchsorted(chosen, numbers), len(chosen) - 1)] == numbers
