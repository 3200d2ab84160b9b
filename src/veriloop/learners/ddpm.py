"""A small denoising diffusion model of points: a multilayer perceptron that predicts the noise."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Self

import numpy as np
from pydantic import Field
from typing_extensions import override

from ..errors import ConfigError
from ..extras import require
from ..generator import Generator
from ..parts import imported
from ..samples import Samples
from ..schema import Schema
from ._numbers import NUMERIC
from .base import Learner

if TYPE_CHECKING:
    from ._ddpm_network import DiffusionGenerator

require("torch")

WIDEST = 32
"""Largest number of values in a row; a perceptron of this size cannot learn images."""


class DDPM(Learner, frozen=True):
    """Denoising diffusion (Ho et al. 2020, arXiv 2006.11239) for a few numbers, such as 2-D points.

    If the data give a label, the model is conditional, and ``guidance`` sharpens it (classifier-free, Ho and
    Salimans 2022, arXiv 2207.12598). A warm start continues from the weights of the model before.

    Attributes:
        levels: Number of steps from data to noise.
        hidden: Width of the two hidden layers.
        steps: Number of Adam steps.
        batch_size: Number of rows per step.
        learning_rate: Initial learning rate of Adam; it falls to 0 along a cosine.
        guidance: Sampling bias: 0 samples the model itself, larger values move samples toward their label.
        temperature: Sampling bias: factor on the standard deviation of the noise in each sampling step.
        unlabelled: Share of training rows with a hidden label, which guidance compares with.
        label: Name of the label column; None: that of the data.
        classes: Number of labels; None: that of the data.
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
                f"{asked_by} generates at most {WIDEST} numbers",
                got=f"{schema.described()}, {width} numbers in a row",
                expected="columns of role number or vector to generate",
            )
        if not schema.given:
            if self.guidance:
                raise ConfigError(
                    f"{asked_by}: guidance",
                    got=self.guidance,
                    expected="0, because the data have no given label",
                )
            return super().suited_to(schema).model_copy(update={"label": None, "classes": None})
        if schema.given != schema.named("label"):
            raise ConfigError(
                f"{asked_by} accepts at most a label as a given column",
                got=f"given columns {', '.join(schema.given)}",
                expected="one given label, or no given column",
            )
        label = schema.one("label", asked_by)
        update = {"label": label, "classes": schema[label].classes}
        return super().suited_to(schema).model_copy(update=update)

    @override
    def fit(self, samples: Samples, init: Generator | None, rng: np.random.Generator) -> "DiffusionGenerator":
        from ._ddpm_network import trained

        return trained(self, samples, init, rng)
