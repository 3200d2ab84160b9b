"""Learners of points and tables: contracts, the laws they promise, and what they refuse."""

import numpy as np
import pytest
from scipy.stats import norm

from veriloop.datasets.points import Categories, Mixture, ring
from veriloop.errors import ConfigError, CorruptFileError, DataError
from veriloop.learners.ddpm import DDPM
from veriloop.learners.discrete import Discrete, tempered
from veriloop.learners.gaussian import Gaussian
from veriloop.learners.gmm import GMM
from veriloop.learners.kde import KDE
from veriloop.learners.logistic import Logistic
from veriloop.samples import Samples
from veriloop.schema import Category, Image, Label, Number, Schema, Vector
from veriloop.testing import check_learner

POINTS = Mixture(ring=4, spread=0.2, start=120)
LABELLED = Mixture(means=((-1.0, 0.0), (1.0, 0.0)), label="made")
GIVEN = Mixture(ring=3, spread=0.1, label="given", start=120)
CATEGORIES = Categories(shares=(3, 2, 1))
TABLE = Samples(
    age=np.linspace(20, 60, 40),
    seats=np.arange(40) % 5,
    at=np.random.default_rng(0).random((40, 2), np.float32),
    city=[("Bern", "Basel", "Chur")[i % 3] for i in range(40)],
)
TABLE_SCHEMA = Schema(
    {
        "age": Number(),
        "seats": Number(),
        "at": Vector(p=2),
        "city": Category(values=("Bern", "Basel", "Chur")),
    }
)
NUMBERS = Schema({"age": Number(), "seats": Number(), "at": Vector(p=2)})


@pytest.mark.parametrize(
    "learner",
    [
        Gaussian(), Gaussian(covariance="diagonal"), Gaussian(covariance="spherical", ddof=0, scale=0.5),
        KDE(), KDE(bandwidth="silverman"), KDE(bandwidth=0.3, scale=0.5),
        GMM(components=4), GMM(covariance="diagonal", restarts=2), GMM(covariance="spherical", scale=0.5),
        DDPM(steps=20, levels=5),
    ],
    ids=repr,
)  # fmt: skip
def test_contract_on_points(learner):
    check_learner(learner.suited_to(POINTS.schema()), POINTS.load(0).start, None)


@pytest.mark.parametrize("learner", [Gaussian(), GMM(), DDPM(steps=20, levels=5)], ids=lambda part: part.kind)
def test_contract_on_columns_of_several_types(learner):
    numbers = TABLE.only(list(NUMBERS))
    check_learner(learner.suited_to(NUMBERS), numbers, None)


@pytest.mark.parametrize("learner", [Discrete(), Discrete(temperature=0.8), KDE()], ids=repr)
def test_contract_on_categories(learner):
    check_learner(learner.suited_to(CATEGORIES.schema()), CATEGORIES.load(0).start, None)


def test_contract_of_kernels_on_a_mixed_table():
    check_learner(KDE().suited_to(TABLE_SCHEMA), TABLE, None)


@pytest.mark.parametrize("learner", [Logistic(), Logistic(temperature=0.5, flips=0.2)], ids=repr)
def test_contract_on_labels(learner):
    data = LABELLED.load(0)
    check_learner(learner.suited_to(LABELLED.schema()), data.start, data.conditions)


def test_contract_of_diffusion_with_labels():
    data = GIVEN.load(0)
    learner = DDPM(steps=30, levels=5, guidance=1.0).suited_to(GIVEN.schema())
    check_learner(learner, data.start, data.conditions)


IMAGES = Schema({"pixels": Image(height=8, width=8, levels=1), "label": Label(classes=2)})
TEN_GIVEN = Schema({"point": Vector(p=2), "label": Label(classes=10)})


