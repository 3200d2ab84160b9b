"""Public shapes of reward functions, as they are, in a run: scores are those of calling them directly."""

import asyncio
import importlib
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from veriloop.config import plan_from
from veriloop.errors import ConfigError
from veriloop.events import Event, Noted, VerifierLogged
from veriloop.functions.check import Roles
from veriloop.loop import checked, preview, run
from veriloop.samples import Samples, concat
from veriloop.store.folder import RunFolder
from veriloop.verdicts import Decision
from veriloop.verifiers.function import FunctionCheck

from ..patience import HOUR

HERE = Path(__file__).parent


@pytest.fixture
def rewards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    shutil.copy(HERE / "reward_functions.py", tmp_path / "reward_functions.py")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.delitem(importlib.sys.modules, "reward_functions", raising=False)  # pyright: ignore
    return importlib.import_module("reward_functions")


@pytest.fixture
def config(tmp_path: Path, rewards: Any) -> dict[str, Any]:
    rows = [
        {
            "prompt": f"What is {i} + {4 - i}?",
            "solution": "4",
            "tests": json.dumps(["assert f(2) == 4", "assert f(0) == 1"]),
            "keywords": "answer,python,4",
            "task": "math" if i % 2 else "prose",
            "data_source": "made",
            "ground_truth": "4",
        }
        for i in range(12)
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    keep = [name for name in rows[0] if name != "prompt"]
    return {
        "rounds": 1,
        "dataset": {
            "kind": "text",
            "files": str(path),
            "start": 0,
            "held_out": 2,
            "columns": {"completion": None, "keep": keep},
        },
        "learner": {"kind": "parrots:Parrots"},
        "acceptance": {"kind": "top_fraction", "fraction": 0.5},
        "schedule": {"kind": "constant", "n": 10},
        "hopeless_after": None,
        "on_exhausted": "train_with_fewer",
        "keep_candidates": True,
        "arms": ["verified"],
        "chunk_size": 20,
        "metrics": [],
        "seed": 3,
    }


def judged(config: dict[str, Any], out: Path, **verifier: Any) -> tuple[Samples, list[Event]]:
    """All candidates of a run with this verifier, and its events."""
    plan = plan_from({**config, "verifier": {"kind": "function", "timeout": HOUR, **verifier}})
    run(plan, out)
    folder = RunFolder(out)
    return concat(folder.candidates(1, "verified")), folder.events()[0]


def columns_of(candidates: Samples) -> dict[str, list[Any]]:
    return {name: list(candidates[name]) for name in candidates if not name.startswith("_")}


def as_messages(texts: list[str]) -> list[list[dict[str, str]]]:
    return [[{"role": "assistant", "content": text}] for text in texts]


def directly(
    function: Callable[..., Any], columns: dict[str, list[Any]], messages: bool = False
) -> list[Any]:
    """As a trainer of TRL's calls it."""
    others = {name: values for name, values in columns.items() if name not in ("prompt", "completion")}
    written = as_messages(columns["completion"]) if messages else columns["completion"]
    beside = {"trainer_state": None, "log_metric": lambda *_: None, "log_extra": lambda *_: None}
    said = function(prompts=columns["prompt"], completions=written, **others, **beside)
    return list(asyncio.run(_waited(said)) if asyncio.iscoroutine(said) else said)


async def _waited(said: Any) -> Any:
    return await said


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("accuracy", {}),
        ("think_format", {"messages": True}),
        ("length", {}),
        ("repetition", {}),
        ("cosine_scaled", {}),
        ("code_execution", {}),
        ("valid_json", {}),
        ("from_a_service", {"workers": 2}),
        ("for_one_task", {}),
        ("WithState", {"batch": 7}),
        ("short_only", {}),
    ],
)
def test_scores_are_those_of_calling_it_directly(
    name: str, fields: dict[str, Any], config: dict[str, Any], rewards: Any, tmp_path: Path
) -> None:
    candidates, _ = judged(config, tmp_path / "run", function=f"reward_functions:{name}", **fields)
    function = getattr(rewards, name)
    function = function() if isinstance(function, type) else function
    expected = directly(function, columns_of(candidates), messages=fields.get("messages", False))
    score = [None if math.isnan(value) else value for value in candidates.array("_score").tolist()]
    assert score == pytest.approx(expected, abs=0)
    abstained = candidates.array("_decision") == Decision.ABSTAIN
    assert abstained.tolist() == [value is None for value in expected]


