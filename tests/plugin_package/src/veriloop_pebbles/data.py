"""Where pebbles come from."""

import numpy as np
from pydantic import Field

from veriloop.datasets.base import Dataset, RealData
from veriloop.rng import Address
from veriloop.samples import Samples
from veriloop.schema import Label, Schema, Vector


class Pebbles(Dataset, frozen=True):
    """Length and width of pebbles in ``size``, shape (n, 2), and the ``place`` where they lay, 0 or 1.

    Attributes:
        n: How many to hold out, and how many to train on.
        means: Mean length and width at each place.
    """

    n: int = 400
    means: list[list[float]] = Field(default=[[3.0, 2.0], [6.0, 5.0]])

    def load(self, seed: int) -> RealData:
        rng = Address(seed).rng()
        place = np.arange(2 * self.n) % 2
        size = np.array(self.means)[place] + 0.5 * rng.standard_normal((2 * self.n, 2))
        pebbles = Samples(size=size, place=place)
        train = pebbles.select(slice(self.n))
        return RealData(
            start=train.select(slice(40)),
            train=train,
            test=pebbles.select(slice(self.n, None)),
            conditions=Samples(place=np.arange(2)),
        )

    def schema(self) -> Schema:
        return Schema({"size": Vector(p=2), "place": Label(classes=2)})
