"""Rounds on text: held-out prompts, the best of n for each prompt, a function as verifier."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from veriloop.config import plan_from
from veriloop.errors import ConfigError, DataError, ExhaustedError, StorageError, VeriloopError
from veriloop.events import PromptsCut
from veriloop.generator import Generator
from veriloop.learners.base import Learner
from veriloop.loop import checked, preview, run
from veriloop.loop.data import load_data
from veriloop.samples import Samples
from veriloop.store.folder import RunFolder


class GuessingGenerator(Generator):
    """Answers with a random number: its skill is the share of right answers beside."""

    def __init__(self, skill: float) -> None:
        self.skill = skill

    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        assert condition is not None
        guess = np.where(rng.random(n) < self.skill, condition.array("answer"), rng.integers(100, size=n))
        return condition.with_columns(completion=[str(g) for g in guess])

    def cut(self, condition: Samples) -> NDArray[np.bool_]:
        return np.array([len(text) > len("9 + 9 =") for text in condition.texts("question")])

    def save(self, directory: Path) -> None:
        (directory / "skill.json").write_text(json.dumps(self.skill))

    @classmethod
    def load(cls, directory: Path) -> "GuessingGenerator":
        return cls(json.loads((directory / "skill.json").read_text()))


class Guessing(Learner, frozen=True):
    """Learns the share of right answers that it was shown."""

    generator_type = GuessingGenerator

    def fit(self, samples: Samples, init: Generator | None, rng: np.random.Generator) -> GuessingGenerator:
        right = [
            int(a) == b for a, b in zip(samples.texts("completion"), samples.array("answer"), strict=True)
        ]
        return GuessingGenerator(0.9 * float(np.mean(right)) if right else 0.1)


# In a file of their own, so that the processes which call them need not import all that is above.
CHECKS = """
def nearness(row):
    return -abs(int(row["completion"]) - row["answer"])

def is_right(row):
    return int(row["completion"]) == row["answer"]

def of_small_numbers(row):
    if row["answer"] > 40:
        raise OverflowError(f"{object()} cannot count so far")
    return None if row["answer"] == 0 else row["answer"]
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "sums.py").write_text(CHECKS)
    rows = [{"name": f"sum {i}", "question": f"{i} + {i} =", "answer": 2 * i} for i in range(30)]
    path = tmp_path / "sums.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    columns = {"id": "name", "prompt": "question", "completion": None, "keep": ["answer"]}
    return {
        "rounds": 2,
        "dataset": {"kind": "text", "files": str(path), "held_out": 10, "columns": columns, "start": 0},
        "learner": "test_text:Guessing",
        "verifier": {"kind": "function", "function": "sums:nearness"},
        "acceptance": {"kind": "top_fraction", "fraction": 0.25},
        "schedule": {"kind": "constant", "n": 20},
        "chunk_size": 70,
        "metrics": ["text_form"],
        "arms": ["verified"],
    }


def test_best_of_four_for_each_prompt(config: dict[str, Any], tmp_path: Path) -> None:
    plan = plan_from({**config, "balance": "name", "keep_rejected": True})
    folder = run(plan, tmp_path / "run")
    for round_ in (1, 2):
        kept = folder.kept(round_, "verified")
        record = next(r for r in folder.records() if r.round == round_)
        assert record.counts.generated == 80
        others = Samples.load(folder.round_directory(round_, "verified") / "rejected.npz")
        train = plan.dataset.load(plan.seed).train
        assert sorted(kept.texts("name")) == sorted(train.texts("name")), "one for each prompt"
        for i, name in enumerate(kept.texts("name")):
            missed = [
                abs(int(text) - a)
                for other, text, a in zip(
                    others.texts("name"), others.texts("completion"), others.array("answer"), strict=True
                )
                if other == name
            ]
            assert len(missed) == 3
            assert abs(int(kept.texts("completion")[i]) - kept.array("answer")[i]) <= min(missed)


def test_with_fewer_places_than_prompts_each_round_draws_its_prompts(
    config: dict[str, Any], tmp_path: Path
) -> None:
    few = {**config, "balance": "name", "rounds": 3, "schedule": {"kind": "constant", "n": 6}}
    folder = run(plan_from(few), tmp_path / "run")
    served = [frozenset(folder.kept(k, "verified").texts("name")) for k in (1, 2, 3)]
    assert [len(prompts) for prompts in served] == [6, 6, 6]
    assert len(set(served)) == 3
    generated = [r.counts.generated for r in folder.records() if r.round > 0]
    assert generated == [24, 24, 24], "none for a prompt without a place"


