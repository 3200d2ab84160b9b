"""Acceptance: from scores to decisions, and from decisions to the samples a round keeps.

A rule opens one `Selection` per round. The selection sees the candidates chunk by chunk, in order, knows
them only by number, and remembers no more of them than the round wants to keep, so that memory does not
grow with the number of candidates.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from typing_extensions import override

from ..parts import Part
from ..records import Counts
from ..verdicts import Decision, Verdicts

Group = int
"""Samples are kept in equal numbers from each group (a class, a prompt); one group when unbalanced."""


class Selection(ABC):
    """One round's running choice among its candidates.

    Args:
        quota: How many samples to keep of each group.
    """

    def __init__(self, quota: Mapping[Group, int]) -> None:
        self.quota = dict(quota)

    @abstractmethod
    def offer(self, verdicts: Verdicts, groups: NDArray, rng: np.random.Generator) -> None:
        """Judge the next chunk of candidates; they get the next numbers.

        Args:
            verdicts: Shape (n,).
            groups: The group of each candidate, shape (n,).
            rng: For rules that draw lots.
        """

    @abstractmethod
    def shortfall(self) -> int:
        """An estimate of how many more candidates are needed; 0 exactly when the quota is full."""

    @abstractmethod
    def retained(self) -> NDArray[np.int64]:
        """The numbers of the candidates that may be kept in the end, in increasing order."""

    @abstractmethod
    def kept(self) -> NDArray[np.int64]:
        """The numbers of the candidates that are kept if no more come, in increasing order."""

    @abstractmethod
    def counts(self) -> Counts:
        """What has become of the candidates so far."""


class Acceptance(Part, frozen=True):
    """Decides which of the scored candidates are trained on."""

    family: ClassVar[str] = "veriloop.acceptance"

    @abstractmethod
    def open(self, quota: Mapping[Group, int]) -> Selection:
        """The selection of a new round that is to keep ``quota[g]`` samples of each group ``g``."""


class _OneByOne(Acceptance, frozen=True):
    """Rules that decide on each candidate by itself; the first accepted ones fill the quota."""

    @abstractmethod
    def decide(self, verdicts: Verdicts, rng: np.random.Generator) -> Verdicts:
        """The verdicts with every OPEN decision made."""

    @override
    def open(self, quota: Mapping[Group, int]) -> Selection:
        return _FirstAccepted(self, quota)


class AcceptAll(_OneByOne, frozen=True):
    """Every candidate that no verifier has rejected: the rule of an unverified arm."""

    @override
    def decide(self, verdicts: Verdicts, rng: np.random.Generator) -> Verdicts:
        return verdicts.decide(np.ones(len(verdicts), bool))


class Threshold(_OneByOne, frozen=True):
    """Accept a score of at least ``at``."""

    at: float = 0.5

    @override
    def decide(self, verdicts: Verdicts, rng: np.random.Generator) -> Verdicts:
        return verdicts.decide(verdicts.score >= self.at)


class DensityRatio(_OneByOne, frozen=True):
    """Accept with probability min(1, ratio / bound), where ratio = D / (1 - D) and the score D is P(real).

    For an ideal D the ratio is the density of real over generated data, and what is accepted follows the
    real density wherever ratio <= bound (discriminator rejection sampling, Azadi et al. 2019,
    arXiv 1810.06758). A larger bound is truer to the real density and accepts fewer: about 1 / bound.
    """

    bound: Annotated[float, Field(gt=0)] = 10.0

    @override
    def decide(self, verdicts: Verdicts, rng: np.random.Generator) -> Verdicts:
        lots = rng.random(len(verdicts))
        score = np.clip(np.nan_to_num(verdicts.score), 0.0, 1.0)
        # lots < ratio / bound, multiplied out so that a score of 1 needs no division by zero.
        return verdicts.decide(lots * self.bound * (1.0 - score) < score)


class TopFraction(Acceptance, frozen=True):
    """Accept the best ``fraction`` by score, over the whole round, within each group.

    To keep n samples the round makes n / fraction candidates (abstentions come on top) and keeps the n
    best; among equal scores the earlier candidate wins. Balanced over a column, the fraction is taken
    within each of its values.
    """

    fraction: Annotated[float, Field(gt=0, le=1)] = 0.1

    @override
    def open(self, quota: Mapping[Group, int]) -> Selection:
        return _BestOfRound(self.fraction, quota)


class _FirstAccepted(Selection):
    def __init__(self, rule: _OneByOne, quota: Mapping[Group, int]) -> None:
        super().__init__(quota)
        self._rule = rule
        self._kept: list[int] = []
        self._missing = dict(self.quota)
        self._seen = 0
        self._tally = dict.fromkeys((Decision.ACCEPT, Decision.REJECT, Decision.ABSTAIN), 0)

    @override
    def offer(self, verdicts: Verdicts, groups: NDArray, rng: np.random.Generator) -> None:
        decided = self._rule.decide(verdicts, rng)
        for decision in self._tally:
            self._tally[decision] += decided.count(decision)
        for i in np.flatnonzero(decided.is_(Decision.ACCEPT)):
            group = groups[i].item()
            if self._missing.get(group, 0) > 0:
                self._missing[group] -= 1
                self._kept.append(self._seen + int(i))
        self._seen += len(verdicts)

    @override
    def shortfall(self) -> int:
        missing = sum(self._missing.values())
        if missing == 0 or self._seen == 0:
            return missing
        # The fullest estimate that the data support: as many per accepted sample as so far.
        return int(np.ceil(missing * self._seen / max(self._tally[Decision.ACCEPT], 1)))

    @override
    def retained(self) -> NDArray[np.int64]:
        return self.kept()

    @override
    def kept(self) -> NDArray[np.int64]:
        return np.array(self._kept, np.int64)

    @override
    def counts(self) -> Counts:
        return Counts(
            generated=self._seen,
            accepted=self._tally[Decision.ACCEPT],
            rejected=self._tally[Decision.REJECT],
            abstained=self._tally[Decision.ABSTAIN],
            kept=len(self._kept),
        )


class _BestOfRound(Selection):
    def __init__(self, fraction: float, quota: Mapping[Group, int]) -> None:
        super().__init__(quota)
        self._fraction = fraction
        # 1e-9: 400 / 0.1 is 4000, not the 4001 that rounding up 4000.0000000000005 would give.
        self._needed = {g: int(np.ceil(n / fraction - 1e-9)) for g, n in self.quota.items()}
        self._best = {g: _Best(n) for g, n in self.quota.items()}
        self._judged = dict.fromkeys(self.quota, 0)
        self._seen = self._abstained = 0

    @override
    def offer(self, verdicts: Verdicts, groups: NDArray, rng: np.random.Generator) -> None:
        score = np.where(verdicts.is_(Decision.ACCEPT), np.inf, verdicts.score)
        judged = ~verdicts.is_(Decision.ABSTAIN)
        eligible = judged & ~verdicts.is_(Decision.REJECT)
        for group, best in self._best.items():
            mine = groups == group
            self._judged[group] += int(np.count_nonzero(mine & judged))
            rows = np.flatnonzero(mine & eligible)
            best.add(score[rows], self._seen + rows)
        self._abstained += verdicts.count(Decision.ABSTAIN)
        self._seen += len(verdicts)

    @override
    def shortfall(self) -> int:
        missing = sum(
            max(self._needed[g] - self._judged[g], self.quota[g] - len(best), 0)
            for g, best in self._best.items()
        )
        judged = self._seen - self._abstained
        # Some abstain: make up for as many as so far.
        return int(np.ceil(missing * self._seen / judged)) if judged else missing

    @override
    def retained(self) -> NDArray[np.int64]:
        return np.sort(np.concatenate([best.numbers(self.quota[g]) for g, best in self._best.items()]))

    @override
    def kept(self) -> NDArray[np.int64]:
        return np.sort(np.concatenate([best.numbers(self._earned(g)) for g, best in self._best.items()]))

    def _earned(self, group: Group) -> int:
        """A round cut short keeps the fraction of what it has judged, not the best of too few."""
        return min(int(self._fraction * self._judged[group] + 1e-9), self.quota[group])

    @override
    def counts(self) -> Counts:
        kept = sum(min(self._earned(g), len(best)) for g, best in self._best.items())
        return Counts(
            generated=self._seen,
            accepted=kept,
            rejected=self._seen - self._abstained - kept,
            abstained=self._abstained,
            kept=kept,
        )


class _Best:
    """The ``n`` best of a stream, sorted anew only when half as many again have come in."""

    def __init__(self, n: int) -> None:
        self._n = n
        self._score = np.empty(0)
        self._number = np.empty(0, np.int64)

    def __len__(self) -> int:
        return min(self._n, len(self._number))

    def add(self, score: NDArray, number: NDArray) -> None:
        self._score = np.concatenate([self._score, score])
        self._number = np.concatenate([self._number, number])
        if len(self._number) > 1.5 * self._n:
            self._prune()

    def numbers(self, k: int) -> NDArray[np.int64]:
        """Of the ``k`` best, at most ``n``, the best first."""
        self._prune()
        return self._number[:k]

    def _prune(self) -> None:
        best = np.lexsort((self._number, -self._score))[: self._n]
        self._score, self._number = self._score[best], self._number[best]
