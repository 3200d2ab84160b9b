from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from veriloop.advise.intervals import wilson
from veriloop.ask.known_table import calibrate_table
from veriloop.errors import ConfigError, DataError
from veriloop.report.calibrations import remark

ROWS = pd.DataFrame(
    {
        "score": [0.9, 0.8, None, 0.4, 0.3, 0.7, 0.1, 0.2],
        "word": ["accept", "yes", "abstain", "reject", "no", "accept", None, "reject"],
        "known": ["yes", "yes", "yes", "no", "no", "no", "no", None],
        "ann": ["good", "good", "bad", "bad", "bad", "good", None, "bad"],
        "bob": ["good", "good", "good", "bad", "bad", "bad", "bad", None],
        "text": ["a" * n for n in (9, 8, 7, 4, 3, 7, 1, 2)],
        "order": ["AB", "BA"] * 4,
    }
)
WRITERS: dict[str, Callable[[pd.DataFrame, Path], Any]] = {
    "csv": lambda rows, path: rows.to_csv(path, index=False),
    "jsonl": lambda rows, path: rows.to_json(path, orient="records", lines=True),
    "parquet": lambda rows, path: rows.to_parquet(path),
}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    ROWS.to_csv(tmp_path / "table.csv", index=False)
    return tmp_path / "table.csv"


@pytest.mark.parametrize("suffix", WRITERS)
def test_scores_and_words(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"table.{suffix}"
    WRITERS[suffix](ROWS, path)
    scored = calibrate_table(path, score="score", known="known", at=0.5).calibration
    worded = calibrate_table(path, score="word", known="known").calibration
    assert scored is not None
    assert worded is not None
    assert (scored.good, scored.bad) == (3, 4), "the row without known is left out"
    assert (scored.abstained_good, scored.abstained_bad) == (wilson(1, 3), wilson(0, 4))
    assert (scored.false_reject, scored.false_accept) == (wilson(0, 2), wilson(1, 4))
    assert worded.decided_by == "verifier"
    assert (worded.false_reject, worded.false_accept) == (wilson(0, 2), wilson(1, 3))


def test_ones_and_zeros_are_decisions_of_a_judge_that_is_worse_than_a_coin(tmp_path: Path) -> None:
    known = [1, 0] * 20
    judge = [1 - good for good in known[:-8]] + known[-8:-1] + [None]
    path = tmp_path / "judged.csv"
    pd.DataFrame({"judge": judge, "score": [10.0 - 5 * good for good in known], "known": known}).to_csv(path)
    found = calibrate_table(path, score="judge", known="known").calibration
    assert found is not None
    assert found.decided_by == "verifier"
    assert (found.false_reject, found.false_accept) == (wilson(16, 20), wilson(16, 19))
    assert found.abstained_bad == wilson(1, 20)
    assert found.fate.j.high < 0
    assert "inverted" in remark(calibrate_table(path, score="score", known="known"))


def test_preferences_positions_and_agreement(table: Path) -> None:
    found = calibrate_table(
        table, score="score", known="known", at=0.5, annotators=["ann", "bob"], text="text", position="order"
    )
    assert list(found.preferences) == ["length of text", "row of the table"]
    assert found.preferences["length of text"].samples == 6
    assert found.preferences["length of text"].correlation.value > 0.9
    assert found.positions == {"AB": wilson(3, 3), "BA": wilson(2, 3)}
    assert found.agreement is not None
    # Over six rows: 4 agree; by chance (3/6)(2/6) + (3/6)(4/6) = 1/2.
    assert found.agreement.kappa["ann / bob"].value == pytest.approx((4 / 6 - 0.5) / 0.5)
    again = calibrate_table(table, annotators=["ann", "bob"])
    assert again.agreement == found.agreement
    assert again.calibration is None


WRONG: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "nothing to compare": ({}, ConfigError, "--score with --known"),
    "no known": ({"score": "score"}, ConfigError, "--score with --known"),
    "text alone": ({"annotators": ["ann", "bob"], "text": "text"}, ConfigError, "with --score"),
    "no such column": (
        {"score": "scor", "known": "known"},
        DataError,
        "no column 'scor': got 'columns score, word",
    ),
    "known of texts": ({"score": "score", "known": "text"}, DataError, "yes and no"),
    "one annotator": ({"annotators": ["ann"]}, DataError, "at least two"),
    "words as numbers": (
        {"annotators": ["ann", "bob"], "level": "interval"},
        DataError,
        "columns of numbers",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_questions(case: str, table: Path) -> None:
    options, error, match = WRONG[case]
    with pytest.raises(error, match=match):
        calibrate_table(table, **options)


@pytest.mark.parametrize(
    ("name", "content"), [("t.csv", b""), ("t.jsonl", b"{oh"), ("t.parquet", b"PAR1"), ("t.csv", None)]
)
def test_files_that_are_none(name: str, content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=name):
        calibrate_table(tmp_path / name, score="a", known="b")


def test_another_kind_of_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\.jsonl, \.json, \.csv, \.parquet"):
        calibrate_table(tmp_path / "t.xlsx", score="a", known="b")


def test_labels_of_numbers_can_have_differences(tmp_path: Path) -> None:
    stars = np.random.default_rng(0).integers(1, 5, size=60)
    near = pd.DataFrame({"a": stars, "b": np.minimum(stars + 1, 5)})
    near.to_csv(tmp_path / "t.csv", index=False)
    names = calibrate_table(tmp_path / "t.csv", annotators=["a", "b"]).agreement
    numbers = calibrate_table(tmp_path / "t.csv", annotators=["a", "b"], level="interval").agreement
    assert names is not None
    assert numbers is not None
    assert names.alpha.value < 0 < 0.4 < numbers.alpha.value


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    rows = "".join(f"{i % 7},{'yes' if i % 3 else 'no'},{'a' * (i % 5)},{i % 2}\n" for i in range(40))
    (tmp_path / "t.csv").write_text("score,known,text,place\n" + rows + "1,,a,1\n2,,b,0\n1,yes,None,\n")
    found = calibrate_table(tmp_path / "t.csv", score="score", known="known", text="text", position="place")
    assert found.left_out == {
        "no label in column 'known'": 2,
        "no text in column 'text', for its length": 8,
        "nothing in column 'place', for its accuracy": 1,
    }
    assert found.preferences["length of text"].samples == 33
    assert set(found.positions) == {"0", "1"}
