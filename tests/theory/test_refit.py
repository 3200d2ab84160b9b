"""The refit map against independent integrals, and against Gaussians that are really refitted."""

import numpy as np
import pytest
from scipy.integrate import dblquad, quad
from scipy.stats import chi2, ncx2, norm

from veriloop.errors import DomainError
from veriloop.theory import Acceptance, Ball, Gaussian, Slab, SoftQuadratic, refit_rounds

MEAN = np.array([0.5, -0.2, 1.0])
SPREAD = np.array([[1.0, 0.3, 0.0], [0.3, 0.5, -0.2], [0.0, -0.2, 2.0]])


def kept(acceptance: Acceptance, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    match acceptance:
        case SoftQuadratic(center, precision):
            away = x - np.asarray(center)
            chance = np.exp(-np.einsum("ni,ij,nj->n", away, np.asarray(precision), away) / 2)
        case Slab(normal, low, high):
            along = x @ np.asarray(normal)
            chance = (low <= along) & (along <= high)
        case Ball(center, radius):
            chance = np.linalg.norm(x - np.asarray(center), axis=1) <= radius
        case _:
            raise AssertionError(acceptance)
    return x[rng.random(len(x)) < chance]


ACCEPTANCES = {
    "soft": SoftQuadratic([0.0, 0.5, 0.0], [[1.0, 0.2, 0.0], [0.2, 0.5, 0.0], [0.0, 0.0, 0.0]]),
    "half-space": Slab([1.0, -1.0, 0.5], low=1.5),
    "slab": Slab([0.0, 1.0, 1.0], low=-1.0, high=0.4),
    "ball": Ball([0.0, 0.0, 0.0], 1.2),
}


@pytest.mark.parametrize("name", ACCEPTANCES)
def test_three_rounds_against_refitting(name: str):
    acceptance, rng, size = ACCEPTANCES[name], np.random.default_rng(5), 400_000
    course = refit_rounds(MEAN, SPREAD, acceptance, 3)
    for k in range(3):
        # Each round is drawn from the exact model, so that errors of one do not enter the next.
        x = rng.multivariate_normal(course.mean[k], course.covariance[k], size)
        rows = kept(acceptance, x, rng)
        rate = course.rate[k]
        assert abs(len(rows) / size - rate) < 4.5 * np.sqrt(rate * (1 - rate) / size)
        error = rows.std(axis=0) / np.sqrt(len(rows))
        assert np.all(np.abs(rows.mean(axis=0) - course.mean[k + 1]) < 4.5 * error)
        away = rows - course.mean[k + 1]
        products = away[:, :, None] * away[:, None, :]
        error = products.std(axis=0) / np.sqrt(len(rows))
        assert np.all(np.abs(products.mean(axis=0) - course.covariance[k + 1]) < 4.5 * error)


@pytest.mark.parametrize("radius", [0.01, 0.7, 3.0, 30.0])
@pytest.mark.parametrize("away", [0.0, 1.3, 12.0])
def test_a_ball_on_a_line_is_a_truncation(radius: float, away: float):
    model = Gaussian(np.array([away]), np.array([[1.7**2]]))
    ball, slab = Ball([0.0], radius).refit(model), Slab([1.0], -radius, radius).refit(model)
    assert ball.rate == pytest.approx(slab.rate, rel=1e-11)
    assert ball.model.mean == pytest.approx(slab.model.mean, rel=1e-10, abs=1e-12)
    assert ball.model.covariance == pytest.approx(slab.model.covariance, rel=1e-9)


@pytest.mark.parametrize("d", [2, 16, 60])
@pytest.mark.parametrize("scale", [0.05, 0.8, 1.0, 1.5])
@pytest.mark.parametrize("away", [0.0, 2.0])
def test_the_rate_of_a_ball_is_a_noncentral_chi_square(d: int, scale: float, away: float):
    center = np.zeros(d)
    center[0] = away
    radius = scale * np.sqrt(d + away**2)
    found = Ball(center, radius).refit(Gaussian(np.zeros(d), np.eye(d)))
    law = ncx2(d, away**2) if away else chi2(d)
    assert found.rate == pytest.approx(float(law.cdf(radius**2)), rel=1e-8)
    if not away:  # E[x_i^2; ball] of a standard normal, in closed form
        inside = chi2(d + 2).cdf(radius**2) / chi2(d).cdf(radius**2)
        assert found.model.covariance == pytest.approx(inside * np.eye(d), rel=1e-8, abs=1e-11)


def test_a_ball_in_the_plane_against_cubature():
    model = Gaussian(np.array([0.8, -0.3]), np.diag([0.4, 1.5]))
    found = Ball([0.0, 0.2], 1.1).refit(model)

    def integral(f) -> float:
        def density(y: float, x: float) -> float:
            return f(x, y) * norm.pdf(x, 0.8, 0.4**0.5) * norm.pdf(y, -0.3, 1.5**0.5)

        edge = lambda x: np.sqrt(max(1.21 - x * x, 0.0))  # noqa: E731
        return dblquad(density, -1.1, 1.1, lambda x: 0.2 - edge(x), lambda x: 0.2 + edge(x), epsabs=1e-11)[0]

    rate = integral(lambda x, y: 1.0)
    assert found.rate == pytest.approx(rate, rel=1e-8)
    assert found.model.mean[0] == pytest.approx(integral(lambda x, y: x) / rate, rel=1e-7)
    mixed = integral(lambda x, y: x * y) / rate - found.model.mean[0] * found.model.mean[1]
    assert found.model.covariance[0, 1] == pytest.approx(mixed, rel=1e-6)


def test_soft_acceptance_on_a_line_against_quadrature():
    def weight(x: float) -> float:
        return norm.pdf(x, 1.0, 2.0) * np.exp(-0.7 * (x + 0.5) ** 2 / 2)

    mass, first, second = (quad(lambda x, k=k: x**k * weight(x), -30, 30, epsabs=1e-13)[0] for k in range(3))
    found = SoftQuadratic([-0.5], [[0.7]]).refit(Gaussian(np.array([1.0]), np.array([[4.0]])))
    assert found.rate == pytest.approx(mass, rel=1e-10)
    assert found.model.mean[0] == pytest.approx(first / mass, rel=1e-10)
    assert found.model.covariance[0, 0] == pytest.approx(second / mass - (first / mass) ** 2, rel=1e-9)


def test_soft_acceptance_adds_precision_every_round():
    course = refit_rounds([1.0, 0.0], np.diag([2.0, 3.0]), SoftQuadratic([0.0, 0.0], np.diag([0.5, 0.0])), 4)
    assert course.covariance[:, 0, 0] == pytest.approx(1 / (0.5 + 0.5 * np.arange(5)))
    assert course.covariance[:, 1, 1] == pytest.approx(np.full(5, 3.0))
    assert course.mean[:, 0] == pytest.approx(0.5 / (0.5 + 0.5 * np.arange(5)))


def test_mistakes_are_named():
    with pytest.raises(DomainError, match="covariance does not match"):
        refit_rounds([0.0, 1.0], [[1.0]], Ball([0.0, 0.0], 1.0), 1)
    with pytest.raises(DomainError, match="center does not match"):
        refit_rounds([0.0], [[1.0]], Ball([0.0, 0.0], 1.0), 1)
    with pytest.raises(DomainError, match="does not vary"):
        refit_rounds([0.0, 0.0], np.zeros((2, 2)), Slab([1.0, 0.0], low=0.0), 1)
