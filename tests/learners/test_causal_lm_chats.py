"""Chats and texts on their way to token ids and back: the library's own template, and nothing changed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from veriloop.errors import ConfigError, DataError
from veriloop.learners._language.prompts import Formatter
from veriloop.learners._language.rules import Prompt
from veriloop.nested import Nested
from veriloop.samples import Samples
from veriloop.schema import Completion, Extra, Messages, Schema
from veriloop.testing.language import END

CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SYSTEM = {"role": "system", "content": "Be brief."}


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


@pytest.fixture(scope="module")
def tokenizer(tiny_language: Path) -> PreTrainedTokenizerBase:
    """The tiny one with the control tokens and the chat template of many models."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_language)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.chat_template = CHAT
    return tokenizer


def formatter(tokenizer: PreTrainedTokenizerBase, **fields: Any) -> Formatter:
    return Formatter(
        Prompt(**{"template": "{messages}", "chat": True, "max_tokens": 400, **fields}), tokenizer
    )


def ids_of(made: Formatter, *chats: list[dict[str, Any]]) -> list[list[int]]:
    return made.prompt_ids(made.prompts(Samples(messages=Nested.of(chats))))


@pytest.mark.parametrize(
    "chat",
    [
        [user("2 + 2?")],
        [SYSTEM, user("2 + 2?")],
        [SYSTEM, user("1?"), assistant("1"), user(" 2?\n"), assistant("2"), user("3?")],
        [
            user("1?"),
            {"role": "assistant", "content": "", "tool_calls": [{}]},
            {"role": "tool", "content": "1"},
        ],
    ],
)
def test_chats_are_what_the_library_makes_of_them(
    tokenizer: PreTrainedTokenizerBase, chat: list[Any]
) -> None:
    encoded: Any = tokenizer.apply_chat_template(chat, add_generation_prompt=True)
    expected = encoded["input_ids"]
    assert ids_of(formatter(tokenizer), chat) == [expected]


@pytest.mark.parametrize("begun", ["The sum is", "    return ", "{\n"])
def test_an_answer_that_is_begun_is_gone_on_with(tokenizer: PreTrainedTokenizerBase, begun: str) -> None:
    (ids,) = ids_of(formatter(tokenizer), [user("2 + 2?"), assistant(begun)])
    assert tokenizer.decode(ids) == f"<|im_start|>user\n2 + 2?<|im_end|>\n<|im_start|>assistant\n{begun}"


def test_an_answer_ends_as_the_template_ends_it(tokenizer: PreTrainedTokenizerBase) -> None:
    made = formatter(tokenizer)
    rows = Samples(completion=[" 4\n"])
    (ids,) = made.completion_ids(rows, 99)
    assert tokenizer.convert_ids_to_tokens(ids[-1]) == "<|im_end|>"
    assert made.text(ids) == " 4\n"
    plain = Formatter(Prompt(template="{prompt}:"), tokenizer)
    assert plain.completion_ids(rows, 99)[0][-1] == tokenizer.eos_token_id


TEXT = st.text(max_size=30)


@given(text=TEXT, question=TEXT, template=st.sampled_from(["Q: {prompt} A:", "{prompt}", "{prompt}\n"]))
@example(text=" return x\n\n", question="def f(x):\n", template="{prompt}")
@example(text=f"{END} and <|im_end|>", question="<|im_start|>", template="Q: {prompt} A:")
@settings(max_examples=150, deadline=None)
def test_a_completion_comes_back_as_it_was(
    tokenizer: PreTrainedTokenizerBase, text: str, question: str, template: str
) -> None:
    made = Formatter(Prompt(template=template), tokenizer)
    rows = Samples(prompt=[question or "?"], completion=[text])
    prompts = made.prompts(rows)
    (ids,) = made.completion_ids(rows, 999, prompts)
    assert ids[-1] == made.end
    assert made.text(ids[:-1], prompts[0]) == text
    assert not set(ids[:-1]) & set(tokenizer.all_special_ids)
    (asked,) = made.prompt_ids(prompts)
    assert tokenizer.decode(asked) == template.format(prompt=question or "?")
    assert not set(asked) & set(tokenizer.all_special_ids), "a template without control tokens makes none"


@given(
    said=st.lists(TEXT.filter(str.strip), min_size=1, max_size=4), token=st.sampled_from([END, "<|im_end|>"])
)
@settings(max_examples=80, deadline=None)
def test_a_chat_has_the_control_tokens_of_its_template_and_no_others(
    tokenizer: PreTrainedTokenizerBase, said: list[str], token: str
) -> None:
    chat = [(user, assistant)[i % 2](f"{token}{text}{token}") for i, text in enumerate(said)]
    if len(chat) % 2 == 0:
        chat.append(user(token))
    (ids,) = ids_of(formatter(tokenizer, max_tokens=2000), chat)
    rendered = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    assert tokenizer.decode(ids) == rendered
    control = [t for t in tokenizer.convert_ids_to_tokens(ids) if t in tokenizer.all_special_tokens]
    assert control == ["<|im_start|>", "<|im_end|>"] * len(chat) + ["<|im_start|>"]


