"""Scikit-learn's toy data against what it loads itself."""

from typing import get_args

import numpy as np
import pytest
from sklearn import datasets

from veriloop.datasets.toys import Brought, Drawn, Toy
from veriloop.errors import ConfigError
from veriloop.testing import check_dataset


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("name", [*get_args(Brought), *get_args(Drawn)])
def test_every_toy_keeps_the_contract(name: Brought | Drawn, labelled: bool) -> None:
    toy = Toy(name=name, labelled=labelled)
    check_dataset(toy)
    no_classes = name in {"diabetes", "swiss_roll", "s_curve"}
    assert ("label" in toy.schema()) == (labelled and not no_classes)


def test_iris_is_iris() -> None:
    iris = datasets.load_iris()
    data = Toy(name="iris", validation=0).load(0)
    rows = np.column_stack([data.train.array(n) for n in data.train if n != "label"])
    published = {tuple(x): y for x, y in zip(iris["data"], iris["target"], strict=True)}  # pyright: ignore[reportArgumentType, reportIndexIssue, reportCallIssue]
    assert all(published[tuple(x)] == y for x, y in zip(rows, data.train.array("label"), strict=True))
    assert len(data.train) + len(data.test) + data.duplicates.get("train", 0) == 150


def test_blobs_have_as_many_classes_as_centers() -> None:
    assert Toy(name="blobs", centers=5, samples=100).schema()["label"].classes == 5
    tight = Toy(name="blobs", noise=1e-6, samples=90).load(0).train
    assert len(np.unique(tight.array("x").round(3), axis=0)) == 3


def test_a_table_has_no_settings_of_drawn_points() -> None:
    toy = Toy(name="wine", noise=0.2)
    with pytest.raises(ConfigError, match="toy 'wine' is a fixed table: got 'noise'"):
        toy.check_ahead(toy.schema())
