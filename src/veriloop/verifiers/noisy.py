"""A verifier made less reliable: it errs at known rates, with noise on its scores."""

from pathlib import Path
from typing import Annotated, ClassVar, Self

import numpy as np
from pydantic import Field, SerializeAsAny
from typing_extensions import override

from ..errors import ConfigError
from ..generator import Generator
from ..judge import Judge
from ..samples import Samples
from ..schema import Schema
from ..verdicts import Decision, Verdicts
from .base import AsConfigured, Verifier, read_configuration, write_configuration

CONFIGURED = "noisy.json"
"""File name used next to the files of the inner judge; it cannot clash with theirs."""

Rate = Annotated[float, Field(ge=0, lt=1)]


class NoisyJudge(Judge):
    """A judge whose verdicts are changed at random.

    Args:
        noisy: Configuration with the rates.
        judge: Judge that gives the verdicts.
    """

    def __init__(self, noisy: "Noisy", judge: Judge) -> None:
        self.noisy: Noisy = noisy
        self.judge: Judge = judge

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        own, inner = rng.spawn(2)
        said = self.judge.verify(samples, inner)
        luck, blur = own.random(len(samples)), own.standard_normal(len(samples))
        decision = said.decision.copy()
        decision[said.is_(Decision.ACCEPT) & (luck < self.noisy.false_reject)] = Decision.REJECT
        decision[said.is_(Decision.REJECT) & (luck < self.noisy.false_accept)] = Decision.ACCEPT
        return Verdicts(said.score + self.noisy.blur * blur, decision, said.reason)

    @override
    def save(self, directory: Path) -> None:
        self.judge.save(directory)
        write_configuration(self.noisy, directory / CONFIGURED)

    @classmethod
    @override
    def load(cls, directory: Path) -> Self:
        noisy = read_configuration(directory / CONFIGURED, Noisy)
        return cls(noisy, noisy.verifier.load(directory))


class Noisy(Verifier, frozen=True):
    """Any verifier with errors at known rates, to find out how good a verifier has to be.

    Each decision is changed at random, regardless of the sample; abstentions are unchanged. A verifier whose
    two rates sum to 1 decides like a coin toss.

    Attributes:
        verifier: Verifier to degrade.
        false_accept: Share of its rejections that become acceptances.
        false_reject: Share of its acceptances that become rejections.
        blur: Standard deviation of the noise on scores, which matters if a rule uses them.
    """

    judge_type: ClassVar[type[Judge]] = NoisyJudge

    verifier: SerializeAsAny[Verifier]
    false_accept: Rate = 0.0
    false_reject: Rate = 0.0
    blur: Annotated[float, Field(ge=0)] = 0.0

    @property
    @override
    def only_scores(self) -> bool:
        return self.verifier.only_scores

    @override
    def verdict_stores(self) -> tuple[str, ...]:
        return self.verifier.verdict_stores()

    @override
    def check_verdicts(self, asked: bool) -> None:
        self.verifier.check_verdicts(asked)

    @override
    def suited_to(self, schema: Schema) -> Self:
        if self.verifier.only_scores and (self.false_accept or self.false_reject):
            raise ConfigError(
                "verifier 'noisy': false_accept and false_reject",
                got=f"verifier {self.verifier.kind!r}, which gives scores but no decisions",
                expected="a verifier that decides",
                fix="wrap it in {kind: cutoff, at: ...}, or set blur",
            )
        suited = self.verifier.suited_to(schema)
        return super().suited_to(schema).model_copy(update={"verifier": suited})

    @override
    def check_ahead(self, schema: Schema) -> None:
        self.verifier.check_ahead(schema)

    @override
    def check_data(self, real: Samples) -> None:
        self.verifier.check_data(real)

    @override
    def fit(
        self, previous: Judge | None, generator: Generator, real: Samples, rng: np.random.Generator
    ) -> Judge:
        before = previous.judge if isinstance(previous, NoisyJudge) else None
        return NoisyJudge(self, self.verifier.fit(before, generator, real, rng))

    @override
    def load(self, directory: Path) -> Judge:
        return NoisyJudge(self, self.verifier.load(directory))

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        return NoisyJudge(self, AsConfigured(self.verifier)).verify(samples, rng)
