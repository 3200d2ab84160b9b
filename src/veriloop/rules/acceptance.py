"""Acceptance: from scores to decisions, and from decisions to the samples a round keeps.

A rule opens one `Selection` per round. The selection sees the candidates chunk by chunk, in order, knows
them by number, and remembers no more of them than the round wants to keep (twice that with cells), so that
memory does not grow with the number of candidates.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy.special import logit
from typing_extensions import override

from ..errors import ConfigError, ContractError
from ..parts import Part, at
from ..samples import Samples
from ..schema import Role, Schema, schema_of
from ..verdicts import Decision, Verdicts
from ._cells import Cells
from ._per_prompt import PerPrompt
from ._selection import BestOfRound, FirstAccepted, Group, Selection

__all__ = [
    "AcceptAll",
    "Acceptance",
    "DensityRatio",
    "Group",
    "PerPrompt",
    "Pointwise",
    "Ranked",
    "Selection",
    "Threshold",
    "TopFraction",
    "TopOfCells",
    "groups_of",
]

Fraction = Annotated[float, Field(gt=0, le=1)]


def groups_of(samples: Samples, balance: str | None) -> NDArray[Any]:
    """The group of each of n samples, shape (n,): its value of ``balance``; all one group when None."""
    return np.zeros(len(samples), np.int64) if balance is None else np.asarray(samples[balance])


class Acceptance(Part, frozen=True):
    """Decides which of the scored candidates are trained on.

    Class attributes:
        reads_samples: Whether it looks at candidates themselves, and not only at what was said of them. A
            rule that does not says False: a round under way then need not store all of them. Not inherited.
    """

    family: ClassVar[str] = "veriloop.acceptance"
    reads_samples: ClassVar[bool] = True

    @abstractmethod
    def open(self, quota: Mapping[Group, int], real: Samples, balance: str | None) -> Selection:
        """The selection of a new round.

        Args:
            quota: How many samples to keep of each group.
            real: The real samples, those that verifiers learn from, for rules that compare with them.
            balance: The column that holds the groups, as in `groups_of`.
        """


class Pointwise(Acceptance, frozen=True):
    """Decides on each candidate by itself; the first accepted ones fill the quota."""

    @abstractmethod
    def decide(self, verdicts: Verdicts, samples: Samples, rng: np.random.Generator) -> Verdicts:
        """The verdicts with every OPEN decision made, as `Verdicts.decide` makes them.

        A decision must not depend on which other candidates stand beside it: they come chunk by chunk.

        Args:
            verdicts: Of n candidates.
            samples: The candidates, n rows.
            rng: For rules that draw lots.
        """

    @override
    def open(self, quota: Mapping[Group, int], real: Samples, balance: str | None) -> Selection:
        return FirstAccepted(quota, self._decided)

    def _decided(self, verdicts: Verdicts, samples: Samples, rng: np.random.Generator) -> Verdicts:
        where = f"{type(self).__name__}.decide"
        with at(where):
            decided = self.decide(verdicts, samples, rng)
        if not isinstance(decided, Verdicts):
            raise ContractError(
                where, got=type(decided).__name__, expected="Verdicts, as verdicts.decide gives"
            )
        if len(decided) != len(verdicts):
            raise ContractError(where, got=f"{len(decided)} verdicts", expected=len(verdicts))
        if left := decided.count(Decision.OPEN):
            raise ContractError(where, got=f"{left} decisions still OPEN", expected="every decision made")
        return decided


class Ranked(Acceptance, frozen=True):
    """Keeps the best ``fraction`` by rank, over the whole round, within each group.

    To keep n samples the round makes n / fraction candidates (abstentions come on top) and keeps the n
    best; of equal ranks the earlier candidate wins. Balanced over a column, the fraction is taken within
    each of its values. What the verifier itself has accepted comes first, and what it has rejected never.

    Attributes:
        fraction: The share of candidates to accept.
    """

    fraction: Fraction = 0.1

    @abstractmethod
    def rank(
        self, verdicts: Verdicts, samples: Samples, rng: np.random.Generator
    ) -> NDArray[np.float64] | NDArray[np.int64]:
        """What the best are chosen by, higher first, shape (n,).

        A rank must not depend on which other candidates stand beside it: they come chunk by chunk.

        Args:
            verdicts: Of n candidates.
            samples: The candidates, n rows.
            rng: For rules that draw lots.
        """

    @override
    def open(self, quota: Mapping[Group, int], real: Samples, balance: str | None) -> Selection:
        return BestOfRound(quota, self.fraction, self._ranks)

    def _ranks(self, verdicts: Verdicts, samples: Samples, rng: np.random.Generator) -> NDArray[np.float64]:
        where = f"{type(self).__name__}.rank"
        with at(where):
            given = self.rank(verdicts, samples, rng)
        expected = f"numbers of shape ({len(verdicts)},), one for each candidate"
        try:
            ranks = np.asarray(given, np.float64)
        except (TypeError, ValueError):
            raise ContractError(where, got=type(given).__name__, expected=expected) from None
        if ranks.shape != (len(verdicts),):
            raise ContractError(where, got=f"shape {ranks.shape}", expected=expected)
        if blind := int(np.count_nonzero(np.isnan(ranks[verdicts.is_(Decision.OPEN)]))):
            raise ContractError(where, got=f"{blind} ranks that are no number", expected=expected)
        return ranks


class AcceptAll(Pointwise, frozen=True):
    """As the verifier has decided: for verifiers that leave nothing open, and for an unverified arm."""

    reads_samples: ClassVar[bool] = False

    @override
    def decide(self, verdicts: Verdicts, samples: Samples, rng: np.random.Generator) -> Verdicts:
        if n := verdicts.count(Decision.OPEN):
            raise ConfigError(
                "acceptance 'accept_all' would keep every candidate",
                got=f"a verifier that gave {n} of {len(verdicts)} candidates a score and no decision",
                expected="a rule that reads scores",
                fix=READS_SCORES,
            )
        return verdicts


READS_SCORES = "set acceptance, such as {kind: top_fraction, fraction: 0.1} or {kind: threshold, at: 0.5}"
"""What to do where nothing but scores is given, and a decision is wanted."""


class Threshold(Pointwise, frozen=True):
    """Accept a score of at least ``at``."""

    reads_samples: ClassVar[bool] = False

    at: float = 0.5

    @override
    def decide(self, verdicts: Verdicts, samples: Samples, rng: np.random.Generator) -> Verdicts:
        return verdicts.decide(verdicts.score >= self.at)


class DensityRatio(Pointwise, frozen=True):
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

    reads_samples: ClassVar[bool] = False

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
        return super().open(quota, real, balance)

    @override
    def decide(self, verdicts: Verdicts, samples: Samples, rng: np.random.Generator) -> Verdicts:
        """The verdicts with every OPEN decision made against the ``bound``."""
        assert self.bound is not None
        return verdicts.decide(_log_ratio_over_lot(verdicts, samples, rng) > np.log(self.bound))


def _log_ratio_over_lot(
    verdicts: Verdicts, samples: Samples, rng: np.random.Generator
) -> NDArray[np.float64]:
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


class TopFraction(Ranked, frozen=True):
    """Accept the best ``fraction`` by score, see `Ranked`."""

    reads_samples: ClassVar[bool] = False

    @override
    def rank(self, verdicts: Verdicts, samples: Samples, rng: np.random.Generator) -> NDArray[np.float64]:
        return verdicts.score


class TopOfCells(Ranked, frozen=True):
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
        column: A numeric column; cells are by Euclidean distance in it. None for the data's images or
            vectors.
    """

    cells: Annotated[int, Field(ge=1)] = 10
    column: str | None = None

    @override
    def suited_to(self, schema: Schema) -> Self:
        return super().suited_to(schema).model_copy(update={"column": self._column(schema)})

    @override
    def open(self, quota: Mapping[Group, int], real: Samples, balance: str | None) -> Selection:
        column = self.column or self._column(schema_of(real, None))
        cells = Cells(real, groups_of(real, balance), column, self.cells)
        return BestOfRound(quota, self.fraction, self._ranks, cells)

    @override
    def rank(self, verdicts: Verdicts, samples: Samples, rng: np.random.Generator) -> NDArray[np.float64]:
        return verdicts.score

    def _column(self, schema: Schema) -> str:
        numbers: tuple[Role, ...] = ("number", "label", "category")
        return schema.pick(
            "acceptance 'top_of_cells'", "column", self.column, "image", "vector", also=numbers
        )
