"""Data files that are broken or missing: one line on stderr and exit code 2."""

import gzip
import sys
from pathlib import Path

import pytest

from .conftest import assert_refused


def _idx_folder(path: Path, images: bytes, labels: bytes) -> Path:
    path.mkdir()
    for split in ("train", "t10k"):
        (path / f"{split}-images-idx3-ubyte.gz").write_bytes(images)
        (path / f"{split}-labels-idx1-ubyte.gz").write_bytes(labels)
    return path


IMAGES = b"\x00\x00\x08\x03\x00\x00\x00\x02\x00\x00\x00\x04\x00\x00\x00\x04" + b"\x80" * 32
LABELS = b"\x00\x00\x08\x01\x00\x00\x00\x02\x00\x01"
IDX = {
    "not gzip": (b"plain", gzip.compress(LABELS), "train-images"),
    "cut short": (gzip.compress(IMAGES[:30]), gzip.compress(LABELS), "train-images"),
    "other magic": (gzip.compress(b"\x00\x00\x09\x03" + IMAGES[4:]), gzip.compress(LABELS), "train-images"),
    "other counts": (gzip.compress(IMAGES), gzip.compress(LABELS[:7] + b"\x01\x00"), ""),
}


@pytest.mark.parametrize("case", IDX)
def test_image_files(case, veriloop, config, tmp_path):
    images, labels, fragment = IDX[case]
    folder = _idx_folder(tmp_path / "images", images, labels)
    path = config(dataset={"kind": "idx", "path": str(folder), "start": 1})
    assert_refused(veriloop("run", path, "--out", tmp_path / "run"), str(folder), fragment)


TEXT = {
    "broken line": ('{"document": "a", "summary": "b"}\n{', {}, "pairs.jsonl, line 2: broken JSON"),
    "no such column": (
        '{"a": "b"}\n' * 9,
        {"columns": {"prompt": "question"}},
        "pairs.jsonl: no column 'question'",
    ),
    "empty text": ('{"document": "a", "summary": ""}', {}, "pairs.jsonl, line 1: column 'summary' is empty"),
    "prompts to start from": (
        "".join(f'{{"document": "{i}"}}\n' for i in range(20)),
        {"columns": {"completion": None}},
        "Set start: 0",
    ),
    "column setting": ("", {"columns": {"promt": "a"}}, "Did you mean 'prompt'?"),
    "an old column setting": ("", {"columns": {"document": "a"}}, "columns.document is now columns.prompt"),
    "held out": ('{"document": "a", "summary": "b"}', {}, "held_out leaves no pairs"),
}


@pytest.mark.parametrize("case", TEXT)
def test_text_files(case, veriloop, config, tmp_path):
    content, settings, fragment = TEXT[case]
    (tmp_path / "pairs.jsonl").write_text(content)
    dataset = {"kind": "text", "files": str(tmp_path / "pairs.jsonl"), **settings}
    assert_refused(
        veriloop("run", config(dataset=dataset, balance=None), "--out", tmp_path / "run"), fragment
    )


def test_data_that_are_not_there_are_named_with_the_remedy(veriloop, config, tmp_path, monkeypatch):
    monkeypatch.setenv("VERILOOP_DATA", str(tmp_path / "empty"))
    monkeypatch.setitem(sys.modules, "datasets", None)  # as where the extra is not installed
    outcome = veriloop("run", config(dataset="mnist"), "--out", tmp_path / "run")
    assert_refused(outcome, "mnist", "VERILOOP_DATA")
