"""Selections: how the rules of `acceptance` choose among a round's candidates while these stream by."""

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
"""Samples are kept in equal numbers from each group (a class, a prompt); one group when unbalanced."""

Decide = Callable[[Verdicts, Samples, np.random.Generator], Verdicts]
"""Makes every OPEN decision."""

Rank = Callable[[Verdicts, Samples, np.random.Generator], NDArray[np.float64]]
"""What the best are chosen by, higher first, shape (n,)."""


class Selection(ABC):
    """One round's running choice among its candidates.

    Args:
        quota: How many samples to keep of each group.
    """

    def __init__(self, quota: Mapping[Group, int]) -> None:
        self.quota = dict(quota)

    def limit_prompts(self, per_prompt: PerPrompt) -> None:
        """Keep only what ``per_prompt`` chooses, too; called before the first candidates come.

        Raises:
            ConfigError: This selection cannot.
        """
        raise ConfigError(
            "samples_per_prompt needs a rule that derives from Pointwise or Ranked",
            got=type(self).__name__,
            fix="take samples_per_prompt out, or another acceptance",
        )

    @abstractmethod
    def offer(
        self, verdicts: Verdicts, samples: Samples, groups: NDArray[Any], rng: np.random.Generator
    ) -> None:
        """Judge the next chunk of candidates; they get the next numbers.

        Args:
            verdicts: Shape (n,).
            samples: The candidates themselves, for rules that look beyond the scores.
            groups: The group of each candidate, shape (n,).
            rng: For rules that draw lots.
        """

    @abstractmethod
    def shortfall(self) -> int:
        """An estimate of how many more candidates are needed; 0 exactly when the quota is full."""

    @abstractmethod
    def retained(self) -> NDArray[np.int64]:
        """The numbers of the candidates that may be kept in the end, in increasing order."""

    def may_keep(self, first: int) -> NDArray[np.int64]:
        """Those of `retained` that came in the last chunk, whose first number is ``first``; some more may be.

        Asked for after each chunk, so it should not cost more than the chunk itself.
        """
        retained = self.retained()
        return retained[np.searchsorted(retained, first) :]

    @abstractmethod
    def kept(self) -> NDArray[np.int64]:
        """The numbers of the candidates that are kept if no more come, in increasing order."""

    @abstractmethod
    def counts(self) -> Counts:
        """What has become of the candidates so far."""


class FirstAccepted(Selection):
    """Decides on each candidate by itself; the first accepted ones fill the quota."""

    def __init__(self, quota: Mapping[Group, int], decide: Decide) -> None:
        super().__init__(quota)
        self._decide = decide
        self._kept: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
        self._count, self._wanted = 0, sum(self.quota.values())
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
            # The fullest estimate that the data support: as many per usable sample as so far.
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
    """Makes ``quota / fraction`` candidates and keeps the best of each group; the earlier wins a tie.

    With cells, the places of a group are shared out among its cells as the real samples are, and each cell
    fills its places with its best. Places that a cell cannot fill go to the best of the group.
    """

    def __init__(
        self, quota: Mapping[Group, int], fraction: float, rank: Rank, cells: Cells | None = None
    ) -> None:
        super().__init__(quota)
        self._fraction, self._rank, self._cells = fraction, rank, cells
        # 1e-9: 400 / 0.1 is 4000, not the 4001 that rounding up 4000.0000000000005 would give.
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
        self._missing_of, self._count_of = dict(self._needed), dict.fromkeys(self.quota, 0)
        self._missing, self._kept = sum(self._missing_of.values()), 0
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
        # Some abstain: make up for as many as so far.
        needed = int(np.ceil(self._missing * self._seen / judged)) if judged else self._missing
        return self._per_prompt.needed(0, needed) if self._per_prompt else needed

    def _count(self, group: Group) -> None:
        """Bring the counts up to date, after candidates of a group have come in."""
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
        # Only with cells may a number be there twice, and to look for such costs more than to sort.
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
        """A round cut short keeps the fraction of what it has judged, not the best of too few."""
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
    """Each group in increasing order, with its rows in theirs."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    first = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    edges = [0, *first.tolist(), len(groups)] if len(groups) else []
    for begin, end in itertools.pairwise(edges):
        yield ordered[begin].item(), order[begin:end]


class _Best:
    """The ``n`` best of a stream, put together and sorted only when half as many again have come in."""

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
        """Take in candidates whose numbers are higher than those before; returns those that may stay."""
        if self._edge is not None:
            # No better than the worst of n earlier ones: never among the best, and not worth sorting.
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
        """Of the best, at most ``n``, the best first."""
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
