"""Samples as points in a feature space, for metrics that compare sets of points."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..encoding import Encoding, TableColumns
from ..samples import Samples


@dataclass(frozen=True)
class Seen:
    """Features and classes of n samples.

    Attributes:
        features: Features, shape (n, features).
        predicted: Class predicted by a classifier, shape (n,); -1 if the features predict none.
        label: Class that each was generated for, shape (n,); 0 if there are no classes.
    """

    features: NDArray[np.float64]
    predicted: NDArray[np.int64]
    label: NDArray[np.int64]


class Views(NamedTuple):
    """Both sides of an evaluation, in the same features."""

    generated: Seen
    real: Seen


def of_rows(generated: Samples, real: Samples, table: TableColumns) -> Views:
    """Return rows of a table as points; numbers are in standard deviations of the real ones."""
    encoding = Encoding.learned(real, table.numbers, table.categories)
    return Views(*(unread(encoding.encode(side), table.stratum(side)) for side in (generated, real)))


def unread(features: NDArray[np.float64], label: NDArray[np.int64]) -> Seen:
    """Return samples without predicted classes."""
    return Seen(features, np.full(len(features), -1), label)
