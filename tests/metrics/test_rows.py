"""The rows of a number: their mean is the number, their spread its error."""

from itertools import pairwise

import numpy as np
import pytest

from veriloop.metrics.frechet import frechet_distance
from veriloop.metrics.prdc import prdc
from veriloop.metrics.standard_errors import (
    by_row,
    mean,
    of_blocks,
    of_jackknife,
    of_mean,
    of_stratified_mean,
    within,
)
from veriloop.metrics.text_diversity import _counts, _distinct, _entropy
from veriloop.records import Estimate, RowEstimate

Rng = np.random.Generator


def rows_of(found: Estimate) -> np.ndarray:
    assert isinstance(found, RowEstimate)
    assert found.rows.mean() == pytest.approx(found.value, abs=1e-9)
    return found.rows


def error_by_rows(rows: np.ndarray) -> float:
    return float(rows.std() / np.sqrt(len(rows)))


def test_rows_are_no_part_of_what_is_written_down() -> None:
    found = mean(np.array([1.0, 2.0, 6.0]))
    assert found.model_dump(mode="json") == {"value": 3.0, "se": pytest.approx(np.sqrt(7 / 3))}
    assert found != mean(np.array([1.0, 6.0, 2.0])), "rows in another order pair with other samples"
    assert found == mean(np.array([1.0, 2.0, 6.0]))
    assert not isinstance(mean(np.array([])), RowEstimate)


def test_fixed_strata_are_no_chance() -> None:
    rng = np.random.default_rng(0)
    stratum = np.arange(60) % 3
    values = rng.standard_normal(60) + 5 * stratum
    rows = rows_of(by_row(float(values.mean()), 0.0, within(values, stratum)))
    assert error_by_rows(rows) == pytest.approx(of_stratified_mean(values, stratum))
    alone = within(values[:4], np.array([0, 0, 1, 2]))
    assert np.sqrt(np.mean(alone**2) / 3) == pytest.approx(of_mean(values[:4]))


def test_samples_of_their_own_add_their_variances() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal(50), 3 * rng.standard_normal(200)
    rows = rows_of(by_row(7.0, 0.0, a, b))
    assert error_by_rows(rows) ** 2 == pytest.approx(a.var() / 50 + b.var() / 200)


def test_blocks_have_the_error_of_their_jackknife() -> None:
    left_out = np.random.default_rng(2).standard_normal((20, 2))
    assert np.sqrt((of_blocks(left_out) ** 2).mean(axis=0) / 20) == pytest.approx(of_jackknife(left_out))


def points(rng: Rng, n: int, scale: float) -> np.ndarray:
    return scale * rng.standard_normal((n, 3)) @ np.diag([1.0, 1.5, 0.7]) + rng.choice([-1, 1], (n, 1))


@pytest.mark.parametrize(("scale", "other"), [(1.3, 1.1), (0.8, 1.3)])
def test_frechet_differences_by_row_have_the_spread_of_repeated_draws(scale: float, other: float) -> None:
    """Both models against the same real images, all drawn again: what new held-out rows would do."""
    rng = np.random.default_rng(3)
    differences, errors = [], []
    for _ in range(200):
        real = points(rng, 150, 1.0)
        models = [points(rng, 400, s) for s in (scale, other)]
        found = [frechet_distance(real, made, np.zeros(400, int)) for made in models]
        differences.append(found[0].value - found[1].value)
        errors.append(error_by_rows(rows_of(found[0]) - rows_of(found[1])))
    # 200 draws know a spread to 1/sqrt(400) = 5 %. Near the truth the distance is quadratic, and noise in
    # what influences are computed at makes them larger: an error may be too large, and must not be too small.
    assert 1 - 3 * 0.05 < np.mean(errors) / np.std(differences, ddof=1) < 1.5


def test_recall_and_coverage_have_rows_for_both_sides() -> None:
    rng = np.random.default_rng(4)
    real, made = points(rng, 120, 1.0), points(rng, 200, 1.0)
    found = prdc(real, made, np.zeros(200, int), 3, rng)
    assert {name: len(rows_of(e)) for name, e in found.items()} == {
        "precision": 200,
        "density": 200,
        "recall": 120 + 20,
        "coverage": 120 + 20,
    }
    assert error_by_rows(rows_of(found["density"])) == pytest.approx(found["density"].se)


def test_leaving_out_a_text_is_counting_without_it() -> None:
    rng = np.random.default_rng(5)
    texts = [list(map(str, rng.integers(0, 12, rng.integers(2, 9)))) for _ in range(15)]
    pairs = [list(pairwise(text)) for text in texts]
    for statistic in (_distinct, _entropy):
        _, left_out = statistic(_counts(pairs))
        by_hand = [statistic(_counts(pairs[:i] + pairs[i + 1 :]))[0] for i in range(15)]
        assert left_out == pytest.approx(by_hand)
