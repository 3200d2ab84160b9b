"""A small denoising diffusion model of points: a multilayer perceptron that guesses the noise."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Self

import numpy as np
from pydantic import Field
from typing_extensions import override

from ..errors import ConfigError
from ..generator import Generator
from ..parts import imported, require
from ..samples import Samples
from ..schema import Schema
from ._numbers import NUMERIC
from .base import Learner

if TYPE_CHECKING:
    from ._ddpm_network import DiffusionGenerator

require("torch", "torch")

WIDEST = 32
"""Numbers in a row, at most: a perceptron of this size learns no images."""


class DDPM(Learner, frozen=True):
    """Denoising diffusion (Ho et al. 2020, arXiv 2006.11239) of a few numbers, such as 2-D points.

    Where the data give a label, the model is conditional, and ``guidance`` sharpens it (classifier-free, Ho
    and Salimans 2022, arXiv 2207.12598). A warm start goes on from the weights of the model before.

    Attributes:
        levels: Steps from data to noise.
        hidden: Width of the two hidden layers.
        steps: Of Adam.
        batch_size: Rows in each.
        learning_rate: Of Adam; it falls to 0 along a cosine.
        guidance: Sampling bias: 0 samples the model itself, more pushes samples toward their label.
        temperature: Sampling bias: the noise in each sampling step has this times its standard deviation.
        unlabelled: The share of training rows whose label is hidden, which is what guidance compares with.
        label: The column of the labels; None: as the data's schema says.
        classes: How many labels there are; None: likewise.
    """

    generator_type: ClassVar[type[Generator]] = imported("veriloop.learners._ddpm_network:DiffusionGenerator")

    levels: Annotated[int, Field(ge=2, le=1000)] = 50
    hidden: Annotated[int, Field(ge=1)] = 128
    steps: Annotated[int, Field(ge=1)] = 1500
    batch_size: Annotated[int, Field(ge=1)] = 128
    learning_rate: Annotated[float, Field(gt=0)] = 5e-3
    guidance: Annotated[float, Field(ge=0)] = 0.0
    temperature: Annotated[float, Field(ge=0)] = 1.0
    unlabelled: Annotated[float, Field(ge=0, lt=1)] = 0.1
    label: str | None = None
    classes: Annotated[int, Field(ge=1)] | None = None

    @override
    def suited_to(self, schema: Schema) -> Self:
        asked_by = "learner 'ddpm'"
        wrong = [name for name in schema.made if schema[name].role not in NUMERIC]
        width = sum(getattr(schema[name], "p", 1) for name in schema.made)
        if wrong or not 1 <= width <= WIDEST:
            raise ConfigError(
                f"{asked_by} makes at most {WIDEST} numbers",
                got=f"{schema.described()}, {width} numbers in a row",
                expected="columns of role number or vector to make",
            )
        if not schema.given:
            if self.guidance:
                raise ConfigError(
                    f"{asked_by}: guidance", got=self.guidance, expected="0, as the data give no label"
                )
            return super().suited_to(schema).model_copy(update={"label": None, "classes": None})
        if schema.given != schema.named("label"):
            raise ConfigError(
                f"{asked_by} is given a label at most",
                got=f"given columns {', '.join(schema.given)}",
                expected="one label, or nothing given",
            )
        label = schema.one("label", asked_by)
        update = {"label": label, "classes": schema[label].classes}
        return super().suited_to(schema).model_copy(update=update)

    @override
    def fit(self, samples: Samples, init: Generator | None, rng: np.random.Generator) -> "DiffusionGenerator":
        from ._ddpm_network import trained

        return trained(self, samples, init, rng)
