"""XSum and Hugging Face, from local folders only: no test needs a network."""

import gzip
import json
import os
import sys
from pathlib import Path

import pytest

from veriloop.datasets.hugging_face import HuggingFace
from veriloop.datasets.text_columns import Columns
from veriloop.datasets.xsum import XSum
from veriloop.errors import DataError, MissingExtraError
from veriloop.testing import check_dataset

ROWS = [{"id": str(i), "document": f"Article\n\n {i} ", "summary": f"Summary  {i}"} for i in range(8)]


def folder(path: Path, **splits: list[dict]) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for split, rows in splits.items():
        content = "".join(json.dumps(row) + "\n" for row in rows).encode()
        (path / f"{split.replace('_', '-')}.jsonl.gz").write_bytes(gzip.compress(content))
    return path


def test_local_pairs_have_their_white_space_collapsed_and_empty_ones_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check_schema
) -> None:
    monkeypatch.setenv("VERILOOP_DATA", str(tmp_path))
    empty = {"id": "empty", "document": " \n", "summary": "of what?"}
    folder(tmp_path / "xsum", train=[*ROWS[:3], empty], train_extra=ROWS[3:5], test=ROWS[5:])
    check_dataset(XSum(start=2))
    check_schema(XSum(start=2))
    data = XSum(start=1.0, validation=0).load(0)
    pairs = dict(zip(data.train.texts("id"), data.train.texts("document"), strict=True))
    assert pairs == {str(i): f"Article {i}" for i in range(5)}
    assert sorted(data.test.texts("summary")) == ["Summary 5", "Summary 6", "Summary 7"]
    assert data.left_out == {"a text is empty": 1}


def test_validation_pairs_are_the_official_ones_or_half_of_the_test_pairs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VERILOOP_DATA", str(tmp_path))
    folder(tmp_path / "xsum", train=ROWS[:3], test=ROWS[4:])
    half = XSum(start=1).load(0)
    assert half.validation is not None
    assert [len(half.validation), len(half.test)] == [2, 2]
    folder(tmp_path / "xsum", validation=ROWS[2:4])
    data = XSum(start=1).load(0)
    assert data.validation is not None
    assert sorted(data.validation.texts("id")) == ["2", "3"]
    assert len(data.test) == 4
    assert data.duplicates == {"train": 1}
    names = {"train.jsonl.gz", "validation.jsonl.gz", "test.jsonl.gz"}
    assert XSum().sources() == {f"xsum/{name}": tmp_path / "xsum" / name for name in names}


def test_the_schema_is_known_without_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VERILOOP_DATA", raising=False)
    monkeypatch.setitem(sys.modules, "datasets", None)
    roles = {name: column.role for name, column in XSum().schema().items()}
    assert roles == {"id": "id", "document": "prompt", "summary": "completion", "reference": "reference"}
    assert XSum().sources() == {}


def test_a_missing_split_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERILOOP_DATA", str(tmp_path))
    folder(tmp_path / "xsum", train=ROWS)
    with pytest.raises(DataError, match=r"no file test.jsonl.gz or test.jsonl in .*xsum"):
        XSum().load(0)


@pytest.mark.skipif("VERILOOP_DATA" not in os.environ, reason="needs VERILOOP_DATA/xsum")
def test_the_real_pairs() -> None:
    data = XSum().load(0)
    assert len(data.train) > 2_000
    assert data.validation is not None
    assert min(len(data.validation), len(data.test)) > 400
    assert all("\n" not in text and text for text in data.train.texts("document"))


def test_without_the_library_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERILOOP_DATA", str(tmp_path))
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtraError, match=r"veriloop\[llm\]"):
        XSum().load(0)


@pytest.mark.slow
class TestWithTheLibrary:
    @pytest.fixture(autouse=True)
    def offline(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        library = pytest.importorskip("datasets")
        monkeypatch.setattr(library.config, "HF_HUB_OFFLINE", True)
        monkeypatch.setattr(library.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("VERILOOP_DATA", str(tmp_path))

    def test_a_missing_hub_says_what_to_download_and_where_to_put_it(self, tmp_path: Path) -> None:
        with pytest.raises(DataError) as error:
            XSum().load(0)
        line = str(error.value)
        assert "cannot load EdinburghNLP/xsum" in line
        assert f"ooked in {tmp_path / 'xsum'} first" in line
        assert "train.jsonl, validation.jsonl and test.jsonl" in line
        with pytest.raises(DataError, match="hf download nobody/nothing"):
            HuggingFace(name="nobody/nothing").load(0)

    def test_a_local_folder_is_read_by_the_library(self, tmp_path: Path, check_schema) -> None:
        path = folder(tmp_path / "mine", train=ROWS[:6], test=ROWS[6:])
        data = check_schema(HuggingFace(name=str(path), start=2))
        assert sorted(data.train.texts("document")) == [row["document"] for row in ROWS[:6]]
        assert data.validation is not None
        assert sorted([*data.test.array("id"), *data.validation.array("id")]) == [6, 7]
        with pytest.raises(DataError, match="no column 'article': got 'columns id, document, summary'"):
            HuggingFace(name=str(path), columns=Columns(prompt="article")).schema()

    def test_the_split_for_decisions_is_found_or_named(self, tmp_path: Path) -> None:
        path = folder(tmp_path / "mine", train=ROWS[:5], validation=ROWS[5:6], test=ROWS[6:])
        data = HuggingFace(name=str(path), start=2).load(0)
        assert data.validation is not None
        assert data.validation["summary"] == [ROWS[5]["summary"]]
        assert len(data.test) == 2
        named = HuggingFace(name=str(path), start=2, validation_split="test", test_split="validation").load(0)
        assert named.validation is not None
        assert len(named.validation) == 2
