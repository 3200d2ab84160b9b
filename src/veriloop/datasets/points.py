"""Synthetic data whose truth is known: points of a mixture of Gaussians, and categories."""

import math
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, FiniteFloat, model_validator
from typing_extensions import override

from ..errors import ConfigError
from ..rng import Address
from ..samples import Samples
from ..schema import Category, Label, Schema, Vector
from .base import Dataset, RealData, check_start

Shares = Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)]


def ring(modes: int, radius: float = 1.0) -> tuple[tuple[float, float], ...]:
    """The places of ``modes`` points, evenly on a circle."""
    turns = [2 * math.pi * k / modes for k in range(modes)]
    return tuple((radius * math.cos(t), radius * math.sin(t)) for t in turns)


class Mixture(Dataset, frozen=True):
    """Points of a mixture of Gaussians that all have the variance ``spread ** 2`` in each direction.

    One component is a plain Gaussian; ``ring: 8`` is short for eight of them on the unit circle.

    Columns: ``point`` of shape (n, p), and ``label``, the component's number, unless that is hidden.

    Attributes:
        means: Of the components, p numbers each.
        ring: How many components lie on the unit circle, in place of ``means``.
        spread: The standard deviation of each component along each axis.
        shares: Of the components; equal when None.
        label: ``hidden``; ``given`` to models, which make points for it; or ``made`` by models for given
        points.
        start: How many samples the start model is trained on, the first of ``train``.
        train: How many training samples there are.
        test: How many held-out samples, and as many for validation.
    """

    means: tuple[tuple[FiniteFloat, ...], ...] = ((0.0,),)
    ring: Annotated[int, Field(ge=1)] | None = None
    spread: Annotated[FiniteFloat, Field(gt=0)] = 1.0
    shares: Shares | None = None
    label: Literal["hidden", "given", "made"] = "hidden"
    start: Annotated[int, Field(ge=1)] = 100
    train: Annotated[int, Field(ge=1)] = 1000
    test: Annotated[int, Field(ge=1)] = 1000

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        check_start(self.start, self.train)
        if not self.means or len({len(mean) for mean in self.means}) > 1 or not self.means[0]:
            raise ConfigError("means", got=str(self.means), expected="p numbers for each component, p equal")
        if self.ring is not None and self.means != ((0.0,),):
            raise ConfigError("means and ring", got="both", expected="one of them")
        _check_shares(self.shares, len(self.centers))
        return self

    @property
    def centers(self) -> NDArray[np.float64]:
        """The means of the components, shape (k, p)."""
        return np.array(ring(self.ring) if self.ring else self.means)

    @override
    def schema(self) -> Schema:
        columns: dict[str, object] = {"point": Vector(p=self.centers.shape[1], given=self.label == "made")}
        if self.label != "hidden":
            columns["label"] = Label(classes=len(self.centers), given=self.label == "given")
        return Schema(columns)

    @override
    def load(self, seed: int) -> RealData:
        train = self._drawn(Address(seed, "mixture"), self.train)
        given = self.schema().given
        return RealData(
            start=train.select(slice(self.start)),
            train=train,
            test=self._drawn(Address(seed, "mixture test"), self.test),
            validation=self._drawn(Address(seed, "mixture validation"), self.test),
            conditions=train.only(given) if given else None,
        )

    def _drawn(self, address: Address, n: int) -> Samples:
        rng, centers = address.rng(), self.centers
        component = rng.choice(len(centers), n, p=_normalised(self.shares, len(centers)))
        point = centers[component] + self.spread * rng.standard_normal((n, centers.shape[1]))
        return Samples(point=point) if self.label == "hidden" else Samples(point=point, label=component)


class Categories(Dataset, frozen=True):
    """One category for each row, drawn with known shares.

    Column: ``category``, 0, 1, ... in the order of ``shares``.

    Attributes:
        shares: Of the categories, of any sum.
        start: How many samples the start model is trained on, the first of ``train``.
        train: How many training samples there are.
        test: How many held-out samples, and as many for validation.
    """

    shares: Shares = (0.9, 0.1)
    start: Annotated[int, Field(ge=1)] = 100
    train: Annotated[int, Field(ge=1)] = 1000
    test: Annotated[int, Field(ge=1)] = 1000

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        check_start(self.start, self.train)
        return self

    @override
    def schema(self) -> Schema:
        return Schema({"category": Category(values=tuple(range(len(self.shares))))})

    @override
    def load(self, seed: int) -> RealData:
        def drawn(name: str, n: int) -> Samples:
            k = len(self.shares)
            return Samples(category=Address(seed, name).rng().choice(k, n, p=_normalised(self.shares, k)))

        train = drawn("categories", self.train)
        return RealData(
            start=train.select(slice(self.start)),
            train=train,
            test=drawn("categories test", self.test),
            validation=drawn("categories validation", self.test),
        )


def _check_shares(shares: tuple[float, ...] | None, components: int) -> None:
    if shares is not None and len(shares) != components:
        raise ConfigError("shares", got=f"{len(shares)} numbers", expected=f"{components}, one a component")


def _normalised(shares: tuple[float, ...] | None, components: int) -> NDArray[np.float64]:
    weight = np.ones(components) if shares is None else np.array(shares)
    return weight / weight.sum()
