import math

import numpy as np
import pytest

from veriloop.datasets.base import RealData
from veriloop.errors import ConfigError
from veriloop.metrics.accuracy import Accuracy
from veriloop.metrics.base import Evaluation
from veriloop.metrics.features import see
from veriloop.schema import Image, Label, Schema
from veriloop.testing import check_metric


def measure(evaluation: Evaluation, classifier: str = "auto") -> dict:
    return Accuracy(classifier=classifier).measure(evaluation, np.random.default_rng(0))


def test_keeps_the_contract(like_real: Evaluation) -> None:
    check_metric(Accuracy(), like_real)


def test_shares_by_hand(digits: RealData) -> None:
    found = measure(Evaluation(None, digits.test, digits.test))  # pyright: ignore[reportArgumentType]
    look = see(digits.test, "digits")
    right = look.predicted == look.label
    assert found["accuracy"].value == right.mean()
    for c in range(10):
        p = right[look.label == c].mean()
        assert found[f"accuracy_{c}"].value == p
        assert found[f"accuracy_{c}"].se == pytest.approx(
            math.sqrt(p * (1 - p) / (np.sum(look.label == c) - 1))
        )


def test_wrong_labels_are_found_out(like_real: Evaluation) -> None:
    label = (like_real.generated.array("label") + 1) % 10
    swapped = Evaluation(like_real.generator, like_real.generated.with_columns(label=label), like_real.real)
    assert measure(swapped)["accuracy"].value < 0.02
    assert measure(like_real)["accuracy"].value > 0.98


def test_a_class_without_samples_has_no_number(like_real: Evaluation) -> None:
    some = like_real.generated.select(like_real.generated.array("label") != 3)
    found = measure(Evaluation(like_real.generator, some, like_real.real))
    assert set(found) == set(Accuracy().quantities)
    assert math.isnan(found["accuracy_3"].value)
    assert math.isfinite(found["accuracy"].value)


def test_without_samples_there_is_no_number(like_real: Evaluation) -> None:
    empty = Evaluation(like_real.generator, like_real.generated.select(slice(0)), like_real.real)
    assert all(math.isnan(e.value) for e in measure(empty).values())


def test_the_standard_error_is_the_spread_over_repeated_draws(noise: Evaluation) -> None:
    rng = np.random.default_rng(0)
    label = np.arange(200) % 10
    draws = []
    for _ in range(60):
        pixels = rng.binomial(16, 0.3 + 0.02 * label[:, None, None], (200, 8, 8)).astype(np.uint8)
        made = noise.generated.with_columns(pixels=pixels)
        draws.append(measure(Evaluation(noise.generator, made, made.select(slice(0))), "digits")["accuracy"])
    spread = np.std([d.value for d in draws], ddof=1)
    assert np.mean([d.se for d in draws]) == pytest.approx(spread, rel=0.35)


def test_classes_are_those_of_the_data() -> None:
    data = {"pixels": Image(height=8, width=8, levels=16), "label": Label(classes=3)}
    metric = Accuracy().suited_to(Schema(data))
    assert list(metric.quantities) == ["accuracy", "accuracy_0", "accuracy_1", "accuracy_2"]
    assert {q.part_of for q in metric.quantities.values()} == {None, "accuracy"}
    with pytest.raises(ConfigError, match="got 10, expected 3, those of the column 'label'"):
        Accuracy(classes=10).suited_to(Schema(data))
    with pytest.raises(ConfigError, match="'accuracy' needs one column of role label"):
        Accuracy().suited_to(Schema({"pixels": data["pixels"]}))