def test_columns_are_passed_by_their_names(config: dict[str, Any], rewards: Any, tmp_path: Path) -> None:
    candidates, _ = judged(config, tmp_path / "run", function="reward_functions:keyword_count")
    columns = columns_of(candidates)
    expected = rewards.keyword_count(columns["completion"], columns["keywords"])
    assert candidates.array("_score").tolist() == expected
    assert len(set(expected)) > 2


def test_verls_function_has_its_four_arguments(config: dict[str, Any], rewards: Any, tmp_path: Path) -> None:
    candidates, _ = judged(config, tmp_path / "run", function="reward_functions:compute_score")
    columns = columns_of(candidates)
    expected = [
        rewards.compute_score(source, text, truth)
        for source, text, truth in zip(
            columns["data_source"], columns["completion"], columns["ground_truth"], strict=True
        )
    ]
    assert candidates.array("_score").tolist() == [one["score"] for one in expected]
    assert candidates.texts("_reason") == [f"pred: {one['pred']}" for one in expected]


def test_several_are_summed_by_weight_and_none_is_left_out(
    config: dict[str, Any], rewards: Any, tmp_path: Path
) -> None:
    functions = [
        {"function": "reward_functions:for_one_task", "weight": 0.5, "name": "task"},
        {"function": "reward_functions:length", "weight": -2.0},
    ]
    candidates, events = judged(config, tmp_path / "run", functions=functions)
    columns = columns_of(candidates)
    task, length = directly(rewards.for_one_task, columns), directly(rewards.length, columns)
    expected = np.nansum(np.array([task, length], float) * [[0.5], [-2.0]], axis=0)
    assert candidates.array("_score") == pytest.approx(expected, rel=1e-12)
    assert candidates.texts("_reason")[0].startswith(
        f"task: {'none' if task[0] is None else f'{task[0]:.4g}'}; "
    )
    logged = [event.values for event in events if isinstance(event, VerifierLogged)]
    assert logged[0]["rewards/length"] == pytest.approx(np.mean(length))
    assert logged[0]["rewards/task"] == pytest.approx(np.nanmean(np.array(task, float)))


def test_what_it_logs_becomes_events_and_reasons(config: dict[str, Any], tmp_path: Path) -> None:
    candidates, events = judged(config, tmp_path / "run", function="reward_functions:valid_json")
    share = float((candidates.array("_score") == 1).mean())
    logged = [event for event in events if isinstance(event, VerifierLogged)]
    assert [(event.arm, event.round, event.chunk) for event in logged] == [("verified", 1, 0)]
    assert logged[0].values == {"json_share": pytest.approx(share)}
    right = candidates.array("_score") == 1
    reasons = np.array(candidates.texts("_reason"))
    assert set(reasons[right]) <= {"json: dict", "json: int"}
    assert set(reasons[~right]) == {""}


def test_how_it_is_called_is_said(config: dict[str, Any], tmp_path: Path) -> None:
    verifier = {"kind": "function", "function": "reward_functions:length"}
    plan = plan_from({**config, "verifier": verifier, "metrics": [verifier]})
    line = "reward_functions:length(completions, **kwargs) is called as f(prompts, completions, **columns)"
    notes = {"arms.verified.verifier": [line], "metrics.function": [line]}
    assert checked(plan).notes == notes
    assert preview(plan).notes == notes
    said: list[Event] = []
    run(plan, None, listen=said.append)
    found = [(event.part, event.note) for event in said if isinstance(event, Noted)]
    assert found == [(part, line) for part in notes]


