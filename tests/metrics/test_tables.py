"""Quantities of points and tables: contracts, values that can be worked out, and errors that are honest."""

import numpy as np
import pytest

from veriloop.datasets.points import Categories, Mixture, ring
from veriloop.errors import ConfigError
from veriloop.learners.ddpm import DDPM
from veriloop.learners.discrete import Discrete
from veriloop.learners.gaussian import Gaussian
from veriloop.learners.gmm import GMM
from veriloop.learners.logistic import Logistic
from veriloop.metrics.base import Evaluation
from veriloop.metrics.distances import Distances
from veriloop.metrics.label_accuracy import LabelAccuracy
from veriloop.metrics.mmd import MMD
from veriloop.metrics.modes import Modes
from veriloop.metrics.nll import NLL
from veriloop.metrics.shares import Shares
from veriloop.metrics.spread import Spread
from veriloop.rng import Address
from veriloop.samples import Samples
from veriloop.testing import check_metric

POINTS = Mixture(ring=4, spread=0.2, start=600)
CATEGORIES = Categories(shares=(5, 3, 2), start=900)
LABELLED = Mixture(means=((-1.0, 0.0), (1.0, 0.0)), label="made")
MODES = Modes(centers=ring(4), within=0.6)


def evaluation(learner, data, rng=0):
    real = data.load(0)
    model = learner.suited_to(data.schema()).fit(real.start, None, Address(rng).rng())
    condition = None if real.conditions is None else real.test.only(list(real.conditions))
    return Evaluation(model, model.sample(len(real.test), Address(rng + 1).rng(), condition), real.test)


@pytest.mark.parametrize("metric", [NLL(), Distances(), MMD(), Spread(), MODES], ids=lambda part: part.kind)
def test_contract_on_points(metric):
    suited = metric.suited_to(POINTS.schema())
    check_metric(suited, evaluation(GMM(components=4), POINTS), evaluation(Gaussian(scale=0.05), POINTS))


@pytest.mark.parametrize("metric", [NLL(), Shares()], ids=lambda part: part.kind)
def test_contract_on_categories(metric):
    good = evaluation(Discrete(), CATEGORIES)
    worse = evaluation(Discrete(temperature=0.3), CATEGORIES)
    rarest = np.asarray(worse.generated["category"]) != 2
    worse = Evaluation(worse.generator, worse.generated.select(rarest), worse.real)
    check_metric(metric.suited_to(CATEGORIES.schema()), good, worse)


def test_contract_on_labels():
    metric = LabelAccuracy().suited_to(LABELLED.schema())
    check_metric(metric, evaluation(Logistic(), LABELLED))


def both(generated, real):
    return Evaluation(Gaussian().fit(real, None, Address(0).rng()), generated, real)


def measured(metric, generated, real):
    return metric.measure(both(generated, real), Address(9).rng())


def normal(n, *, shift=0.0, scale=1.0, seed=0, d=1):
    return Samples(x=shift + scale * Address(seed, "test").rng().standard_normal((n, d)))


def test_energy_distance_is_that_of_two_normal_laws():
    # 2 E|X - Y| - E|X - X'| - E|Y - Y'| for N(0, 1) and N(1, 1): |N(1, 2)| on average twice, 2 / sqrt(pi)
    # twice.
    from scipy.stats import foldnorm

    wanted = 2 * foldnorm.mean(1 / np.sqrt(2), scale=np.sqrt(2)) - 4 / np.sqrt(np.pi)
    found = measured(Distances(), normal(1000, shift=1.0, seed=1), normal(1000))["energy_distance"]
    assert abs(found.value - wanted) < 5 * found.se
    nothing = measured(Distances(), normal(1000, seed=1), normal(1000))["energy_distance"]
    assert abs(nothing.value) < 5 * nothing.se


def test_mmd_is_that_of_two_normal_laws():
    # E k(X, Y) for X - Y ~ N(m, 2) and a kernel of width w: sqrt(w^2 / (w^2 + 2)) exp(-m^2 / (2 (w^2 + 2))).
    wanted = 2 * np.sqrt(1 / 3) * (1 - np.exp(-1 / 6))
    found = measured(MMD(width=1), normal(1000, shift=1.0, seed=1), normal(1000))["mmd"]
    assert abs(found.value - wanted) < 5 * found.se
    assert found.se < 0.05
    nothing = measured(MMD(), normal(1000, seed=1), normal(1000))["mmd"]
    assert abs(nothing.value) < 5 * nothing.se