def test_metrics_see_one_sample_for_each_held_out_prompt(config: dict[str, Any], tmp_path: Path) -> None:
    plan = plan_from(config)
    folder = run(plan, tmp_path / "run")
    test = load_data(plan.dataset, plan.seed).test
    shown = Samples.load(folder.round_directory(1, "verified") / "preview.npz")
    assert shown["name"] == test["name"], "those that are held out, though the plan asks for 2,000 samples"
    assert Samples.load(folder.path / "real.npz").same_as(test)
    few = run(plan_from({**config, "evaluation_samples": 4}), tmp_path / "few")
    shown = Samples.load(few.round_directory(1, "verified") / "preview.npz")
    assert shown["name"] == test.texts("name")[:4]


def test_prompts_that_are_too_long_are_counted_once(config: dict[str, Any], tmp_path: Path) -> None:
    plan = plan_from({**config, "arms": ["verified", "unverified"]})
    told = [event for event in run(plan, tmp_path / "run").events()[0] if isinstance(event, PromptsCut)]
    prompts = plan.dataset.load(plan.seed).train.texts("question")
    long = sum(int(prompt.split()[0]) > 9 for prompt in prompts)
    assert [(event.cut, event.of) for event in told] == [(long, 20)]
    seen = preview(plan).prompts_cut
    assert seen is not None
    assert (seen.cut, seen.of) == (long, 20)


def test_a_check_that_fails_says_why_nothing_was_kept(config: dict[str, Any], tmp_path: Path) -> None:
    config["verifier"] = {**config["verifier"], "columns": ["completion"]}
    why = "the verifier abstains on all 64 candidates: KeyError: 'answer'. Fix the verifier"
    with pytest.raises(ExhaustedError, match=why):
        run(plan_from({**config, "max_candidates": 80}), tmp_path / "run")
    assert len(RunFolder(tmp_path / "run").records()) == 1