def test_the_datas_own_completion_is_not_the_one_that_was_written(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    (tmp_path / "same.py").write_text(
        "def same(completions, answer, **kwargs):\n"
        "    return [float(c == a) for c, a in zip(completions, answer)]\n"
    )
    rows = [{"question": f"{i} + 1", "answer": "4"} for i in range(10)]
    (tmp_path / "qa.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    dataset = {"kind": "text", "files": str(tmp_path / "qa.jsonl"), "start": 0, "held_out": 2}
    verifier = {"kind": "function", "function": "same:same"}
    plan = checked(plan_from({**config, "dataset": dataset, "verifier": verifier})).plan
    check = plan.arms["verified"].verifier
    assert isinstance(check, FunctionCheck)
    samples = Samples(question=["3 + 1"] * 2, answer=["4", "5"], reference=["4", "4"])
    assert check.verify(samples, np.random.default_rng(0)).score.tolist() == [1, 0]


CHATS = """
def last_words(prompts, completions, info, **kwargs):
    assert all(turns[-1]["role"] == "user" for turns in prompts)
    assert all(len(said) == 1 and said[0]["role"] == "assistant" for said in completions)
    return [float(i["words"][0] in said[0]["content"]) for i, said in zip(info, completions)]

def compute_score(data_source, solution_str, ground_truth, extra_info):
    return float(ground_truth in solution_str and extra_info["index"] == 1)
"""


def test_chats_are_messages_and_nested_columns_are_what_they_hold(
    config: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "chats.py").write_text(CHATS)
    rows = [
        {
            "prompt": [{"role": "system", "content": "Add."}, {"role": "user", "content": f"{i} + 4?"}],
            "info": {"words": ["4"]},
            "data_source": "sums",
            "reward_model": {"style": "rule", "ground_truth": "4"},
            "extra_info": {"index": 1},
        }
        for i in range(12)
    ]
    path = tmp_path / "chats.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    dataset = {"kind": "text", "files": str(path), "start": 0, "held_out": 2}
    for function in ("last_words", "compute_score"):
        out = tmp_path / function
        candidates, _ = judged({**config, "dataset": dataset}, out, function=f"chats:{function}")
        expected = [float("4" in text) for text in candidates.texts("completion")]
        assert candidates.array("_score").tolist() == expected


MORE = """
import functools

class Method:
    def __call__(self, row):
        return True
    def score(self, completions, **kwargs):
        return [1.0] * len(completions)

made = Method()
def text(text): return 1.0
def two(first, second): return 1.0
def anything(*args, **kwargs): return 1.0
def both(completions, solution_str, ground_truth): return 1.0
def wants(completions, missing, **kwargs): return 1.0
def ids(completion_ids, **kwargs): return [float(len(i)) for i in completion_ids]
def columns(**columns): return [float(len(c)) for c in columns["completions"]]
def optional(row, strict=False): return strict
def few(completions, **kwargs): return [1.0]
def one(completions, **kwargs): return 1.0
def word(completions, **kwargs): return "1.0"
def mapping(completions, **kwargs): return dict(enumerate(completions))
def strange(completions, **kwargs):
    return [float("nan"), "1", None, float("inf"), [1.0], True, 2][: len(completions)]
def fails_on(completions, **kwargs):
    if "x" in completions:
        raise ValueError("x")
    return [float(len(c)) for c in completions]
def by_step(completions, trainer_state, **kwargs):
    return [float(trainer_state.global_step)] * len(completions)
def words(completions, **kwargs): return [len(c.split()) for c in completions]
async def waits(row): return row["completion"] == "a"
def content(completions, **kwargs): return [len(c[0]["content"]) for c in completions]
"""


@pytest.fixture
def more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    (tmp_path / "more_rewards.py").write_text(MORE)
    monkeypatch.syspath_prepend(str(tmp_path))

    def verify(function: str, *texts: str, **fields: Any) -> Any:
        check = FunctionCheck(**{"function": f"more_rewards:{function}", "timeout": HOUR, **fields})
        return check.verify(
            Samples(prompt=["?"] * len(texts), completion=list(texts)), np.random.default_rng(0)
        )

    return verify


@pytest.mark.parametrize(
    ("function", "fields", "form"),
    [
        ("made", {}, "f(row)"),
        ("Method", {}, "f(row)"),
        ("optional", {}, "f(row)"),
        ("made.score", {}, "f(prompts"),
        ("columns", {}, "f(prompts"),
        ("anything", {"form": "trl"}, "f(prompts"),
        ("text", {"form": "row"}, "f(row)"),
        ("both", {"form": "verl"}, "compute_score("),
        ("two", {"form": "row", "settings": {"second": 1}}, "f(row)"),
    ],
)
def test_the_signature_tells_the_form_and_a_key_overrides_it(
    function: str, fields: dict[str, Any], form: str, more: Any
) -> None:
    arguments = (
        {"arguments": {"completions": "prompt", "ground_truth": "prompt"}} if function == "both" else {}
    )
    check = FunctionCheck.model_validate({"function": f"more_rewards:{function}", **fields, **arguments})
    (note,) = check.check_call(["prompt", "completion"])
    assert f" is called as {form}" in note


def test_a_row_has_what_was_written_under_completion_too(more: Any) -> None:
    check = FunctionCheck(function="more_rewards:waits", timeout=HOUR, roles=Roles(completion="answer"))
    samples = Samples(question=["?", "?"], answer=["a", "b"])
    assert check.verify(samples, np.random.default_rng(0)).decision.tolist() == [
        Decision.ACCEPT,
        Decision.REJECT,
    ]
    beside = samples.with_columns(completion=["b", "a"])
    assert check.verify(beside, np.random.default_rng(0)).decision.tolist() == [
        Decision.REJECT,
        Decision.ACCEPT,
    ]


def test_a_row_is_a_row_where_the_data_have_a_column_of_that_name(more: Any) -> None:
    check = FunctionCheck(function="more_rewards:optional")
    (note,) = check.check_call(["prompt", "completion", "row"])
    assert " is called as f(row)" in note


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            "text",
            r"cannot be called: got '.text.', expected f.row. or f.prompts.* Set form to row or trl or verl",
        ),
        ("two", "cannot be called: got '.first, second.'"),
        ("anything", "Set form"),
        ("both", "Set form"),
        (
            "wants",
            r"takes 'missing', which is not a column: prompt, completion.*Set arguments: {missing: COLUMN}",
        ),
        ("ids", "token ids.*Set tokenizer"),
    ],
)
def test_a_signature_that_does_not_tell_is_refused_in_one_line(
    function: str, message: str, more: Any
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        FunctionCheck(function=f"more_rewards:{function}").check_call(["prompt", "completion"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("function", "got"),
    [("few", "1 values"), ("one", "1.0"), ("word", "'1.0'"), ("mapping", "{0: 'a', 1: 'b'}")],
)
def test_what_is_no_list_of_values_for_each_is_an_abstention(function: str, got: str, more: Any) -> None:
    verdicts = more(function, "a", "b")
    assert verdicts.count(Decision.ABSTAIN) == 2
    assert set(verdicts.reason) == {
        f"the function returned {got} for 2 completions, expected a list of one number or None for each"
    }


def test_values_that_are_no_numbers_are_abstentions(more: Any) -> None:
    verdicts = more("strange", *"abcdefg")
    abstain = Decision.ABSTAIN
    assert verdicts.decision.tolist() == [*[abstain] * 5, Decision.ACCEPT, Decision.OPEN]
    assert [r[:22] for r in verdicts.reason[:3]] == ["the function returned " for _ in range(3)]


def test_a_row_that_makes_a_batch_fail_takes_no_other_with_it(more: Any) -> None:
    texts = ["a" * (i % 5) for i in range(70)]
    texts[33] = texts[68] = "x"
    verdicts = more("fails_on", *texts, batch=64)
    failed = np.array([text == "x" for text in texts])
    assert verdicts.is_(Decision.ABSTAIN).tolist() == failed.tolist()
    assert verdicts.score[~failed].tolist() == [len(text) for text in texts if text != "x"]
    assert verdicts.reason[33] == "ValueError: x"


def test_a_coroutine_of_a_row_is_waited_for(more: Any) -> None:
    assert more("waits", "a", "b").decision.tolist() == [Decision.ACCEPT, Decision.REJECT]


def test_the_round_is_the_trainers_step(more: Any) -> None:
    check = FunctionCheck(function="more_rewards:by_step", timeout=HOUR)
    samples = Samples(prompt=["?"], completion=["a"], _round=np.array([3]))
    assert check.verify(samples, np.random.default_rng(0)).score.tolist() == [3]


def test_a_mix_up_of_texts_and_messages_is_explained(more: Any) -> None:
    assert more("content", "a").reason[0].endswith("messages: true passes lists of chat messages)")
    assert more("content", "abc", messages=True).score.tolist() == [3]
    assert more("words", "a b").score.tolist() == [2]
    assert more("words", "a b", messages=True).reason[0].endswith("messages: false passes texts)")


def test_token_ids_are_those_of_the_tokenizer_that_is_named(more: Any, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    tokenizers = importlib.import_module("tokenizers")
    model = tokenizers.models.WordLevel({"a": 0, "b": 1, "?": 2}, unk_token="?")
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    folder = tmp_path / "tokenizer"
    importlib.import_module("transformers").PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="?"
    ).save_pretrained(folder)
    assert more("ids", "a b", "", "a a a", tokenizer=str(folder)).score.tolist() == [2, 0, 3]
    check = FunctionCheck(function="more_rewards:ids", tokenizer=str(folder))
    assert len(check.check_call(["prompt", "completion"])) == 1
    assert check.downloads() is None
    with pytest.raises(ConfigError, match=r"tokenizer: got .*expected a folder with a tokenizer"):
        FunctionCheck(function="more_rewards:ids", tokenizer=str(tmp_path / "none")).check_call(
            ["completion"]
        )
