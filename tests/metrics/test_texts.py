"""The metrics of text, on texts whose numbers can be counted by hand, and by another's implementation."""

import math
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from veriloop.errors import ConfigError, DataError
from veriloop.generator import Generator
from veriloop.metrics.base import Evaluation, Metric
from veriloop.metrics.loss import Loss
from veriloop.metrics.rouge import Rouge
from veriloop.metrics.text_diversity import TextDiversity
from veriloop.metrics.text_form import TextForm, is_copied
from veriloop.metrics.texts import words
from veriloop.nested import Nested
from veriloop.samples import Samples
from veriloop.schema import Completion, Extra, Image, Messages, Number, Prompt, Reference, Schema
from veriloop.testing import check_metric


class Writer(Generator):
    """Writes a random word greedily called; its likelihoods are made up, so that their ratio is known."""

    def __init__(self, is_greedy: bool = True) -> None:
        self.is_greedy = is_greedy
        self.asked = 0

    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        raise NotImplementedError

    def greedy(self, condition: Samples) -> Samples:
        self.asked += 1
        assert "completion" not in condition
        return condition.with_columns(completion=["greedy words"] * len(condition))

    def loss(self, samples: Samples) -> tuple[NDArray, NDArray]:
        tokens = np.array([len(words(text)) for text in samples.texts("completion")])
        return tokens * (1.0 + np.arange(len(tokens)) % 2), tokens

    def save(self, directory: Path) -> None: ...

    @classmethod
    def load(cls, directory: Path) -> "Writer":
        raise NotImplementedError


def samples(written: list[str], reference: list[str] | None = None, document: str = "") -> Samples:
    n = len(written)
    return Samples(id=np.arange(n), prompt=[document] * n, reference=reference or written, completion=written)


def evaluation(*args, generator: Generator | None = None, **kwargs) -> Evaluation:
    made = samples(*args, **kwargs)
    return Evaluation(generator or Writer(), made, made, np.arange(len(made)) % 3 == 0)


def measure(metric: Metric, of: Evaluation) -> dict:
    return metric.measure(of, np.random.default_rng(0))


def random_texts(n: int, rng: np.random.Generator) -> list[str]:
    vocabulary = np.array([f"w{i}" for i in range(200)])
    weights = 1 / np.arange(1, 201)
    lengths = rng.integers(5, 15, n)
    return [" ".join(rng.choice(vocabulary, k, p=weights / weights.sum())) for k in lengths]


@pytest.mark.parametrize("metric", [Rouge(stem=False), TextForm(), TextDiversity(), Loss()])
def test_keeps_the_contract(metric: Metric) -> None:
    rng = np.random.default_rng(1)
    check_metric(metric, evaluation(random_texts(30, rng), random_texts(30, rng), document="w1 w2 w3 w4"))


@pytest.mark.parametrize("metric", [Rouge(stem=False), TextForm(), TextDiversity(), Loss()])
def test_without_texts_there_is_no_number(metric: Metric) -> None:
    found = measure(metric, evaluation([]))
    assert set(found) == set(metric.quantities)
    assert all(math.isnan(e.value) for e in found.values())


def test_rouge_is_the_mean_of_the_pairs_with_its_error() -> None:
    found = measure(Rouge(stem=False), evaluation(["a b", "c", "d"], ["a b", "a c", "a"]))
    scores = np.array([1, 2 / 3, 0])
    assert found["rouge1"].value == pytest.approx(scores.mean())
    assert found["rouge1"].se == pytest.approx(scores.std(ddof=1) / math.sqrt(3))
    # One resample in 27 draws the best of the three pairs three times, one the worst: more than 2.5 %.
    assert found["rouge1"].interval == pytest.approx((scores.min(), scores.max()))
    assert found["rouge2"].value == pytest.approx(1 / 3)
    assert found["rougeL"].value == pytest.approx(scores.mean())


