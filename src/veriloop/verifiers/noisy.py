"""A verifier made less reliable: it errs at known rates, with noise on its scores."""

from typing import Annotated, ClassVar, Self

import numpy as np
from pydantic import Field
from typing_extensions import override

from ..errors import ConfigError
from ..judge import Judge
from ..samples import Samples
from ..schema import Schema
from ..verdicts import Decision, Verdicts
from ._wrapper import Wrapper, WrapperJudge

Rate = Annotated[float, Field(ge=0, lt=1)]


class NoisyJudge(WrapperJudge["Noisy"]):
    """A judge whose verdicts are changed at random."""

    file = "noisy.json"

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        own, inner = rng.spawn(2)
        said = self.judge.verify(samples, inner)
        luck, blur = own.random(len(samples)), own.standard_normal(len(samples))
        decision = said.decision.copy()
        decision[said.is_(Decision.ACCEPT) & (luck < self.wrapper.false_reject)] = Decision.REJECT
        decision[said.is_(Decision.REJECT) & (luck < self.wrapper.false_accept)] = Decision.ACCEPT
        return Verdicts(said.score + self.wrapper.blur * blur, decision, said.reason)


class Noisy(Wrapper, frozen=True):
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

    false_accept: Rate = 0.0
    false_reject: Rate = 0.0
    blur: Annotated[float, Field(ge=0)] = 0.0

    @property
    @override
    def only_scores(self) -> bool:
        return self.verifier.only_scores

    @override
    def suited_to(self, schema: Schema) -> Self:
        if self.verifier.only_scores and (self.false_accept or self.false_reject):
            raise ConfigError(
                "verifier 'noisy': false_accept and false_reject",
                got=f"verifier {self.verifier.kind!r}, which gives scores but no decisions",
                expected="a verifier that decides",
                fix="wrap it in {kind: cutoff, at: ...}, or set blur",
            )
        return super().suited_to(schema)

    @override
    def around(self, judge: Judge) -> NoisyJudge:
        return NoisyJudge(self, judge)
