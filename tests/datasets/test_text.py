import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from veriloop.datasets.text import Columns, TextFiles, count
from veriloop.datasets.text_files import read_table
from veriloop.errors import ConfigError, DataError
from veriloop.testing import check_dataset

ROWS = [
    {"key": f"k{i}", "article": f"Article {i},\nline two", "highlights": f"Says “{i}”"} for i in range(40)
]
COLUMNS = Columns(id="key", document="article", summary="highlights")


def renamed(**changes: object) -> Columns:
    return COLUMNS.model_copy(update=changes)


def write(path: Path, rows: list[dict]) -> Path:
    if ".jsonl" in path.name:
        content = "".join(json.dumps(row) + "\n" for row in rows).encode()
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        import csv

        with path.open("w", newline="", encoding="utf-8-sig") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return path


@pytest.mark.parametrize("name", ["pairs.jsonl", "pairs.jsonl.gz", "pairs.csv", "pairs.parquet"])
def test_every_kind_of_file_gives_the_same_pairs(tmp_path: Path, name: str) -> None:
    data = TextFiles(files=str(write(tmp_path / name, ROWS)), columns=COLUMNS).load(0)
    assert [len(data.start), len(data.train), len(data.test)] == [4, 36, 4]
    assert list(data.train) == ["id", "document", "summary", "reference"]
    found = {i: (d, s) for part in (data.train, data.test) for i, d, s in zip(
        part.texts("id"), part.texts("document"), part.texts("summary"), strict=True
    )}  # fmt: skip
    assert found == {row["key"]: (row["article"], row["highlights"]) for row in ROWS}
    assert data.train["reference"] == data.train["summary"]
    assert data.conditions is not None
    assert data.test_conditions is not None
    assert list(data.conditions) == ["id", "document", "reference"]
    assert data.test_conditions.same_as(data.test.only(["id", "document", "reference"]))


def test_keeps_the_contract(tmp_path: Path) -> None:
    check_dataset(TextFiles(files=str(write(tmp_path / "a.jsonl", ROWS)), columns=COLUMNS, start=5, train=20))


def test_the_held_out_pairs_are_those_of_every_seed_and_the_start_set_is_not(tmp_path: Path) -> None:
    data = TextFiles(files=str(write(tmp_path / "a.jsonl", ROWS)), columns=COLUMNS, start=10, test=3)
    one, other = data.load(1), data.load(2)
    assert one.test.same_as(other.test)
    assert set(one.train["id"]) == set(other.train["id"])
    assert set(one.start["id"]) != set(other.start["id"])
    assert not set(one.train["id"]) & set(one.test["id"])


def test_several_files_and_held_out_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i, name in enumerate(("a-1.jsonl", "a-2.jsonl", "test.jsonl")):
        write(tmp_path / name, ROWS[10 * i : 10 * i + 10])
    monkeypatch.setenv("VERILOOP_DATA", str(tmp_path))
    columns = Columns(document="article", summary="highlights")
    for files in ("a-*.jsonl", ("a-1.jsonl", "a-2.jsonl")):
        data = TextFiles(files=files, held_out="test.jsonl", columns=columns, start=1.0).load(0)
        assert sorted(data.start.array("id")) == list(range(20)), "rows are numbered where they have no id"
        assert sorted(data.test.array("id")) == list(range(20, 30)), "and held-out ones are numbered on"


def test_other_columns_and_references_are_carried_along(tmp_path: Path) -> None:
    rows = [
        {"id": i, "q": f"{i} + 1 =", "a": str(i + 1), "tests": f"t{i}", "weight": i / 2} for i in range(9)
    ]
    columns = Columns(id="id", document="q", summary="a", reference="q", keep=("tests", "weight"))
    data = TextFiles(files=str(write(tmp_path / "a.jsonl", rows)), columns=columns, held_out=2).load(0)
    assert data.conditions is not None
    assert list(data.conditions) == ["id", "document", "reference", "tests", "weight"]
    number = data.conditions.array("id")
    assert data.conditions["tests"] == [f"t{i}" for i in number]
    assert np.array_equal(data.conditions.array("weight"), number / 2)
    assert data.conditions["reference"] == data.conditions["document"]


