import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from veriloop.advise.agreement import agreement, cohen_kappa, dawid_skene, krippendorff_alpha
from veriloop.errors import DataError

_ = math.nan
# K. Krippendorff, Computing Krippendorff's alpha-reliability, 2011: four observers, twelve units.
PUBLISHED = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
        [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
    ]
).T


def test_alpha_is_as_published() -> None:
    assert krippendorff_alpha(PUBLISHED, "nominal") == pytest.approx(0.743, abs=0.0005)
    assert krippendorff_alpha(PUBLISHED, "interval") == pytest.approx(0.849, abs=0.0005)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=40))
def test_kappa_is_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    a, b = (np.array(side, float) for side in zip(*pairs, strict=True))
    found = cohen_kappa(a, b)
    if len({*a, *b}) == 1:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(cohen_kappa_score(a, b))


def test_gaps_are_left_out() -> None:
    a, b = np.array([0, 1, _, 1, 0]), np.array([0, 1, 1, _, 1])
    assert cohen_kappa(a, b) == pytest.approx(cohen_kappa_score([0, 1, 0], [0, 1, 1]))
    assert math.isnan(cohen_kappa(np.array([_]), np.array([1.0])))
    assert math.isnan(krippendorff_alpha(np.array([[1, _], [_, 2]])))
    assert math.isnan(krippendorff_alpha(np.array([[1.0, 1], [1, 1]])))


SKILL = np.array([0.95, 0.8, 0.65])


def labelled(units: int) -> tuple[np.ndarray, np.ndarray]:
    """What three annotators of known skill say of units with true labels 0 or 1; a tenth is missing."""
    rng = np.random.default_rng(3)
    true = rng.integers(2, size=units)
    right = rng.random((units, 3)) < SKILL
    said = np.where(right, true[:, None], 1 - true[:, None]).astype(float)
    said[rng.random((units, 3)) < 0.1] = math.nan
    return true, said[np.isfinite(said).any(axis=1)]


def test_dawid_and_skene_find_each_annotators_skill() -> None:
    _, said = labelled(2_000)
    meant, confusion, prior = dawid_skene(said)
    assert meant.sum(axis=1) == pytest.approx(1)
    skill = np.einsum("acc,c->a", confusion, prior)
    # Counting noise is sqrt(0.2 / 2000) = 0.01; that the truth is not seen makes it a few times larger.
    assert skill == pytest.approx(SKILL, abs=0.05)


def test_dawid_and_skene_are_more_often_right_than_the_majority() -> None:
    rng = np.random.default_rng(0)
    true = rng.integers(2, size=2_000)
    right = rng.random((2_000, 5)) < np.array([0.97, 0.55, 0.55, 0.55, 0.55])
    said = np.where(right, true[:, None], 1 - true[:, None]).astype(float)
    meant, _, _ = dawid_skene(said)
    majority = (said.mean(axis=1) > 0.5) == true
    assert (meant.argmax(axis=1) == true).mean() > majority.mean() + 0.1


def test_agreement_of_annotators() -> None:
    _, said = labelled(300)
    found = agreement(dict(zip("abc", said.T, strict=True)), np.random.default_rng(0))
    assert list(found.kappa) == ["a / b", "a / c", "b / c"]
    for interval in (found.alpha, *found.kappa.values()):
        assert interval.low < interval.value < interval.high
    assert found.kappa["a / b"].value > found.kappa["b / c"].value
    assert found.units == int((np.isfinite(said).sum(axis=1) >= 2).sum())
    assert found.accuracy["a"] > found.accuracy["c"]


def test_too_few_annotators() -> None:
    with pytest.raises(DataError, match="at least two"):
        agreement({"a": np.ones(3)}, np.random.default_rng(0))
    with pytest.raises(DataError, match="no sample"):
        agreement({"a": np.array([1, math.nan]), "b": np.array([math.nan, 1])}, np.random.default_rng(0))
