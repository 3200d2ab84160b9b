"""A verifier that learns once, against a model of all real samples."""

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np
from pydantic import SerializeAsAny
from typing_extensions import override

from ..errors import ConfigError
from ..generator import Generator
from ..judge import Judge
from ..learners.base import Learner
from ..samples import Samples
from ..schema import Schema
from ..verdicts import Verdicts
from ._wrapper import Wrapper, WrapperJudge
from .base import Verifier


class AgainstJudge(WrapperJudge["Against"]):
    """What the verifier learned against its own model; that model is not kept."""

    file = "against.json"

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        return self.judge.verify(samples, rng)


class Against(Wrapper, frozen=True):
    """A verifier that learns once, to tell real samples from those of a model of all of them.

    In the first round, ``learner`` trains a model on all real samples that the verifier may see, and the
    verifier learns against this model. Its judge is kept for all rounds, as arXiv 2510.16657 does for its one
    fixed discriminator. It knows what a good model still does wrong, where one that learned against the start
    model knows what a poor one does.

    The first round takes as long as training on all real samples.

    Attributes:
        verifier: Verifier that learns, such as a discriminator.
        learner: Learner of the model that it learns against.
    """

    judge_type: ClassVar[type[Judge]] = AgainstJudge

    learner: SerializeAsAny[Learner]

    @property
    @override
    def calibrated(self) -> bool:
        return self.verifier.calibrated

    @property
    @override
    def only_scores(self) -> bool:
        return self.verifier.only_scores

    @override
    def suited_to(self, schema: Schema) -> Self:
        if type(self.verifier).fit is Verifier.fit:
            raise ConfigError(
                f"verifier {self.kind!r} is for a verifier that learns",
                got=self.verifier.kind,
                expected="one that is trained on real and generated samples, such as discriminator",
                fix=f"use {self.verifier.kind} alone",
            )
        return super().suited_to(schema).model_copy(update={"learner": self.learner.suited_to(schema)})

    @override
    def check_ahead(self, schema: Schema) -> Sequence[str]:
        return [*super().check_ahead(schema), *(self.learner.check_ahead(schema) or ())]

    @override
    def fit(
        self, previous: Judge | None, generator: Generator, real: Samples, rng: np.random.Generator
    ) -> Judge:
        if previous is not None:
            return previous
        of_model, of_verifier = rng.spawn(2)
        model = self.learner.fit(real, None, of_model)
        return self.around(self.verifier.fit(None, model, real, of_verifier))

    @override
    def around(self, judge: Judge) -> AgainstJudge:
        return AgainstJudge(self, judge)
