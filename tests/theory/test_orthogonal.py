import numpy as np
import pytest

from veriloop.errors import DomainError
from veriloop.linear import simulate
from veriloop.theory import one_round_mse, orthogonal_system, unverified_mse


def test_the_system_is_the_one_asked_for() -> None:
    system = orthogonal_system(0.3, 0.5, p=5, n0=49, sigma=2.0)
    assert system.bias == pytest.approx(0.3)
    np.testing.assert_allclose(system.singular_values, 7.0)
    assert system.baseline == pytest.approx(5 * 4 / 49)
    np.testing.assert_allclose(system.offsets, 0.15 / np.sqrt(5))


def test_the_direction_of_the_bias_hardly_matters() -> None:
    """As the docstring says, to 0.3 %."""
    directions = (None, np.eye(8)[0], np.arange(8.0) - 3)
    errors = [one_round_mse(orthogonal_system(0.3, 0.5, direction=d), 100, "exact").mse for d in directions]
    np.testing.assert_allclose(errors, errors[0], rtol=3.5e-3)


def test_unverified_error_grows_by_each_rounds_noise() -> None:
    system, sizes = orthogonal_system(0.1, 0.5, p=2, n0=50, sigma=0.5), [5, 20, 10]
    expected = unverified_mse(system, sizes, 3)
    np.testing.assert_allclose(np.diff(expected), 2 * 0.25 / np.array(sizes))
    run = simulate(system, sizes, 3, 4_000, seed=1, verified=False)
    assert np.all(np.abs(run.mse_star - expected) < 4 * run.mse_star_se)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bias": -0.1}, "bias is out of range"),
        ({"bias": float("nan")}, "bias holds NaN"),
        ({"bias": 0.6}, "does not contain theta_star"),
        ({"radius": -1.0}, "radius is out of range"),
        ({"bias": 0.0, "radius": 0.0, "sigma_c": 0.0}, "never accept"),
        ({"n0": 7}, "at least p = 8"),
        ({"p": 0}, "p is not a count"),
        ({"sigma": 0.0}, "sigma is out of range"),
    ],
)
def test_bad_systems_are_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(DomainError, match=message):
        orthogonal_system(**({"bias": 0.2, "radius": 0.5} | changes))  # pyright: ignore[reportArgumentType]