@pytest.mark.parametrize(
    ("learner", "schema", "message"),
    [
        (Gaussian(), CATEGORIES.schema(), "generates columns of role number or vector"),
        (Gaussian(), TEN_GIVEN, "without a condition"),
        (GMM(), TABLE_SCHEMA, "generates columns of role number or vector"),
        (KDE(), IMAGES, "generates columns of role number or vector or category or label"),
        (Discrete(), POINTS.schema(), "generates columns of role category or label"),
        (Logistic(), POINTS.schema(), "label"),
        (Logistic(), CATEGORIES.schema(), "from given numbers"),
        (Logistic(label="point"), POINTS.schema(), "vector"),
        (DDPM(), IMAGES, "at most 32 numbers"),
        (DDPM(), CATEGORIES.schema(), "numbers"),
        (DDPM(), Schema({"x": Vector(p=33)}), "at most 32 numbers"),
        (DDPM(guidance=1.0), POINTS.schema(), "guidance"),
        (DDPM(), LABELLED.schema(), "columns of role number or vector to generate"),
    ],
)
def test_misfits_are_refused_ahead(learner, schema, message):
    with pytest.raises(ConfigError, match=message):
        learner.suited_to(schema)


@pytest.mark.parametrize("learner", [Gaussian(), KDE(), GMM()], ids=lambda part: part.kind)
def test_bad_numbers_are_one_line(learner):
    with pytest.raises(DataError, match="finite"):
        learner.fit(Samples(x=np.array([1.0, np.nan, 2.0])), None, np.random.default_rng(0))
    with pytest.raises(DataError, match=r"too few samples|from one sample"):
        learner.fit(Samples(x=np.array([1.0])), None, np.random.default_rng(0))


def fitted(learner, **columns):
    return learner.fit(Samples(**columns), None, np.random.default_rng(0))


def test_a_gaussian_is_the_mean_and_covariance():
    x = np.random.default_rng(1).standard_normal((50, 3)) @ np.diag([1, 2, 3])
    model = fitted(Gaussian(), x=x)
    assert np.allclose(model.mean, x.mean(0))
    assert np.allclose(model.covariance, np.cov(x.T))
    centred, covariance = x - x.mean(0), np.cov(x.T)
    squares = np.einsum("ni,ij,nj->n", centred, np.linalg.inv(covariance), centred)
    wanted = -0.5 * (squares + 3 * np.log(2 * np.pi) + np.linalg.slogdet(covariance)[1])
    assert np.allclose(model.log_density(Samples(x=x)), wanted)
    drawn = model.sample(40_000, np.random.default_rng(2)).array("x")
    assert np.allclose(np.cov(drawn.T), model.covariance, atol=6 * 9 * np.sqrt(2 / 40_000))


def test_scale_is_what_the_variance_is_multiplied_by():
    x = np.random.default_rng(1).standard_normal(400)
    for learner in (Gaussian, GMM):
        whole, half = (
            fitted(learner(scale=s), x=x).sample(20_000, np.random.default_rng(3)) for s in (1, 0.25)
        )
        ratio = np.var(half.array("x")) / np.var(whole.array("x"))
        # A mixture's components do not move together, so its variance is not simply a quarter.
        assert ratio == pytest.approx(0.25, rel=0.05) if learner is Gaussian else ratio < 0.9
    at_mean = fitted(Gaussian(scale=0), x=x).sample(5, np.random.default_rng(3)).array("x")
    assert np.allclose(at_mean, x.mean())


def test_a_collapsed_gaussian_still_samples():
    model = fitted(Gaussian(), x=np.ones((10, 2)))
    assert np.array_equal(model.sample(3, np.random.default_rng(0)).array("x"), np.ones((3, 2)))
    assert np.isneginf(model.log_density(Samples(x=np.ones((1, 2))))).all()


def test_kernels_add_their_variance():
    x = np.random.default_rng(1).standard_normal(300)
    model = fitted(KDE(bandwidth=0.5), x=x)
    drawn = model.sample(40_000, np.random.default_rng(2)).array("x")
    assert drawn.var() == pytest.approx(x.var() + 0.25, rel=6 * np.sqrt(2 / 40_000))
    point = np.array([0.3])
    assert model.log_density(Samples(x=point))[0] == pytest.approx(np.log(norm.pdf(point, x, 0.5).mean()))


def test_scott_and_silverman_are_those_of_scipy():
    from scipy.stats import gaussian_kde

    x = np.random.default_rng(1).standard_normal(80)
    for rule in ("scott", "silverman"):
        theirs = gaussian_kde(x, rule)
        assert fitted(KDE(bandwidth=rule), x=x).width[0] == pytest.approx(np.sqrt(theirs.covariance[0, 0]))


