"""What an arm's rounds have kept, round by round or all together, none of it read twice."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, overload

import numpy as np

from ..errors import ContractError
from ..samples import Samples, concat, type_of


class _Joined(NamedTuple):
    """``start`` and the first rounds in one piece: round i is its rows ``ends[i - 1]`` to ``ends[i]``."""

    start: Samples
    whole: Samples
    ends: list[int]
    names: list[list[str]]


class KeptRounds(Sequence[Samples]):
    """What rounds 1, 2, ... of an arm kept; ``kept[0]`` is round 1.

    A round is loaded when it is looked at, and then held: by itself, or as rows of the one piece that
    :meth:`after` has made, so that no sample is held twice. ``kept + (samples,)`` continues it with a round;
    what the shorter one held goes over to the longer one, if it can be loaded again.

    Args:
        rounds: How many there are.
        load: Loads a round by its number, 1 for the first; None if all rounds are added to it.
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
                    f"a policy looks at round {index + 1}, which this run does not hold",
                    fix="set looks_back to True in the policy's class",
                )
            self._loose[index] = self._load(index + 1)
        return self._loose[index]

    def after(self, start: Samples) -> Samples:
        """``start`` and all rounds in order, bit for bit as `concat` would make them.

        What an earlier call joined is only added to. It holds all those rounds from then on.
        """
        joined = self._joined
        if joined is None or joined.start is not start:
            joined = _Joined(start, start, [len(start)], [])
        done = len(joined.names)
        new = self[done:]
        if not all(_alike(piece, joined.whole) for piece in new):
            # Types would change with the join, and the rounds could not be told from its rows.
            return concat([start, *self])
        if new:
            whole = concat([joined.whole, *new])
            ends = [*joined.ends, *(joined.ends[-1] + np.cumsum([len(piece) for piece in new])).tolist()]
            joined = _Joined(start, whole, ends, [*joined.names, *(list(piece) for piece in new)])
        self._joined = joined
        self._loose = {i: piece for i, piece in self._loose.items() if i >= len(joined.names)}
        return joined.whole

    def settled(self, looks_back: bool) -> "KeptRounds":
        """The same rounds for the next round's policy, holding only what it is likely to ask for.

        Args:
            looks_back: Whether the policy looks at earlier rounds at all, see `DataPolicy`.
        """
        settled = KeptRounds(self._rounds, self._load)
        if looks_back:
            settled._joined = self._joined
            keep_all = self._load is None
            settled._loose = {i: x for i, x in self._loose.items() if keep_all or i in self._looked_at}
        return settled


def together(start: Samples, kept: Sequence[Samples]) -> Samples:
    """``start`` and all of ``kept`` in order; what earlier rounds have joined is only added to."""
    return kept.after(start) if isinstance(kept, KeptRounds) else concat([start, *kept])


def _alike(a: Samples, b: Samples) -> bool:
    """Whether joining the two changes neither's types."""
    return set(a) == set(b) and all(type_of(a[name]) == type_of(b[name]) for name in a)
