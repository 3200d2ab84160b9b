"""Draws on a torch device follow the same law as NumPy's: judged against the closed forms, on torch's CPU."""

import sys

import numpy as np
import pytest

from veriloop.errors import DomainError, MissingExtraError
from veriloop.linear import accepted_means, simulate
from veriloop.rng import Address
from veriloop.theory import LinearSystem, trajectory, truncated_cumulants

SYSTEM = LinearSystem([1.0, -1.0], [1.2, -0.9], 0.4, singular_values=8.0)
# Intervals for each kind of proposal: a wide one, a narrow one, one in the tail, and mirrored ones.
ALPHA = np.array([-3.0, -0.5, 6.0, -np.inf, -7.0, 8.0])
BETA = np.array([4.0, 0.7, np.inf, -5.0, -6.0, 9.0])


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_means_and_variances_are_those_of_truncated_normals(precision):
    n, repeats = 7, 20_000
    alpha, beta = (np.repeat(x, repeats) for x in (ALPHA, BETA))
    means = accepted_means(alpha, beta, n, Address(3).rng(), precision, "cpu").reshape(len(ALPHA), repeats)
    mean, variance, _ = truncated_cumulants(ALPHA, BETA)
    se = np.sqrt(variance / n / repeats)
    assert np.all(np.abs(means.mean(axis=1) - mean) < 4.5 * se)
    # The variance of a mean of 7 draws, whose own relative error is about sqrt(2 / repeats).
    ratio = means.var(axis=1) * n / variance
    assert np.all(np.abs(ratio - 1) < 6 * np.sqrt(2 / repeats))


def test_a_simulation_on_a_device_agrees_with_theory():
    simulated = simulate(SYSTEM, 30, 3, 20_000, seed=5, device="cpu")
    exact = trajectory(SYSTEM, 30, 3)
    assert np.all(np.abs(simulated.mse_star - exact.mse_star) < 4 * simulated.mse_star_se)
    again = simulate(SYSTEM, 30, 3, 20_000, seed=5, device="cpu")
    assert np.array_equal(simulated.mse_star, again.mse_star)


@pytest.mark.parametrize(("device", "design"), [("abacus", "block"), ("cpu", "isotropic")])
def test_what_a_device_cannot_do_is_said(device, design):
    with pytest.raises(DomainError, match="device"):
        simulate(SYSTEM, 30, 3, 100, seed=5, device=device, design=design)


def test_without_torch_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"veriloop\[torch\]"):
        simulate(SYSTEM, 30, 3, 100, seed=5, device="cuda")
