"""The samples kept by an arm's rounds, separately or joined, each read only once."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, overload

import numpy as np

from ..errors import ContractError
from ..samples import Samples, concat, type_of


class _Joined(NamedTuple):
    """``start`` and the first rounds in one piece: round i is the rows ``ends[i - 1]`` to ``ends[i]``."""

    start: Samples
    whole: Samples
    ends: list[int]
    names: list[list[str]]


class KeptRounds(Sequence[Samples]):
    """The samples kept in rounds 1, 2, ... of an arm; ``kept[0]`` is round 1.

    A round is loaded when used and then held, either separately or as rows of the piece made by
    :meth:`after`, so that no sample is held twice. ``kept + (samples,)`` adds a round; what the shorter
    sequence held moves to the longer one if it can be loaded again.

    Args:
        rounds: Number of rounds.
        load: Function that loads a round by its number, from 1; None if all rounds are added to it.
    """

    def __init__(self, rounds: int = 0, load: Callable[[int], Samples] | None = None) -> None:
        self._rounds, self._load = rounds, load
        self._loose: dict[int, Samples] = {}
        self._joined: _Joined | None = None
        self._looked_at: set[int] = set()

    def __len__(self) -> int:
        return self._rounds

    def __add__(self, more: tuple[Samples, ...]) -> "KeptRounds":
        longer = KeptRounds(self._rounds + len(more), self._load)
        longer._loose = {**self._loose, **dict(enumerate(more, self._rounds))}
        longer._joined = self._joined
        if self._load is not None:
            self._loose, self._joined = {}, None
        return longer

    @overload
    def __getitem__(self, index: int) -> Samples: ...
    @overload
    def __getitem__(self, index: slice) -> list[Samples]: ...
    def __getitem__(self, index: int | slice) -> Samples | list[Samples]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        index = range(len(self))[index]
        self._looked_at.add(index)
        joined = self._joined
        if joined is not None and index < len(joined.names):
            rows = slice(joined.ends[index], joined.ends[index + 1])
            return joined.whole.only(joined.names[index]).select(rows)
        if index not in self._loose:
            if self._load is None:
                raise ContractError(
                    f"a policy uses round {index + 1}, which this run does not hold",
                    fix="set looks_back to True in the policy's class",
                )
            self._loose[index] = self._load(index + 1)
        return self._loose[index]

    def after(self, start: Samples) -> Samples:
        """Return ``start`` and all rounds in order, bit for bit as `concat` would.

        The result of an earlier call is extended, not rebuilt. All these rounds are held from then on.
        """
        joined = self._joined
        if joined is None or joined.start is not start:
            joined = _Joined(start, start, [len(start)], [])
        done = len(joined.names)
        new = self[done:]
        if not all(_alike(piece, joined.whole) for piece in new):
            # Joining would change types, so rounds could not be recovered from the joined rows.
            return concat([start, *self])
        if new:
            whole = concat([joined.whole, *new])
            ends = [*joined.ends, *(joined.ends[-1] + np.cumsum([len(piece) for piece in new])).tolist()]
            joined = _Joined(start, whole, ends, [*joined.names, *(list(piece) for piece in new)])
        self._joined = joined
        self._loose = {i: piece for i, piece in self._loose.items() if i >= len(joined.names)}
        return joined.whole

    def settled(self, looks_back: bool) -> "KeptRounds":
        """Return the same rounds for the next round's policy, holding only what it is likely to need.

        Args:
            looks_back: Whether the policy uses earlier rounds at all, see `DataPolicy`.
        """
        settled = KeptRounds(self._rounds, self._load)
        if looks_back:
            settled._joined = self._joined
            keep_all = self._load is None
            settled._loose = {i: x for i, x in self._loose.items() if keep_all or i in self._looked_at}
        return settled


def together(start: Samples, kept: Sequence[Samples]) -> Samples:
    """Return ``start`` and all of ``kept`` in order, extending what earlier rounds joined."""
    return kept.after(start) if isinstance(kept, KeptRounds) else concat([start, *kept])


def _alike(a: Samples, b: Samples) -> bool:
    """Whether joining the two leaves the types of both unchanged."""
    return set(a) == set(b) and all(type_of(a[name]) == type_of(b[name]) for name in a)
