"""Choice among k: one of every k candidates is kept, as people choose (Bradley-Terry, Luce)."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from typing_extensions import override

from ..records import Counts
from ..samples import Samples
from ..verdicts import Decision, Verdicts
from ._selection import Group, Selection
from .acceptance import Acceptance

NONE = np.empty(0, np.int64)


class Choice(Acceptance, frozen=True):
    """Keeps one of every ``k`` candidates, with probabilities proportional to exp(strength * score).

    The k candidates belong to one group. For k = 2 this is the Bradley-Terry model; for more, Luce's. It
    models curation by people in the theory of retraining (Ferbach et al. 2024, arXiv 2407.09499). Candidates
    accepted by the verifier are chosen before open ones; rejected candidates and abstentions take no part.

    Attributes:
        k: Number of candidates per choice.
        strength: Weight of the scores: 0 chooses at random.
    """

    reads_samples: ClassVar[bool] = False

    k: Annotated[int, Field(ge=2)] = 2
    strength: Annotated[float, Field(ge=0)] = 1.0

    @override
    def open(self, quota: Mapping[Group, int], real: Samples, balance: str | None) -> Selection:
        return Chosen(quota, self.k, self.strength)


class Chosen(Selection):
    """The winners so far, and the best candidate of each group's incomplete choice.

    With g standard Gumbel, each of k candidates has the largest strength * score + g with the probability
    given in `Choice`. So a choice needs one number per candidate and can be made as they stream by.
    """

    def __init__(self, quota: Mapping[Group, int], k: int, strength: float) -> None:
        super().__init__(quota)
        self._k, self._strength = k, strength
        self._winners: dict[Group, list[NDArray[np.int64]]] = {group: [NONE] for group in self.quota}
        self._missing = dict(self.quota)
        # The current choice: ranks and numbers of the candidates so far.
        self._rank: dict[Group, NDArray[np.float64]] = {group: np.empty(0) for group in self.quota}
        self._number: dict[Group, NDArray[np.int64]] = dict.fromkeys(self.quota, NONE)
        self._latest = NONE
        self._seen = self._abstained = self._shown = 0

    @override
    def offer(
        self, verdicts: Verdicts, samples: Samples, groups: NDArray[Any], rng: np.random.Generator
    ) -> None:
        gumbel = rng.gumbel(size=len(verdicts))
        score = np.where(verdicts.is_(Decision.OPEN), verdicts.score, 0.0)
        rank = np.where(verdicts.is_(Decision.ACCEPT), np.inf, self._strength * score + gumbel)
        shown = verdicts.is_(Decision.OPEN) | verdicts.is_(Decision.ACCEPT)
        latest = [NONE]
        for group in np.unique(groups[shown]).tolist():
            if self._missing.get(group):
                rows = np.flatnonzero(shown & (groups == group))
                latest.append(self._choose(group, rank[rows], self._seen + rows))
        self._latest = np.sort(np.concatenate(latest))
        self._latest = self._latest[self._latest >= self._seen]
        self._seen += len(verdicts)
        self._abstained += verdicts.count(Decision.ABSTAIN)
        self._shown += int(np.count_nonzero(shown))

    def _choose(self, group: Group, rank: NDArray[Any], number: NDArray[np.int64]) -> NDArray[np.int64]:
        """Make all complete choices; return the candidates that may be kept."""
        rank = np.concatenate([self._rank[group], rank])
        number = np.concatenate([self._number[group], number])
        choices = len(rank) // self._k
        whole = choices * self._k
        best = rank[:whole].reshape(choices, self._k).argmax(axis=1)
        won = number[np.arange(choices) * self._k + best][: self._missing[group]]
        self._winners[group].append(won)
        self._missing[group] -= len(won)
        rest = slice(whole, None) if self._missing[group] else slice(0, 0)
        self._rank[group], self._number[group] = rank[rest], number[rest]
        return np.concatenate([won, self._number[group]])

    @override
    def shortfall(self) -> int:
        lacking = sum(n * self._k - len(self._number[group]) for group, n in self._missing.items() if n)
        if not lacking or not self._shown:
            return lacking
        return int(np.ceil(lacking * self._seen / self._shown))

    @override
    def retained(self) -> NDArray[np.int64]:
        return np.sort(np.concatenate([self.kept(), *self._number.values()]))

    @override
    def may_keep(self, first: int) -> NDArray[np.int64]:
        return self._latest

    @override
    def kept(self) -> NDArray[np.int64]:
        return np.sort(np.concatenate([NONE, *(won for group in self.quota for won in self._winners[group])]))

    @override
    def counts(self) -> Counts:
        kept = sum(self.quota.values()) - sum(self._missing.values())
        rejected = self._seen - self._abstained - kept
        return Counts(
            generated=self._seen, accepted=kept, rejected=rejected, abstained=self._abstained, kept=kept
        )
