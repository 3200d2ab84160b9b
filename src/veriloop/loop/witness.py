"""A selection that remembers every candidate with what was said of it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from ..datasets.base import RealData
from ..records import Counts
from ..rules.acceptance import Selection
from ..samples import Samples, concat
from ..verdicts import Decision, Verdicts


@dataclass(frozen=True, eq=False)
class Remade:
    """A round's candidates, in the order in which they were made.

    Attributes:
        round: Its number.
        verifier: The kind of the verifier.
        samples: The candidates.
        number: Which of all the round's candidates they are, shape (n,).
        score: What the verifier gave them, shape (n,).
        accepted: 1 or 0, NaN where the verifier abstained, shape (n,).
        groups: The value of the column that the arm balances over, shape (n,).
        data: The run's real data.
    """

    round: int
    verifier: str
    samples: Samples
    number: NDArray[np.int64]
    score: NDArray[np.float64]
    accepted: NDArray[np.float64]
    groups: NDArray[Any]
    data: RealData


class Witness(Selection):
    """Leaves the choice to another selection, and remembers every candidate with what was said of it."""

    def __init__(self, other: Selection) -> None:
        super().__init__(other.quota)
        self._other = other
        self.offered: list[tuple[Samples, Verdicts, NDArray[Any]]] = []

    @override
    def offer(
        self, verdicts: Verdicts, samples: Samples, groups: NDArray[Any], rng: np.random.Generator
    ) -> None:
        self._other.offer(verdicts, samples, groups, rng)
        self.offered.append((samples, verdicts, groups))

    @override
    def shortfall(self) -> int:
        return self._other.shortfall()

    @override
    def retained(self) -> NDArray[np.int64]:
        return self._other.retained()

    @override
    def kept(self) -> NDArray[np.int64]:
        return self._other.kept()

    @override
    def counts(self) -> Counts:
        return self._other.counts()

    def remade(self, round_: int, verifier: str, data: RealData) -> Remade:
        """Return all candidates so far, with their outcomes."""
        samples, verdicts, groups = zip(*self.offered, strict=True)
        group = np.concatenate(groups)
        accepted = np.zeros(len(group))
        accepted[np.concatenate([v.is_(Decision.ABSTAIN) for v in verdicts])] = np.nan
        accepted[self.kept()] = 1
        stands = np.ones(len(group), bool)
        if self.counts().accepted > self.counts().kept:
            for value, wanted in self.quota.items():
                kept = np.flatnonzero((group == value) & (accepted == 1))
                if len(kept) == wanted:
                    stands &= (group != value) | (np.arange(len(group)) <= kept.max(initial=-1))
        return Remade(
            round=round_,
            verifier=verifier,
            samples=concat(samples).select(stands),
            number=np.flatnonzero(stands),
            score=np.concatenate([v.score for v in verdicts])[stands],
            accepted=accepted[stands],
            groups=group[stands],
            data=data,
        )
