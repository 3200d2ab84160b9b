"""What is trained on, what is measured, and who computes."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import numpy as np

from veriloop.executors.base import Executor
from veriloop.metrics.base import Evaluation, Metric
from veriloop.quantity import Quantity
from veriloop.records import Estimate
from veriloop.rules.policy import DataPolicy
from veriloop.samples import Samples, concat


class HalfOld(DataPolicy, frozen=True):
    """This round's kept samples, and half of those of the round before."""

    def training_set(self, start: Samples, kept: Sequence[Samples], rng: np.random.Generator) -> Samples:
        if len(kept) < 2:
            return kept[-1]
        old = kept[-2]
        return concat([kept[-1], old.select(np.sort(rng.permutation(len(old))[: len(old) // 2]))])


class Purity(Metric, frozen=True):
    """How alike the pebbles of a place are: 1 / (1 + their variance). Higher is better."""

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "purity": Quantity("Purity", better="higher", low=0, high=1, meaning="How alike pebbles are."),
        "purity_river": Quantity("Purity, river", better="higher", low=0, high=1, part_of="purity"),
        "purity_beach": Quantity("Purity, beach", better="higher", low=0, high=1, part_of="purity"),
    }

    def measure(self, evaluation: Evaluation, rng: np.random.Generator) -> dict[str, Estimate]:
        size, place = evaluation.generated.array("size"), evaluation.generated.array("place")
        each = [self._of(size[place == p]) for p in range(2)]
        value = float(np.mean([e.value for e in each]))
        whole = Estimate(value, float(np.hypot(each[0].se, each[1].se)) / 2)
        return {"purity": whole, "purity_river": each[0], "purity_beach": each[1]}

    def _of(self, size: np.ndarray) -> Estimate:
        squares = ((size - size.mean(axis=0)) ** 2).mean(axis=1)
        purity = 1 / (1 + squares.mean())
        return Estimate(float(purity), float(purity**2 * squares.std() / np.sqrt(len(squares))))


class Helpers(Executor, frozen=True):
    """Threads of this process.

    Attributes:
        hands: How many.
    """

    hands: int = 2

    def map(
        self, function: Callable[[Any, Any], Any], items: Iterable[Any], shared: Any = None
    ) -> Iterator[Any]:
        with ThreadPoolExecutor(self.hands) as pool:
            yield from pool.map(lambda item: function(shared, item), items)
