"""Verifiers made of verifiers: all or most must accept, scores are averaged, or cheap ones come first.

The reason of a verdict lists the members' verdicts: ``discriminator: accept 0.93; judge: reject 0.2
(blurry)``.
"""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, SerializeAsAny, model_validator
from typing_extensions import override

from ..errors import ConfigError
from ..generator import Generator
from ..judge import Judge
from ..samples import Samples
from ..schema import Schema
from ..store.atomic import storage_errors
from ..verdicts import Decision, Verdicts, all_logged
from ._wrapper import Wrapper, WrapperJudge
from .base import CONFIGURED, AsConfigured, Verifier, read_configuration, write_configuration


class CutoffJudge(WrapperJudge["Cutoff"]):
    """A judge that turns scores into decisions."""

    file = "cutoff.json"

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        verdicts = self.judge.verify(samples, rng)
        return verdicts.decide(verdicts.score >= self.wrapper.at)


class Cutoff(Wrapper, frozen=True):
    """Turns a verifier that scores into one that decides: open samples are accepted from ``at`` on.

    Attributes:
        verifier: Verifier that gives the scores.
        at: Lowest score that is accepted; ``veriloop calibrate`` suggests one.
    """

    judge_type: ClassVar[type[Judge]] = CutoffJudge

    at: float

    @override
    def around(self, judge: Judge) -> CutoffJudge:
        return CutoffJudge(self, judge)


class EnsembleJudge(Judge):
    """The judges of an ensemble's members, and how their verdicts are combined.

    Args:
        ensemble: Configuration.
        judges: Judges of its members, in order.
    """

    def __init__(self, ensemble: "Ensemble", judges: Sequence[Judge]) -> None:
        self.ensemble: Ensemble = ensemble
        self.judges: tuple[Judge, ...] = tuple(judges)

    @property
    @override
    def in_pieces(self) -> bool:
        return all(judge.in_pieces for judge in self.judges)

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        return self.ensemble.combined(self.judges, samples, rng)

    @override
    def save(self, directory: Path) -> None:
        """Write each member to a separate sub-folder."""
        for name, judge in zip(self.ensemble.names, self.judges, strict=True):
            with storage_errors(directory / name):
                (directory / name).mkdir(exist_ok=True)
            judge.save(directory / name)
        write_configuration(self.ensemble, directory / CONFIGURED)

    @classmethod
    @override
    def load(cls, directory: Path) -> Self:
        ensemble = read_configuration(directory / CONFIGURED, Ensemble)
        return cls(ensemble, ensemble.loaded(directory))


class Ensemble(Verifier, frozen=True):
    """A verifier made of others, each with its own random stream and its own sub-folder in the run folder.

    Attributes:
        members: Verifiers, in order.
    """

    judge_type: ClassVar[type[Judge]] = EnsembleJudge

    members: Annotated[tuple[SerializeAsAny[Verifier], ...], Field(min_length=1)]

    @abstractmethod
    def combined(self, judges: Sequence[Judge], samples: Samples, rng: np.random.Generator) -> Verdicts:
        """Combine the verdicts of the members' ``judges``, using random streams spawned from ``rng``."""

    @override
    def suited_to(self, schema: Schema) -> Self:
        suited = tuple(member.suited_to(schema) for member in self.members)
        return super().suited_to(schema).model_copy(update={"members": suited})

    @override
    def check_ahead(self, schema: Schema) -> Sequence[str]:
        notes = [member.check_ahead(schema) or () for member in self.members]
        return [note for some in notes for note in some]

    @override
    def check_data(self, real: Samples) -> None:
        for member in self.members:
            member.check_data(real)

    @override
    def fit(
        self, previous: Judge | None, generator: Generator, real: Samples, rng: np.random.Generator
    ) -> Judge:
        n = len(self.members)
        before = previous.judges if isinstance(previous, EnsembleJudge) else (None,) * n
        fits = zip(self.members, before, rng.spawn(n), strict=True)
        return EnsembleJudge(self, [member.fit(judge, generator, real, s) for member, judge, s in fits])

    @override
    def load(self, directory: Path) -> Judge:
        return EnsembleJudge(self, self.loaded(directory))

    def loaded(self, directory: Path) -> list[Judge]:
        """Load the members' judges, each from its sub-folder of ``directory``."""
        return [m.load(directory / name) for name, m in zip(self.names, self.members, strict=True)]

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        return self.combined([AsConfigured(member) for member in self.members], samples, rng)

    @property
    def names(self) -> list[str]:
        """Names of the members and of their folders, distinct even if kinds repeat."""
        kinds = [member.kind.rpartition(":")[2] for member in self.members]
        return [k if kinds.count(k) == 1 else f"{k}_{i}" for i, k in enumerate(kinds, 1)]

    def _reasons(self, said: Sequence[Verdicts]) -> list[str]:
        names = self.names
        return [
            "; ".join(_word(n, v, row) for n, v in zip(names, said, strict=True))
            for row in range(len(said[0]))
        ]


