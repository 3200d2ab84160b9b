"""Decoding against transformers' own generate, the softmax it draws from, and the company rows are in."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM, PreTrainedModel

from veriloop.learners._language import decoding, packing
from veriloop.learners._language.backends import Decoding
from veriloop.learners._language.decoding import write
from veriloop.learners._language.drawing import choose
from veriloop.learners._language.training import Row, completion_losses, packed, passes

VOCABULARY = 61
STOP = frozenset({0})
GREEDY = Decoding(max_new_tokens=8)


def llama() -> PreTrainedModel:
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=3,
            num_attention_heads=4,
            num_key_value_heads=2,
            initializer_range=0.5,  # so that the next token depends on the text, and rows end at all lengths
            pad_token_id=None,
        )
    )


def with_a_window() -> PreTrainedModel:
    return MistralForCausalLM(
        MistralConfig(
            vocab_size=VOCABULARY,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=3,
            num_attention_heads=4,
            num_key_value_heads=2,
            sliding_window=5,
            initializer_range=0.5,
        )
    )


@pytest.fixture(scope="module", params=[llama, with_a_window])
def model(request: pytest.FixtureRequest) -> PreTrainedModel:
    torch.manual_seed(3)
    return request.param().eval().requires_grad_(False)


def prompts(n: int = 16) -> list[list[int]]:
    rng = np.random.default_rng(0)
    return [rng.integers(1, VOCABULARY, size=1 + i % 17).tolist() for i in range(n)]


def draw(
    model: PreTrainedModel, texts: list[list[int]], decoding: Decoding, batch_tokens: int
) -> list[list[int]]:
    return write(model, texts, STOP, decoding, batch_tokens, np.random.default_rng(1))


def test_greedy_is_token_for_token_what_generate_gives_alone(model: PreTrainedModel) -> None:
    expected = []
    for prompt in prompts():
        untyped: Any = model
        theirs = untyped.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            max_new_tokens=8,
            do_sample=False,
            eos_token_id=0,
            pad_token_id=0,
        )[0, len(prompt) :].tolist()  # pyright: ignore[reportIndexIssue]
        expected.append(theirs[: theirs.index(0)] if 0 in theirs else theirs)
    assert len({len(ids) for ids in expected}) > 2, "some should stop early, at different lengths"
    for batch_tokens in (1, 100, 100_000):
        assert draw(model, prompts(), GREEDY, batch_tokens) == expected


def test_drawn_rows_do_not_depend_on_their_company(model: PreTrainedModel) -> None:
    decoding = Decoding(max_new_tokens=8, temperature=0.8, top_p=0.9)
    assert draw(model, prompts(), decoding, 100_000) == draw(model, prompts(), decoding, 1)
    assert draw(model, prompts(), decoding, 1)[:7] == draw(model, prompts()[:7], decoding, 1)


def test_equal_prompts_are_read_once_and_draw_for_themselves(
    model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    forward: Any = model.forward

    def counting(input_ids: torch.Tensor, **options: Any) -> Any:
        read.append(input_ids.numel() if input_ids.shape[1] > 1 else 0)
        return forward(input_ids=input_ids, **options)

    decoding = Decoding(max_new_tokens=8, temperature=1.0)
    texts = [prompt for prompt in prompts(6)[2:] for _ in range(5)]
    alone = draw(model, texts, decoding, 1)
    monkeypatch.setattr(model, "forward", counting)
    assert draw(model, texts, decoding, 100_000) == alone
    assert len({tuple(ids) for ids in alone[:5]}) > 1
    if model.config.model_type == "llama":
        assert sum(read) == sum(map(len, prompts(6)[2:]))


def test_equal_prompts_are_written_on_once_where_nothing_is_drawn(
    model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[int] = []
    batches = decoding._batches
    monkeypatch.setattr(decoding, "_batches", lambda texts, *a: rows.append(len(texts)) or batches(texts, *a))
    twice = draw(model, prompts() + prompts()[::-1], GREEDY, 100)
    assert twice[:16] == twice[:15:-1] == draw(model, prompts(), GREEDY, 100)
    assert rows == [16, 16]


def test_texts_do_not_depend_on_the_number_of_lanes(
    model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = Decoding(max_new_tokens=8, temperature=0.8)
    found = []
    for lanes in (1, 3):
        monkeypatch.setattr("veriloop.learners._language.lanes.lanes", lambda n=lanes: n)
        found.append(draw(model, prompts(), drawn, 60))
    assert found[0] == found[1]


@given(
    logits=st.lists(st.floats(-5, 5), min_size=1, max_size=8),
    temperature=st.floats(0.2, 3),
    top_p=st.floats(0.05, 1),
    uniform=st.floats(0, 1, exclude_max=True),
)
def test_choose_draws_from_the_likeliest(
    logits: list[float], temperature: float, top_p: float, uniform: float
) -> None:
    decoding = Decoding(temperature=temperature, top_p=top_p)
    token = choose(torch.tensor([logits], dtype=torch.float64), decoding, torch.tensor([uniform])).item()
    p = np.exp(np.array(logits) / temperature)
    p /= p.sum()
    likelier = p[p > p[token] * (1 + 1e-9)].sum()
    assert likelier < top_p * (1 + 1e-9), "all that are likelier have less than top_p together"


def test_choose_follows_the_softmax() -> None:
    logits = torch.tensor([[0.0, 1.0, -1.0, 2.0, 0.5]])
    n = 20_000
    uniform = torch.from_numpy(np.random.default_rng(0).random(n))
    for top_p, kept in ((1.0, [0, 1, 2, 3, 4]), (0.6, [1, 3])):
        decoding = Decoding(temperature=1.5, top_p=top_p)
        counts = np.bincount(choose(logits.expand(n, -1), decoding, uniform).numpy(), minlength=5)
        assert np.flatnonzero(counts).tolist() == kept
        p = torch.softmax(logits[0].double() / 1.5, 0).numpy()[kept]
        assert stats.chisquare(counts[kept], n * p / p.sum()).pvalue > 1e-3


def rows(n: int = 9) -> list[Row]:
    rng = np.random.default_rng(2)
    ids = lambda k: rng.integers(1, VOCABULARY, size=k).tolist()  # noqa: E731
    return [Row(ids(1 + (7 * i) % 10), ids(1 + (5 * i) % 6)) for i in range(n)]


def test_joined_rows_have_the_losses_and_gradients_of_each_alone() -> None:
    torch.manual_seed(3)
    model = llama()
    alone = torch.cat([completion_losses(model, [row]) for row in rows()])
    alone.sum().backward()
    expected = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    with packed(model):
        assert model.config._attn_implementation == packing.ATTENTION
        joined = completion_losses(model, rows())
        joined.sum().backward()
    torch.testing.assert_close(joined, alone)
    assert model.config._attn_implementation != packing.ATTENTION
    for name, p in model.named_parameters():
        torch.testing.assert_close(p.grad, expected[name], atol=1e-4, rtol=1e-4)


def test_a_model_with_a_window_takes_one_row_a_pass() -> None:
    with packed(with_a_window()) as most:
        assert [len(p) for p in passes(rows(), range(9), most)] == [1] * 9


def test_passes_hold_each_row_once_and_no_more_than_they_may() -> None:
    groups = passes(rows(), range(9), 20)
    assert sorted(i for group in groups for i in group) == list(range(9))
    assert all(len(g) == 1 or sum(len(rows()[i]) for i in g) <= 20 for g in groups)
    lengths = [len(rows()[i]) for g in groups for i in g]
    assert lengths == sorted(lengths)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=40), st.integers(1, 200))
def test_passes_differ_by_no_more_than_a_row(lengths: list[int], most: int) -> None:
    made = [Row([1] * n, [2]) for n in lengths]
    groups = passes(made, range(len(made)), most)
    sizes = [sum(lengths[i] for i in group) for group in groups]
    assert sorted(i for group in groups for i in group) == list(range(len(made)))
    assert all(len(g) == 1 or size <= most for g, size in zip(groups, sizes, strict=True))
    assert max(sizes) <= sum(sizes) / len(sizes) + max(lengths)


def test_eight_equal_rows_become_four_passes_of_two() -> None:
    """Three rows fit in a pass: passes of 3, 3 and 2 rows would keep the second of two cores waiting."""
    made = [Row([1] * 320, [2])] * 8
    assert [len(g) for g in passes(made, range(8), 1024)] == [2, 2, 2, 2]
    assert [len(g) for g in passes(made, range(8), 4096)] == [4, 4]
    assert [len(g) for g in passes(made[:1], range(1), 4096)] == [1]


@pytest.mark.parametrize(
    ("texts", "sizes"),
    [(1, [1]), (8, [8]), (9, [5, 4]), (64, [32, 32]), (100, [50, 50]), (130, [33, 33, 32, 32])],
)
def test_batches_are_even_in_number(texts: int, sizes: list[int]) -> None:
    made = [decoding._Text(i, i) for i in range(texts)]
    assert [len(b) for b in decoding._batches(made, [200] * texts, GREEDY, 16_384)] == sizes
    # Where memory allows three batches of 34, there are four of 25.
    narrow = decoding._batches(made, [200] * texts, GREEDY, 34 * 208)
    assert len(narrow) == 1 or len(narrow) % 2 == 0
    assert max(map(len, narrow)) <= 34
