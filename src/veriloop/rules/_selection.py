"""Selections: how the rules of `acceptance` choose among a round's candidates as they stream by."""

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from ..errors import ConfigError
from ..records import Counts
from ..samples import Samples
from ..verdicts import Decision, Verdicts
from ._cells import Cells
from ._per_prompt import PerPrompt

Group = int | float | str
"""A value of the column to balance over, such as a class; equal numbers of samples are kept per group."""

Decide = Callable[[Verdicts, Samples, np.random.Generator], Verdicts]
"""Function that decides every OPEN verdict."""

Rank = Callable[[Verdicts, Samples, np.random.Generator], NDArray[np.float64]]
"""Function that returns ranks, shape (n,); higher is better."""


class Selection(ABC):
    """The choice among one round's candidates, updated chunk by chunk.

    Args:
        quota: Number of samples to keep from each group.
    """

    def __init__(self, quota: Mapping[Group, int]) -> None:
        self.quota: dict[Group, int] = dict(quota)

    def limit_prompts(self, per_prompt: PerPrompt) -> None:
        """Limit the choice to what ``per_prompt`` also allows; called before the first candidates.

        Raises:
            ConfigError: This selection does not support it.
        """
        raise ConfigError(
            "samples_per_prompt needs an acceptance rule derived from Pointwise or Ranked",
            got=type(self).__name__,
            fix="remove samples_per_prompt, or use another acceptance rule",
        )

    @abstractmethod
    def offer(
        self, verdicts: Verdicts, samples: Samples, groups: NDArray[Any], rng: np.random.Generator
    ) -> None:
        """Take the next chunk of candidates; they get the next numbers.

        Args:
            verdicts: Verdicts, n rows.
            samples: Candidates, for rules that use more than the scores.
            groups: Group of each candidate, shape (n,).
            rng: Source of randomness, for random rules.
        """

    @abstractmethod
    def shortfall(self) -> int:
        """Estimate how many more candidates are needed; 0 exactly when the quota is full."""

    @abstractmethod
    def retained(self) -> NDArray[np.int64]:
        """Return the numbers of the candidates that may still be kept, in increasing order."""

    def may_keep(self, first: int) -> NDArray[np.int64]:
        """Return those of `retained` from the last chunk, which starts at ``first``; possibly a few more.

        Called after each chunk, so it should not cost more than the chunk itself.
        """
        retained = self.retained()
        return retained[np.searchsorted(retained, first) :]

    @abstractmethod
    def kept(self) -> NDArray[np.int64]:
        """Return the numbers of the candidates kept if no more arrive, in increasing order."""

    @abstractmethod
    def counts(self) -> Counts:
        """Return the counts of the candidates so far."""


class FirstAccepted(Selection):
    """Decides on each candidate separately; the first accepted ones fill the quota."""

    def __init__(self, quota: Mapping[Group, int], decide: Decide) -> None:
        super().__init__(quota)
        self._decide = decide
        self._kept: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
        self._count = 0
        self._wanted = sum(self.quota.values())
        self._latest = np.empty(0, np.int64)
        self._missing = dict(self.quota)
        self._per_prompt: PerPrompt | None = None
        self._seen = self._usable = 0
        self._tally = dict.fromkeys((Decision.ACCEPT, Decision.REJECT, Decision.ABSTAIN), 0)

    @override
    def limit_prompts(self, per_prompt: PerPrompt) -> None:
        self._per_prompt = per_prompt

    @override
    def offer(
        self, verdicts: Verdicts, samples: Samples, groups: NDArray[Any], rng: np.random.Generator
    ) -> None:
        decided = self._decide(verdicts, samples, rng)
        for decision in self._tally:
            self._tally[decision] += decided.count(decision)
        usable = decided.is_(Decision.ACCEPT)
        if self._per_prompt:
            self._per_prompt.tally(decided)
            usable = self._per_prompt.choose(usable, decided.score, samples)
        accepted = np.flatnonzero(usable)
        self._usable += len(accepted)
        before = len(self._kept)
        for group, rows in _rows_by_group(groups[accepted]):
            first = accepted[rows[: self._missing.get(group, 0)]]
            self._missing[group] = self._missing.get(group, 0) - len(first)
            self._kept.append(self._seen + first)
        self._latest = np.sort(np.concatenate([np.empty(0, np.int64), *self._kept[before:]]))
        self._count += len(self._latest)
        self._seen += len(verdicts)

    @override
    def shortfall(self) -> int:
        needed = missing = self._wanted - self._count
        if missing and self._seen:
            # The estimate that uses all data: as many candidates per usable sample as so far.
            needed = int(np.ceil(missing * self._seen / max(self._usable, 1)))
        return self._per_prompt.needed(missing, needed) if self._per_prompt else needed

    @override
    def retained(self) -> NDArray[np.int64]:
        return self.kept()

    @override
    def may_keep(self, first: int) -> NDArray[np.int64]:
        return self._latest

    @override
    def kept(self) -> NDArray[np.int64]:
        return np.sort(np.concatenate(self._kept))

    @override
    def counts(self) -> Counts:
        return Counts(
            generated=self._seen,
            accepted=self._tally[Decision.ACCEPT],
            rejected=self._tally[Decision.REJECT],
            abstained=self._tally[Decision.ABSTAIN],
            kept=self._count,
        )