class _Vote(Ensemble, frozen=True):
    """All members judge every sample, and their votes are counted."""

    @model_validator(mode="after")
    def _all_decide(self) -> Self:
        _check_deciding(self.names, self.members)
        return self

    @override
    def combined(self, judges: Sequence[Judge], samples: Samples, rng: np.random.Generator) -> Verdicts:
        """Ask all members.

        Raises:
            ConfigError: A member leaves its decisions open.
        """
        said = [judge.verify(samples, s) for judge, s in zip(judges, rng.spawn(len(judges)), strict=True)]
        for name, verdicts in zip(self.names, said, strict=True):
            _check_decided(name, verdicts)
        yes = np.sum([v.is_(Decision.ACCEPT) for v in said], axis=0)
        no = np.sum([v.is_(Decision.REJECT) for v in said], axis=0)
        voted = yes + no
        share = np.divide(yes, voted, out=np.full(len(samples), np.nan), where=voted > 0)
        return Verdicts(share, self._count(yes, no), self._reasons(said), all_logged(said))

    @abstractmethod
    def _count(self, yes: NDArray[np.int64], no: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return decisions from the numbers of accepting and rejecting members, all of shape (n,)."""


class Unanimous(_Vote, frozen=True):
    """Accepts a sample if all members accept it, and rejects it if one rejects it.

    A sample that no member rejects but some abstain on is an abstention. The score is the share of accepting
    members among those that do not abstain.
    """

    @override
    def _count(self, yes: NDArray[np.int64], no: NDArray[np.int64]) -> NDArray[np.int64]:
        all_voted = yes + no == len(self.members)
        return np.where(no > 0, Decision.REJECT, np.where(all_voted, Decision.ACCEPT, Decision.ABSTAIN))


class Majority(_Vote, frozen=True):
    """Decides by majority; members that abstain are left out, and a tie is an abstention.

    The score is the share of accepting members among those that do not abstain.
    """

    @override
    def _count(self, yes: NDArray[np.int64], no: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.where(yes > no, Decision.ACCEPT, np.where(no > yes, Decision.REJECT, Decision.ABSTAIN))


class Weighted(Ensemble, frozen=True):
    """Scores with the weighted mean of its members' scores, and leaves the decision open.

    A member that decides counts as 1 for accept and 0 for reject, so scores should be in 0..1. Members that
    abstain are left out; if all abstain, so does the ensemble.

    Attributes:
        weights: Positive weight of each member.
    """

    weights: tuple[Annotated[float, Field(gt=0)], ...]

    @model_validator(mode="after")
    def _as_many(self) -> Self:
        if len(self.weights) != len(self.members):
            raise ConfigError(
                "weights", got=len(self.weights), expected=f"{len(self.members)}, one per member"
            )
        return self

    @property
    @override
    def only_scores(self) -> bool:
        return True

    @override
    def combined(self, judges: Sequence[Judge], samples: Samples, rng: np.random.Generator) -> Verdicts:
        said = [judge.verify(samples, s) for judge, s in zip(judges, rng.spawn(len(judges)), strict=True)]
        counts = np.array([~v.is_(Decision.ABSTAIN) for v in said])
        scores = np.array([np.where(v.is_(Decision.OPEN), v.score, v.is_(Decision.ACCEPT)) for v in said])
        weight = np.array(self.weights)[:, None] * counts
        total = weight.sum(axis=0)
        heard = total > 0
        summed = (weight * np.where(counts, scores, 0.0)).sum(axis=0)
        mean = np.divide(summed, total, out=np.full(len(samples), np.nan), where=heard)
        decision = np.where(heard, Decision.OPEN, Decision.ABSTAIN)
        return Verdicts(mean, decision, self._reasons(said), all_logged(said))


class Cascade(Ensemble, frozen=True):
    """Asks its members in order, cheap ones first: each sees only what the earlier ones did not reject.

    A sample that a member rejects is rejected, with that member's score. All others get the verdict of the
    last member, which alone may leave decisions open. So an abstention of an earlier member only passes the
    sample on.
    """

    @model_validator(mode="after")
    def _all_but_the_last_decide(self) -> Self:
        _check_deciding(self.names[:-1], self.members[:-1])
        return self

    @property
    @override
    def only_scores(self) -> bool:
        return self.members[-1].only_scores

    @override
    def combined(self, judges: Sequence[Judge], samples: Samples, rng: np.random.Generator) -> Verdicts:
        """Ask one member after the other.

        Raises:
            ConfigError: A member other than the last leaves its decisions open.
        """
        n, n_judges, names = len(samples), len(judges), self.names
        score, decision = np.full(n, np.nan), np.full(n, Decision.ABSTAIN, np.int8)
        reasons: list[list[str]] = [[] for _ in range(n)]
        rows, heard = np.arange(n), list[Verdicts]()
        for i, (name, judge, stream) in enumerate(zip(names, judges, rng.spawn(n_judges), strict=True)):
            said = judge.verify(samples.select(rows), stream)
            heard.append(said)
            if i < n_judges - 1:
                _check_decided(name, said)
            score[rows], decision[rows] = said.score, said.decision
            for place, row in enumerate(rows):
                reasons[row].append(_word(name, said, place))
            rows = rows[~said.is_(Decision.REJECT)]
        return Verdicts(score, decision, ["; ".join(words) for words in reasons], all_logged(heard))


def _check_deciding(names: Sequence[str], members: Sequence[Verifier]) -> None:
    for name, member in zip(names, members, strict=True):
        if member.only_scores:
            raise _undecided(name)


def _check_decided(name: str, verdicts: Verdicts) -> None:
    if verdicts.count(Decision.OPEN):
        raise _undecided(name)


def _undecided(name: str) -> ConfigError:
    return ConfigError(
        f"member {name} gives scores but no decisions",
        fix=f"wrap it in a cutoff: {{kind: cutoff, at: 0.5, verifier: {{kind: {name}, ...}}}}",
    )


def _word(name: str, verdicts: Verdicts, row: int) -> str:
    decision, score = Decision(verdicts.decision[row]), verdicts.score[row]
    words = [] if decision == Decision.OPEN else [decision.name.lower()]
    words += [f"{score:.3g}"] if np.isfinite(score) else []
    reason = verdicts.reason[row] if verdicts.reason else ""
    return f"{name}: {' '.join(words)}" + (f" ({reason})" if reason else "")
