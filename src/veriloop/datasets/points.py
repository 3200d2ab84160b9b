"""Synthetic data with a known distribution: points of a Gaussian mixture, and categories."""

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
    """Return ``modes`` points, evenly spaced on the unit circle or one of another radius."""
    turns = [2 * math.pi * k / modes for k in range(modes)]
    return tuple((radius * math.cos(t), radius * math.sin(t)) for t in turns)


class Mixture(Dataset, frozen=True):
    """Points of a Gaussian mixture whose components all have variance ``spread ** 2`` in each direction.

    One component is a plain Gaussian; ``ring: 8`` is short for eight components on the unit circle.

    Columns: ``point`` of shape (n, p), and ``label``, the component's number, unless it is hidden.

    Attributes:
        means: Means of the components, p numbers each.
        ring: Number of components on the unit circle; replaces ``means``.
        spread: Standard deviation of each component along each axis.
        shares: Shares of the components; equal when None.
        label: ``hidden``; ``given`` to models, which generate points for it; or ``made`` by models for given
            points.
        start: Number of samples that the start model is trained on, the first of ``train``.
        train: Number of training samples.
        test: Number of test samples, and of validation samples.
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
        """Means of the components, shape (k, p)."""
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
    """One category per row, drawn with known shares.

    Column: ``category``, 0, 1, ... in the order of ``shares``.

    Attributes:
        shares: Shares of the categories; they need not sum to 1.
        start: Number of samples that the start model is trained on, the first of ``train``.
        train: Number of training samples.
        test: Number of test samples, and of validation samples.
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
            """Return ``n`` categories drawn with the shares."""
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
        raise ConfigError("shares", got=f"{len(shares)} numbers", expected=f"{components}, one per component")


def _normalised(shares: tuple[float, ...] | None, components: int) -> NDArray[np.float64]:
    weight = np.ones(components) if shares is None else np.array(shares)
    return weight / weight.sum()