class BestOfRound(Selection):
    """Makes ``quota / fraction`` candidates and keeps the best of each group; the earlier one wins a tie.

    With cells, the places of a group are divided among its cells in proportion to the real samples, and each
    cell keeps its best candidates. Places that a cell cannot fill go to the best of the group.
    """

    def __init__(
        self, quota: Mapping[Group, int], fraction: float, rank: Rank, cells: Cells | None = None
    ) -> None:
        super().__init__(quota)
        self._fraction = fraction
        self._rank = rank
        self._cells = cells
        # 1e-9: 400 / 0.1 must give 4000, not 4001 by rounding up 4000.0000000000005.
        self._needed = {g: math.ceil(n / fraction - 1e-9) for g, n in self.quota.items()}
        self._best = {g: _Best(n) for g, n in self.quota.items()}
        self._best_of_cell = {
            g: [_Best(n) for n in cells.places(g, self.quota[g])] if cells else [] for g in self.quota
        }
        self._latest = np.empty(0, np.int64)
        self._per_prompt: PerPrompt | None = None
        self._judged = dict.fromkeys(self.quota, 0)
        # Of each group, and their sums kept up to date: there may be as many groups as prompts, and many
        # chunks.
        self._missing_of = dict(self._needed)
        self._count_of = dict.fromkeys(self.quota, 0)
        self._missing = sum(self._missing_of.values())
        self._kept = 0
        self._seen = self._abstained = 0

    @override
    def limit_prompts(self, per_prompt: PerPrompt) -> None:
        self._per_prompt = per_prompt

    @override
    def offer(
        self, verdicts: Verdicts, samples: Samples, groups: NDArray[Any], rng: np.random.Generator
    ) -> None:
        rank = np.where(verdicts.is_(Decision.ACCEPT), np.inf, self._rank(verdicts, samples, rng))
        judged = ~verdicts.is_(Decision.ABSTAIN)
        eligible = judged & ~verdicts.is_(Decision.REJECT)
        if self._per_prompt:
            eligible = self._per_prompt.choose(eligible, rank, samples)
        latest = [np.empty(0, np.int64)]
        for group, mine in _rows_by_group(groups):
            if group not in self._best:
                continue
            self._judged[group] += int(np.count_nonzero(judged[mine]))
            rows = mine[eligible[mine]]
            latest.append(self._best[group].add(rank[rows], self._seen + rows))
            if self._cells and len(rows):
                cell = self._cells.of(group, samples.select(rows))
                for number, best in enumerate(self._best_of_cell[group]):
                    inside = rows[cell == number]
                    latest.append(best.add(rank[inside], self._seen + inside))
            self._count(group)
        self._latest = self._in_order(latest)
        self._abstained += verdicts.count(Decision.ABSTAIN)
        self._seen += len(verdicts)

    @override
    def shortfall(self) -> int:
        judged = self._seen - self._abstained
        # Some candidates are abstentions: expect the same share among the rest.
        needed = int(np.ceil(self._missing * self._seen / judged)) if judged else self._missing
        return self._per_prompt.needed(0, needed) if self._per_prompt else needed

    def _count(self, group: Group) -> None:
        """Update the counts after candidates of a group have come in."""
        wanted, found = self.quota[group], len(self._best[group])
        missing = max(self._needed[group] - self._judged[group], wanted - found, 0)
        count = min(self._earned(group), found)
        self._missing += missing - self._missing_of[group]
        self._kept += count - self._count_of[group]
        self._missing_of[group], self._count_of[group] = missing, count

    @override
    def retained(self) -> NDArray[np.int64]:
        best = [best for g in self.quota for best in (self._best[g], *self._best_of_cell[g])]
        return self._in_order([b.numbers() for b in best])

    def _in_order(self, numbers: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
        joined = np.concatenate(numbers)
        # Only cells can produce duplicate numbers, and checking costs more than sorting.
        return np.unique(joined) if self._cells else np.sort(joined)

    @override
    def may_keep(self, first: int) -> NDArray[np.int64]:
        return self._latest

    @override
    def kept(self) -> NDArray[np.int64]:
        return np.sort(np.concatenate([self._kept_of(g) for g in self.quota]))

    def _kept_of(self, group: Group) -> NDArray[np.int64]:
        earned, best = self._earned(group), self._best[group].numbers()
        if self._cells is None:
            return best[:earned]
        places = self._cells.places(group, earned)
        pairs = zip(self._best_of_cell[group], places, strict=True)
        chosen = np.concatenate([of_cell.numbers()[:n] for of_cell, n in pairs])
        others = best[~np.isin(best, chosen)]
        return np.concatenate([chosen, others[: earned - len(chosen)]])

    def _earned(self, group: Group) -> int:
        """Return the number to keep in a round that was cut short: the fraction of what it judged."""
        return min(int(self._fraction * self._judged[group] + 1e-9), self.quota[group])

    @override
    def counts(self) -> Counts:
        return Counts(
            generated=self._seen,
            accepted=self._kept,
            rejected=self._seen - self._abstained - self._kept,
            abstained=self._abstained,
            kept=self._kept,
        )


def _rows_by_group(groups: NDArray[Any]) -> Iterator[tuple[Group, NDArray[np.intp]]]:
    """Yield each group in increasing order, with its rows in increasing order."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    first = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    edges = [0, *first.tolist(), len(groups)] if len(groups) else []
    for begin, end in itertools.pairwise(edges):
        yield ordered[begin].item(), order[begin:end]


class _Best:
    """The ``n`` best of a stream, merged and sorted only when half as many again have arrived."""

    def __init__(self, n: int) -> None:
        self._n = n
        self._edge: float | None = None
        self._sorted = True
        self._rank: list[NDArray[Any]] = [np.empty(0)]
        self._number: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
        self._size = 0

    def __len__(self) -> int:
        return min(self._n, self._size)

    def add(self, rank: NDArray[Any], number: NDArray[Any]) -> NDArray[Any]:
        """Add candidates with higher numbers than before; return those that may be among the best."""
        if self._edge is not None:
            # Not better than the worst of n earlier ones, so never among the best and not worth sorting.
            better = rank > self._edge
            rank, number = rank[better], number[better]
        self._rank.append(rank)
        self._number.append(number)
        self._size += len(number)
        self._sorted = False
        if self._size > 1.5 * self._n:
            self._prune()
        return number

    def numbers(self) -> NDArray[np.int64]:
        """Return the numbers of the at most ``n`` best, best first."""
        self._prune()
        return self._number[0]

    def _prune(self) -> None:
        if self._sorted:
            return
        self._sorted = True
        rank, number = np.concatenate(self._rank), np.concatenate(self._number)
        best = np.lexsort((number, -rank))[: self._n]
        self._rank, self._number, self._size = [rank[best]], [number[best]], len(best)
        if len(best) == self._n:
            self._edge = float(rank[best[-1]]) if self._n else np.inf
