"""Files of numbers and categories: what each column is found to be, and what is refused with its row."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from veriloop.datasets.array_file import ArrayFile
from veriloop.errors import ConfigError, ContractError, DataError
from veriloop.loop.data import load_schema
from veriloop.schema import Category, Image, Label, Number, Vector
from veriloop.testing import check_dataset

TABLE = pd.DataFrame(
    {
        "age": np.arange(60) % 37,
        "income": np.random.default_rng(0).normal(30_000.5, 4_000, 60),
        "city": ["north", "south", "NA"] * 20,
        "member": [True, False] * 30,
        "ok": [0, 1, 1] * 20,
    }
)


def saved(table: pd.DataFrame, path: Path) -> Path:
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    elif path.suffix == ".parquet":
        table.to_parquet(path)
    else:
        table.to_json(path, orient="records", lines=True, double_precision=15)
    return path


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_columns_are_found_by_themselves_and_kept_as_they_are(tmp_path: Path, ending: str) -> None:
    dataset = ArrayFile(path=saved(TABLE, tmp_path / f"t.{ending}"))
    check_dataset(dataset)
    assert dict(dataset.schema()) == {
        "age": Number(),
        "income": Number(),
        "city": Category(values=("NA", "north", "south")),
        "member": Category(values=("false", "true")),
        "ok": Category(values=(0, 1)),
    }
    data = dataset.load(0)
    assert data.conditions is None
    rows = dict(zip(TABLE["income"].tolist(), TABLE.itertuples(), strict=True))
    for i, income in enumerate(data.train.array("income").tolist()):
        row = rows[income]
        assert data.train.array("age")[i] == row.age
        assert data.train.texts("city")[i] == row.city
        assert data.train.texts("member")[i] == str(row.member).lower()


def test_arrays_are_vectors_numbers_images_and_classes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 3)), rng.normal(size=50)
    np.savez(tmp_path / "a.npz", x=x, y=y, label=np.arange(50) % 4)
    points = ArrayFile(path=tmp_path / "a.npz")
    check_dataset(points)
    assert dict(points.schema()) == {"x": Vector(p=3), "y": Number(), "label": Label(classes=4)}
    assert points.load(0).conditions is not None
    np.savez_compressed(
        tmp_path / "b.npz", pic=rng.integers(0, 17, (30, 5, 4, 3), np.uint8), label=np.zeros(30, int)
    )
    images = ArrayFile(path=tmp_path / "b.npz")
    check_dataset(images)
    assert images.schema()["pic"] == Image(height=5, width=4, channels=3, levels=16)
    np.save(tmp_path / "c.npy", x)
    assert dict(ArrayFile(path=tmp_path / "c.npy").schema()) == {"x": Vector(p=3)}


def test_what_is_said_of_the_columns_counts(tmp_path: Path) -> None:
    path = saved(TABLE, tmp_path / "t.csv")
    dataset = ArrayFile(path=path, columns=("income", "age", "city"), categories=("age",), given=("city",))
    check_dataset(dataset)
    schema = dataset.schema()
    assert list(schema) == ["income", "age", "city"]
    assert schema["age"].role == "category"
    assert schema.given == ["city"]
    data = dataset.load(0)
    assert data.test_conditions is not None
    assert data.test_conditions.same_as(data.test.only(["city"]))
    named = ArrayFile(path=path, label="age", columns=("income", "age"))
    assert named.schema()["age"] == Label(classes=37)


def test_rows_of_whole_numbers_are_equal_by_right(tmp_path: Path) -> None:
    rolls = pd.DataFrame({"a": [1, 2, 3] * 20, "b": ["x", "y"] * 30})
    data = ArrayFile(path=saved(rolls, tmp_path / "r.csv")).load(0)
    assert data.validation is not None
    assert len(data.train) + len(data.validation) + len(data.test) == 60
    assert data.duplicates == {}


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("age", [None, 2], r"line 2: no value in column 'age'"),
        ("age", [1.5, np.inf], r"no value in column 'age'"),
        ("name", None, r"'name' is not a category: got '60 different values in 60 rows'.*Leave it out"),
        ("huge", [2**60, 1], r"'huge'.*beyond which float64 is not exact"),
    ],
)
def test_what_has_no_meaning_is_refused(
    tmp_path: Path, column: str, values: list | None, message: str
) -> None:
    table = TABLE.copy()
    if values is None:
        table[column] = [f"n{i}" for i in range(60)]
    else:
        table[column] = pd.Series((values + [7, 9]) * 15, dtype=object if 2**60 in values else None)
    with pytest.raises(DataError, match=message):
        ArrayFile(path=saved(table, tmp_path / "t.csv")).schema()


def test_nan_in_an_array_and_mixed_lines_are_refused_with_their_row(tmp_path: Path) -> None:
    x = np.zeros((9, 2))
    x[4, 1] = np.nan
    np.savez(tmp_path / "a.npz", x=x)
    with pytest.raises(DataError, match="row 5: no value in column 'x'"):
        ArrayFile(path=tmp_path / "a.npz").schema()
    (tmp_path / "m.jsonl").write_text('{"a": 1}\n{"a": "one"}\n')
    with pytest.raises(DataError, match=r"line 2: column 'a'.*only numbers"):
        ArrayFile(path=tmp_path / "m.jsonl").schema()
    np.savez(tmp_path / "u.npz", x=np.zeros(3), y=np.zeros(4))
    with pytest.raises(DataError, match="the same number of rows in each"):
        ArrayFile(path=tmp_path / "u.npz").schema()
    np.savez(tmp_path / "o.npz", x=np.array([None, 1], object))
    with pytest.raises(DataError, match="cannot be read"):
        ArrayFile(path=tmp_path / "o.npz").schema()
    (tmp_path / "cut.npy").write_bytes(b"\x93NUMPY\x01\x00")
    with pytest.raises(DataError, match="cannot be read"):
        ArrayFile(path=tmp_path / "cut.npy").schema()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"columns": ("agee",)}, "columns: got 'agee', expected among the columns age, income"),
        ({"given": ("city",), "columns": ("city",)}, "given lists all columns"),
        ({"label": "city"}, "label 'city': got 'a column of role category'"),
        ({"categories": ("income",)}, "listed in categories"),
    ],
)
def test_what_is_said_must_fit(tmp_path: Path, settings: dict, message: str) -> None:
    path = saved(TABLE, tmp_path / "t.csv")
    with pytest.raises(ConfigError, match=message):
        ArrayFile(path=path, **settings).schema()


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = saved(TABLE, tmp_path / "t.csv")
    assert len(ArrayFile(path=path).load(0).train) == 48
    saved(TABLE.iloc[:30], path)
    assert len(ArrayFile(path=path).load(0).train) == 24


@pytest.mark.parametrize(
    ("column", "why"),
    [
        (
            [2**63 + i for i in range(40)],
            "column 'k': got '9223372036854775808', expected whole numbers up to",
        ),
        ([10**350, *[0.5] * 39], "a whole number of more than 30 digits"),
        ([2**53 + 1, *[0.5] * 39], "got '9007199254740993', expected whole numbers up to"),
        (["a", "\ud800"] * 20, "column 'k' contains an unpaired surrogate"),
    ],
)
def test_what_would_be_changed_on_the_way_is_refused(tmp_path: Path, column: list[object], why: str) -> None:
    lines = [json.dumps({"x": i / 7, "k": value}) for i, value in enumerate(column)]
    (tmp_path / "t.jsonl").write_text("\n".join(lines))
    with pytest.raises(DataError, match=why):
        ArrayFile(path=tmp_path / "t.jsonl").schema()


def test_a_column_may_have_any_name_but_the_loops(tmp_path: Path) -> None:
    names = ["self", "kind", "", "my column/2"]
    saved(pd.DataFrame(np.random.default_rng(0).normal(size=(40, 4)), columns=names), tmp_path / "t.csv")
    assert list(ArrayFile(path=tmp_path / "t.csv").load(0).train) == names
    saved(pd.DataFrame({"x": np.arange(40) / 7, "_row": np.arange(40)}), tmp_path / "u.csv")
    with pytest.raises(ContractError, match="got '_row', expected names without a leading underscore"):
        load_schema(ArrayFile(path=tmp_path / "u.csv"))


def test_one_value_is_no_array_of_rows(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", x=np.float64(1))
    with pytest.raises(DataError, match="array 'x': got 'one value', expected a row for each sample"):
        ArrayFile(path=tmp_path / "t.npz").schema()