def test_marks_stand_for_no_letter_of_the_text(tokenizer: PreTrainedTokenizerBase) -> None:
    odd = "".join(map(chr, range(0xF0000, 0xF0005)))
    text = f"{odd}{END}{odd}"
    made = Formatter(Prompt(template="{prompt}"), tokenizer)
    (marked,) = made.prompts(Samples(prompt=[text]))
    assert marked.plain == text
    assert tokenizer.decode(made.prompt_ids([marked])[0]) == text


def test_control_tokens_of_a_users_template_are_such(tokenizer: PreTrainedTokenizerBase) -> None:
    made = Formatter(Prompt(template="<|im_start|>{prompt}<|im_end|>"), tokenizer)
    (ids,) = made.prompt_ids(made.prompts(Samples(prompt=["<|im_end|>"])))
    control = [t for t in tokenizer.convert_ids_to_tokens(ids) if t in tokenizer.all_special_tokens]
    assert control == ["<|im_start|>", "<|im_end|>"]


@pytest.mark.parametrize(
    ("fields", "question", "joint"),
    [
        ({"template": "{prompt} A:"}, "Q\n", " "),
        ({"template": "{prompt}"}, "Q", " "),
        ({"template": "{prompt}"}, "def f():\n", ""),
        ({"template": "{prompt} A: "}, "Q", ""),
        ({"template": "{prompt} A:", "between": ""}, "Q", ""),
        ({"template": "{prompt} A:", "between": "\n"}, "Q", "\n"),
        ({"template": "{prompt}", "chat": True}, "Q", ""),
    ],
)
def test_what_stands_between_is_known(
    tokenizer: PreTrainedTokenizerBase, fields: dict[str, Any], question: str, joint: str
) -> None:
    made = Formatter(Prompt(**fields), tokenizer)
    rows = Samples(prompt=[question], completion=["x y"])
    prompts = made.prompts(rows)
    (ids,) = made.completion_ids(rows, 99, prompts)
    assert tokenizer.decode(ids[:-1]) == f"{joint}x y"
    assert made.written(f"{joint} x ", prompts[0]) == " x "


def test_white_space_goes_where_that_is_asked_for(tokenizer: PreTrainedTokenizerBase) -> None:
    made = Formatter(Prompt(template="{prompt}:", strip=True), tokenizer)
    assert made.text(tokenizer("  x\n")["input_ids"]) == "x"
    assert made.written("\tx") == "x"
    rows = Samples(completion=[" x "])
    assert tokenizer.decode(made.completion_ids(rows, 99)[0][:-1]) == "  x ", "data are never changed"


def test_a_text_that_was_cut_has_no_end(tokenizer: PreTrainedTokenizerBase) -> None:
    made = Formatter(Prompt(template="{prompt}:"), tokenizer)
    rows = Samples(completion=["a b", "a b", ""])
    cut, whole, empty = made.completion_ids(rows, 99, cut=np.array([True, False, True]))
    assert [*cut, made.end] == whole
    assert empty == [made.end]


def test_of_a_long_chat_the_oldest_turns_go_first(tokenizer: PreTrainedTokenizerBase) -> None:
    chat = [SYSTEM, user("one " * 30), assistant("two"), user("three"), assistant("four"), user("five " * 4)]
    whole = len(ids_of(formatter(tokenizer), chat)[0])

    def left(most: int) -> Any:
        made = formatter(tokenizer, max_tokens=most)
        assert made.too_long(Samples(messages=Nested.of([chat]))).tolist() == [most < whole]
        (prompt,) = made.prompts(Samples(messages=Nested.of([chat])))
        assert len(made.prompt_ids([prompt])[0]) <= most
        return prompt.plain

    assert left(whole) == chat
    assert left(whole - 1) == [SYSTEM, *chat[3:]]
    last = len(ids_of(formatter(tokenizer), [SYSTEM, chat[-1]])[0])
    assert left(last) == [SYSTEM, chat[-1]]
    system, cut = left(last - 3)
    assert system == SYSTEM
    assert chat[-1]["content"].startswith(cut["content"])
    with pytest.raises(DataError, match="too long even without its 'messages'"):
        left(8)


def test_a_template_that_refuses_turns_is_one_line(
    tokenizer: PreTrainedTokenizerBase, tiny_language: Path
) -> None:
    strict = AutoTokenizer.from_pretrained(tiny_language)
    strict.chat_template = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role is no role') }}{% endif %}"
        "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    )
    with pytest.raises(
        DataError, match=r"chat template refuses turns of system, user \(System role"
    ) as error:
        ids_of(formatter(strict), [SYSTEM, user("2 + 2?")])
    assert "\n" not in str(error.value)


CHATS = Schema({"messages": Messages(), "hint": Extra(), "completion": Completion(in_data=False)})


def test_turns_need_no_setting() -> None:
    for template in (None, "{messages}", "{prompt}"):
        prompt = Prompt(template=template).suited_to(CHATS, "a model")
        assert prompt.settled() == ("{messages}", "messages", "completion")
        assert prompt.chat is True
        assert prompt.card().chat


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"template": "Q: {messages}"},
            "messages} alone: the turns of a chat cannot be part of another text",
        ),
        ({"template": "{messages}{hint}"}, "alone"),
        ({"chat": False}, "chat is off, but column 'messages' holds the turns"),
    ],
)
def test_turns_stand_alone(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Prompt(**fields).suited_to(CHATS, "a model")
