import json
from pathlib import Path
from typing import Any

import pytest

from veriloop.errors import BudgetError, ConfigError
from veriloop.remote.client import Failure
from veriloop.remote.completions import Completion
from veriloop.remote.llm import FORMS, LLM

from ..patience import HOUR

SCHEMA = {"type": "object", "properties": {"score": {"type": "number"}}, "required": ["score"]}
QUICK: dict[str, Any] = {"model": "m", "timeout": HOUR, "backoff": 0.001, "retries": 1}


def llm(server: Any, **fields: Any) -> LLM:
    return LLM(url=server.url, **{**QUICK, **fields})


def asked(model: LLM, *contents: Any, times: int = 1) -> list[Completion | Failure]:
    return [r for row in model.ask_for_objects(contents, SCHEMA, times) for r in row]


def form(question: dict[str, Any]) -> str:
    return question.get("response_format", {"type": "none"})["type"]


def prompt(question: dict[str, Any]) -> str:
    content = question["messages"][0]["content"]
    return content if isinstance(content, str) else content[0]["text"]


# -- how JSON is asked for -----------------------------------------------------------------------------------

COMPLAINTS = [
    (400, "this model does not take response_format"),
    (400, "This response_format type is unavailable now"),
    (404, "No endpoints found that support structured outputs"),
    (422, {"detail": [{"loc": ["body", "response_format"], "msg": "Extra inputs are not permitted"}]}),
    (400, "unknown field 'json_schema'"),
]


@pytest.mark.parametrize(("status", "complaint"), COMPLAINTS)
@pytest.mark.parametrize("taken", FORMS)
def test_a_form_that_is_refused_is_tried_once(
    taken: str, status: int, complaint: Any, serve: Any, reply: Any
) -> None:
    # What is asked for as json_object is called by that name.
    def answer(question: Any, k: int) -> tuple[int, Any]:
        return (200, reply('{"score": 1}')) if form(question) == taken else (status, {"error": complaint})

    server = serve(answer)
    replies = asked(llm(server, concurrency=8), *[f"question {k}" for k in range(40)])
    assert all(isinstance(r, Completion) and r.text == '{"score": 1}' for r in replies)
    tries = FORMS.index(taken)
    assert [form(q) for q in server.questions[: tries + 1]] == list(FORMS[: tries + 1])
    assert len(server.questions) == 40 + tries
    # Another judge of this process knows, a restarted one asks once more.
    asked(llm(server, temperature=1.0), "another question")
    assert len(server.questions) == 41 + tries


@pytest.mark.parametrize("chosen", FORMS)
def test_a_form_that_is_chosen_is_kept(chosen: str, serve: Any, reply: Any) -> None:
    server = serve(lambda question, k: (200, reply("{}")))
    parts = [{"type": "text", "text": "Look:"}, {"type": "image_url", "image_url": {"url": "data:"}}]
    asked(llm(server, response_format=chosen, concurrency=1), "Is it?", parts)
    assert [form(q) for q in server.questions] == [chosen] * 2
    in_prompt = chosen != "json_schema"
    for question, begin in zip(server.questions, ("Is it?", "Look:"), strict=True):
        assert prompt(question).startswith(begin)
        assert (json.dumps(SCHEMA) in prompt(question)) == in_prompt
        # Servers want the word, where they are not given the schema.
        assert ("JSON" in prompt(question)) == in_prompt
    assert server.questions[1]["messages"][0]["content"][1] == parts[1]


def test_a_form_that_was_chosen_and_is_refused_ends_it(serve: Any) -> None:
    server = serve(lambda question, k: (400, b"no response_format, please"))
    with pytest.raises(ConfigError, match="no response_format, please"):
        asked(llm(server, response_format="json_schema"), *map(str, range(100)))
    assert len(server.questions) == 3


def test_a_service_that_refuses_every_form_ends_it(serve: Any) -> None:
    server = serve(lambda question, k: (400, b"no response_format, please"))
    with pytest.raises(ConfigError, match="no response_format, please"):
        asked(llm(server), *map(str, range(1_000)))
    assert len(server.questions) == 5


def test_a_form_that_was_taken_is_not_doubted_for_one_question(serve: Any, reply: Any) -> None:
    # Some servers repeat the whole question when they refuse it.
    server = serve(lambda question, k: (422, question) if prompt(question) == "odd" else (200, reply("{}")))
    replies = asked(llm(server, concurrency=1), "fine", "odd", "fine too")
    assert [type(r) for r in replies] == [Completion, Failure, Completion]
    assert {form(q) for q in server.questions} == {"json_schema"}
    assert len(server.questions) == 3


