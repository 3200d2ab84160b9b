"""The mixture over numbers and categories against scikit-learn, counting, and its contract."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn.mixture import GaussianMixture

from veriloop.errors import ConfigError, CorruptFileError, DataError
from veriloop.learners._table_mixture import fitted
from veriloop.learners.table import TableGenerator, TableMixture
from veriloop.samples import Samples
from veriloop.schema import Category, Label, Number, Prompt, Schema, Vector
from veriloop.testing import check_learner

SCHEMA = Schema(
    {
        "age": Number(),
        "place": Vector(p=2),
        "city": Category(values=("north", "south")),
        "ok": Category(values=(0, 1, 2)),
    }
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def rows(n: int = 400) -> Samples:
    """Two groups, apart in all columns."""
    south = rng(1).random(n) < 0.3
    return Samples(
        age=np.where(south, 60, 20) + rng(2).integers(0, 5, n),
        place=np.where(south, 5.0, -5.0)[:, None] + rng(3).normal(size=(n, 2)),
        city=["south" if s else "north" for s in south],
        ok=np.where(south, 2, rng(4).integers(0, 2, n)),
    )


@pytest.mark.parametrize("given", [(), ("city",), ("city", "label")])
def test_keeps_the_contract(given: tuple[str, ...]) -> None:
    data, schema = rows(120), dict(SCHEMA)
    if "label" in given:
        data = data.with_columns(label=np.arange(120) % 3)
        schema["label"] = Label(classes=3)
    if "city" in given:
        schema["city"] = schema["city"].model_copy(update={"given": True})
    learner = TableMixture(components=3).suited_to(Schema(schema))
    check_learner(learner, data, data.only(given) if given else None)


def test_dependence_among_columns_is_kept() -> None:
    generator = TableMixture(components=2).suited_to(SCHEMA).fit(rows(), None, rng())
    made = generator.sample(4_000, rng(5))
    south = np.array(made.texts("city")) == "south"
    # 3 standard errors of a share of 0.3 among 400 rows to learn from.
    assert south.mean() == pytest.approx(np.mean(np.array(rows().texts("city")) == "south"), abs=0.07)
    assert np.mean((made.array("age") > 40) == south) > 0.98
    assert np.mean((made.array("ok") == 2) == south) > 0.98
    assert np.mean((made.array("place")[:, 0] > 0) == south) > 0.98
    assert made.array("age").dtype == np.int64


def test_a_given_category_is_obeyed() -> None:
    schema = Schema({**SCHEMA, "city": Category(values=("north", "south"), given=True)})
    generator = TableMixture(components=2).suited_to(schema).fit(rows(), None, rng())
    made = generator.sample(500, rng(5), Samples(city=["south"] * 500))
    assert made.texts("city") == ["south"] * 500
    assert np.mean(made.array("age") > 40) > 0.97
    with pytest.raises(DataError, match="'city', row 1: got 'west', expected one of north, south"):
        generator.sample(1, rng(), Samples(city=["west"]))
    with pytest.raises(DataError, match="2 rows with city"):
        generator.sample(2, rng())


def test_numbers_alone_are_the_mixture_of_scikit_learn() -> None:
    x = np.concatenate([rng(1).normal(-2, 0.5, (300, 2)), rng(2).normal(2, 1.0, (500, 2))])
    ours = fitted(x, np.zeros((800, 0), int), (), 2, rng(), steps=200, floor=1e-6)
    theirs: Any = GaussianMixture(2, random_state=0, tol=1e-6, max_iter=500).fit(x)
    order, other = np.argsort(ours.mean[:, 0]), np.argsort(theirs.means_[:, 0])
    np.testing.assert_allclose(ours.weight[order], theirs.weights_[other], atol=5e-3)
    np.testing.assert_allclose(ours.mean[order], theirs.means_[other], atol=2e-2)
    np.testing.assert_allclose(ours.covariance[order], theirs.covariances_[other], atol=5e-2)


def test_the_density_of_one_component_is_known() -> None:
    numbers = rng(1).normal(7, 3, 500)
    data = Samples(x=numbers, c=["a"] * 300 + ["b"] * 200)
    schema = Schema({"x": Number(), "c": Category(values=("a", "b"))})
    generator = TableMixture(components=1, floor=1e-9).suited_to(schema).fit(data, None, rng())
    expected = stats.norm.logpdf(numbers, numbers.mean(), numbers.std()) + np.log([0.6] * 300 + [0.4] * 200)
    np.testing.assert_allclose(generator.log_density(data), expected, atol=2e-3)
    given = Schema({"x": Number(), "c": Category(values=("a", "b"), given=True)})
    alone = TableMixture(components=1, floor=1e-9).suited_to(given).fit(data, None, rng())
    expected = stats.norm.logpdf(numbers, numbers.mean(), numbers.std())
    np.testing.assert_allclose(alone.log_density(data), expected, atol=2e-3)


def test_few_and_equal_rows_are_no_problem() -> None:
    same = Samples(x=np.full(5, 3.0), c=["a"] * 5)
    schema = Schema({"x": Number(), "c": Category(values=("a", "b"))})
    made = TableMixture().suited_to(schema).fit(same, None, rng()).sample(50, rng())
    np.testing.assert_allclose(made.array("x"), 3, atol=1)
    assert set(made.texts("c")) == {"a"}


def test_what_it_cannot_make_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="data without question"):
        TableMixture().suited_to(Schema({"x": Number(), "question": Prompt()}))
    with pytest.raises(ConfigError, match="given numbers x"):
        TableMixture().suited_to(Schema({"x": Number(given=True), "y": Number()}))
    with pytest.raises(ConfigError, match="needs a generated column of images, numbers"):
        TableMixture().suited_to(Schema({"question": Prompt()}))
    with pytest.raises(ConfigError, match="is not configured for its columns"):
        TableMixture().fit(rows(), None, rng())
    with pytest.raises(DataError, match="NaN or infinity"):
        TableMixture().suited_to(SCHEMA).fit(rows().with_columns(age=np.full(400, np.nan)), None, rng())
    TableMixture(components=2).suited_to(SCHEMA).fit(rows(), None, rng()).save(tmp_path)
    (tmp_path / "table.npz").write_bytes((tmp_path / "table.npz").read_bytes()[:100])
    with pytest.raises(CorruptFileError, match="cannot be read"):
        TableGenerator.load(tmp_path)
