"""The family of metrics: what is measured of a round's model on held-out real data."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..generator import Generator
from ..parts import Part
from ..quantity import Quantity
from ..records import Estimate
from ..samples import Samples

T = TypeVar("T")


def _nothing(name: str) -> None:
    """Return no rows of a start model."""


@dataclass(frozen=True)
class Evaluation:
    """One round's model, ready to be measured. All metrics of a round use the same generated samples.

    Attributes:
        generator: The model.
        generated: Samples of the model, drawn once for all metrics.
        real: Held-out real samples, never used to train a learner or verifier.
        cut: Which of ``generated`` are texts cut at the length limit, shape (n,); None if unknown.
        start: Function that returns the start model's rows of a number (see `RowEstimate`) on the same
            held-out samples, shape (n,); None for the start model itself, and if there are none.
    """

    generator: Generator
    generated: Samples
    real: Samples
    cut: NDArray[np.bool_] | None = None
    start: Callable[[str], NDArray[np.float32] | None] = _nothing
    _memo: dict[Any, Any] = field(default_factory=dict, repr=False)

    def once(self, key: object, compute: Callable[[], T]) -> T:
        """Return ``compute()``, computed once per evaluation and ``key``; metrics share costly features."""
        if key not in self._memo:
            self._memo[key] = compute()
        return self._memo[key]


class Metric(Part, frozen=True):
    """Measures a model. Its docstring states the cost and the source of the standard error.

    Class attributes:
        quantities: All numbers that :meth:`measure` always returns, with their meaning. A metric whose
            numbers depend on its settings makes this a property.
    """

    family: ClassVar[str] = "veriloop.metrics"
    quantities: ClassVar[Mapping[str, Quantity]]

    @property
    def draws_again(self) -> bool:
        """Whether it draws several samples per condition, which must differ."""
        return False

    @abstractmethod
    def measure(self, evaluation: Evaluation, rng: np.random.Generator) -> dict[str, Estimate]:
        """Return the numbers in :attr:`quantities`, with Monte Carlo standard errors, within their bounds.

        A number that cannot be measured is ``Estimate(nan, nan)``.
        """
