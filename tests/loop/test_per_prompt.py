"""Several texts for each prompt: what is kept of them, which prompts are dropped, and what is refused."""

import importlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from veriloop.ask.replay import replayed
from veriloop.config import plan_from
from veriloop.errors import ConfigError, ExhaustedError
from veriloop.events import Event, RoundFinished
from veriloop.generator import Generator
from veriloop.learners.base import Learner
from veriloop.loop import checked, preview, run
from veriloop.loop.memory import MemoryRun
from veriloop.records import PromptCounts, RoundRecord
from veriloop.samples import Samples, concat
from veriloop.store.folder import RunFolder

PROMPTS = 20
"""Prompts to train on; ten more are held out."""


class DicingGenerator(Generator):
    """Throws two dice of four sides; some of its texts differ in case and white space alone."""

    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        assert condition is not None
        eyes = rng.integers(1, 5, size=(n, 2))
        forms = ["{} and {}", " {}  AND {}"]
        return condition.with_columns(
            completion=[forms[f].format(*e) for f, e in zip(rng.integers(2, size=n), eyes, strict=True)]
        )

    def save(self, directory: Path) -> None:
        (directory / "dice.json").write_text("{}")

    @classmethod
    def load(cls, directory: Path) -> "DicingGenerator":
        return cls()


class Dicing(Learner, frozen=True):
    """Learns nothing."""

    generator_type = DicingGenerator

    def fit(self, samples: Samples, init: Generator | None, rng: np.random.Generator) -> DicingGenerator:
        return DicingGenerator()


class Loaded(Dicing, frozen=True):
    """Says that it throws the same each time."""

    @property
    def draws(self) -> bool:
        return False


