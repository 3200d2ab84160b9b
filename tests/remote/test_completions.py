from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veriloop.remote.completions import Completion, completion_of
from veriloop.remote.objects import Unreadable


def choice(**fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, **fields}]}


def said(content: Any, finish: str | None = "stop", **message: Any) -> dict[str, Any]:
    return choice(message={"role": "assistant", "content": content, **message}, finish_reason=finish)


READ = {
    "a text": (said("ok"), Completion("ok", "stop")),
    "white space": (said("    return x\n"), Completion("    return x\n", "stop")),
    "an empty text": (said(""), Completion("", "stop")),
    "of the older interface": (choice(text=" ok ", finish_reason="stop"), Completion(" ok ", "stop")),
    "parts": (
        said([{"type": "text", "text": "o"}, {"type": "text", "text": "k"}, {}]),
        Completion("ok", "stop"),
    ),
    "no reason to end": (said("ok", None), Completion("ok")),
    "cut": (said("o", "length"), Completion("o", "length")),
    "half a letter": (said("a\ud800"), Completion("a?", "stop")),
    "filtered, but a text": (said("ok", "content_filter"), Completion("ok", "content_filter")),
    "filtered": (
        said(None, "content_filter"),
        Completion("", "content_filter", "a reply without content (finish_reason content_filter)"),
    ),
    "filtered to nothing": (
        said("", "content_filter"),
        Completion("", "content_filter", "a reply without content (finish_reason content_filter)"),
    ),
    "cut while it reasoned": (
        said(None, "length", reasoning_content="well"),
        Completion("", "length", "a reply without content (finish_reason length)"),
    ),
    "a refusal": (
        said(None, refusal="I cannot\nhelp."),
        Completion("", "stop", "the model refuses: 'I cannot help.'"),
    ),
    "a refusal beside an empty text": (
        said("", refusal="No."),
        Completion("", "stop", "the model refuses: 'No.'"),
    ),
    "no message": (
        choice(message=None, finish_reason="content_filter"),
        Completion("", "content_filter", "a reply without message (finish_reason content_filter)"),
    ),
    "nothing at all": (choice(), Completion("", "", "a reply without message (no reason given)")),
    "no text of the older interface": (
        choice(text=None),
        Completion("", "", "a reply without message (no reason given)"),
    ),
    "tokens": (
        {**said("ok"), "usage": {"prompt_tokens": 7, "completion_tokens": None}},
        Completion("ok", "stop", "", 7, 0),
    ),
    "no tokens": ({**said("ok"), "usage": None}, Completion("ok", "stop")),
}


@pytest.mark.parametrize("case", READ)
def test_completions(case: str) -> None:
    content, expected = READ[case]
    assert completion_of(content) == expected


def test_what_is_cut() -> None:
    assert [
        Completion("", finish).cut for finish in ("length", "max_tokens", "stop", "content_filter", "")
    ] == [
        True,
        True,
        False,
        False,
        False,
    ]


UNREADABLE: list[Any] = [
    None,
    [],
    "ok",
    {},
    {"choices": []},
    {"choices": None},
    {"choices": ["ok"]},
    {"choices": {"0": "ok"}},
    {"error": {"message": "overloaded"}},
    said(7),
    {**said("ok"), "usage": {"prompt_tokens": "many"}},
    {**said("ok"), "usage": {"prompt_tokens": -1}},
    {**said("ok"), "usage": {"prompt_tokens": 2**80}},
    {**said("ok"), "usage": {"prompt_tokens": float("inf")}},
    {**said("ok"), "usage": [1]},
]


@pytest.mark.parametrize("content", UNREADABLE, ids=repr)
def test_what_is_no_completion(content: Any) -> None:
    with pytest.raises(Unreadable):
        completion_of(content)


def test_an_error_in_a_reply_that_claims_success_is_told() -> None:
    with pytest.raises(Unreadable, match="overloaded"):
        completion_of({"error": {"message": "overloaded"}})


anything = st.recursive(
    st.none() | st.integers() | st.text() | st.floats(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(["choices", "message", "content", "text", "usage", "refusal", "finish_reason"]),
            inner,
        )
    ),
)


@given(anything)
def test_nothing_is_an_error_of_another_kind(content: Any) -> None:
    for reply in (content, {"choices": [content]}, {"choices": [{"message": content}]}):
        try:
            assert isinstance(completion_of(reply), Completion)
        except Unreadable as e:
            str(e).encode()
