"""Settings shared by the recipes of the linear system: its size, and the direction of the bias."""

from typing import Annotated, get_args

import numpy as np
from pydantic import Field, FiniteFloat, model_validator

from ..errors import ConfigError
from ..parts import Checked
from ..rng import Address
from ..theory.validation import Floats, count
from .base import Scale

Count = Annotated[int, Field(ge=1)]
Grid = tuple[Annotated[int, Field(ge=2)], Annotated[int, Field(ge=2)]]
"""Numbers of biases and of radii."""

Range = tuple[Annotated[FiniteFloat, Field(ge=0)], Annotated[FiniteFloat, Field(ge=0)]]
"""Ends of an axis, in units of the noise."""


class LinearRecipe(Checked, frozen=True):
    """Keys that all these recipes have.

    Attributes:
        title: Title in one line.
        source: Paper.
        p: Number of coefficients.
        n0: Number of real samples, with an orthogonal design.
    """

    title: str
    source: str
    p: Count
    n0: Count

    @model_validator(mode="after")
    def _whole(self) -> "LinearRecipe":
        scales = getattr(self, "scales", {})
        if missing := [scale for scale in get_args(Scale) if scale not in scales]:
            raise ConfigError("scales", got=f"no scale {missing[0]}", expected=", ".join(get_args(Scale)))
        return self


def random_direction(p: int, seed: int) -> Floats:
    """Return the fixed direction of a bias: a unit vector, shape ``(p,)``, uniform over the sphere."""
    vector = Address(count("seed", seed, low=0), "direction").rng().standard_normal(p)
    return vector / np.linalg.norm(vector)