CHECKS = """
def eyes(row):
    first, _, second = row["completion"].lower().split()
    return int(first) + int(second)

def enough(row):
    if row["number"] % 5 == 4:
        return None
    return eyes(row) > 2 * (row["number"] % 5) + 1
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "dice_checks.py").write_text(CHECKS)
    # Each prompt stands in the file twice: it is one prompt all the same.
    rows = [{"question": f"Throw {i}!", "number": i} for i in range(PROMPTS + 10) for _ in range(2)]
    (tmp_path / "dice.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    columns = {"prompt": "question", "completion": None, "keep": ["number"]}
    return {
        "rounds": 2,
        "dataset": {
            "kind": "text",
            "files": str(tmp_path / "dice.jsonl"),
            "held_out": 20,
            "columns": columns,
            "start": 0,
        },
        "learner": "test_per_prompt:Dicing",
        "verifier": {"kind": "function", "timeout": 3_600, "function": "dice_checks:enough"},
        "schedule": {"kind": "constant", "n": 12},
        "samples_per_prompt": 6,
        "on_exhausted": "train_with_fewer",
        "chunk_size": 20,
        "keep_rejected": True,
        "metrics": ["text_form"],
        "arms": ["verified"],
    }


BY_EYES = {
    "verifier": {"kind": "function", "timeout": 3_600, "function": "dice_checks:eyes"},
    "acceptance": {"kind": "top_fraction", "fraction": 1 / 6},
    "keep_per_prompt": 1,
}


def eyes(text: str) -> int:
    first, _, second = text.lower().split()
    return int(first) + int(second)


def all_of(folder: RunFolder, round_: int, arm: str = "verified") -> Samples:
    """Every candidate of a round, in the order in which they were made."""
    kept = folder.kept_with_provenance(round_, arm)
    others = Samples.load(folder.round_directory(round_, arm) / "rejected.npz").only(list(kept))
    both = concat([kept, others]).with_columns(kept=np.arange(len(kept) + len(others)) < len(kept))
    return both.select(np.lexsort((both.array("_row"), both.array("_chunk"))))


def record_of(folder: RunFolder, round_: int, arm: str = "verified") -> RoundRecord:
    return next(r for r in folder.records() if (r.round, r.arm) == (round_, arm))


def prompts_of(record: RoundRecord) -> PromptCounts:
    assert record.prompts is not None
    return record.prompts


def by_prompt(made: Samples) -> dict[str, list[tuple[str, int, bool]]]:
    """Of each prompt its texts in order: the text, the number of the prompt, whether it was kept."""
    found: dict[str, list[tuple[str, int, bool]]] = {}
    rows = zip(
        *(made.texts("question"), made.texts("completion"), made.array("number"), made.array("kept")),
        strict=True,
    )
    for question, *row in rows:
        found.setdefault(question, []).append((row[0], int(row[1]), bool(row[2])))
    return found


def test_the_best_of_six_is_kept_of_each_prompt(config: dict[str, Any], tmp_path: Path) -> None:
    folder = run(plan_from({**config, **BY_EYES}), tmp_path / "run")
    for round_ in (1, 2):
        record, made = record_of(folder, round_), all_of(folder, round_)
        assert (record.counts.generated, record.counts.kept) == (72, 12)
        assert made.texts("question") == [q for q in dict.fromkeys(made.texts("question")) for _ in range(6)]
        for texts in by_prompt(made).values():
            best = max(range(6), key=lambda i: (eyes(texts[i][0]), -i))  # the earlier of equals
            assert [kept for _, _, kept in texts] == [i == best for i in range(6)]
        assert prompts_of(record) == PromptCounts(drawn=12)
    assert record_of(folder, 0).prompts is None


def test_a_smaller_fraction_takes_the_best_prompts(config: dict[str, Any], tmp_path: Path) -> None:
    plan = plan_from({**config, **BY_EYES, "acceptance": {"kind": "top_fraction", "fraction": 0.1}})
    folder = run(plan, tmp_path / "run")
    made = all_of(folder, 1)
    # 12 of a tenth are 120 candidates, the texts of all 20 prompts: of their best ones the best 12.
    assert len(made) == 120
    best = sorted((max(eyes(t) for t, _, _ in texts) for texts in by_prompt(made).values()), reverse=True)
    kept = sorted((eyes(t) for t in folder.kept(1, "verified").texts("completion")), reverse=True)
    assert kept == best[:12]


def test_balanced_over_a_column_each_value_has_its_places(config: dict[str, Any], tmp_path: Path) -> None:
    balanced = {**BY_EYES, "balance": "number", "schedule": {"kind": "constant", "n": 8}, "rounds": 1}
    folder = run(plan_from({**config, **balanced}), tmp_path / "run")
    assert record_of(folder, 1).counts.generated == 48, "none for a prompt without a place"
    assert len(set(folder.kept(1, "verified").array("number").tolist())) == 8


def test_two_of_each_prompt_that_are_right_and_differ(config: dict[str, Any], tmp_path: Path) -> None:
    changes = {"keep_per_prompt": 2, "distinct": True, "schedule": {"kind": "constant", "n": 40}}
    folder = run(plan_from({**config, **changes}), tmp_path / "run")
    record, made = record_of(folder, 1), all_of(folder, 1)
    assert record.counts.generated == PROMPTS * 6, "no prompt twice"
    assert record.exhausted
    copies = solved = always = 0
    for texts in by_prompt(made).values():
        seen: list[str] = []
        right = [eyes(t) > 2 * (number % 5) + 1 and number % 5 != 4 for t, number, _ in texts]
        for (text, _, kept), is_right in zip(texts, right, strict=True):
            same = " ".join(text.lower().split())
            assert kept == (is_right and same not in seen and len(seen) < 2)
            copies += is_right and same in seen
            if is_right and same not in seen and len(seen) < 2:
                seen.append(same)
            elif is_right and same not in seen:
                seen.append(same)  # neither is a third one kept again
        solved += any(right)
        always += all(right)
    assert copies > 0
    assert prompts_of(record) == PromptCounts(
        drawn=PROMPTS, solved=solved, always_solved=always, copies=copies
    )


def test_without_a_verifier_as_many_are_kept_and_no_more_are_written(
    config: dict[str, Any], tmp_path: Path
) -> None:
    arms = {"arms": ["verified", "unverified"], "keep_per_prompt": 2, "drop_prompts": {"solved": 1.0}}
    folder = run(plan_from({**config, **arms, "rounds": 1}), tmp_path / "run")
    verified, unverified = (record_of(folder, 1, arm) for arm in ("verified", "unverified"))
    assert verified.counts.kept == unverified.counts.kept == unverified.counts.generated == 12
    assert set(Counter(folder.kept(1, "unverified").texts("question")).values()) == {2}
    assert prompts_of(unverified) == PromptCounts(drawn=6)
    assert folder.solved(1, "unverified") is None
    solved = folder.solved(1, "verified")
    assert solved is not None
    assert solved.array("judged").max() == 6


def test_prompts_that_were_solved_always_or_never_are_dropped(config: dict[str, Any], tmp_path: Path) -> None:
    drop = {"schedule": {"kind": "constant", "n": 120}, "drop_prompts": {"solved": 1.0, "unsolved": 0.0}}
    folder = run(plan_from({**config, **drop, "rounds": 3}), tmp_path / "run")
    drawn = [set(by_prompt(all_of(folder, k))) for k in (1, 2, 3)]
    for before, after, round_ in ((drawn[0], drawn[1], 2), (drawn[1], drawn[2], 3)):
        easy, hard = set[str](), set[str]()
        for question, texts in by_prompt(all_of(folder, round_ - 1)).items():
            right = sum(eyes(t) > 2 * (number % 5) + 1 for t, number, _ in texts)
            if texts[0][1] % 5 == 4:
                continue  # nobody could say: neither solved nor unsolved
            easy |= {question} if right == 6 else set()
            hard |= {question} if right == 0 else set()
        assert easy
        assert after == (drawn[0] | before) - easy - hard, "those dropped before are back"
        counts = prompts_of(record_of(folder, round_))
        assert (counts.dropped_solved, counts.dropped_unsolved) == (len(easy), len(hard))
    assert drawn[0] > drawn[1]


def test_a_part_of_the_solved_is_dropped_too(config: dict[str, Any], tmp_path: Path) -> None:
    drop = {"schedule": {"kind": "constant", "n": 120}, "drop_prompts": {"solved": 0.5}}
    folder = run(plan_from({**config, **drop}), tmp_path / "run")
    before = by_prompt(all_of(folder, 1))
    easy = {
        question
        for question, texts in before.items()
        if texts[0][1] % 5 != 4 and sum(eyes(t) > 2 * (texts[0][1] % 5) + 1 for t, _, _ in texts) >= 3
    }
    assert set(by_prompt(all_of(folder, 2))) == set(before) - easy


RIGHT = {"keep_per_prompt": 2, "distinct": True, "drop_prompts": {"solved": 1.0}}


def is_the_same(run_: RunFolder | MemoryRun, whole: RunFolder) -> bool:
    return [r.prompts for r in run_.records()] == [r.prompts for r in whole.records()] and all(
        whole.kept_with_provenance(k, "verified").same_as(run_.kept_with_provenance(k, "verified"))
        for k in (1, 2)
    )


@pytest.mark.parametrize("settings", [RIGHT, BY_EYES], ids=["right", "best"])
def test_resumed_and_in_memory_the_bits_are_the_same(
    settings: dict[str, Any], config: dict[str, Any], tmp_path: Path
) -> None:
    plan = plan_from({**config, **settings})

    def kill(event: Event) -> None:
        if isinstance(event, RoundFinished) and event.round == 1:
            raise KeyboardInterrupt

    whole = run(plan, tmp_path / "whole")
    assert is_the_same(run(plan, MemoryRun(every_round=True)), whole)
    with pytest.raises(KeyboardInterrupt):
        run(plan, tmp_path / "broken", listen=kill)
    assert is_the_same(run(plan, tmp_path / "broken", resume="always"), whole)


@pytest.mark.parametrize("settings", [RIGHT, BY_EYES], ids=["right", "best"])
def test_a_chunk_that_is_there_is_not_made_again(
    settings: dict[str, Any], config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, calls = plan_from({**config, **settings, "rounds": 1}), list[int]()
    generator = importlib.import_module("test_per_prompt").DicingGenerator
    throw, last = generator.sample, [3]

    def counted(self: DicingGenerator, n: int, *rest: Any) -> Samples:
        if n == 18:
            calls.append(n)
            if len(calls) == last[0]:
                raise KeyboardInterrupt
        return throw(self, n, *rest)

    monkeypatch.setattr(generator, "sample", counted)
    with pytest.raises(KeyboardInterrupt):
        run(plan, tmp_path / "broken")
    last[0], before = 0, len(calls)
    broken = run(plan, tmp_path / "broken", resume="always")
    resumed, before = len(calls) - before, len(calls)
    unbroken = run(plan, tmp_path / "unbroken")
    whole = len(calls) - before
    assert broken.kept(1, "verified").same_as(unbroken.kept(1, "verified"))
    assert [r.prompts for r in broken.records()] == [r.prompts for r in unbroken.records()]
    assert resumed == whole - 2, "two chunks were there"


def test_in_other_processes_the_bits_are_the_same(config: dict[str, Any], tmp_path: Path) -> None:
    parallel = {"parallel": "chunks", "executor": {"kind": "process", "workers": 2}}
    whole, other = (run(plan_from({**config, **RIGHT, **p}), tmp_path / str(len(p))) for p in ({}, parallel))
    assert is_the_same(other, whole)


def test_what_the_start_solved_is_known_in_each_round_resumed_or_in_memory(
    config: dict[str, Any], tmp_path: Path
) -> None:
    check = {"kind": "function", "function": "dice_checks:enough", "timeout": 3_600, "pass_at": [1, 3]}
    plan = plan_from({**config, "metrics": [check]})

    def kill(event: Event) -> None:
        if isinstance(event, RoundFinished) and event.round == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(plan, tmp_path / "run", listen=kill)
    folder = run(plan, tmp_path / "run", resume="always")
    start, *rounds = folder.records()
    for split in ("metrics", "validation"):
        first = getattr(start, split)
        assert first["solved_both"] == first["pass@3"]
        assert first["solved_no_longer"].value == first["solved_only_now"].value == 0
        for record in rounds:
            now = {name: estimate.value for name, estimate in getattr(record, split).items()}
            assert now["solved_both"] + now["solved_no_longer"] == pytest.approx(first["pass@3"].value)
            assert now["solved_both"] + now["solved_only_now"] == pytest.approx(now["pass@3"])
            assert 0 < now["pass@1"] < now["pass@3"]
    memory = run(plan, MemoryRun())
    assert [(r.metrics, r.validation) for r in memory.records()] == [
        (r.metrics, r.validation) for r in folder.records()
    ]
    assert preview(plan).arms["verified"].counts.kept == 12


def test_a_round_is_made_again_with_the_prompts_that_it_drew(config: dict[str, Any], tmp_path: Path) -> None:
    plan = plan_from({**config, **RIGHT})
    folder = run(plan, tmp_path / "run")
    again, made = replayed(plan, folder, "verified", 2), all_of(folder, 2)
    stands = made.select(again.number)
    assert again.samples.same_as(stands.only(list(again.samples)))
    assert np.array_equal(again.accepted == 1, stands.array("kept"))


def test_a_preview_writes_whole_prompts(config: dict[str, Any]) -> None:
    counts = preview(plan_from({**config, **BY_EYES})).arms["verified"].counts
    assert (counts.generated, counts.kept) == (72, 12)


def test_an_arm_ends_when_every_prompt_is_dropped(config: dict[str, Any], tmp_path: Path) -> None:
    drop = {"drop_prompts": {"solved": 0.01, "unsolved": 0.0}, "schedule": {"kind": "constant", "n": 120}}
    checks = {"verifier": {"kind": "function", "timeout": 3_600, "function": "dice_checks:eyes"}}
    at_three = {"acceptance": {"kind": "threshold", "at": 3}}
    folder = run(plan_from({**config, **checks, **at_three, **drop}), tmp_path / "run")
    assert len(folder.records()) == 2
    why = folder.manifest().stopped_arms["verified"]
    assert "drop_prompts leaves no prompt: got '20 solved before, 0 not solved'" in why


def test_when_the_prompts_are_used_up_the_message_says_so(config: dict[str, Any], tmp_path: Path) -> None:
    changes = {"on_exhausted": "raise", "schedule": {"kind": "constant", "n": 110}}
    with pytest.raises(
        ExhaustedError,
        match=r"120 candidates were not enough, and there are no more prompts.*"
        "give more prompts or more samples_per_prompt",
    ):
        run(plan_from({**config, **changes}), tmp_path / "run")
    few = {**changes, "max_candidates": 65}
    with pytest.raises(ExhaustedError, match=r"60 candidates were not enough: .*raise max_candidates"):
        run(plan_from({**config, **few}), tmp_path / "few")


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "more than there are": ({"keep_per_prompt": 7}, r"keep_per_prompt: got 7, expected at most 6"),
    "no texts": ({"samples_per_prompt": 0}, r"samples_per_prompt: got '0', expected greater than 0"),
    "no number": ({"samples_per_prompt": True}, r"samples_per_prompt: got 'true', expected a whole number"),
    "keep alone": (
        {"samples_per_prompt": None, "keep_per_prompt": 1},
        r"keep_per_prompt needs samples_per_prompt",
    ),
    "distinct alone": ({"samples_per_prompt": None, "distinct": True}, r"distinct needs samples_per_prompt"),
    "drop alone": (
        {"samples_per_prompt": None, "drop_prompts": {"solved": 1.0}},
        r"drop_prompts needs samples_per_prompt",
    ),
    "drop none": ({"drop_prompts": {}}, r"drop_prompts drops none"),
    "drop all": ({"drop_prompts": {"solved": 0.5, "unsolved": 0.5}}, r"would drop every prompt"),
    "unknown": ({"drop_prompts": {"hard": 1}}, r"unknown key 'hard'"),
    "few candidates": ({"max_candidates": 5}, r"max_candidates: got 5, expected at least 6"),
    "too large a fraction": (
        {**BY_EYES, "acceptance": {"kind": "top_fraction", "fraction": 0.5}},
        r"acceptance.fraction is more than keep_per_prompt leaves: got '0.5', expected at most 0.1667",
    ),
    "drop by rank": (
        {**BY_EYES, "drop_prompts": {"solved": 1.0}},
        r"drop_prompts needs an acceptance rule that decides",
    ),
    "drop unverified": (
        {"arms": {"plain": {"verifier": None, "drop_prompts": {"solved": 1.0}}}},
        r"drop_prompts needs a verifier",
    ),
    "greedy": ({"learner": "test_per_prompt:Loaded"}, r"all texts of a prompt would be equal"),
    "greedy metric": (
        {
            "learner": "test_per_prompt:Loaded",
            "samples_per_prompt": 1,
            "metrics": [{"kind": "function", "function": "dice_checks:enough", "pass_at": [2]}],
        },
        r"metrics.function: all texts of a prompt would be equal",
    ),
    "too few prompts": (
        {
            "on_exhausted": "raise",
            "keep_per_prompt": 1,
            "schedule": {"kind": "linear", "start": 20, "step": 1},
        },
        r"arms.verified: schedule asks for more texts than possible: got '21 texts.*at most 20: 20 prompts",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_what_cannot_hold_is_refused_before_anything_is_written(
    case: str, config: dict[str, Any], tmp_path: Path
) -> None:
    changes, message = MISTAKES[case]
    with pytest.raises(ConfigError, match=message):
        checked(plan_from({**config, **changes}))


def test_images_by_class_have_no_prompts() -> None:
    plan = plan_from(
        {
            "dataset": "digits",
            "learner": {"kind": "cvae", "levels": 16},
            "schedule": {"kind": "constant", "n": 10},
            "samples_per_prompt": 4,
            "arms": ["unverified"],
        }
    )
    with pytest.raises(ConfigError, match=r"samples_per_prompt: got 'data without prompts.*balance: label"):
        checked(plan)


def test_equal_settings_may_stand_in_an_arm(config: dict[str, Any]) -> None:
    own = {key: config.pop(key) for key in ("samples_per_prompt", "verifier")}
    plan = plan_from({**config, "arms": {"verified": own, "plain": {"verifier": None}}})
    assert [arm.samples_per_prompt for arm in plan.arms.values()] == [6, None]