def test_the_texts_that_are_shown_are_measured_and_greedy_ones_where_asked_for_made_once() -> None:
    generator = Writer(is_greedy=False)
    of = evaluation(["sampled"], ["greedy words"], generator=generator)
    assert measure(Rouge(stem=False), of)["rouge1"].value == 0
    assert measure(TextForm(), of)["length"].value == 1
    assert generator.asked == 0
    assert measure(Rouge(stem=False, greedy=True), of)["rouge1"].value == 1
    assert measure(TextForm(greedy=True), of)["length"].value == 2
    assert generator.asked == 1
    assert measure(TextForm(greedy=True), evaluation(["sampled"]))["length"].value == 1, "greedy already"


def test_cut_texts_are_counted_where_the_generator_notes_them() -> None:
    of = evaluation(["a", "b", "c", "d"])
    assert measure(TextForm(), of)["truncated"].value == 0.5
    silent = Evaluation(of.generator, of.generated, of.real)
    assert math.isnan(measure(TextForm(), silent)["truncated"].value)


def test_of_a_chat_what_is_said_may_be_copied() -> None:
    turns = [{"role": "user", "content": "one two"}, {"role": "assistant", "content": "three four five"}]
    made = Samples(messages=Nested.of([turns]), completion=["two three four five"])
    schema = Schema({"messages": Messages(), "completion": Completion(in_data=False)})
    found = measure(TextForm().suited_to(schema), Evaluation(Writer(), made, made))
    assert found["copied"].value == 1


def test_rouge_at_32_words_sees_the_first_32_of_each() -> None:
    right, wrong = [f"w{i}" for i in range(40)], [f"v{i}" for i in range(40)]
    found = measure(
        Rouge(stem=False),
        evaluation(
            [" ".join([*right[:32], *wrong]), " ".join(right[:8]), " ".join([*wrong[:32], *right])],
            [" ".join(right), " ".join(right), " ".join(right)],
        ),
    )["rouge1_at_32"]
    # All of the first 32 words; 8 of 8 and of 32; none of them.
    assert found.rows.tolist() == pytest.approx([1, 2 * 8 / (8 + 32), 0])
    short = measure(Rouge(stem=False), evaluation(["a b", "c"], ["a", "c d"]))
    assert short["rouge1_at_32"].value == short["rouge1"].value


def test_form_by_hand() -> None:
    document = "The Mayor said: prices, in the old town, will rise next year."
    written = [
        "Mayor said prices in the old town",  # all of it
        "he said that prices in the old town will",  # 6 of 9 in one run
        "prices rise in the old town, said a man",  # 4 of 9
        "next year",  # too short to be called a copy
        "...",
        "",
    ]
    found = measure(TextForm(), evaluation(written, document=document))
    assert found["length"].value == pytest.approx((7 + 9 + 9 + 2) / 6)
    assert found["empty"].value == pytest.approx(2 / 6)
    assert found["copied"].value == pytest.approx(2 / 6)
    assert found["empty"].se == pytest.approx(math.sqrt(2 / 6 * 4 / 6 / 5))


@pytest.mark.parametrize(
    ("text", "source", "expected"),
    [
        ("a b c d", "x a b c d y", True),
        ("a b c", "a b c", False),
        ("a b c d e f g h", "a b c d", False),
        ("a b c d e f g", "a b c d", True),
        ("a b c d", "xa b c dy", False),
        ("", "", False),
    ],
)
def test_what_is_a_copy(text: str, source: str, expected: bool) -> None:
    assert is_copied(text.split(), source.split()) is expected


def test_diversity_by_hand() -> None:
    found = measure(TextDiversity(), evaluation(["the cat sat", "The cat ran", "a"]))
    assert found["distinct1"].value == pytest.approx(5 / 7)
    assert found["distinct2"].value == pytest.approx(3 / 4)
    assert found["bigram_entropy"].value == pytest.approx(1.5)
    same = measure(TextDiversity(), evaluation(["the cat"] * 50))
    assert (same["distinct2"].value, same["bigram_entropy"].value) == (1 / 50, 0)


def test_diversity_by_plain_counting() -> None:
    texts = random_texts(300, np.random.default_rng(3))
    pairs = Counter(pair for text in texts for pair in pairwise(text.split()))
    found = measure(TextDiversity(), evaluation(texts))
    assert found["distinct2"].value == pytest.approx(len(pairs) / pairs.total())
    shares = np.array(list(pairs.values())) / pairs.total()
    assert found["bigram_entropy"].value == pytest.approx(-(shares * np.log2(shares)).sum())


