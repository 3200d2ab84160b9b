"""Folders of language models: where they are found, and which are refused."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from veriloop.errors import DataError
from veriloop.learners._language import models
from veriloop.learners._language.rules import Prompt
from veriloop.learners.causal_lm import CausalLM
from veriloop.samples import Samples

PAPER: dict[str, Any] = {"template": "Article: {document} Summary:", "completion": "summary"}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def edited(folder: Path, target: Path, file: str, **changes: object) -> Path:
    """A copy of a model folder with keys of one JSON file changed."""
    shutil.copytree(folder, target)
    content = {**json.loads((target / file).read_text()), **changes}
    (target / file).write_text(json.dumps({k: v for k, v in content.items() if v is not None}))
    return target


def test_a_tokenizer_that_cannot_end_is_refused(
    tiny_language: Path, tmp_path: Path, animals: Samples
) -> None:
    folder = edited(tiny_language, tmp_path / "m", "tokenizer_config.json", eos_token=None)
    with pytest.raises(DataError, match=r"no end-of-text token.*Set eos_token"):
        CausalLM(model=str(folder), prompt=Prompt(**PAPER)).fit(animals, None, rng())


def test_a_model_that_is_nowhere_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, animals: Samples, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("VERILOOP_DATA", str(tmp_path))
    with pytest.raises(DataError) as caught:
        CausalLM(model="nobody/no-such-model", prompt=Prompt(**PAPER)).fit(animals, None, rng())
    message = str(caught.value)
    assert f"run: hf download nobody/no-such-model --local-dir {tmp_path / 'no-such-model'}" in message
    assert "\n" not in message


def test_a_folder_here_goes_before_the_data_folder(
    monkeypatch: pytest.MonkeyPatch, tiny_language: Path, tmp_path: Path
) -> None:
    monkeypatch.setenv("VERILOOP_DATA", str(tiny_language.parent))
    monkeypatch.chdir(tmp_path)
    assert models.find(tiny_language.name).model.config.num_hidden_layers == 2
    (tmp_path / tiny_language.name).mkdir()
    (tmp_path / tiny_language.name / "config.json").write_text("{}")
    with pytest.raises(DataError, match=f"the model in {tiny_language.name} cannot be loaded"):
        models.find(tiny_language.name)


def test_models_are_found_in_the_data_folder(
    monkeypatch: pytest.MonkeyPatch, tiny_language: Path, animals: Samples
) -> None:
    monkeypatch.setenv("VERILOOP_DATA", str(tiny_language.parent))
    name = f"somebody/{tiny_language.name}"
    assert (
        len(
            CausalLM(model=name, prompt=Prompt(**PAPER), max_steps=1)
            .fit(animals, None, rng())
            .greedy(animals)
        )
        == 48
    )


def test_a_model_folder_without_some_weights_is_refused(tiny_language: Path, tmp_path: Path) -> None:
    # They would be filled with random numbers, without a word.
    folder = edited(tiny_language, tmp_path / "m", "config.json", num_hidden_layers=3)
    with pytest.raises(DataError, match="weights are missing"):
        models.find(str(folder))


def test_weights_of_other_shapes_are_refused_in_one_line(
    tiny_language: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = edited(tiny_language, tmp_path / "m", "config.json", intermediate_size=96)
    with pytest.raises(DataError, match="weights whose shapes differ"):
        models.find(str(folder))
    assert capfd.readouterr() == ("", "")


def test_a_model_that_fills_in_words_is_refused(tiny_language: Path, tmp_path: Path) -> None:
    folder = edited(tiny_language, tmp_path / "m", "config.json", architectures=["BertForMaskedLM"])
    with pytest.raises(DataError, match="cannot continue a text"):
        models.find(str(folder))


def test_a_home_folder_is_no_name_on_the_hub() -> None:
    with pytest.raises(DataError, match=f"got 'no file {Path.home()}"):
        models.find("~/no-such-model")
