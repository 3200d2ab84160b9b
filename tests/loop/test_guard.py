"""Verifiers that say nothing, at every place where the loop could pass over them."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from veriloop.config import plan_from
from veriloop.errors import DataError, ExhaustedError
from veriloop.events import VerifierSilent
from veriloop.executors.serial import Serial
from veriloop.generator import Generator, Notes
from veriloop.judge import Judge
from veriloop.loop import run
from veriloop.loop.check import check_data
from veriloop.loop.data import load_data, load_schema
from veriloop.loop.gather import Candidates, Gathered, gather
from veriloop.loop.guard import distinct, in_pieces
from veriloop.rng import Address
from veriloop.rules.acceptance import AcceptAll, Acceptance, Threshold, TopFraction
from veriloop.samples import Samples
from veriloop.verdicts import Decision, Verdicts

TINY = "veriloop.testing.tiny"


class Numbers(Generator):
    """Candidates 0, 1, 2, ... of each chunk; all 0 when ``equal``."""

    def __init__(self, equal: bool = False) -> None:
        self.equal = equal

    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        return Samples(x=np.zeros(n) if self.equal else rng.random(n))

    def save(self, directory: Path) -> None:
        raise NotImplementedError

    @classmethod
    def load(cls, directory: Path) -> "Numbers":
        raise NotImplementedError


class Texts(Numbers):
    """Texts, every other one cut and every fourth not written."""

    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        return self.sample_with_notes(n, rng, condition)[0]

    def sample_with_notes(
        self, n: int, rng: np.random.Generator, condition: Samples | None = None
    ) -> tuple[Samples, Notes]:
        rows = np.arange(n)
        reason = ["filtered" if i % 4 == 0 else "" for i in rows]
        texts = ["" if why or self.equal else f"text {i}" for i, why in zip(rows, reason, strict=True)]
        return Samples(text=texts), Notes(rows % 2 == 1, reason)


class Says(Judge):
    """Says the same of every candidate: from number ``until`` on, ``then``. Counts what it is asked."""

    def __init__(
        self, decision: Decision, then: Decision | None = None, until: int = 10**9, whole: bool = False
    ) -> None:
        self.whole = whole
        self.decision, self.then, self.until = decision, then, until
        self.asked: list[int] = []

    @property
    def in_pieces(self) -> bool:
        return not self.whole

    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        start = sum(self.asked)
        self.asked.append(len(samples))
        numbers = np.arange(start, start + len(samples))
        second = self.decision if self.then is None else self.then
        decision = np.where(numbers < self.until, self.decision, second)
        reason = ["cannot tell" if d == Decision.ABSTAIN else "so it is" for d in decision]
        return Verdicts(np.full(len(samples), 0.5), decision, reason)

    def save(self, directory: Path) -> None:
        raise NotImplementedError

    @classmethod
    def load(cls, directory: Path) -> "Says":
        raise NotImplementedError


def gathered(
    judge: Judge | None,
    rule: Acceptance | None = None,
    *,
    generator: Generator | None = None,
    wanted: int = 100,
    chunk_size: int = 2_000,
    limit: int = 10_000,
    hopeless_after: int | None = 64,
) -> Gathered:
    real = Samples(x=np.zeros(1))
    return gather(
        Candidates("verified", generator or Numbers(), judge, None, Address(0), threads=1),
        (rule or AcceptAll()).open({0: wanted}, real, None),
        balance=None,
        chunk_size=chunk_size,
        limit=limit,
        keep_rejected=False,
        executor=Serial(),
        report=lambda counts: None,
        hopeless_after=hopeless_after,
    )


def whys(found: Gathered) -> list[str]:
    return [finding.why for finding in found.findings]


@pytest.mark.parametrize("chunk_size", [2_000, 64, 10, 7])
def test_who_only_abstains_is_asked_64_times(chunk_size: int) -> None:
    judge = Says(Decision.ABSTAIN)
    found = gathered(judge, chunk_size=chunk_size, wanted=500)
    assert 64 <= sum(judge.asked) < 64 + min(chunk_size, 64)
    assert found.hopeless is not None
    assert found.counts.abstained == found.counts.generated == sum(judge.asked)
    assert whys(found) == [f"the verifier abstains on all {sum(judge.asked)} candidates: cannot tell"]
    assert [example["_reason"] for example in found.findings[0].examples] == ["cannot tell"] * 3


def test_null_asks_on_to_the_limit() -> None:
    judge = Says(Decision.ABSTAIN)
    found = gathered(judge, limit=700, hopeless_after=None)
    assert found.hopeless is None
    assert sum(judge.asked) == 700


def test_who_cannot_be_asked_in_pieces_is_asked_about_a_chunk() -> None:
    judge = Says(Decision.ABSTAIN, whole=True)
    assert gathered(judge, chunk_size=500, wanted=3_000).counts.generated == 500


def test_an_outage_after_good_verdicts_is_noticed_and_is_told_from_a_rare_word() -> None:
    found = gathered(Says(Decision.REJECT, Decision.ABSTAIN, until=300), chunk_size=50)
    assert found.hopeless is not None
    assert 300 + 64 <= found.counts.generated < 300 + 64 * 2 + 50
    assert "all of the last" in found.findings[0].why

    class Rare(Says):
        """Judges one of 40: its abstentions in a row are no outage."""

        def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
            rare = rng.random(len(samples)) < 1 / 40
            return Verdicts(np.ones(len(samples)), np.where(rare, Decision.ACCEPT, Decision.ABSTAIN))

    rare = Rare(Decision.ACCEPT, whole=True)
    assert gathered(rare, limit=10**6, wanted=200, chunk_size=150).hopeless is None


def test_pieces_change_nothing_of_what_is_kept() -> None:
    whole, split = (Says(Decision.ABSTAIN, Decision.ACCEPT, 10, whole) for whole in (True, False))
    a, b = gathered(whole), gathered(split)
    assert a.kept.same_as(b.kept)
    assert a.counts == b.counts
    assert split.asked[:2] == [64, 36]


def test_pieces_join_reasons_of_any_kind() -> None:
    def verify(samples: Samples) -> Verdicts:
        first = samples["x"][0] == 0
        return Verdicts(np.ones(len(samples)), reason=["why"] * len(samples) if first else None)

    joined = in_pieces(verify, Samples(x=np.arange(5)), 2)
    assert joined.reason == ["why", "why", "", "", ""]


def test_equal_scores_are_told_with_their_copies() -> None:
    found = gathered(Says(Decision.OPEN), TopFraction(fraction=0.5), generator=Numbers(equal=True))
    assert found.counts.distinct == 1
    equal, alike = whys(found)
    assert "all 200 scores are equal (0.5)" in equal
    assert "99 of the 100 kept samples are copies" in equal
    assert "all 100 kept samples are equal" in alike


def test_rules_that_select_nothing_or_everything_are_told() -> None:
    assert "all 100 candidates were accepted" in whys(gathered(Says(Decision.ACCEPT)))[0]
    assert "all 100 candidates were accepted" in whys(gathered(Says(Decision.OPEN), Threshold(at=0.1)))[0]
    nothing = gathered(Says(Decision.REJECT), limit=300)
    assert whys(nothing) == ["none of 300 candidates was accepted (most often: so it is)"]
    assert nothing.hopeless is None


def test_few_are_no_sign_and_an_unverified_arm_need_not_select() -> None:
    assert whys(gathered(Says(Decision.ACCEPT), wanted=7)) == []
    assert whys(gathered(None)) == []
    assert gathered(None).counts.distinct == 100


def test_texts_that_are_cut_empty_or_not_written_are_told() -> None:
    found = gathered(None, generator=Texts())
    assert found.counts.truncated == 50
    assert whys(found) == [
        "50 of 100 texts were cut at the length limit",
        "25 of 100 texts were not written: filtered",
    ]
    assert "all 100 kept texts are empty" in whys(gathered(None, generator=Texts(equal=True)))


def test_rows_are_told_apart_by_all_they_hold() -> None:
    x = np.array([[0.0, 1.0], [0.0, 1.0], [0.0, 2.0], [-0.0, 1.0]])
    assert distinct(Samples(x=x)) == 3
    assert distinct(Samples(x=x, text=["a", "b", "a", "a"])) == 4
    assert distinct(Samples(text=["a", "b", "a"])) == 2
    assert distinct(Samples(pixels=np.zeros((30_000, 28, 28), np.uint8), label=np.arange(30_000) % 10)) == 10
    assert distinct(Samples(x=np.zeros((0, 3)))) == 0
    assert distinct(Samples(x=np.zeros((4, 0)))) == 1


SILENT: Mapping[str, object] = {
    "verifier": {"kind": f"{TINY}:TinyVerifier", "mode": "decide", "abstain": 1.0},
    "acceptance": "accept_all",
}


def test_the_other_arms_go_on(tiny_plan, tmp_path) -> None:
    folder = run(tiny_plan(**SILENT, rounds=2, arms=["verified", "unverified"]), tmp_path / "run")
    assert [(r.arm, r.round) for r in folder.records()][2:] == [("unverified", 1), ("unverified", 2)]
    manifest = folder.manifest()
    assert manifest.status == "finished"
    assert "abstains on all" in manifest.stopped_arms["verified"]
    assert "For example: label" in manifest.stopped_arms["verified"]
    (event,) = (e for e in folder.events()[0] if isinstance(e, VerifierSilent))
    assert (event.arm, event.round, len(event.examples)) == ("verified", 1, 3)


def test_an_arm_alone_ends_in_one_line_and_is_tried_again(tiny_plan, tmp_path) -> None:
    plan = tiny_plan(**SILENT, arms=["verified"])
    for resume in ("never", "always"):
        with pytest.raises(ExhaustedError, match=r"abstains on all .* hopeless_after"):
            run(plan, tmp_path / "run", resume=resume)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"verifier": {"kind": "reference", "tokenizer": "published"}}, "arms.verified.verifier"),
        (
            {
                "verifier": {
                    "kind": "cutoff",
                    "at": 0.5,
                    "verifier": {"kind": "reference", "tokenizer": "published"},
                },
                "acceptance": "accept_all",
            },
            "arms.verified.verifier",
        ),
        ({"metrics": [{"kind": "rouge", "tokenizer": "published"}]}, "metrics.rouge"),
    ],
)
def test_references_without_a_token_are_refused_ahead(change, where, tmp_path) -> None:
    rows = [{"prompt": f"问题 {i}", "completion": "今天天气很好"} for i in range(20)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    plan = plan_from(
        {
            "dataset": {"kind": "text", "files": str(tmp_path / "rows.jsonl"), "start": 0.5},
            "learner": {"kind": "causal_lm", "model": str(tmp_path)},
            "verifier": "reference",
            "acceptance": {"kind": "top_fraction", "fraction": 0.5},
            "schedule": {"kind": "constant", "n": 4},
            "arms": ["verified"],
            **change,
        }
    )
    data = load_data(plan.dataset, plan.seed)
    with pytest.raises(DataError, match=rf"^{where}: .*have no tokens"):
        check_data(plan.suited_to(load_schema(plan.dataset)), data)