CALL = {"kind": "function", "function": "sums:nearness"}
JUDGE = {"kind": "judge", "url": "http://localhost:1", "model": "m", "rubric": "{{ completion }}"}
MISSING = {**CALL, "function": "sums:missing"}
MISTAKES: dict[str, tuple[dict[str, Any], type[VeriloopError], str]] = {
    "function": (
        {"verifier": MISSING},
        ConfigError,
        r"arms\.verified\.verifier: cannot import the function 'sums:missing'",
    ),
    "columns": (
        {"verifier": {**CALL, "columns": ["completion", "tests"]}},
        ConfigError,
        r"arms\.verified\.verifier: columns: got 'tests', expected names among name, question, completion",
    ),
    "metric": ({"metrics": [MISSING]}, ConfigError, r"metrics\.function: cannot import the function"),
    "in a cutoff": (
        {"verifier": {"kind": "cutoff", "at": 0, "verifier": MISSING}},
        ConfigError,
        r"arms\.verified\.verifier: cannot import",
    ),
    "in an ensemble": (
        {"verifier": {"kind": "weighted", "weights": [1, 1], "members": [CALL, MISSING]}},
        ConfigError,
        r"arms\.verified\.verifier: cannot import",
    ),
    "columns to post": (
        {"verifier": {"kind": "http", "url": "http://localhost:1", "columns": ["story"]}},
        ConfigError,
        r"arms\.verified\.verifier: columns: got 'story', expected names among name, question, completion",
    ),
    "rubric": (
        {"verifier": {**JUDGE, "rubric": "Is {{ completion }} right of {{ story }}?"}},
        ConfigError,
        r"arms\.verified\.verifier: verifier 'judge': rubric: got 'story'.*completion \(completion\), answer",
    ),
    "image": (
        {"verifier": {**JUDGE, "images": ["pixels"]}},
        ConfigError,
        r"arms\.verified\.verifier: verifier 'judge': images: got 'pixels'",
    ),
    "key": (
        {"verifier": {**JUDGE, "key_variable": "NOBODY_SET_THIS"}},
        ConfigError,
        r"arms\.verified\.verifier: the environment variable NOBODY_SET_THIS does not contain a key",
    ),
    "reward model": (
        {"verifier": {"kind": "reward_model", "model": "/not/a/model"}},
        DataError,
        r"arms\.verified\.verifier: no folder /not/a/model",
    ),
    "reward model's text": (
        {"verifier": {"kind": "reward_model", "model": "/not/a/model", "text": "summary"}},
        ConfigError,
        r"arms\.verified\.verifier: verifier 'reward_model': text: got 'summary'",
    ),
    "store": (
        {"verifier": {"kind": "human", "store": "sqlite:////not/a/folder/verdicts.db"}},
        StorageError,
        "verdicts.db",
    ),
    "reference": (
        {"verifier": "reference"},
        ConfigError,
        r"verifier: verifier 'reference' needs one column of role",
    ),
    "metric's reference": (
        {"metrics": ["rouge"]},
        ConfigError,
        r"metrics\.rouge: metric 'rouge' needs one column of role",
    ),
    "loss of what nobody wrote": (
        {"metrics": ["loss"]},
        ConfigError,
        r"metrics\.loss: metric 'loss' needs texts written by people: got 'only prompts'",
    ),
    "training on what nobody wrote": (
        {"arms": {"verified": {}, "bound": {"train_on": "real"}}},
        ConfigError,
        r"arms\.bound: training on real data needs texts written by people: got 'only prompts'",
    ),
    "a mix with no real samples": (
        {"policy": "mix"},
        ConfigError,
        r"arms\.verified\.policy: policy 'mix' needs real samples: got 'an empty start set'",
    ),
    "a bound of texts": (
        {"metrics": ["nelbo"]},
        ConfigError,
        r"metrics\.nelbo: metrics 'nelbo' needs one column of role 'image'",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_what_can_be_known_beforehand_is_said_before_anything_is_trained(
    case: str, config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes, error, message = MISTAKES[case]
    with monkeypatch.context() as during:
        during.setattr(Guessing, "fit", lambda *_: pytest.fail("something was trained"))
        with pytest.raises(error, match=message):
            checked(plan_from({**config, **changes}))
        with pytest.raises(error, match=message):
            preview(plan_from({**config, **changes}))
        with pytest.raises(error, match=message):
            run(plan_from({**config, **changes}), tmp_path / "run")
    run(plan_from(config), tmp_path / "run")


def test_a_check_may_ask_for_all_that_a_candidate_has(config: dict[str, Any], tmp_path: Path) -> None:
    columns = ["name", "question", "completion", "answer", "_round"]
    run(plan_from({**config, "verifier": {**CALL, "columns": columns}}), tmp_path / "run")


def test_why_a_check_abstained_is_in_the_record_and_beside_the_candidates(
    config: dict[str, Any], tmp_path: Path
) -> None:
    config["verifier"] = {**config["verifier"], "function": "sums:of_small_numbers"}
    changes = {"dataset": {**config["dataset"], "held_out": 2}, "keep_rejected": True, "rounds": 1}
    folder = run(plan_from({**config, **changes}), tmp_path / "run")
    record = folder.records()[-1]
    others = Samples.load(folder.round_directory(1, "verified") / "rejected.npz")
    too_large, none = "OverflowError: <object object> cannot count so far", "the function returned None"
    assert record.abstentions == {
        too_large: int((others.array("answer") > 40).sum()),
        none: int((others.array("answer") == 0).sum()),
    }
    assert 0 < sum(record.abstentions.values()) == record.counts.abstained
    expected = [too_large if a > 40 else none if a == 0 else "" for a in others.array("answer")]
    assert others.texts("_reason") == expected
    assert "_reason" not in folder.kept_with_provenance(1, "verified")


def test_right_answers_only(config: dict[str, Any], tmp_path: Path) -> None:
    verifier = {"kind": "function", "function": "sums:is_right", "workers": 2}
    folder = run(plan_from({**config, "verifier": verifier, "acceptance": "accept_all"}), tmp_path / "run")
    kept = folder.kept(2, "verified")
    assert [int(text) for text in kept.texts("completion")] == kept.array("answer").tolist()
    first, last = (
        GuessingGenerator.load(folder.round_directory(k, "verified") / "generator") for k in (0, 2)
    )
    assert first.skill < last.skill