def test_categories_go_with_their_row_or_are_redrawn():
    word = ["a" if i < 10 else "b" for i in range(200)]
    for redraw, low, high in ((0.0, 0.0, 0.0), (1.0, 0.9, 1.0)):
        model = fitted(KDE(bandwidth=0.01, redraw=redraw), x=np.arange(200.0), word=word)
        drawn = model.sample(4000, np.random.default_rng(0))
        early = drawn.array("x") < 9.5
        wrong = np.mean([w == "b" for w, e in zip(drawn.texts("word"), early, strict=True) if e])
        assert low <= wrong <= high


def test_a_mixture_finds_its_modes_and_starts_from_the_model_before():
    start = POINTS.load(0).start
    model = GMM(components=4).fit(start, None, np.random.default_rng(0))
    nearest = np.linalg.norm(model.mean[:, None] - np.array(ring(4)), axis=2).min(axis=0)
    assert nearest.max() < 0.2
    again = GMM(components=4, steps=1).fit(start, model, np.random.default_rng(5))
    assert np.allclose(np.sort(again.mean, axis=0), np.sort(model.mean, axis=0), atol=1e-2)


def test_counts_are_the_shares_of_different_rows():
    model = fitted(Discrete(), colour=["red", "blue", "red", "red"], size=np.array([1, 2, 1, 3]))
    rows = list(zip(model.table.texts("colour"), model.table.array("size").tolist(), strict=True))
    assert dict(zip(rows, model.share, strict=True)) == {("red", 1): 0.5, ("blue", 2): 0.25, ("red", 3): 0.25}
    unseen = model.log_density(Samples(colour=["red", "blue"], size=np.array([1, 1])))
    assert unseen[0] == pytest.approx(np.log(0.5))
    assert np.isneginf(unseen[1])


def test_temperature_sharpens():
    share = np.array([0.6, 0.3, 0.1])
    assert np.array_equal(tempered(share, 1), share)
    assert tempered(share, 0).tolist() == [1, 0, 0]
    assert np.allclose(tempered(share, 0.5), share**2 / (share**2).sum())
    assert fitted(Discrete(temperature=0), kind=np.array([1, 1, 2])).sample(
        9, np.random.default_rng(0)
    ).array("kind").tolist() == [1] * 9  # fmt: skip


def test_labels_are_flipped_as_often_as_asked():
    data = Mixture(means=((-6.0,), (6.0,)), label="made", start=100)
    real, rng = data.load(0), np.random.default_rng(1)
    model = Logistic(temperature=0, flips=0.3).suited_to(data.schema()).fit(real.start, None, rng)
    wrong = model.sample(len(real.train), rng, real.train.only(["point"])).array("label") != real.train.array(
        "label"
    )
    assert abs(wrong.mean() - 0.3) < 4 * np.sqrt(0.3 * 0.7 / len(wrong))
    assert np.array_equal(model.classify(real.test)["label"], real.test["label"])
    assert np.allclose(np.exp(model.log_density(real.test)), 0.7)


def test_one_label_alone_is_a_model_too():
    model = fitted(Logistic(label="word"), x=np.arange(5.0), word=["yes"] * 5)
    assert model.sample(2, np.random.default_rng(0), Samples(x=np.zeros(2))).texts("word") == ["yes", "yes"]


def test_diffusion_finds_the_ring():
    start = Mixture(ring=4, spread=0.05, start=400).load(0).start
    model = DDPM().fit(start, None, np.random.default_rng(0))
    drawn = model.sample(400, np.random.default_rng(1)).array("point")
    apart = np.linalg.norm(drawn[:, None] - np.array(ring(4)), axis=2)
    assert np.mean(apart.min(axis=1) < 0.3) > 0.7
    assert (np.bincount(apart.argmin(axis=1), minlength=4) > 40).all()


@pytest.mark.parametrize(
    "learner", [Gaussian(), KDE(), GMM(), DDPM(steps=2, levels=2)], ids=lambda part: part.kind
)
def test_damaged_files_are_named(learner, tmp_path):
    model = learner.fit(POINTS.load(0).start, None, np.random.default_rng(0))
    model.save(tmp_path)
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(CorruptFileError, match=str(tmp_path)):
        type(model).load(tmp_path)
