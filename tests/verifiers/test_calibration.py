import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from veriloop.verifiers._calibration import FLATTEST, Calibration, calibrate


def log_ratios(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Of real N(1.5, 1) over generated N(0, 1), at n points of each."""
    rng = np.random.default_rng(seed)
    real, generated = rng.standard_normal(n) + 1.5, rng.standard_normal(n)
    return 1.5 * real - 1.5**2 / 2, 1.5 * generated - 1.5**2 / 2


def standard_error(logits: np.ndarray, p: np.ndarray, at: np.ndarray, p_at: np.ndarray) -> np.ndarray:
    """Of a probability fitted to ``logits`` at ``at``: the delta method with the Fisher information."""
    x, x_at = (np.stack([a, np.ones_like(a), a**3], 1) for a in (logits, at))
    covariance = np.linalg.inv((x.T * p * (1 - p)) @ x)
    return p_at * (1 - p_at) * np.sqrt(np.einsum("ij,jk,ik->i", x_at, covariance, x_at))


def test_overconfident_biased_logits_are_mapped_to_the_true_probabilities() -> None:
    def distort(log_ratio: np.ndarray) -> np.ndarray:
        return 3 * log_ratio + 2

    real, generated = log_ratios(20_000, seed=0)
    everything = np.concatenate([real, generated])
    calibration = calibrate(distort(real), distort(generated))
    at = np.linspace(-3, 3, 13)
    se = standard_error(distort(everything), expit(everything), distort(at), expit(at))
    assert np.all(np.abs(calibration(distort(at)) - expit(at)) < 4 * se)
    assert np.abs(expit(distort(at)) - expit(at)).max() > 0.2


@pytest.mark.parametrize("smoothing", [0.05, 0.1])
def test_label_smoothing_is_undone(smoothing: float) -> None:
    # What an ideal network that was trained on smoothed targets gives, with twice the confidence on top.
    def distort(log_ratio: np.ndarray) -> np.ndarray:
        return 2 * logit(smoothing + (1 - 2 * smoothing) * expit(log_ratio))

    calibration = calibrate(*map(distort, log_ratios(2_000, seed=1)))
    real, generated = log_ratios(5_000, seed=2)
    log_ratio, is_real = np.concatenate([real, generated]), np.repeat([1, 0], 5_000)
    for told, reliable in ((calibration(distort(log_ratio)), True), (expit(distort(log_ratio)), False)):
        bins = np.array_split(np.argsort(told), 10)
        off = np.array([is_real[b].mean() - told[b].mean() for b in bins])
        se = np.array([np.sqrt(expit(log_ratio[b]) @ expit(-log_ratio[b])) / len(b) for b in bins])
        # The fit's own error comes on top; its sample is 0.4 of this one, and ten bins share three numbers.
        assert np.all(np.abs(off) < 4 * se * np.sqrt(1 + 3 / 10 / 0.4)) == reliable


def test_the_prior_is_even_whatever_the_numbers() -> None:
    real, generated = log_ratios(20_000, seed=3)
    even, uneven = calibrate(real, generated), calibrate(real, generated[:5_000])
    assert np.abs(uneven(np.linspace(-3, 3, 9)) - even(np.linspace(-3, 3, 9))).max() < 0.02


def test_logits_that_can_be_separated_have_a_finite_map() -> None:
    calibration = calibrate(np.array([4.0, 6.0, 9.0]), np.array([-8.0, -5.0, -3.0]))
    assert np.isfinite(calibration).all()
    assert 0.5 < calibration(np.array([4.0]))[0] < 0.95


def test_a_classifier_that_is_wrong_keeps_its_ranking_and_claims_nothing() -> None:
    generated, real = log_ratios(1_000, seed=4)
    calibration = calibrate(real, generated)
    assert calibration.slope == FLATTEST
    assert np.abs(calibration(real) - 0.5).max() < 0.05


@given(
    logits=st.lists(st.floats(-8, 8), min_size=2, max_size=20, unique=True),
    slope=st.floats(FLATTEST, 3),
    intercept=st.floats(-3, 3),
    curvature=st.floats(0, 0.05),
)
def test_ranking_never_changes(logits: list[float], slope: float, intercept: float, curvature: float) -> None:
    ordered = np.sort(logits)
    assert np.all(np.diff(Calibration(slope, intercept, curvature)(ordered)) >= 0)


def test_the_default_is_the_plain_sigmoid() -> None:
    logits = np.linspace(-30, 30, 61)
    assert np.array_equal(Calibration()(logits), expit(logits))
