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
    """No rows of a start model."""


@dataclass(frozen=True)
class Evaluation:
    """One round's model, ready to be measured. All metrics of a round see the same generated samples.

    Attributes:
        generator: The model.
        generated: Samples of it, drawn once for all metrics.
        real: Held-out real samples, never trained on by any learner or verifier.
        cut: Which of ``generated`` are texts cut at their greatest length, shape (n,); None where nobody
            notes that.
        start: Gives the rows of a number (see `RowEstimate`) of the start model on the same held-out samples,
            by its name, shape (n,); None of the start model itself, and where there are none.
    """

    generator: Generator
    generated: Samples
    real: Samples
    cut: NDArray[np.bool_] | None = None
    start: Callable[[str], NDArray[np.float32] | None] = _nothing
    _memo: dict[Any, Any] = field(default_factory=dict, repr=False)

    def once(self, key: object, compute: Callable[[], T]) -> T:
        """``compute()``, computed once per evaluation and ``key``: metrics share costly features by it."""
        if key not in self._memo:
            self._memo[key] = compute()
        return self._memo[key]


class Metric(Part, frozen=True):
    """Measures a model. Its docstring says what it costs and where its standard error comes from.

    Class attributes:
        quantities: The numbers that :meth:`measure` returns, all of them, always, and what each means. A
            metric whose numbers depend on its settings makes this a property.
    """

    family: ClassVar[str] = "veriloop.metrics"
    quantities: ClassVar[Mapping[str, Quantity]]

    @property
    def draws_again(self) -> bool:
        """Whether it draws several samples for each condition, which have to differ."""
        return False

    @abstractmethod
    def measure(self, evaluation: Evaluation, rng: np.random.Generator) -> dict[str, Estimate]:
        """The numbers :attr:`quantities`, each with its Monte Carlo standard error, within their bounds.

        One that cannot be measured here is ``Estimate(nan, nan)``.
        """
