"""A user's table is read as it was written."""

import datetime
import gzip
import json
import os
from pathlib import Path

import pandas as pd
import pytest

from veriloop.ask.tables import read_frame, verdicts_of
from veriloop.errors import DataError
from veriloop.tables import LONGEST_LINE, first_rows, read_table, read_values

WORDS = ["None", "NA", "null", "nan", "n/a", "NaN", "-", "007", "1e3", "true"]


def test_words_that_mean_nothing_elsewhere_are_texts(tmp_path: Path) -> None:
    path = tmp_path / "words.csv"
    path.write_text("answer,score\n" + "".join(f"{word},0.1\n" for word in WORDS) + ",0.2\n")
    column = read_frame(path, ["answer"], ["answer"])["answer"]
    assert column.tolist()[:-1] == WORDS
    assert column.isna().tolist() == [False] * len(WORDS) + [True], "only an empty field is missing"


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_byte_order_mark_is_no_part_of_the_data(ending: str, tmp_path: Path) -> None:
    rows = {"csv": "score,good\n0.5,1\n", "jsonl": '{"score": 0.5, "good": 1}\n'}[ending]
    path = tmp_path / f"table.{ending}"
    path.write_text(rows, encoding="utf-8-sig")
    assert read_frame(path, ["score", "good"]).to_dict("list") == {"score": [0.5], "good": [1]}


@pytest.mark.parametrize(
    "number", ["0.1234567890123456789", "1e-300", "9007199254740993", "123456789012345678901"]
)
def test_a_number_read_is_the_number_written(number: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(f"score\n{number}\n")
    (tmp_path / "t.jsonl").write_text(f'{{"score": {number}}}\n')
    for name in ("t.csv", "t.jsonl"):
        assert read_frame(tmp_path / name, ["score"])["score"].tolist() == [json.loads(number)], name


def test_a_line_separator_inside_a_text_ends_no_line(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"answer": "one\u2028two\u0085three"}\n', encoding="utf-8")
    assert len(read_frame(tmp_path / "t.jsonl", ["answer"])) == 1


@pytest.mark.parametrize("line", ["{", "[1]", "3"])
def test_a_broken_line_is_named(line: str, tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"score": 1}\n' + line + "\n")
    with pytest.raises(DataError, match="line 2"):
        read_frame(tmp_path / "t.jsonl", ["score"])


def test_an_infinite_score_is_refused_with_its_row() -> None:
    with pytest.raises(DataError, match="row 2: an infinite score"):
        verdicts_of(pd.Series([0.5, float("inf"), None], name="score"))


def test_whole_numbers_stay_whole_beside_missing_ones(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,score\n9007199254740993,1\n,2\n")
    (tmp_path / "t.jsonl").write_text('{"id": 9007199254740993, "score": 1}\n{"score": 2}\n')
    pd.DataFrame({"id": pd.array([9007199254740993, None], "Int64"), "score": [1, 2]}).to_parquet(
        tmp_path / "t.parquet"
    )
    for ending in ("csv", "jsonl", "parquet"):
        column = read_frame(tmp_path / f"t.{ending}", ["id"])["id"]
        assert column.tolist() == [9007199254740993, pd.NA], ending


@pytest.mark.parametrize(
    ("fields", "values"),
    [
        (["1", "2"], [1, 2]),
        (["1", "2.5"], [1.0, 2.5]),
        (["1", "NA"], ["1", "NA"]),
        (["true", "False"], [True, False]),
        (["1_000", "2"], ["1_000", "2"]),
        (["0x10", "1"], ["0x10", "1"]),
        (["٣", "1"], ["٣", "1"]),
        ([" 1", "2 "], [1, 2]),
        (["nan", "1"], ["nan", "1"]),
    ],
)
def test_a_column_is_numbers_where_every_field_is_one(
    fields: list[str], values: list[object], tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text("x\n" + "".join(f"{field}\n" for field in fields))
    assert read_frame(tmp_path / "t.csv", ["x"])["x"].tolist() == values


def test_a_key_twice_in_a_line_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"score": 1}\n{"score": 1, "score": 2}\n')
    for read in (read_frame, read_table):
        with pytest.raises(DataError, match=r"line 2: .*'score' occurs twice"):
            read(tmp_path / "t.jsonl", ["score"])


def test_a_comma_too_many_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("answer,score\nyes, indeed,1\n")
    for read in (read_frame, read_table):
        with pytest.raises(DataError, match="line 2: got '3 fields', expected 2"):
            read(tmp_path / "t.csv", ["score"])


def test_a_table_without_rows_is_refused(tmp_path: Path) -> None:
    for name, text in (("t.csv", "score\n"), ("t.jsonl", "\n")):
        (tmp_path / name).write_text(text)
        with pytest.raises(DataError, match="no rows"):
            read_frame(tmp_path / name, ["score"])


def test_a_packed_table_is_read_within_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"score": 1}\n' * 100_000))
    assert len(read_frame(path, ["score"])) == 100_000
    monkeypatch.setenv("VERILOOP_MAX_UNPACKED", "1MB")
    for read in (read_frame, read_table):
        with pytest.raises(DataError, match="VERILOOP_MAX_UNPACKED"):
            read(path, ["score"])


def test_a_line_without_an_end_is_refused(tmp_path: Path) -> None:
    for ending in ("jsonl", "csv"):
        path = tmp_path / f"t.{ending}.gz"
        path.write_bytes(gzip.compress(b"score\n" + b"x" * (LONGEST_LINE + 2)))
        with pytest.raises(DataError, match=r"line [12]"):
            read_table(path, ["score"])


@pytest.mark.parametrize("indent", [None, 1])
def test_a_json_list_is_read_like_lines_of_json(indent: int | None, tmp_path: Path) -> None:
    rows = [
        {"x": 9007199254740993, "y": {"a": [None, 1.0]}},
        {"x": -1, "y": {}},
        {"x": 2, "y": {"é": "\u2028"}},
    ]
    (tmp_path / "t.json").write_text(json.dumps(rows, indent=indent))
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    one, other = (read_table(tmp_path / name, ["x", "y"]) for name in ("t.json", "t.jsonl"))
    assert one.columns == other.columns == {"x": [row["x"] for row in rows], "y": [row["y"] for row in rows]}
    lines = (tmp_path / "t.json").read_text().split("\n")
    assert all(lines[line - 1].strip().strip("[],").endswith("}") for line in one.lines)
    (tmp_path / "lines.json").write_bytes((tmp_path / "t.jsonl").read_bytes())
    assert read_table(tmp_path / "lines.json", ["x", "y"]).columns == one.columns
    (tmp_path / "none.json").write_text(" [ ]\n")
    assert len(read_table(tmp_path / "none.json", ["x"]).lines) == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[{"x": 1},\n{"x": 2}\n{"x": 3}]', "line 2: broken JSON.*a comma or the end"),
        ('[{"x": 1},\n{"x": }]', "line 2: broken JSON"),
        ('[{"x": 1},\n 3]', "line 2: got '3', expected a JSON object"),
        ('[{"x": 1}', "broken JSON"),
        ("[", "broken JSON"),
        ('[{"x": 1},]', "broken JSON"),
        ('[{"x": 1}] [2]', "there is text after the list"),
        ('[{"x": 1, "x": 2}]', "key 'x' occurs twice"),
        ('{"data": [\n{"x": 1}]}', "line 1: broken JSON"),
    ],
)
def test_a_broken_json_list_is_refused_in_one_line(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(text)
    with pytest.raises(DataError, match=words) as error:
        read_table(tmp_path / "t.json", ["x"])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a;b\n1;2\n", "line 1: got 'a;b', expected names of columns with commas between them"),
        (b"a\tb\n1\t2\n", "with commas in place of"),
        (b"sep=;\na;b\n1;2\n", "line 1: got 'sep=;'"),
        (b"\na,b\n1,2\n", "line 1: got 'an empty line', expected the names of the columns"),
        ("a,b\n1,é\n".encode("utf-16"), "got 'byte 0xff', expected text in UTF-8"),
        ("a,b\n1,x\n".encode("utf-16-le"), "got 'zero bytes', expected text in UTF-8"),
        ("a,b\n1,é\n".encode("latin-1"), "got 'byte 0xe9', expected text in UTF-8. Save it as UTF-8"),
    ],
)
def test_another_kind_of_csv_is_refused(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DataError, match=words):
        read_values(tmp_path / "t.csv", first_rows(tmp_path / "t.csv").names)


