from typing import Any

import pytest

from veriloop.errors import VeriloopError
from veriloop.remote.completions import Completion
from veriloop.remote.service import Service
from veriloop.remote.writing import write

from ..patience import HOUR


def written(server: Any, n: int, *, chat: bool = False, **fields: Any) -> list[Completion]:
    service = Service(url=server.url, **{"timeout": HOUR, "backoff": 0.001, "retries": 1, **fields})
    prompts: list[Any] = [f"prompt {k}" for k in range(n)]
    if chat:
        prompts = [[{"role": "user", "content": text}] for text in prompts]
    return write(service, "m", {"model": "m", "max_tokens": 8}, prompts, list(range(n)))


def text(text: str | None, finish: str = "stop") -> dict[str, Any]:
    return {"choices": [{"index": 0, "text": text, "finish_reason": finish}]}


def test_texts_come_in_the_order_of_the_prompts_as_the_server_wrote_them(serve: Any) -> None:
    server = serve(lambda question, k: (200, text(f"  {question['prompt']}\n")))
    assert written(server, 20) == [Completion(f"  prompt {k}\n", "stop") for k in range(20)]
    assert sorted(q["seed"] for q in server.questions) == list(range(20))


def test_chat(serve: Any, reply: Any) -> None:
    server = serve(lambda question, k: (200, reply(question["messages"][0]["content"])))
    assert [c.text for c in written(server, 3, chat=True)] == ["prompt 0", "prompt 1", "prompt 2"]
    assert set(server.paths) == {"/v1/chat/completions"}


def test_a_prompt_that_is_refused_or_filtered_has_an_empty_text_with_its_reason(serve: Any) -> None:
    odd = {
        1: (400, {"error": "content management policy"}),
        2: (200, text(None, "content_filter")),
        3: (200, {"choices": []}),
        4: (200, text("cut in the mid", "length")),
    }
    server = serve(lambda question, k: odd.get(question["seed"], (200, text("ok"))))
    completions = written(server, 6)
    assert [c.text for c in completions] == ["ok", "", "", "", "cut in the mid", "ok"]
    assert [c.cut for c in completions] == [False, False, False, False, True, False]
    reasons = ["", "content management policy", "content_filter", "no completion", "", ""]
    assert all(reason in c.reason for reason, c in zip(reasons, completions, strict=True))
    assert [bool(c.reason) for c in completions] == [False, True, True, True, False, False]


def test_when_no_reply_has_a_text_it_ends_early(serve: Any) -> None:
    server = serve(lambda question, k: (200, text(None, "content_filter")))
    with pytest.raises(VeriloopError, match=r"no reply of http.* has a text: got '.*content_filter"):
        written(server, 500, concurrency=4)
    assert len(server.questions) <= 16


@pytest.mark.parametrize("n", [2, 7])
def test_a_few_prompts_without_any_text_are_as_hopeless(n: int, serve: Any) -> None:
    with pytest.raises(VeriloopError, match="has a text"):
        written(serve(lambda question, k: (200, text(None))), n)


def test_once_it_has_written_a_few_without_texts_are_bad_luck(serve: Any) -> None:
    server = serve(lambda question, k: (200, text("ok" if k == 0 else None)))
    assert [c.text for c in written(server, 1) + written(server, 7)] == ["ok"] + [""] * 7
    with pytest.raises(VeriloopError, match="has a text"):
        written(server, 8)


def test_one_prompt_without_a_text_is_no_end(serve: Any) -> None:
    (completion,) = written(serve(lambda question, k: (200, text(None, "content_filter"))), 1)
    assert completion.reason


def test_an_outage_is_no_empty_text(serve: Any) -> None:
    server = serve(lambda question, k: (200, text("ok")) if question["seed"] else (503, b"busy"))
    with pytest.raises(VeriloopError, match=r"gave no completion \(status 503: busy, tried 2 times\)"):
        written(server, 3)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("ok", Completion("ok", "stop", "", 5, 5)),
        ("cut", Completion("this text was cut in the mid", "length", "", 5, 5)),
        ("indent", Completion("    return x + 1\n", "stop", "", 5, 5)),
    ],
)
@pytest.mark.parametrize("chat", [False, True])
def test_shared_cases(mode: str, expected: Completion, chat: bool, fake: Any) -> None:
    assert written(fake(mode), 8, chat=chat) == [expected] * 8


@pytest.mark.parametrize("chat", [False, True])
def test_shared_case_of_filtered_replies(chat: bool, fake: Any) -> None:
    completions = written(fake("filtered"), 9, chat=chat, concurrency=1)
    assert [c.text for c in completions] == ["ok", "ok", ""] * 3
    assert all(c.reason for c in completions[2::3])


def test_shared_case_of_no_message(fake: Any) -> None:
    with pytest.raises(VeriloopError, match=r"no reply of .* has a text.*content_filter"):
        written(fake("no-message"), 100)
