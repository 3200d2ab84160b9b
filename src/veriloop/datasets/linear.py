"""Real data of the paper's linear system: labels that are linear in their covariates, plus noise."""

from typing import Annotated

import numpy as np
from pydantic import Field, FiniteFloat
from typing_extensions import override

from ..rng import Address
from ..samples import Samples
from ..schema import Extra, Number, Schema, Vector
from .base import Dataset, RealData


class LinearModel(Dataset, frozen=True):
    """``y = x^T theta_star + xi`` with xi ~ N(0, sigma^2), on an orthogonal design (section 2 of the paper).

    The design is sqrt(n0) times a matrix with orthonormal columns, so each of its p singular values is
    sqrt(n0) and the coordinate axes are its right singular vectors. They are the conditions to generate from,
    numbered in the column ``direction``; balancing over it gives the paper's block design.

    Columns: ``x`` of shape (n, p), ``y``, and ``direction`` (-1 for real samples, which have none).
    Validation and test samples are further draws of the labels on the same design.

    Attributes:
        theta_star: True parameters, p numbers.
        n0: Number of real samples, at least p.
        sigma: Standard deviation of the noise.
    """

    theta_star: Annotated[tuple[FiniteFloat, ...], Field(min_length=1)] = (1.0,) * 8
    n0: Annotated[int, Field(ge=2)] = 100
    sigma: Annotated[FiniteFloat, Field(gt=0)] = 1.0

    @override
    def schema(self) -> Schema:
        # A direction is not a label, because real samples have none.
        return Schema({"x": Vector(p=len(self.theta_star), given=True), "y": Number(), "direction": Extra()})

    @override
    def load(self, seed: int) -> RealData:
        p = len(self.theta_star)
        # The design is part of the system; only the labels are random.
        design, _ = np.linalg.qr(Address(0, "linear-design").rng().standard_normal((self.n0, p)))
        x = np.sqrt(self.n0) * design

        def drawn(address: Address) -> Samples:
            """Return the fixed design with noise drawn at ``address``."""
            noise = self.sigma * address.rng().standard_normal(self.n0)
            return Samples(x=x, y=x @ np.array(self.theta_star) + noise, direction=np.full(self.n0, -1))

        real = drawn(Address(seed))
        return RealData(
            start=real,
            train=real,
            test=drawn(Address(seed, "linear test")),
            validation=drawn(Address(seed, "linear validation")),
            conditions=Samples(x=np.eye(p), direction=np.arange(p)),
        )
