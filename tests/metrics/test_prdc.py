import math

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from veriloop.metrics import _balls as module
from veriloop.metrics.base import Evaluation
from veriloop.metrics.prdc import PRDC, prdc
from veriloop.records import Estimate
from veriloop.testing import check_metric

X = np.random.default_rng(0).standard_normal((300, 4))
Y = np.random.default_rng(1).standard_normal((400, 4)) * [1.5, 1.5, 0.5, 0.5] + [1, 0, 0, 0]


def measure(x: NDArray, y: NDArray, k: int = 5, seed: int = 0) -> dict[str, Estimate]:
    return prdc(x, y, np.zeros(len(y), np.int64), k, np.random.default_rng(seed))


def by_definition(x: NDArray, y: NDArray, k: int) -> dict[str, float]:
    """Brute force with scikit-learn's neighbours."""

    def radii(points: NDArray) -> NDArray:
        return NearestNeighbors(n_neighbors=k + 1).fit(points).kneighbors(points)[0][:, -1]

    distance = np.linalg.norm(x[:, None] - y, axis=2)
    in_real, in_made = distance <= radii(x)[:, None], distance <= radii(y)
    return {
        "precision": in_real.any(0).mean(),
        "recall": in_made.any(1).mean(),
        "density": in_real.sum(0).mean() / k,
        "coverage": in_real.any(1).mean(),
    }


def test_keeps_the_contract(like_real: Evaluation) -> None:
    check_metric(PRDC(), like_real)


@pytest.mark.parametrize("k", [1, 5, 20])
def test_equals_the_definition(k: int) -> None:
    found, reference = measure(X, Y, k), by_definition(X, Y, k)
    assert {name: e.value for name, e in found.items()} == pytest.approx(reference)


def test_the_size_of_the_pieces_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = measure(X, Y)
    monkeypatch.setattr(module, "ROWS", 37)
    assert measure(X, Y) == before


def test_neither_shift_nor_size_of_the_features_matters() -> None:
    near, far = measure(X, Y), measure(1e3 * (X + 1e4), 1e3 * (Y + 1e4))
    assert {n: e.value for n, e in far.items()} == pytest.approx({n: e.value for n, e in near.items()})


def test_blocks_move_the_errors_only() -> None:
    one, two = measure(X, Y, seed=1), measure(X, Y, seed=2)
    assert {n: e.value for n, e in one.items()} == {n: e.value for n, e in two.items()}
    assert one["recall"].se != two["recall"].se


def test_coverage_of_the_same_distribution_is_the_published_expectation() -> None:
    rng = np.random.default_rng(5)
    draws = [measure(rng.standard_normal((400, 3)), rng.standard_normal((400, 3))) for _ in range(20)]
    coverage = [d["coverage"].value for d in draws]
    # 1 - prod_{i<k} (n - 1 - i) / (2n - 1 - i), Naeem et al., for equal numbers: near 1 - 2^-k.
    expected = 1 - math.prod((399 - i) / (799 - i) for i in range(5))
    assert np.mean(coverage) == pytest.approx(expected, abs=4 * float(np.std(coverage)) / math.sqrt(20))
    assert np.mean([d["density"].value for d in draws]) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("precision", 0.75, 1.3), ("density", 0.75, 1.3), ("coverage", 0.75, 1.4), ("recall", 0.75, 2.0)],
)
def test_the_standard_errors_are_the_spread_over_repeated_draws(name: str, low: float, high: float) -> None:
    rng = np.random.default_rng(7)
    draws = [measure(X, rng.standard_normal((400, 4)) * 0.8 + [1, 0, 0, 0], seed=i)[name] for i in range(80)]
    ratio = np.mean([d.se for d in draws]) / np.std([d.value for d in draws], ddof=1)
    assert low < ratio < high


def test_collapse_shows_in_recall_and_coverage(like_real: Evaluation, collapsed: Evaluation) -> None:
    good, poor = (PRDC().measure(e, np.random.default_rng(0)) for e in (like_real, collapsed))
    assert poor["recall"].value < 0.05 < 0.9 < good["recall"].value
    assert poor["coverage"].value < 0.2 < 0.8 < good["coverage"].value
    assert all(math.isfinite(e.value) for e in poor.values())


def test_noise_shows_in_precision_and_density(like_real: Evaluation, noise: Evaluation) -> None:
    good, poor = (PRDC().measure(e, np.random.default_rng(0)) for e in (like_real, noise))
    assert poor["precision"].value < good["precision"].value - 0.2
    assert poor["density"].value < good["density"].value / 2


@pytest.mark.parametrize(("n", "m"), [(5, 100), (100, 5), (0, 100), (100, 0)])
def test_fewer_samples_than_neighbours_have_no_number(n: int, m: int) -> None:
    assert all(math.isnan(e.value) and math.isnan(e.se) for e in measure(X[:n], Y[:m]).values())


def test_one_more_than_k_is_enough() -> None:
    assert all(math.isfinite(e.value) for e in measure(X[:6], Y[:6]).values())


def test_points_without_spread_are_finite() -> None:
    same = np.ones((50, 3))
    found = measure(same, same)
    assert {n: e.value for n, e in found.items()} == {
        "precision": 1,
        "recall": 1,
        "density": 10,
        "coverage": 1,
    }
