"""A user's table is read as it was written."""

import json
from pathlib import Path

import pandas as pd
import pytest

from veriloop.errors import DataError
from veriloop.report.tables import read_table, verdicts_of

WORDS = ["None", "NA", "null", "nan", "n/a", "NaN", "-", "007", "1e3", "true"]


def test_words_that_mean_nothing_elsewhere_are_texts(tmp_path: Path) -> None:
    path = tmp_path / "words.csv"
    path.write_text("answer,score\n" + "".join(f"{word},0.1\n" for word in WORDS) + ",0.2\n")
    column = read_table(path, ["answer"], ["answer"])["answer"]
    assert column.tolist()[:-1] == WORDS
    assert column.isna().tolist() == [False] * len(WORDS) + [True], "only an empty field is missing"


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_byte_order_mark_is_no_part_of_the_data(ending: str, tmp_path: Path) -> None:
    rows = {"csv": "score,good\n0.5,1\n", "jsonl": '{"score": 0.5, "good": 1}\n'}[ending]
    path = tmp_path / f"table.{ending}"
    path.write_text(rows, encoding="utf-8-sig")
    assert read_table(path, ["score", "good"]).to_dict("list") == {"score": [0.5], "good": [1]}


@pytest.mark.parametrize(
    "number", ["0.1234567890123456789", "1e-300", "9007199254740993", "123456789012345678901"]
)
def test_a_number_read_is_the_number_written(number: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(f"score\n{number}\n")
    (tmp_path / "t.jsonl").write_text(f'{{"score": {number}}}\n')
    for name in ("t.csv", "t.jsonl"):
        assert read_table(tmp_path / name, ["score"])["score"].tolist() == [json.loads(number)], name


def test_a_line_separator_inside_a_text_ends_no_line(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"answer": "one\u2028two\u0085three"}\n', encoding="utf-8")
    assert len(read_table(tmp_path / "t.jsonl", ["answer"])) == 1


@pytest.mark.parametrize("line", ["{", "[1]", "3"])
def test_a_broken_line_is_named(line: str, tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"score": 1}\n' + line + "\n")
    with pytest.raises(DataError, match="line 2"):
        read_table(tmp_path / "t.jsonl", ["score"])


def test_an_infinite_score_is_refused_with_its_row() -> None:
    with pytest.raises(DataError, match="row 2: an infinite score"):
        verdicts_of(pd.Series([0.5, float("inf"), None], name="score"))
