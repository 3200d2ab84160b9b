"""Samples as points of a feature space: what metrics that compare sets of points are given."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..encoding import Encoding, TableColumns
from ..samples import Samples


@dataclass(frozen=True)
class Seen:
    """What n samples look like.

    Attributes:
        features: Shape (n, features).
        predicted: The class that a classifier reads in each, shape (n,); -1 where the features know none.
        label: The class that each was made for, shape (n,); 0 where there are no classes.
    """

    features: NDArray[np.float64]
    predicted: NDArray[np.int64]
    label: NDArray[np.int64]


class Views(NamedTuple):
    """Both sides of an evaluation, in the same features."""

    generated: Seen
    real: Seen


def of_rows(generated: Samples, real: Samples, table: TableColumns) -> Views:
    """Rows of a table; numbers are in standard deviations of the real ones."""
    encoding = Encoding.learned(real, table.numbers, table.categories)
    return Views(*(unread(encoding.encode(side), table.stratum(side)) for side in (generated, real)))


def unread(features: NDArray[np.float64], label: NDArray[np.int64]) -> Seen:
    """Samples in which no classifier has read a class."""
    return Seen(features, np.full(len(features), -1), label)
