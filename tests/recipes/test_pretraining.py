"""Pretraining: equal runs give equal models, a model that is there is used, and it has learned something."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from veriloop.errors import CorruptFileError, DataError
from veriloop.recipes.pretraining import CARD, _around, pretrain
from veriloop.recipes.study_files import Pretraining

TINY = Pretraining(
    vocabulary=300,
    hidden=16,
    layers=1,
    heads=2,
    intermediate=32,
    row_tokens=64,
    batch_size=8,
    steps=40,
    repeated=10,
    learning_rate=1e-2,
    copied=0.5,
)

TEMPLATE = "Article: {document} Summary:"


@pytest.fixture(scope="module")
def articles(small_news: Path) -> list[str]:
    lines = (small_news / "xsum" / "train.jsonl").read_text().splitlines()[:60]
    return [json.loads(line)["document"] for line in lines]


@pytest.fixture(scope="module")
def folder(articles: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    pretrain(articles, TINY, TEMPLATE, folder)
    return folder


def test_equal_calls_give_equal_models_and_leave_the_global_stream_alone(articles, folder, tmp_path: Path):
    before = torch.random.get_rng_state()
    pretrain(articles, TINY, TEMPLATE, tmp_path / "again")
    assert torch.equal(torch.random.get_rng_state(), before)
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


def test_the_seed_matters(articles, folder, tmp_path: Path):
    pretrain(articles, TINY.model_copy(update={"seed": 1}), TEMPLATE, tmp_path / "other")
    assert (tmp_path / "other" / "model.safetensors").read_bytes() != (
        folder / "model.safetensors"
    ).read_bytes()


def test_it_knows_more_than_how_often_tokens_occur(articles, folder):
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    ids = tokenizer([f"Article: {article}" for article in articles], truncation=True, max_length=64)[
        "input_ids"
    ]
    rows = torch.tensor(ids)
    with torch.inference_mode():
        loss = float(model(input_ids=rows, labels=rows).loss)
    share = np.bincount(rows.numpy().ravel()) / rows.numel()
    entropy = -(share[share > 0] * np.log(share[share > 0])).sum()
    assert loss < entropy - 0.3
    assert json.loads((folder / CARD).read_text())["parameters"] == model.num_parameters()


def test_a_model_that_is_there_is_left_alone(articles, folder):
    before = (folder / CARD).stat().st_mtime_ns
    lines: list[str] = []
    pretrain(articles, TINY, TEMPLATE, folder, lines.append)
    assert (folder / CARD).stat().st_mtime_ns == before
    assert lines == []


def test_a_model_that_was_made_otherwise_is_refused(articles, folder):
    with pytest.raises(DataError, match=r"pretrained with other settings: got 'steps=40', expected steps=41"):
        pretrain(articles, TINY.model_copy(update={"steps": 41}), TEMPLATE, folder)


def test_a_damaged_card_is_named(articles, folder, tmp_path: Path):
    (tmp_path / CARD).write_text((folder / CARD).read_text()[:20])
    with pytest.raises(CorruptFileError, match=CARD):
        pretrain(articles, TINY, TEMPLATE, tmp_path)


def test_too_little_text_is_refused_and_leaves_nothing(tmp_path: Path):
    with pytest.raises(DataError, match="too little text to pretrain on"):
        pretrain(["A short text."] * 9, TINY, TEMPLATE, tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


def test_progress_is_told(articles, tmp_path: Path):
    lines: list[str] = []
    pretrain(
        articles,
        TINY.model_copy(update={"steps": 100, "batch_size": 1}),
        TEMPLATE,
        tmp_path / "told",
        lines.append,
    )
    assert len(lines) == 1
    assert lines[0].startswith("pretraining: step 100 of 100, loss ")


def test_rows_have_the_form_of_the_prompts() -> None:
    assert _around(TEMPLATE) == ("Article:", " Summary:")
    assert _around("{text}\nTL;DR:") == ("", "\nTL;DR:")
