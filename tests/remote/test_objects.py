import contextlib
import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from veriloop.remote.objects import LONGEST, Unreadable, last_object

SCORE = '{"reason": "fine", "score": 1}'
FINE = {"reason": "fine", "score": 1}

READ = {
    "alone": SCORE,
    "fenced": f"```json\n{SCORE}\n```",
    "fenced, with words": f"Sure! Here it is:\n\n~~~\n{SCORE}\n~~~\nAnything else?",
    "reasoning with braces": f'<think>Perhaps {{"score": 0}}. The set is {{a, b}}.</think>\n{SCORE}',
    "a remark in braces": f"{SCORE}\n\nThe scale was {{0, 1}}.",
    "a remark that is an object": f'{SCORE}\n\nI was told {{"scale": [0, 1]}}.',
    "the last of two": f'At first {{"score": 0}}, but then {SCORE}',
    "reasoning without a beginning": f'Perhaps {{"score": 0}}.</think>{SCORE}',
    "nested reasoning": f'<think>a<think>{{"score": 0}}</think>b {{"score": 0.5}}</think>{SCORE}',
    "reasoning twice": f'<think>{{"score": 0}}</think>hm<think>{{"score": 0.1}}</think>{SCORE}',
    "reasoning without an end": f'<think>Perhaps {{"score": 0}}. No: {SCORE}',
    "reasoning without an end, fenced": f"<think>So:\n```json\n{SCORE}\n```\n",
    "reasoning after the answer": f'{SCORE}\n<think>was {{"score": 0}} better?</think>',
    "reasoning around the answer": f'<think>{{"score": 0}}</think>{SCORE}<think>{{"score": 0.2}}',
    "another tag": f'<Thinking>{{"score": 0}}</Thinking>{SCORE}',
    "a tag in brackets": f'[THINK]{{"score": 0}}[/THINK]{SCORE}',
    "a tag in triangles": f'◁think▷{{"score": 0}}◁/think▷{SCORE}',
    "within an object": f'{{"verdict": {SCORE}}}',
    "within a list": f"[{SCORE}]",
    "within a list of an object": f'{{"all": [{{"score": 0}}, {SCORE}]}}',
    "after an object that is broken": f'{{"score": 0, oops}} {SCORE}',
    "after an opening brace": "{" * 50 + SCORE,
    "in an answer tag": f"<answer>{SCORE}</answer>",
}


@pytest.mark.parametrize("case", READ)
def test_what_a_reader_would_read(case: str) -> None:
    assert last_object(READ[case], ["score"]) == FINE


UNREADABLE = {
    "": "no JSON in ''",
    "I would say 7": "no JSON",
    '{"score": 1': "no JSON",
    "{'score': 1}": "no JSON",
    '{"mark": 1}': "expected score",
    f"<think>Perhaps {SCORE}. But": "nothing after the reasoning",
    f"<think>{SCORE}</think>": "nothing after the reasoning",
    f"<think>{SCORE}</think>I cannot tell.": "nothing after the reasoning",
    '"{"': "no JSON",
    "[1, 2]": "no JSON",
    "\ud800": "no JSON",
}


@pytest.mark.parametrize("text", UNREADABLE)
def test_what_nobody_can_read(text: str) -> None:
    with pytest.raises(Unreadable, match=UNREADABLE[text]) as caught:
        last_object(text, ["score"])
    str(caught.value).encode()


def test_all_keys_are_wanted() -> None:
    both = {"score": 1, "decision": "accept"}
    assert last_object(f'{json.dumps(both)} {{"score": 0}}', ["score", "decision"]) == both


def test_a_tag_in_a_text_of_the_object_is_text() -> None:
    answer = {"reason": "it says </think> and <think>", "score": 1}
    assert last_object(f'<think>{{"score": 0}}</think>{json.dumps(answer)}', ["score"]) == answer


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
around = st.text(st.characters(codec="utf-8") | st.sampled_from('{}[]":,\\ \n`'))


@given(st.dictionaries(st.text(), values, max_size=4), values, around, around, st.booleans(), st.booleans())
def test_any_object_in_any_text_comes_back(
    other: dict[str, object], score: object, before: str, after: str, thinks: bool, plain: bool
) -> None:
    # An object around ours with the same key would rightly win.
    assume('"score"' not in before + after)
    answer = {**other, "score": score}
    thought = f'<think>{before} {{"score": 0}} </think>' if thinks else ""
    text = f"{thought}{before}{json.dumps(answer, ensure_ascii=not plain)}{after}"
    assert last_object(text, ["score"]) == answer


@given(around)
def test_no_text_is_an_error_of_another_kind(text: str) -> None:
    with contextlib.suppress(Unreadable):
        assert "score" in last_object(text, ["score"])


@pytest.mark.parametrize("unit", ["{", '{"":', '{"a":[0,0,0,', "<think>", "[", '{"a', '{"score":{"a":', "}"])
def test_hostile_replies_come_to_an_end(unit: str) -> None:
    with pytest.raises(Unreadable):
        last_object(unit * (50_000 // len(unit)), ["score"])
    with pytest.raises(Unreadable, match="expected at most"):
        last_object(unit * (LONGEST + 1), ["score"])


@pytest.mark.parametrize("depth", [100, 900, 5_000, 20_000])
def test_deep_objects(depth: int) -> None:
    text = '{"a":' * depth + SCORE + "}" * depth
    try:
        found = last_object(text, ["score"])
    except Unreadable:
        assert depth > 100
    else:
        assert found == FINE
