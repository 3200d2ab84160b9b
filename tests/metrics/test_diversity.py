import math

import numpy as np
import pytest

from veriloop.datasets.base import RealData
from veriloop.metrics.base import Evaluation
from veriloop.metrics.diversity import Diversity, _spread
from veriloop.testing import check_metric


def measure(evaluation: Evaluation):
    return Diversity().measure(evaluation, np.random.default_rng(0))["diversity"]


def test_keeps_the_contract(like_real: Evaluation) -> None:
    check_metric(Diversity(), like_real)


def test_real_images_are_as_diverse_as_themselves(digits: RealData) -> None:
    found = measure(Evaluation(None, digits.test, digits.test))  # pyright: ignore[reportArgumentType]
    assert found.value == pytest.approx(1)


def test_one_image_per_class_has_none(collapsed: Evaluation) -> None:
    found = measure(collapsed)
    assert found.value == pytest.approx(0, abs=1e-6)
    assert found.se == pytest.approx(0, abs=1e-6)


def test_the_spread_of_a_known_gaussian_and_its_error() -> None:
    rng = np.random.default_rng(0)
    draws = [_spread(rng.standard_normal((300, 4)) * [1, 2, 3, 4] + 7) for _ in range(300)]
    values = np.array([v for v, _ in draws])
    assert values.mean() == pytest.approx(math.sqrt(30), rel=0.01)
    assert np.mean([np.sqrt(np.mean(part**2) / len(part)) for _, part in draws]) == pytest.approx(
        values.std(ddof=1), rel=0.15
    )


def test_classes_that_cannot_be_measured_are_left_out(like_real: Evaluation, digits: RealData) -> None:
    label = like_real.generated.array("label")
    keep = np.flatnonzero((label != 3) | (np.arange(len(label)) == np.flatnonzero(label == 3)[0]))
    without = Evaluation(like_real.generator, like_real.generated.select(keep), like_real.real)
    real = digits.test.select(digits.test.array("label") != 3)
    alike = Evaluation(like_real.generator, like_real.generated, real)
    assert measure(without).value == pytest.approx(measure(alike).value)


def test_nothing_to_measure_gives_no_number(like_real: Evaluation) -> None:
    single = Evaluation(like_real.generator, like_real.generated.select(slice(1)), like_real.real)
    assert math.isnan(measure(single).value)