def test_mmd_is_the_mean_over_pairs():
    # Equation 3 of Gretton et al., with scikit-learn's kernel; the width is the median distance of real rows.
    from scipy.spatial.distance import pdist
    from sklearn.metrics.pairwise import rbf_kernel

    made, real = normal(60, scale=2.0, seed=1, d=2), normal(80, d=2)
    x, y = (side.array("x") / real.array("x").std(axis=0) for side in (made, real))
    for width, metric in ((np.median(pdist(y)), MMD()), (0.5, MMD(width=0.5))):
        xx, yy, xy = (rbf_kernel(a, b, 1 / (2 * width**2)) for a, b in ((x, x), (y, y), (x, y)))
        within = sum((k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in (xx, yy))
        found = measured(metric, made, real)["mmd"]
        assert found.value == pytest.approx(within - 2 * xy.mean(), rel=1e-9)


def test_sliced_wasserstein_is_the_shift_along_a_random_direction():
    found = measured(Distances(directions=200), normal(500, shift=2.0, seed=1, d=2), normal(500, d=2))
    # The shift has length 2 sqrt(2), and a random direction sees half of its square.
    assert found["sliced_wasserstein"].value == pytest.approx(2.0, rel=0.15)


def test_errors_are_those_over_many_draws():
    real = normal(200)
    drawn = [
        measured(m, normal(200, scale=0.7, seed=s), real)
        for m in (Distances(), MMD(), Spread())
        for s in range(60)
    ]
    distances = ("energy_distance", "mmd")
    for names, part in (
        (distances[:1], drawn[:60]),
        (distances[1:], drawn[60:120]),
        (("covariance_trace", "covariance_entropy"), drawn[120:]),
    ):
        for name in names:
            spread = np.std([d[name].value for d in part], ddof=1)
            told = np.mean([d[name].se for d in part])
            # The error of a distance holds the draw of the held-out rows as well, which stay the same here.
            assert spread < 1.3 * told, name
            if name not in distances:
                assert told < 1.4 * spread, name


def test_trace_and_entropy_are_those_of_the_covariance():
    real, made = normal(900, d=3), normal(900, scale=0.5, seed=1, d=3)
    found = measured(Spread(), made, real)
    assert found["covariance_trace"].value == pytest.approx(np.trace(np.cov(made.array("x").T)))
    assert found["entropy_gap"].value == pytest.approx(3 * np.log(0.5), abs=5 * found["entropy_gap"].se)
    flat = Samples(x=made.array("x") * np.array([1.0, 1.0, 0.0]))
    assert np.isnan(measured(Spread(), flat, real)["covariance_entropy"].value)


def test_modes_are_counted():
    three = Samples(point=np.repeat(np.array(ring(4))[:3], [50, 40, 10], axis=0))
    found = measured(MODES, three, POINTS.load(0).test)
    assert found["modes_found"].value == 3
    assert found["on_modes"].value == 1
    share = np.array([0.5, 0.4, 0.1])
    assert found["mode_diversity"].value == pytest.approx((1 - (share**2).sum()) * 100 / 99)


def test_shares_by_value():
    real = Samples(city=["a"] * 50 + ["b"] * 50)
    made = Samples(city=["a"] * 80 + ["b"] * 20)
    metric = Shares(column="city", values=("a", "b", "c"))
    evaluated = Evaluation(Discrete().fit(real, None, Address(0).rng()), made, real)
    found = metric.measure(evaluated, Address(0).rng())
    assert found["share_a"].value == 0.8
    assert found["share_c"].value == 0
    assert found["share_distance"].value == pytest.approx(0.3)
    assert found["values_found"].value == 2
    assert set(found) == set(metric.quantities)


def test_what_cannot_be_measured_is_nan():
    real = normal(50)
    silent = DDPM(steps=1, levels=2).fit(real, None, Address(0).rng())
    assert np.isnan(NLL().measure(Evaluation(silent, real, real), Address(0).rng())["nll"].value)
    collapsed = Gaussian().fit(Samples(x=np.ones((9, 1))), None, Address(0).rng())
    assert np.isnan(NLL().measure(Evaluation(collapsed, real, real), Address(0).rng())["nll"].value)


@pytest.mark.parametrize(
    ("metric", "schema", "message"),
    [
        (Distances(), CATEGORIES.schema(), "columns of role number or vector"),
        (Spread(columns=("category",)), CATEGORIES.schema(), "category"),
        (Modes(centers=((0.0,),), within=1), POINTS.schema(), "2 numbers each"),
        (Shares(), POINTS.schema(), "category or label"),
        (Shares(), Mixture(ring=2, label="given").schema(), "a column that it generates"),
        (LabelAccuracy(), POINTS.schema(), "label or category"),
    ],
)
def test_misfits_are_refused_ahead(metric, schema, message):
    with pytest.raises(ConfigError, match=message):
        metric.suited_to(schema)
