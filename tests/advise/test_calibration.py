import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import roc_auc_score, roc_curve

from veriloop.advise.calibration import auc, best_threshold, calibrate, curve
from veriloop.advise.intervals import wilson
from veriloop.errors import DataError
from veriloop.verdicts import Decision, Verdicts

A, R, N = Decision.ACCEPT, Decision.REJECT, Decision.ABSTAIN
GOOD = np.array([True, True, True, True, False, False, False, False])

# Whole scores, so that ties are frequent.
SCORED = st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=60).filter(
    lambda rows: len({good for _, good in rows}) == 2
)


def split(rows: list[tuple[int, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([float(s) for s, _ in rows]), np.array([g for _, g in rows])


def normal(n: int, shift: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    good = np.arange(n) % 2 == 0
    return np.random.default_rng(seed).standard_normal(n) + shift * good, good


@given(SCORED)
def test_auc_is_scikit_learns(rows: list[tuple[int, bool]]) -> None:
    score, good = split(rows)
    interval = auc(score, good)
    assert interval.value == pytest.approx(roc_auc_score(good, score))
    if not math.isnan(interval.low):
        assert 0 <= interval.low <= interval.value <= interval.high <= 1


@given(SCORED)
def test_the_curve_is_scikit_learns(rows: list[tuple[int, bool]]) -> None:
    score, good = split(rows)
    points = curve(score, good, points=1_000)
    false_accept, true_accept, threshold = roc_curve(good, score, drop_intermediate=False)
    assert [p.false_accept for p in points] == pytest.approx(false_accept)
    assert [p.true_accept for p in points] == pytest.approx(true_accept)
    assert [p.threshold for p in points][1:] == pytest.approx(threshold[1:])


@given(SCORED)
def test_no_threshold_is_better_than_the_best(rows: list[tuple[int, bool]]) -> None:
    score, good = split(rows)

    def gain(at: float) -> float:
        return float(np.mean(score[good] >= at) - np.mean(score[~good] >= at))

    assert gain(best_threshold(score, good)) == pytest.approx(max(gain(t) for t in [*score, score.max() + 1]))


def test_delongs_interval_covers_the_truth_as_often_as_it_says() -> None:
    truth, hits, trials = norm.cdf(1 / math.sqrt(2)), 0, 400
    for seed in range(trials):
        interval = auc(*normal(120, 1.0, seed))
        hits += interval.low <= truth <= interval.high
    assert abs(hits / trials - 0.95) < 4 * math.sqrt(0.95 * 0.05 / trials)


def test_perfect_order_is_not_certainty() -> None:
    interval = auc(np.arange(8.0), np.arange(8) >= 4)
    assert (interval.value, interval.high) == (1.0, 1.0)
    assert interval.low == wilson(4, 4).low < 0.6


def test_a_verifier_that_decides() -> None:
    decision = [A, A, R, N, R, A, R, N]
    score = [1, 1, 0, np.nan, 0, 1, 0, np.nan]
    found = calibrate(Verdicts(score, decision, ["", "", "", "dark", "", "", "", "dark"]), GOOD)
    assert found.decided_by == "verifier"
    assert found.accuracy == wilson(4, 6)
    assert found.false_accept == wilson(1, 3)
    assert found.false_reject == wilson(1, 3)
    assert (found.abstained_good, found.abstained_bad) == (wilson(1, 4), wilson(1, 4))
    assert found.abstentions == {"dark": 2}
    assert found.auc.value == pytest.approx((2 / 3 + 2 / 3) / 2)


def test_decisions_without_scores_have_no_curve() -> None:
    found = calibrate(Verdicts([np.nan] * 8, [A] * 8), GOOD)
    assert found.curve == []
    assert math.isnan(found.auc.value)
    assert found.false_accept.value == 1.0


def test_a_given_threshold() -> None:
    found = calibrate(Verdicts([4, 3, 2, 1, 4, 3, 2, 1]), GOOD, at=3)
    assert (found.decided_by, found.threshold) == ("given", 3)
    assert (found.false_accept.value, found.false_reject.value) == (0.5, 0.5)


def test_the_chosen_threshold_and_its_errors_are_those_of_theory() -> None:
    score, good = normal(20_000, 2.0)
    found = calibrate(Verdicts(score), good)
    # Two unit normals 2 apart: the best threshold is half-way, where each error is Phi(-1).
    error = norm.cdf(-1)
    se = math.sqrt(error * (1 - error) / 10_000)
    total = found.false_accept.value + found.false_reject.value
    # To first order the sum does not depend on the threshold, so only counting noise is left.
    assert abs(total - 2 * error) < 4 * math.sqrt(2) * se + 0.004
    assert found.threshold == pytest.approx(1, abs=0.25)
    assert len(found.curve) <= 200


def test_the_error_of_a_chosen_threshold_is_not_flattered() -> None:
    # Scores that know nothing: in-sample the best of 40 thresholds seems to tell them apart.
    accuracy = [
        calibrate(Verdicts(normal(40, 0.0, seed)[0]), normal(40, 0.0)[1]).accuracy.value
        for seed in range(300)
    ]
    assert abs(np.mean(accuracy) - 0.5) < 4 * np.std(accuracy) / math.sqrt(300) + 0.02


@pytest.mark.parametrize("good", [np.ones(3, bool), np.zeros(3, bool), np.ones(2, bool)])
def test_known_samples_that_show_nothing(good: np.ndarray) -> None:
    with pytest.raises(DataError):
        calibrate(Verdicts([1.0, 2.0, 3.0]), good)


def test_open_verdicts_on_one_kind_only() -> None:
    verdicts = Verdicts([0.5, 0.6, 0.1, 0.2], [Decision.OPEN, Decision.OPEN, R, R])
    good = np.array([True, True, False, False])
    with pytest.raises(DataError, match="--at"):
        calibrate(verdicts, good)
    assert calibrate(verdicts, good, at=0.5).accuracy.value == 1.0
