"""Acceptance: turns scores into decisions, and decisions into the samples a round keeps.

A rule opens one `Selection` per round. The selection sees the candidates chunk by chunk, in order, and
identifies them by number. It remembers only as many as the round wants to keep (twice that with cells), so
memory does not grow with the number of candidates.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from typing_extensions import override

from ..errors import ConfigError, ContractError
from ..laws import logit
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
    """Return the group of each of n samples, shape (n,): its value of ``balance``; one group when None."""
    return np.zeros(len(samples), np.int64) if balance is None else np.asarray(samples[balance])


class Acceptance(Part, frozen=True):
    """Decides which scored candidates are trained on.

    Class attributes:
        reads_samples: Whether the rule uses the candidates themselves and not only their verdicts. If it is
            False, a round in progress need not store all candidates. Not inherited.
    """

    family: ClassVar[str] = "veriloop.acceptance"
    reads_samples: ClassVar[bool] = True

    @abstractmethod
    def open(self, quota: Mapping[Group, int], real: Samples, balance: str | None) -> Selection:
        """Return the selection for a new round.

        Args:
            quota: Number of samples to keep from each group.
            real: Real samples that verifiers learn from, for rules that compare with them.
            balance: Name of the column with the groups, as in `groups_of`.
        """


class Pointwise(Acceptance, frozen=True):
    """Decides on each candidate separately; the first accepted ones fill the quota."""

    @abstractmethod
    def decide(self, verdicts: Verdicts, samples: Samples, rng: np.random.Generator) -> Verdicts:
        """Return the verdicts with every OPEN decision made, as by `Verdicts.decide`.

        A decision must not depend on the other candidates passed, because they arrive in chunks.

        Args:
            verdicts: Verdicts on n candidates.
            samples: Candidates, n rows.
            rng: Source of randomness, for random rules.
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
                where, got=type(decided).__name__, expected="Verdicts, as returned by verdicts.decide"
            )
        if len(decided) != len(verdicts):
            raise ContractError(where, got=f"{len(decided)} verdicts", expected=len(verdicts))
        if left := decided.count(Decision.OPEN):
            raise ContractError(where, got=f"{left} decisions still OPEN", expected="every decision made")
        return decided


class Ranked(Acceptance, frozen=True):
    """Keeps the best ``fraction`` by rank, over the whole round, within each group.

    To keep n samples, the round makes n / fraction candidates (plus replacements for abstentions) and keeps
    the n best; of equal ranks the earlier candidate wins. When balancing over a column, the fraction applies
    within each of its values. Candidates accepted by the verifier come first, and rejected ones are never
    kept.

    Attributes:
        fraction: Share of candidates to accept.
    """

    fraction: Fraction = 0.1

    @abstractmethod
    def rank(
        self, verdicts: Verdicts, samples: Samples, rng: np.random.Generator
    ) -> NDArray[np.float64] | NDArray[np.int64]:
        """Return the ranks of the candidates, shape (n,); higher is better.

        A rank must not depend on the other candidates passed, because they arrive in chunks.

        Args:
            verdicts: Verdicts on n candidates.
            samples: Candidates, n rows.
            rng: Source of randomness, for random rules.
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
            raise ContractError(where, got=f"{blind} ranks that are not a number", expected=expected)
        return ranks


class AcceptAll(Pointwise, frozen=True):
    """Uses the verifier's decisions: for verifiers that leave nothing open, and for an unverified arm."""

    reads_samples: ClassVar[bool] = False

    @override
    def decide(self, verdicts: Verdicts, samples: Samples, rng: np.random.Generator) -> Verdicts:
        if n := verdicts.count(Decision.OPEN):
            raise ConfigError(
                "acceptance 'accept_all' would keep every candidate",
                got=f"a verifier that gave {n} of {len(verdicts)} candidates a score but no decision",
                expected="a rule that uses scores",
                fix=READS_SCORES,
            )
        return verdicts


READS_SCORES = "set acceptance, such as {kind: top_fraction, fraction: 0.1} or {kind: threshold, at: 0.5}"
"""What to do if there are only scores and a decision is needed."""


class Threshold(Pointwise, frozen=True):
    """Accepts scores of at least ``at``."""

    reads_samples: ClassVar[bool] = False

    at: float = 0.5

    @override
    def decide(self, verdicts: Verdicts, samples: Samples, rng: np.random.Generator) -> Verdicts:
        return verdicts.decide(verdicts.score >= self.at)


class DensityRatio(Pointwise, frozen=True):
    """Accepts with probability min(1, ratio / bound), where ratio = D / (1 - D) and the score D is P(real).

    For a calibrated D, the ratio is the density of real over generated data, and accepted samples follow the
    real density wherever ratio <= bound (discriminator rejection sampling, Azadi et al. 2019, arXiv
    1810.06758). A larger bound follows the real density more closely and accepts fewer samples: about 1 /
    bound.

    Instead of the bound, the accepted ``fraction`` may be set: a round that wants n samples then makes n /
    fraction candidates, as with `TopFraction`, and the bound is the one that accepts exactly n of them,
    within each group. With u uniform in (0, 1), u < ratio / bound is the same as ratio / u > bound, so these
    are the n candidates with the largest ratio / u (sequential Poisson sampling, Ohlsson 1998).

    Attributes:
        bound: Ratio from which a candidate is always accepted.
        fraction: Share of candidates to accept; set either this or ``bound``.
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
        """Return the verdicts with every OPEN decision made by the ``bound``."""
        assert self.bound is not None
        return verdicts.decide(_log_ratio_over_lot(verdicts, samples, rng) > np.log(self.bound))


def _log_ratio_over_lot(
    verdicts: Verdicts, samples: Samples, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return log(ratio / u) with u uniform; -log(u) is standard exponential."""
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
    """Accepts the best ``fraction`` by score, see `Ranked`."""

    reads_samples: ClassVar[bool] = False

    @override
    def rank(self, verdicts: Verdicts, samples: Samples, rng: np.random.Generator) -> NDArray[np.float64]:
        return verdicts.score


class TopOfCells(Ranked, frozen=True):
    """Accepts the best ``fraction`` by score, in the same proportions of kinds as in the real samples.

    The best samples by score alone are the easiest ones: kinds of samples that score lower die out over the
    rounds. Here the real samples of each group are divided into ``cells`` by k-means, and each cell gets the
    same share of the kept samples as of the real ones. Within a cell, the best by score are kept. If a cell
    has fewer candidates than places, the remaining places go to the best of the group.

    It makes as many candidates as `TopFraction`. It uses all real training data, even if the verifier may see
    only part of them, and needs them to have the candidates' columns.

    Attributes:
        fraction: Share of candidates to accept.
        cells: Largest number of cells per group.
        column: Name of a numeric column for the distances (Euclidean). None for the data's images or vectors.
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
