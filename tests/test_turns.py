"""Chats of all usual forms become one; what no model can go on with is refused with its place."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veriloop.errors import DataError
from veriloop.nested import Nested
from veriloop.turns import are_turns, in_words, look_like_turns, read_turns, said_by_assistant

SYSTEM, USER, ASSISTANT = (
    {"role": role, "content": content}
    for role, content in (("system", "s"), ("user", "u"), ("assistant", "a"))
)
CALL = {"role": "assistant", "content": None, "tool_calls": [{"type": "function", "function": {"name": "f"}}]}


def test_share_gpt_and_json_text_are_the_same_turns() -> None:
    talk = [
        {"from": "system", "value": "s"},
        {"from": "human", "value": " u\n"},
        {"from": "gpt", "value": "a"},
    ]
    expected = [SYSTEM, {"role": "user", "content": " u\n"}, ASSISTANT]
    assert read_turns(talk, "x") == expected
    assert read_turns(json.dumps(talk), "x") == expected
    assert read_turns(expected, "x") == expected


def test_content_in_parts_is_joined_and_other_keys_stay() -> None:
    parts = [{"type": "text", "text": "a "}, {"type": "text", "text": "b"}]
    (turn,) = read_turns([{"role": "user", "content": parts, "name": "Ann", "weight": None}], "x")
    assert turn == {"role": "user", "content": "a b", "name": "Ann"}


def test_tools_are_called_and_answer() -> None:
    reply = {"role": "tool", "content": "3"}
    turns = read_turns([USER, CALL, reply, reply, ASSISTANT], "x")
    assert turns[1]["tool_calls"] == CALL["tool_calls"]
    assert in_words(turns) == "u\n3\n3\na"
    assert said_by_assistant(turns[-1], "x") == "a"


@given(st.lists(st.text(min_size=1).filter(str.strip), min_size=1, max_size=5))
@settings(max_examples=50, deadline=None)
def test_what_is_said_is_not_changed(said: list[str]) -> None:
    turns = [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(said)]
    assert read_turns(json.loads(json.dumps(turns)), "x") == turns


@pytest.mark.parametrize(
    ("turns", "words"),
    [
        ([], "no turns"),
        (3, "got 'int', expected a list of turns"),
        ("[{", "JSON text of one"),
        (["u"], "turn 1: got 'str', expected an object with role and content"),
        ([{"content": "u"}], "expected an object with role and content"),
        ([{"role": "wizard", "content": "u"}], "turn 1: role: got 'wizard', expected one of system"),
        ([{"from": "function_call", "value": "u"}], "turn 1: from: got 'function_call'"),
        ([{"role": ["user"], "content": "u"}], "turn 1: role"),
        ([{"role": "user", "content": " "}], "turn 1 (user) is empty"),
        ([{"role": "user"}], "turn 1 (user) is empty"),
        ([{"role": "user", "content": 3}], "content: got 'int', expected text"),
        ([{"role": "user", "content": [{"type": "image_url"}]}], "parts that are not text"),
        ([USER, USER], "turn 2: two turns of the user in a row"),
        ([USER, ASSISTANT, ASSISTANT], "turn 3: two turns of the assistant in a row"),
        ([USER, SYSTEM], "turn 2: a system prompt after other turns"),
        ([USER, {"role": "tool", "content": "3"}], "without a call"),
    ],
)
def test_a_chat_that_is_none_is_refused(turns: Any, words: str) -> None:
    with pytest.raises(DataError) as error:
        read_turns(turns, "chats.jsonl, line 7")
    line = str(error.value)
    assert line.startswith("chats.jsonl, line 7")
    assert words in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("turn", "words"),
    [(USER, "does not end with an assistant turn"), (CALL, "ends with a tool call")],
)
def test_only_an_answer_in_words_can_be_learned(turn: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        said_by_assistant(turn, "line 7")


def test_turns_are_known_by_their_first() -> None:
    assert look_like_turns([USER])
    assert look_like_turns('[{"from": "human", "value": "u"}]')
    assert not any(map(look_like_turns, ["[1]", "[not json", "u", [], [1], {"role": 1}, None]))
    assert are_turns(Nested.of([[USER]]))
    assert not are_turns(Nested.of([{"a": 1}]))
    assert not are_turns(Nested())
