"""The verifier of the paper's linear system: a ball of parameters that it considers possible."""

import math
from typing import Annotated, Self

import numpy as np
from pydantic import Field
from typing_extensions import override

from ..errors import ConfigError
from ..samples import Samples
from ..schema import Schema
from ..verdicts import Decision, Verdicts
from .base import Verifier


class KnowledgeBall(Verifier, frozen=True):
    """Accepts (x, y) iff ``|y - x^T center| <= radius * ||x|| + sigma_c`` (section 2 of the paper).

    It decides itself and reveals neither center nor radius: its scores are 1 for Yes and 0 for No.

    Attributes:
        center: The knowledge center theta_c, p numbers.
        radius: Selectivity; a smaller radius accepts fewer samples.
        sigma_c: Slack for noise. The default is E|xi| of standard normal noise.
    """

    center: Annotated[tuple[float, ...], Field(min_length=1)]
    radius: Annotated[float, Field(ge=0)]
    sigma_c: Annotated[float, Field(ge=0)] = math.sqrt(2 / math.pi)

    @override
    def suited_to(self, schema: Schema) -> Self:
        me = f"verifier {self.kind!r}"
        x = schema.column("x", me, "vector")
        schema.column("y", me, "number")
        if len(self.center) != x.p:
            raise ConfigError(
                "center",
                got=f"{len(self.center)} numbers",
                expected=f"{x.p}, as the data's column 'x' has",
            )
        return super().suited_to(schema)

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        x = samples.array("x")
        miss = np.abs(samples.array("y") - x @ np.array(self.center))
        yes = miss <= self.radius * np.linalg.norm(x, axis=1) + self.sigma_c
        return Verdicts(yes.astype(float), np.where(yes, Decision.ACCEPT, Decision.REJECT))
