"""Verifiers made of verifiers: all must accept, or most; scores are averaged; or the cheap come first.

A verdict's reason holds what each member said: ``discriminator: accept 0.93; judge: reject 0.2 (blurry)``.
"""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, SerializeAsAny, model_validator
from typing_extensions import override

from ..errors import ConfigError
from ..generator import Generator
from ..samples import Samples
from ..schema import Schema
from ..store.atomic import storage_errors
from ..verdicts import Decision, Verdicts
from .base import Verifier


class Cutoff(Verifier, frozen=True):
    """Makes a verifier that scores into one that decides: what it leaves open is accepted from ``at`` on.

    Attributes:
        verifier: Gives the scores.
        at: The least score that is accepted; ``veriloop calibrate`` proposes one.
    """

    verifier: SerializeAsAny[Verifier]
    at: float

    @override
    def check_ahead(self, schema: Schema) -> None:
        self.verifier.check_ahead(schema)

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        verdicts = self.verifier.verify(samples, rng)
        return verdicts.decide(verdicts.score >= self.at)

    @override
    def update(self, generator: Generator, real: Samples, rng: np.random.Generator) -> Self:
        return self.model_copy(update={"verifier": self.verifier.update(generator, real, rng)})

    @override
    def save(self, directory: Path) -> None:
        self.verifier.save(directory)

    @override
    def load(self, directory: Path) -> Self:
        return self.model_copy(update={"verifier": self.verifier.load(directory)})


class Ensemble(Verifier, frozen=True):
    """A verifier made of others. Each has a random stream and, in the run folder, a sub-folder of its own.

    Attributes:
        members: In order.
    """

    members: Annotated[tuple[SerializeAsAny[Verifier], ...], Field(min_length=1)]

    @override
    def check_ahead(self, schema: Schema) -> None:
        for member in self.members:
            member.check_ahead(schema)

    @override
    def update(self, generator: Generator, real: Samples, rng: np.random.Generator) -> Self:
        streams = rng.spawn(len(self.members))
        return self._with([m.update(generator, real, s) for m, s in zip(self.members, streams, strict=True)])

    @override
    def save(self, directory: Path) -> None:
        for name, member in zip(self._names(), self.members, strict=True):
            with storage_errors(directory / name):
                (directory / name).mkdir(exist_ok=True)
            member.save(directory / name)

    @override
    def load(self, directory: Path) -> Self:
        return self._with(
            [m.load(directory / name) for name, m in zip(self._names(), self.members, strict=True)]
        )

    def _with(self, members: Sequence[Verifier]) -> Self:
        return self.model_copy(update={"members": tuple(members)})

    def _names(self) -> list[str]:
        """Of the members, and of their folders: unlike even when kinds are alike."""
        kinds = [member.kind.rpartition(":")[2] for member in self.members]
        return [k if kinds.count(k) == 1 else f"{k}_{i}" for i, k in enumerate(kinds, 1)]

    def _reasons(self, said: Sequence[Verdicts]) -> list[str]:
        names = self._names()
        return [
            "; ".join(_word(n, v, row) for n, v in zip(names, said, strict=True))
            for row in range(len(said[0]))
        ]


class _Vote(Ensemble, frozen=True):
    """All members judge every sample, and their votes are counted."""

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        """Ask all members.

        Raises:
            ConfigError: A member leaves its decisions open.
        """
        streams = rng.spawn(len(self.members))
        said = [m.verify(samples, s) for m, s in zip(self.members, streams, strict=True)]
        for name, verdicts in zip(self._names(), said, strict=True):
            _check_decided(name, verdicts)
        yes = np.sum([v.is_(Decision.ACCEPT) for v in said], axis=0)
        no = np.sum([v.is_(Decision.REJECT) for v in said], axis=0)
        voted = yes + no
        share = np.divide(yes, voted, out=np.full(len(samples), np.nan), where=voted > 0)
        return Verdicts(share, self._count(yes, no), self._reasons(said))

    @abstractmethod
    def _count(self, yes: NDArray[np.int64], no: NDArray[np.int64]) -> NDArray[np.int64]:
        """The decision, from how many members accept and reject; the others abstain. All of shape (n,)."""