def test_prompts_alone_start_with_the_learners_own_model(tmp_path: Path) -> None:
    path = str(write(tmp_path / "a.jsonl", [{"prompt": f"Write {i}"} for i in range(10)]))
    columns = Columns(document="prompt", summary=None)
    data = TextFiles(files=path, columns=columns, start=0).load(0)
    assert list(data.train) == ["id", "document"]
    assert len(data.start) == 0
    assert list(data.start) == ["id", "document", "summary"], "the columns that kept samples will have"
    with pytest.raises(ConfigError, match="Set start: 0"):
        TextFiles(files=path, columns=columns).load(0)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", '{"document": "a", "summary": "b"}\n{"document": ', r"a.jsonl, line 2: broken JSON"),
        ("a.jsonl", "\n[1]\n", r"a.jsonl, line 2.*expected a JSON object"),
        ("a.jsonl", '{"document": "a"}', r"line 1: no column 'summary': got 'columns document'.*columns"),
        ("a.jsonl", '\n{"document": "a", "summary": " "}', r"line 2: column 'summary' is empty"),
        (
            "a.jsonl",
            '{"document": 3, "summary": "a"}',
            r"line 1: column 'document': got 'int', expected text",
        ),
        ("a.jsonl", "", "no rows"),
        ("a.jsonl", b"\xff\xfe", r"cannot read .*a.jsonl"),
        ("a.jsonl.gz", b"\x1f\x8bnonsense", r"cannot read .*a.jsonl.gz"),
        ("a.csv", "document,summary\na,b\nc\n", r"a.csv, line 3: no column 'summary'"),
        ("a.csv", 'document,summary\na,"b', r"a.csv, line 2: broken CSV"),
        ("a.csv", "article\na\n", r"no column 'document', 'summary'"),
        ("a.csv", "document,document,summary\na,b,c\n", r"a.csv has several columns 'document'"),
        ("a.jsonl", f'{{"document": {"9" * 5000}}}', r"line 1: broken JSON"),
        ("a.jsonl", "[" * 100_000, r"line 1: broken JSON"),
        (
            "a.jsonl",
            r'{"document": "a\ud83d", "summary": "b"}',
            r"line 1: column 'document' holds half a char",
        ),
        ("a.parquet", b"PAR1", r"a.parquet is not a Parquet file"),
        ("a.doc", "", r"got '.doc', expected .jsonl, .csv, .parquet"),
    ],
)
def test_bad_files_are_refused_with_file_and_line(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises((DataError, ConfigError), match=message):
        TextFiles(files=str(path)).load(0)


def test_a_parquet_file_without_the_column_names_those_it_has(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column 'document', 'summary': got 'columns key, article"):
        TextFiles(files=str(write(tmp_path / "a.parquet", ROWS))).load(0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"columns": renamed(id="kind")}, "two pairs have the same id: got 'same'"),
        ({"columns": renamed(id="share")}, "line 1: column 'share': got 'float'"),
        ({"columns": renamed(keep=("mixed",))}, "column 'mixed'.*expected all text, or all numbers"),
        ({"columns": renamed(keep=("id",))}, "columns.keep: got 'id'"),
        ({"columns": renamed(keep=("_row",))}, "columns.keep: got '_row'"),
        ({"columns": renamed(keep=("big",))}, "column 'big'.*64 bits.*Store them as text"),
        ({"columns": renamed(keep=("half",))}, "line 1: column 'half' holds half a character"),
        ({"columns": renamed(keep=("list",))}, "column 'list'.*in JSON"),
        ({"files": ""}, "files ''"),
        ({"files": "**.jsonl"}, "files"),
        ({"held_out": 40}, "held_out leaves no pairs"),
        ({"held_out": 1.0}, "held_out leaves no pairs"),
        ({"start": 37}, "start set larger.*start=37.*at most 36"),
        ({"files": "nothing-*.jsonl"}, "no file nothing"),
    ],
)
def test_bad_settings_are_refused(tmp_path: Path, fields: dict, message: str) -> None:
    rows = [
        {**row, "kind": "same", "share": 0.5, "mixed": "a" if i else 1, "id": i} for i, row in enumerate(ROWS)
    ]
    rows = [{**row, "big": 2**63 + row["id"], "half": "\ud83d", "list": [1], "_row": 1} for row in rows]
    path = write(tmp_path / "a.jsonl", rows)
    with pytest.raises((ConfigError, DataError), match=message):
        TextFiles(**{"files": str(path), "columns": COLUMNS, **fields}).load(0)


def test_ids_and_numbers_keep_their_digits(tmp_path: Path) -> None:
    """NumPy takes floats for whole numbers beyond 64 bits, in which neighbours are equal."""
    rows = [{**row, "id": 2**63 + i, "n": 2**62 + i} for i, row in enumerate(ROWS)]
    columns = renamed(id="id", keep=("n",))
    data = TextFiles(files=str(write(tmp_path / "a.jsonl", rows)), columns=columns).load(0)
    assert set(data.train["id"]) | set(data.test["id"]) == {str(row["id"]) for row in rows}
    kept = {*data.train.array("n").tolist(), *data.test.array("n").tolist()}
    assert kept == {row["n"] for row in rows}


def test_a_held_out_pair_in_the_training_files_is_found(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", ROWS[:10])
    write(tmp_path / "test.jsonl", ROWS[9:12])
    with pytest.raises(
        DataError, match="same id: got 'k9', expected an id of its own for each of the held-out"
    ):
        TextFiles(
            files=str(tmp_path / "train.jsonl"), held_out=str(tmp_path / "test.jsonl"), columns=COLUMNS
        ).load(0)


def test_an_unknown_column_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="Did you mean 'document'"):
        Columns.model_validate({"documnet": "article"})


@given(
    st.lists(st.fixed_dictionaries({"a": st.text(), "b": st.none() | st.integers() | st.text()}), max_size=5)
)
def test_json_lines_are_read_as_written(tmp_path_factory: pytest.TempPathFactory, rows: list[dict]) -> None:
    path = write(tmp_path_factory.mktemp("t") / "x.jsonl", rows)
    table = read_table(path, ["a", "b"])
    assert table.columns == {name: [row[name] for row in rows] for name in ("a", "b")}
    assert table.lines == list(range(1, len(rows) + 1))


@pytest.mark.parametrize(("size", "expected"), [(3, 3), (0, 0), (12, 12), (0.5, 5), (0.001, 1), (1.0, 10)])
def test_sizes_are_numbers_or_shares(size: float, expected: int) -> None:
    assert count(size, 10) == expected