def test_diversity_errors_are_of_the_size_of_the_spread() -> None:
    rng = np.random.default_rng(4)
    draws = [measure(TextDiversity(), evaluation(random_texts(100, rng))) for _ in range(60)]
    for name in TextDiversity.quantities:
        spread = np.std([d[name].value for d in draws], ddof=1)
        error = np.mean([d[name].se for d in draws])
        # The jackknife is not too small on average (Efron and Stein); 60 draws know a spread to 1/sqrt(118).
        assert spread * (1 - 3 / math.sqrt(118)) < error < 2 * spread


def test_loss_is_per_token_and_its_error_that_of_a_ratio() -> None:
    texts = random_texts(200, np.random.default_rng(5))
    found = measure(Loss(), evaluation(texts))["loss"]
    tokens = np.array([len(text.split()) for text in texts])
    nats = tokens * (1.0 + np.arange(200) % 2)
    assert found.value == pytest.approx(nats.sum() / tokens.sum())
    rng = np.random.default_rng(6)
    rows = rng.integers(200, size=(4000, 200))
    bootstrap = np.std(nats[rows].sum(1) / tokens[rows].sum(1))
    # 4,000 draws know a spread to 1.1 %; the delta method leaves out terms of relative order 1/n.
    assert found.se == pytest.approx(bootstrap, rel=0.05)


def test_a_model_without_likelihoods_has_no_loss() -> None:
    found = Loss().measure(Evaluation(None, samples(["a"]), samples(["a"])), np.random.default_rng(0))  # pyright: ignore[reportArgumentType]
    assert math.isnan(found["loss"].value)


def test_prompts_alone_have_no_loss_and_the_error_says_so() -> None:
    prompts = samples(["a"]).only(["id", "prompt"])
    with pytest.raises(DataError, match=r"needs held-out texts.*'completion'.*Remove it from the metrics"):
        Loss().measure(Evaluation(Writer(), samples(["a"]), prompts), np.random.default_rng(0))


SCHEMA = Schema(
    {"question": Prompt(), "answer": Completion(), "wanted": Reference(), "level": Extra(), "n": Number()}
)


@pytest.mark.parametrize("metric", [Rouge(stem=False), TextForm(), TextDiversity()])
def test_columns_keep_their_own_names(metric: Metric) -> None:
    """What the schema calls a completion is measured, whatever its column is called."""
    own = evaluation(["a b", "b c d"], ["a b", "c d e"], document="b c d e")
    words = {"question": "prompt", "answer": "completion", "wanted": "reference"}
    named = Samples(**{name: own.real[column] for name, column in words.items()})
    found = measure(metric.suited_to(SCHEMA), Evaluation(Writer(), named, named, own.cut))
    assert found == measure(metric, own)


def test_columns_that_are_set_are_checked_against_the_schema() -> None:
    assert Rouge(reference="level").suited_to(SCHEMA).reference == "level"
    with pytest.raises(ConfigError, match="got 'summary', expected a column of the data"):
        TextForm(column="summary").suited_to(SCHEMA)
    with pytest.raises(ConfigError, match="column 'n': got 'number'"):
        TextForm(source="n").suited_to(SCHEMA)
    with pytest.raises(ConfigError, match="'rouge' needs one column of role 'reference'"):
        Rouge().suited_to(Schema({"question": Prompt(), "answer": Completion()}))
    for metric in (Rouge(), TextForm(), TextDiversity(), Loss()):
        with pytest.raises(ConfigError, match="needs one column of role 'completion'"):
            metric.suited_to(Schema({"pixels": Image(height=8, width=8, levels=16)}))


def test_columns_must_be_there_and_hold_text() -> None:
    for metric in (Rouge(column="answer"), TextForm(source="answer"), TextDiversity(column="answer")):
        with pytest.raises(DataError, match="no such column"):
            measure(metric, evaluation(["a"]))
    with pytest.raises(DataError, match="is an array"):
        measure(Rouge(reference="id"), evaluation(["a"]))
