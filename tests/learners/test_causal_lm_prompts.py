"""Prompts: what is cut, what never is, and the chat template."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from veriloop.errors import ConfigError, DataError
from veriloop.learners._language.control import Marked
from veriloop.learners._language.prompts import Formatter
from veriloop.learners._language.rules import Prompt
from veriloop.samples import Samples
from veriloop.schema import Completion, Extra, Id, Image, Reference, Schema
from veriloop.schema import Prompt as PromptRole

MOST = 24
PAPER: dict[str, Any] = {"template": "Article: {document} Summary:", "completion": "summary"}


@pytest.fixture(scope="module")
def tokenizer(tiny_language: Path) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(tiny_language)


@given(text=st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
@example(text="A cat walks by. " * 20)
@example(text="\U0001f9a2" * 30)  # one character, several tokens
@example(text="")
def test_the_article_is_cut_and_nothing_else(tokenizer: PreTrainedTokenizerBase, text: str) -> None:
    formatter = Formatter(Prompt(**PAPER, max_tokens=MOST), tokenizer)
    rows = Samples(document=[text])
    (marked,), cut = formatter.prompts(rows), formatter.too_long(rows)
    (ids,) = formatter.prompt_ids([marked])
    prompt = str(marked.plain)
    assert len(ids) <= MOST
    assert prompt.startswith("Article: ")
    assert prompt.endswith(" Summary:")
    kept = prompt.removeprefix("Article: ").removesuffix(" Summary:")
    assert text.startswith(kept)
    whole = len(tokenizer(f"Article: {text} Summary:")["input_ids"])
    assert cut.tolist() == [whole > MOST]
    assert cut[0] == (kept != text)
    if cut[0]:
        # As much is kept as fits: one more character would not, or stand for several tokens.
        longer = tokenizer(f"Article: {text[: len(kept) + 8]} Summary:")["input_ids"]
        assert len(longer) > MOST or len(kept) + 8 >= len(text)


def test_only_the_named_column_is_cut(tokenizer: PreTrainedTokenizerBase) -> None:
    template = "{question} {document} {question}"
    prompt = Prompt(template=template, shorten="document", completion="summary", max_tokens=40)
    rows = Samples(document=["late " * 50, "late"], question=["Which animal walks by?", "Who?"])
    formatter = Formatter(prompt, tokenizer)
    long, short = (str(prompt.plain) for prompt in formatter.prompts(rows))
    assert long.startswith("Which animal walks by? late ")
    assert long.endswith(" Which animal walks by?")
    assert short == "Who? late Who?"
    assert formatter.too_long(rows).tolist() == [True, False]


def test_a_template_that_is_too_long_by_itself_is_refused(tokenizer: PreTrainedTokenizerBase) -> None:
    with pytest.raises(DataError, match=r"too long even without its 'document'.*at most prompt.max_tokens=3"):
        Formatter(Prompt(**PAPER, max_tokens=3), tokenizer).prompts(Samples(document=["A cat."]))


@pytest.mark.parametrize(
    "template",
    [
        "{document} {",
        "{document:d} A:",
        "{document:{w}}",
        "{document!x}",
        "{document} {}",
        '{{"a": 1} {document}',
    ],
)
def test_a_template_that_cannot_be_filled_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match=r"prompt\.template .*{{ and }} for literal braces"):
        Prompt(template=template)


@pytest.mark.parametrize("broken", ["{% if %}", "{{ raise_exception('needs a system message') }}"])
def test_a_chat_template_that_cannot_be_used_is_refused(tiny_language: Path, broken: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_language)
    tokenizer.chat_template = broken
    with pytest.raises(DataError, match="chat template"):
        Formatter(Prompt(**PAPER, chat=True), tokenizer)


def test_a_prompt_without_a_token_is_refused(tokenizer: PreTrainedTokenizerBase) -> None:
    with pytest.raises(DataError, match="without tokens"):
        Formatter(Prompt(template="{document}", completion="summary"), tokenizer).prompt_ids(
            [Marked(str(tokenizer.eos_token), {})]
        )


def test_chat_prompts_are_what_the_tokenizer_makes_of_a_user_message(
    tiny_language: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    chatty = AutoTokenizer.from_pretrained(tiny_language)
    chatty.chat_template = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}<answer>"
    formatter = Formatter(Prompt(**PAPER, chat=True, max_tokens=40), chatty)
    rows = Samples(document=["A cat."], summary=["the cat"])
    assert formatter.prompt_ids(formatter.prompts(rows)) == [
        tokenizer("<user>Article: A cat. Summary:<answer>")["input_ids"]
    ]
    end = tokenizer.eos_token_id
    assert formatter.completion_ids(rows, 99) == [[*tokenizer("the cat")["input_ids"], end]]


def test_completions_end_and_are_cut_at_the_limit(tokenizer: PreTrainedTokenizerBase) -> None:
    formatter = Formatter(Prompt(**PAPER), tokenizer)
    rows = Samples(summary=["the cat", ""])
    whole, empty = formatter.completion_ids(rows, 99)
    assert whole == [*tokenizer(" the cat")["input_ids"], tokenizer.eos_token_id]
    assert empty == [tokenizer.eos_token_id]
    assert formatter.completion_ids(rows, 1) == [whole[:1], empty]
    assert formatter.text(whole) == "the cat"


QUIZ = Schema(
    {
        "id": Id(),
        "question": PromptRole(),
        "answer": Completion(),
        "reference": Reference(),
        "hint": Extra(),
        "picture": Image(height=8, width=8, levels=1, given=True),
    }
)


@pytest.mark.parametrize(
    ("said", "template", "shorten"),
    [
        ({}, "{question}", "question"),
        ({"template": "Q: {question} A:"}, "Q: {question} A:", "question"),
        ({"template": "Q: {prompt} A:"}, "Q: {question} A:", "question"),
        ({"template": "{hint} {prompt!s:>9} {{x}}"}, "{hint} {question!s:>9} {{x}}", "question"),
        ({"template": "{hint}"}, "{hint}", "hint"),
        ({"template": "{hint} {prompt}", "shorten": "hint"}, "{hint} {question}", "hint"),
        ({"template": "{hint} {prompt}", "shorten": "prompt"}, "{hint} {question}", "question"),
        ({"completion": "answer"}, "{question}", "question"),
    ],
)
def test_what_is_left_out_is_the_datas(said: dict[str, str], template: str, shorten: str) -> None:
    prompt = Prompt.model_validate({**said, "chat": True, "max_tokens": 9}).suited_to(QUIZ, "a model")
    assert prompt == Prompt(template=template, shorten=shorten, completion="answer", chat=True, max_tokens=9)
    assert prompt.suited_to(QUIZ, "a model") == prompt
    assert prompt.settled() == (template, shorten, "answer")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"template": "{questoin}"}, r"prompt.template: got '.questoin.'.*Did you mean 'question'"),
        ({"template": "{story}"}, r"got '.story.', expected columns of the data: id \(id\), question"),
        ({"template": "{question} {answer}"}, "reveals 'answer', which the model generates"),
        (
            {"template": "{question} {reference}"},
            "reveals 'reference', the reference for what the model",
        ),
        ({"template": "{picture}"}, "column 'picture': got 'image'"),
        ({"completion": "hint"}, "prompt.completion: got \"'hint', which the model is given"),
        ({"completion": "reply"}, "prompt.completion: got 'reply', expected a column of the data"),
    ],
)
def test_what_does_not_suit_the_data_is_refused(said: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Prompt.model_validate(said).suited_to(QUIZ, "a model")


def test_data_without_texts_are_refused() -> None:
    pixels = Schema({"pixels": Image(height=8, width=8, levels=1)})
    with pytest.raises(ConfigError, match="a model needs one column of role 'completion'"):
        Prompt().suited_to(pixels, "a model")


def test_a_prompt_that_was_not_suited_to_data_is_refused(tokenizer: PreTrainedTokenizerBase) -> None:
    with pytest.raises(ConfigError, match=r"is not configured for its data.*suited_to"):
        Formatter(Prompt(template="{a} {b}", completion="c"), tokenizer)