def test_which_form_was_taken_does_not_matter_to_the_cache(serve: Any, reply: Any, tmp_path: Path) -> None:
    stubborn = serve(
        lambda question, k: (400, b"response_format") if "response_format" in question else (200, reply("{}"))
    )
    model = llm(stubborn, cache=tmp_path / "cache")
    first = asked(model, "x")
    assert asked(model, "x") == first
    assert len(stubborn.questions) == 3
    asked(model.model_copy(update={"response_format": "none"}), "x")
    assert len(stubborn.questions) == 4, "another choice is another question"


# -- the budget ----------------------------------------------------------------------------------------------


def test_requests_are_counted_over_calls_and_tries(serve: Any, reply: Any, tmp_path: Path) -> None:
    server = serve(lambda question, k: (503, b"") if k == 0 else (200, reply("{}")))
    model = llm(server, cache=tmp_path / "cache", max_requests=10, concurrency=4)
    asked(model, "a", "b", "c")
    with pytest.raises(BudgetError, match=r"used up: got '10 requests', expected less than max_requests 10"):
        asked(model, *[f"question {k}" for k in range(100)])
    assert len(server.questions) == 10
    raised = model.model_copy(update={"max_requests": 104})
    assert len(asked(raised, *[f"question {k}" for k in range(100)])) == 100
    # One was lost to the outage; what was answered before the budget ended it was kept.
    assert len(server.questions) == 1 + 3 + 100
    assert raised.usage().replies == 103  # pyright: ignore[reportOptionalMemberAccess]


def test_what_is_in_the_cache_costs_nothing(serve: Any, reply: Any, tmp_path: Path) -> None:
    server = serve(lambda question, k: (200, reply("{}")))
    model = llm(server, cache=tmp_path / "cache", max_requests=1)
    assert asked(model, "a") == asked(model, "a")
    with pytest.raises(BudgetError):
        asked(model, "a", "b")


def test_cost(serve: Any, reply: Any, tmp_path: Path) -> None:
    server = serve(lambda question, k: (200, reply("{}")))
    # Of one reply: 100 tokens of the prompt, 10 of the completion.
    model = llm(server, cache=tmp_path / "cache", price=(2.0, 30.0), max_cost=0.00251, concurrency=1)
    with pytest.raises(
        BudgetError, match=r"got '0.003 spent on tokens', expected less than max_cost 0.00251"
    ):
        asked(model, *map(str, range(100)))
    assert len(server.questions) == 6
    usage = model.usage()
    assert usage is not None
    assert (usage.replies, usage.cost) == (6, pytest.approx(6 * 5e-4))


def test_a_budget_of_another_model_is_another_one(serve: Any, reply: Any, tmp_path: Path) -> None:
    server = serve(lambda question, k: (200, reply("{}")))
    model = llm(server, cache=tmp_path / "cache", max_requests=2)
    asked(model, "a", "b")
    asked(model.model_copy(update={"model": "n"}), "a", "b")


def test_a_cost_that_cannot_be_counted_is_told(serve: Any, reply: Any, tmp_path: Path) -> None:
    server = serve(lambda question, k: (200, {**reply("{}"), "usage": None}))
    model = llm(server, cache=tmp_path / "cache", price=(1.0, 1.0), max_cost=1)
    with pytest.raises(ConfigError, match=r"does not count tokens.*max_requests"):
        asked(model, "a", "b")
    assert len(server.questions) == 1


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"max_requests": 9}, "counted in the cache.*judge.sqlite"),
        ({"max_cost": 9, "cache": "c"}, "needs the price"),
        ({"response_format": "xml"}, "json_schema"),
    ],
)
def test_wrong_fields(fields: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        LLM(url="http://host", model="m", **fields)


def test_replies_without_a_text_are_paid_for_once(serve: Any, reply: Any, tmp_path: Path) -> None:
    server = serve(lambda question, k: (200, reply(None, "content_filter")))
    model = llm(server, cache=tmp_path / "cache")
    (first,) = asked(model, "a")
    assert "content_filter" in first.reason
    assert asked(model, "a") == [first]
    assert len(server.questions) == 1
