"""What may be drawn, repetitions and stop strings, against transformers' own, and in any company."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from veriloop.errors import ConfigError
from veriloop.learners._language import drawing, models
from veriloop.learners._language.backends import Decoding
from veriloop.learners._language.drawing import Repetitions, choose
from veriloop.learners._language.ends import StopStrings, before
from veriloop.learners._language.generator import CausalLMGenerator
from veriloop.learners._language.prompts import Prompt
from veriloop.samples import Samples

GRID = torch.linspace(0, 1, 4001, dtype=torch.float64)[:-1]


def drawn(logits: torch.Tensor, decoding: Decoding) -> dict[int, float]:
    """The share of each token over a fine grid of uniform numbers."""
    tokens = choose(logits.expand(len(GRID), -1), decoding, GRID)
    return dict(zip(*(x.tolist() for x in tokens.unique(return_counts=True)), strict=True))


@given(
    logits=st.lists(st.integers(-12, 12), min_size=2, max_size=9),
    temperature=st.sampled_from([0.5, 1.0, 1.7]),
    top_k=st.none() | st.integers(1, 10),
    top_p=st.sampled_from([1.0, 0.93, 0.61]),
    min_p=st.sampled_from([0.0, 0.043, 0.37]),
)
def test_as_much_is_drawn_of_each_token_as_by_transformers(
    logits: list[int], temperature: float, top_k: int | None, top_p: float, min_p: float
) -> None:
    scores = torch.tensor([logits], dtype=torch.float64) / 4
    theirs: list[Any] = [TemperatureLogitsWarper(temperature)]
    theirs += [TopKLogitsWarper(top_k)] if top_k else []
    theirs += [TopPLogitsWarper(top_p)] if top_p < 1 else []
    theirs += [MinPLogitsWarper(min_p)] if min_p else []
    ids: Any = torch.zeros(1, 1, dtype=torch.long)
    expected = LogitsProcessorList(theirs)(ids, scores.clone()).softmax(1)[0]
    if top_p < 1 and len(set(logits)) < len(logits):
        return  # Of equals at the edge of top_p, theirs keeps the last and ours the first.
    decoding = Decoding(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p)
    found = drawn(scores, decoding)
    for token, share in enumerate(expected.tolist()):
        assert abs(found.get(token, 0) - share * len(GRID)) <= 1 + 1e-6
        assert share > 0 or token not in found


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"temperature": 0.3},
        {"top_k": 40},
        {"top_k": 400, "top_p": 0.9},
        {"top_p": 0.95},
        {"min_p": 0.02},
        {"top_k": 50, "top_p": 0.8, "min_p": 0.05},
    ],
)
@pytest.mark.parametrize("scale", [0.0, 0.5, 3.0, 9.0])
def test_the_likeliest_alone_give_the_token_that_a_sort_of_all_gives(
    settings: dict[str, Any], scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoding = Decoding.model_validate({"temperature": 1.0, **settings})
    stream = torch.Generator().manual_seed(0)
    logits = scale * torch.randn(60, 3_000, generator=stream)
    logits = torch.cat([logits, logits.bfloat16().float()])  # the second half with many equal ones
    uniform = torch.rand(120, generator=stream, dtype=torch.float64)
    uniform[:3] = torch.tensor([0.0, 1 - 2**-53, 0.5])
    found = choose(logits, decoding, uniform)
    sorted_rows: list[int] = []
    monkeypatch.setattr(
        drawing, "_drawn", lambda p, d, u: sorted_rows.append(len(p)) or torch.zeros(len(p), dtype=torch.long)
    )
    choose(logits, decoding, uniform)
    monkeypatch.undo()
    monkeypatch.setattr(drawing, "LIKELIEST", 3_000)
    assert torch.equal(found, choose(logits, decoding, uniform))
    if scale >= 3:
        assert sum(sorted_rows) < 12, "most rows need no sort"


@given(st.lists(st.integers(0, 6), min_size=1, max_size=9), st.sampled_from([0.7, 1.3, 2.0]))
def test_repetitions_are_damped_as_by_transformers(prompt: list[int], penalty: float) -> None:
    logits = torch.linspace(-2, 3, 8)[None]
    repetitions = Repetitions(penalty, [[7], prompt])
    ids: Any = torch.tensor([prompt])
    expected = RepetitionPenaltyLogitsProcessor(penalty)(ids, logits.clone())  # pyright: ignore[reportArgumentType]
    row = torch.tensor([1])
    torch.testing.assert_close(repetitions.damp(logits, row), expected)
    repetitions.add(row, torch.tensor([5]))
    ids = torch.tensor([[*prompt, 5]])
    expected = RepetitionPenaltyLogitsProcessor(penalty)(ids, logits.clone())  # pyright: ignore[reportArgumentType]
    torch.testing.assert_close(repetitions.damp(logits, row), expected)


def test_without_a_penalty_logits_are_as_they_are() -> None:
    logits = torch.randn(1, 5)
    assert Repetitions(1.0, [[0]]).damp(logits, torch.tensor([0])) is logits


PAPER: dict[str, Any] = {"template": "Article: {document} Summary:", "completion": "summary"}


def written(folder: Path, animals: Samples, seed: int = 0, **decoding: Any) -> tuple[list[str], list[bool]]:
    settings = {"max_new_tokens": 24, "temperature": 1.0, **decoding}
    generator = CausalLMGenerator(
        models.find(str(folder)), Prompt(**PAPER, max_tokens=48), Decoding.model_validate(settings)
    )
    asked = animals.select(slice(12)).only(["document"])
    samples, notes = generator.sample_with_notes(12, np.random.default_rng(seed), asked)
    return samples.texts("summary"), notes.cut.tolist()


@pytest.mark.parametrize("settings", [{}, {"top_k": 40, "min_p": 0.001, "repetition_penalty": 1.2}])
def test_a_text_ends_before_its_stop_string_whatever_the_batch(
    settings: dict[str, Any], tiny_language: Path, animals: Samples
) -> None:
    whole, cut = written(tiny_language, animals, **settings)
    pairs = (text[i : i + 2] for text in whole for i in range(4, len(text) - 1))
    stop = [next(pair for pair in pairs if pair.isalnum()), "e", "ü"]
    for batch_tokens in (1, 100_000):
        backend = {"kind": "transformers", "batch_tokens": batch_tokens}
        ended, ended_cut = written(tiny_language, animals, stop=stop, backend=backend, **settings)
        assert ended == [before(text, stop) for text in whole]
        assert ended != whole
        for text, was, is_ in zip(whole, cut, ended_cut, strict=True):
            assert is_ == (was and not any(string in text for string in stop))


def test_a_string_is_found_where_tokens_part_it(tiny_language: Path) -> None:
    tokenizer = models.find(str(tiny_language)).tokenizer
    stop = StopStrings(["Überall\n\n"], tokenizer)
    ids = tokenizer.encode("it is Überall\n\nand on", add_special_tokens=False)
    reached = [stop.reached(ids[: i + 1]) for i in range(len(ids))]
    end = reached.index(True)
    assert str(tokenizer.decode(ids[: end + 1])).endswith("Überall\n\n")
    assert all(reached[end:])
    assert not StopStrings([], tokenizer).reached(ids)


def test_the_first_of_several_strings_ends_a_text() -> None:
    assert before("one. two\nthree", ["\n", ". "]) == "one"
    assert before("one", []) == before("one", ["two"]) == "one"


def test_a_penalty_changes_greedy_texts_and_no_company_does(tiny_language: Path, animals: Samples) -> None:
    plain, _ = written(tiny_language, animals, temperature=0)
    damped, _ = written(tiny_language, animals, temperature=0, repetition_penalty=9.0)
    alone = {"kind": "transformers", "batch_tokens": 1}
    assert damped != plain
    assert written(tiny_language, animals, temperature=0, repetition_penalty=9.0, backend=alone)[0] == damped


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"top_k": 0, "temperature": 1.0}, "top_k"),
        ({"top_k": 1.5, "temperature": 1.0}, "top_k"),
        ({"min_p": 1.0, "temperature": 1.0}, "min_p"),
        ({"repetition_penalty": 0}, "repetition_penalty"),
        ({"stop": [""]}, "stop"),
        ({"stop": "END"}, "stop"),
        ({"top_k": 5}, "top_k has no effect at temperature 0"),
        ({"top_p": 0.5}, "top_p has no effect at temperature 0"),
        ({"min_p": 0.1}, "min_p has no effect at temperature 0"),
    ],
)
def test_settings_that_cannot_hold_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises((ConfigError, ValueError), match=message):
        Decoding.model_validate(settings)


def test_settings_come_back_from_a_model_folder() -> None:
    decoding = Decoding(temperature=1.0, top_k=5, min_p=0.1, repetition_penalty=1.1, stop=("\n", "END"))
    assert Decoding.model_validate(json.loads(decoding.model_dump_json())) == decoding
