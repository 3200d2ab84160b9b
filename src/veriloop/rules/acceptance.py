"""Acceptance: from scores to decisions, and from decisions to the samples a round keeps.

A rule opens one `Selection` per round. The selection sees the candidates chunk by chunk, in order, knows
them by number, and remembers no more of them than the round wants to keep (twice that with cells), so that
memory does not grow with the number of candidates.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy.special import logit
from typing_extensions import override

from ..errors import ConfigError
from ..parts import Part
from ..samples import Samples
from ..verdicts import Decision, Verdicts
from ._cells import Cells
from ._selection import BestOfRound, FirstAccepted, Group, Selection

__all__ = [
    "AcceptAll",
    "Acceptance",
    "DensityRatio",
    "Group",
    "Selection",
    "Threshold",
    "TopFraction",
    "TopOfCells",
    "groups_of",
]

Fraction = Annotated[float, Field(gt=0, le=1)]


def groups_of(samples: Samples, balance: str | None) -> NDArray:
    """The group of each of n samples, shape (n,): its value of ``balance``; all one group when None."""
    return np.zeros(len(samples), np.int64) if balance is None else np.asarray(samples[balance])


class Acceptance(Part, frozen=True):
    """Decides which of the scored candidates are trained on."""

    family: ClassVar[str] = "veriloop.acceptance"

    @abstractmethod
    def open(self, quota: Mapping[Group, int], real: Samples, balance: str | None) -> Selection:
        """The selection of a new round.

        Args:
            quota: How many samples to keep of each group.
            real: The real samples, those that verifiers learn from, for rules that compare with them.
            balance: The column that holds the groups, as in `groups_of`.
        """


class _OneByOne(Acceptance, frozen=True):
    """Rules that decide on each candidate by itself; the first accepted ones fill the quota."""

    @abstractmethod
    def decide(self, verdicts: Verdicts, rng: np.random.Generator) -> Verdicts:
        """The verdicts with every OPEN decision made."""

    @override
    def open(self, quota: Mapping[Group, int], real: Samples, balance: str | None) -> Selection:
        return FirstAccepted(quota, self.decide)


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


class DensityRatio(Acceptance, frozen=True):
    """Accept with probability min(1, ratio / bound), where ratio = D / (1 - D) and the score D is P(real).

    For a calibrated D the ratio is the density of real over generated data, and what is accepted follows
    the real density wherever ratio <= bound (discriminator rejection sampling, Azadi et al. 2019,
    arXiv 1810.06758). A larger bound is truer to the real density and accepts fewer: about 1 / bound.

    Instead of the bound the accepted ``fraction`` may be given: a round of n wanted samples then makes
    n / fraction candidates, as under `TopFraction`, and the bound is the one that accepts just n of them, in
    each group for itself. With u uniform in (0, 1), u < ratio / bound is ratio / u > bound: so these
    are the n candidates with the largest ratio / u (sequential Poisson sampling, Ohlsson 1998).

    Attributes:
        bound: The ratio from which on a candidate is accepted for sure.
        fraction: The share of candidates to accept; give this or ``bound``.
    """

    bound: Annotated[float, Field(gt=0)] | None = None
    fraction: Fraction | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.bound is None) == (self.fraction is None):
            raise ConfigError(
                "density_ratio",
                got="neither" if self.bound is None else "both",
                expected="either bound, such as 10, or fraction, such as 0.1",
            )
        return self

    @override
    def open(self, quota: Mapping[Group, int], real: Samples, balance: str | None) -> Selection:
        if self.fraction is not None:
            return BestOfRound(quota, self.fraction, _log_ratio_over_lot)
        return FirstAccepted(quota, self.decide)

    def decide(self, verdicts: Verdicts, rng: np.random.Generator) -> Verdicts:
        """The verdicts with every OPEN decision made against the ``bound``."""
        assert self.bound is not None
        return verdicts.decide(_log_ratio_over_lot(verdicts, rng) > np.log(self.bound))


def _log_ratio_over_lot(verdicts: Verdicts, rng: np.random.Generator) -> NDArray[np.float64]:
    """log(ratio / u), u uniform: minus its logarithm is standard exponential."""
    lots = rng.standard_exponential(len(verdicts))
    score = np.where(verdicts.is_(Decision.OPEN), verdicts.score, 0.5)
    if len(score) and not (score.min() >= 0 and score.max() <= 1):
        raise ConfigError(
            "density_ratio reads a score as the probability that a sample is real",
            got=f"scores from {score.min():.4g} to {score.max():.4g}",
            expected="0 to 1",
            fix="use top_fraction, or a verifier with calibrated scores",
        )
    return logit(score) + lots


class TopFraction(Acceptance, frozen=True):
    """Accept the best ``fraction`` by score, over the whole round, within each group.

    To keep n samples the round makes n / fraction candidates (abstentions come on top) and keeps the n
    best; among equal scores the earlier candidate wins. Balanced over a column, the fraction is taken
    within each of its values.
    """

    fraction: Fraction = 0.1

    @override
    def open(self, quota: Mapping[Group, int], real: Samples, balance: str | None) -> Selection:
        return BestOfRound(quota, self.fraction, _score)


class TopOfCells(Acceptance, frozen=True):
    """Accept the best ``fraction`` by score, with as many of each kind as among the real samples.

    Alone, the best by score are the easiest: kinds of samples that the verifier finds harder to believe
    die out over the rounds. Here each group's real samples are divided into ``cells`` by k-means, and a cell
    gets the share of the kept samples that it has of the real ones. Within a cell the best by score are
    kept. Where a cell has fewer candidates than places, the places left go to the best of the group.

    It makes as many candidates as `TopFraction`. It looks at all real training data, also where the verifier
    may see only some of them, and needs them to share the candidates' columns.

    Attributes:
        fraction: The share of candidates to accept.
        cells: Of each group, at most.
        column: A numeric column; cells are by Euclidean distance in it.
    """

    fraction: Fraction = 0.1
    cells: Annotated[int, Field(ge=1)] = 10
    column: str = "pixels"

    @override
    def open(self, quota: Mapping[Group, int], real: Samples, balance: str | None) -> Selection:
        cells = Cells(real, groups_of(real, balance), self.column, self.cells)
        return BestOfRound(quota, self.fraction, _score, cells)


def _score(verdicts: Verdicts, rng: np.random.Generator) -> NDArray[np.float64]:
    return verdicts.score