class Unanimous(_Vote, frozen=True):
    """Accepts what all members accept, and rejects what one rejects.

    What nobody rejects and somebody abstains on is an abstention. The score is the share of accepting
    members among those that do not abstain.
    """

    @override
    def _count(self, yes: NDArray[np.int64], no: NDArray[np.int64]) -> NDArray[np.int64]:
        all_voted = yes + no == len(self.members)
        return np.where(no > 0, Decision.REJECT, np.where(all_voted, Decision.ACCEPT, Decision.ABSTAIN))


class Majority(_Vote, frozen=True):
    """Decides as more members do; members that abstain are left out, and a tie is an abstention.

    The score is the share of accepting members among those that do not abstain.
    """

    @override
    def _count(self, yes: NDArray[np.int64], no: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.where(yes > no, Decision.ACCEPT, np.where(no > yes, Decision.REJECT, Decision.ABSTAIN))


class Weighted(Ensemble, frozen=True):
    """Scores by the weighted mean of its members' scores, and leaves the decision open.

    A member that decides counts as 1 for accept and 0 for reject; scores should therefore lie in 0..1.
    Members that abstain are left out; where all do, so does the ensemble.

    Attributes:
        weights: One for each member, positive.
    """

    weights: tuple[Annotated[float, Field(gt=0)], ...]

    @model_validator(mode="after")
    def _as_many(self) -> Self:
        if len(self.weights) != len(self.members):
            raise ConfigError("weights", got=len(self.weights), expected=f"{len(self.members)}, one a member")
        return self

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        streams = rng.spawn(len(self.members))
        said = [m.verify(samples, s) for m, s in zip(self.members, streams, strict=True)]
        counts = np.array([~v.is_(Decision.ABSTAIN) for v in said])
        scores = np.array([np.where(v.is_(Decision.OPEN), v.score, v.is_(Decision.ACCEPT)) for v in said])
        weight = np.array(self.weights)[:, None] * counts
        total = weight.sum(axis=0)
        heard = total > 0
        summed = (weight * np.where(counts, scores, 0.0)).sum(axis=0)
        mean = np.divide(summed, total, out=np.full(len(samples), np.nan), where=heard)
        return Verdicts(mean, np.where(heard, Decision.OPEN, Decision.ABSTAIN), self._reasons(said))


class Cascade(Ensemble, frozen=True):
    """Asks its members in order, cheap ones first: each sees only what the earlier ones did not reject.

    What a member rejects is rejected, with that member's score. All else ends as the last member says, who
    alone may leave decisions open. So an earlier member's abstention only means that the next one looks.
    """

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        """Ask one member after the other.

        Raises:
            ConfigError: Another member than the last leaves its decisions open.
        """
        n, names = len(samples), self._names()
        score, decision = np.full(n, np.nan), np.full(n, Decision.ABSTAIN, np.int8)
        reasons: list[list[str]] = [[] for _ in range(n)]
        rows = np.arange(n)
        for name, member, stream in zip(names, self.members, rng.spawn(len(names)), strict=True):
            said = member.verify(samples.select(rows), stream)
            if member is not self.members[-1]:
                _check_decided(name, said)
            score[rows], decision[rows] = said.score, said.decision
            for place, row in enumerate(rows):
                reasons[row].append(_word(name, said, place))
            rows = rows[~said.is_(Decision.REJECT)]
        return Verdicts(score, decision, ["; ".join(words) for words in reasons])


def _check_decided(name: str, verdicts: Verdicts) -> None:
    if verdicts.count(Decision.OPEN):
        raise ConfigError(
            f"member {name} gives scores and no decisions",
            fix=f"put it into a cutoff: {{kind: cutoff, at: 0.5, verifier: {{kind: {name}, ...}}}}",
        )


def _word(name: str, verdicts: Verdicts, row: int) -> str:
    decision, score = Decision(verdicts.decision[row]), verdicts.score[row]
    words = [] if decision == Decision.OPEN else [decision.name.lower()]
    words += [f"{score:.3g}"] if np.isfinite(score) else []
    reason = verdicts.reason[row] if verdicts.reason else ""
    return f"{name}: {' '.join(words)}" + (f" ({reason})" if reason else "")