def test_a_name_with_a_semicolon_stays_one_beside_others(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a;b,c\n1,2\n")
    assert read_values(tmp_path / "t.csv", ["a;b"]).columns == {"a;b": [1]}


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "jsonl", "json", "parquet"])
def test_what_is_no_file_is_refused_and_not_waited_for(ending: str, tmp_path: Path) -> None:
    pipe, folder = tmp_path / f"pipe.{ending}", tmp_path / f"folder.{ending}"
    os.mkfifo(pipe)
    folder.mkdir()
    for path in (pipe, folder, tmp_path / f"a\0b.{ending}"):
        with pytest.raises(DataError, match="expected a regular file"):
            first_rows(path)
        with pytest.raises(DataError, match="expected a regular file"):
            read_values(path, ["a"])
    with pytest.raises(DataError, match="cannot read"):
        first_rows(tmp_path / f"{'a' * 300}.{ending}")


def test_a_date_that_python_has_not_is_refused(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [1.0], "at": [datetime.datetime(2020, 1, 2)]})
    frame.to_parquet(tmp_path / "sound.parquet")
    assert read_values(tmp_path / "sound.parquet", ["x", "at"]).columns["x"] == [1.0]
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"at": pa.array([2**62], pa.timestamp("us"))}), tmp_path / "far.parquet")
    for read in (first_rows, lambda path: read_values(path, ["at"])):
        with pytest.raises(DataError, match="column 'at' cannot be read"):
            read(tmp_path / "far.parquet")
