"""The contract suite of metrics."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ...metrics.base import Evaluation, Metric
from ...quantity import Quantity
from ...records import Estimate, RowEstimate
from ._common import stream, suite, unchanged
from .parts import check_part


@suite
def check_metric(metric: Metric, evaluation: Evaluation, worse: Evaluation | None = None) -> None:
    """Check that a metric returns all its quantities, finite and within bounds, from its arguments alone.

    Args:
        metric: Metric to check.
        evaluation: Model to measure.
        worse: A clearly worse model: no quantity with a direction may call it better, beyond noise.
    """
    check_part(metric)
    quantities = getattr(metric, "quantities", None)
    assert isinstance(quantities, Mapping), "a metric must declare quantities: names with a Quantity each"
    assert quantities, "a metric must declare at least one quantity"
    for name, quantity in quantities.items():
        assert isinstance(name, str), f"the name of a quantity is {name!r}, not text"
        assert isinstance(quantity, Quantity), f"quantity {name!r} is {quantity!r}, expected a Quantity"
        part_of = quantity.part_of
        assert part_of is None or part_of in quantities, (
            f"{name!r} is part of {part_of!r}, which is not declared"
        )
    with unchanged("measure", metric, generated=evaluation.generated, real=evaluation.real):
        measured = metric.measure(evaluation, stream())
    _sound(measured, quantities)
    backwards = evaluation.generated.select(np.arange(len(evaluation.generated))[::-1])
    other = worse or replace(evaluation, generated=backwards, _memo={})
    of_other = metric.measure(other, stream(1))
    # Without the evaluation's cache, and after another one, so that hidden state of a metric is detected.
    fresh = replace(evaluation, _memo={})
    assert measured == metric.measure(fresh, stream()), (
        "equal streams must give equal numbers, whatever was measured before"
    )
    if worse is None:
        return
    _sound(of_other, quantities)
    for name, quantity in quantities.items():
        if quantity.better is None:
            continue
        here, there = (float(quantity.loss(np.array([m[name].value]))[0]) for m in (measured, of_other))
        noise = 2 * float(np.hypot(measured[name].se, of_other[name].se))
        assert there > here - noise, (
            f"{name} is better {quantity.direction}, so the worse model's {of_other[name].value:g} beats "
            f"{measured[name].value:g}: is the direction right?"
        )


def _sound(measured: Mapping[str, Estimate], quantities: Mapping[str, Quantity]) -> None:
    assert isinstance(measured, Mapping), f"measure gave {type(measured).__name__}, expected a dict"
    assert set(measured) == set(quantities), f"promised {tuple(quantities)}, measured {tuple(measured)}"
    for name, estimate in measured.items():
        assert isinstance(estimate, Estimate), f"{name} is {estimate!r}, expected an Estimate"
        assert np.isfinite(estimate.value), f"{name} is {estimate.value}"
        assert estimate.se >= 0, f"the standard error of {name} is {estimate.se}"
        if isinstance(estimate, RowEstimate):
            mean = float(np.mean(estimate.rows))
            assert abs(mean - estimate.value) <= 1e-6 * max(1.0, float(np.abs(estimate.rows).max())), (
                f"the rows of {name} have the mean {mean:g}, and its value is {estimate.value:g}"
            )
        low, high = quantities[name].bounds
        # A sum of shares may miss its bound by rounding.
        slack = 1e-9 * max(1.0, abs(estimate.value))
        assert low - slack <= estimate.value <= high + slack, (
            f"{name} is {estimate.value:g}, outside its bounds {low:g} to {high:g}"
        )
