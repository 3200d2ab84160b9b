import pickle
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from pydantic import Field
from typing_extensions import override

from veriloop.errors import ConfigError, CorruptFileError
from veriloop.generator import Generator
from veriloop.judge import Judge
from veriloop.samples import Samples
from veriloop.schema import Schema
from veriloop.testing import check_verifier
from veriloop.testing.tiny import TinyData, TinyGenerator, TinyJudge, TinyVerifier
from veriloop.verdicts import Decision, Verdicts
from veriloop.verifiers.base import Verifier
from veriloop.verifiers.ensemble import Cascade, Cutoff, CutoffJudge, Ensemble, Majority, Unanimous, Weighted
from veriloop.verifiers.function import FunctionCheck
from veriloop.verifiers.noisy import Noisy
from veriloop.verifiers.reference import ReferenceOverlap

A, R, N, OPEN = Decision.ACCEPT, Decision.REJECT, Decision.ABSTAIN, Decision.OPEN


class Said(Verifier, frozen=True):
    """Says of sample i what the i-th letter is: (a)ccept, (r)eject, abstai(n); a digit is a score."""

    word: Annotated[str, Field(min_length=1)]

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        letters = [self.word[i] for i in samples.array("i")]
        decision = [{"a": A, "r": R, "n": N}.get(x, OPEN) for x in letters]
        score = [float(x) / 10 if x.isdigit() else np.nan for x in letters]
        return Verdicts(score, decision, [f"said {x}" for x in letters])


def said(*words: str) -> tuple[Verifier, ...]:
    return tuple(Said(word=word) for word in words)


def verify(ensemble: Verifier, n: int) -> Verdicts:
    return ensemble.verify(Samples(i=np.arange(n)), np.random.default_rng(0))


# Every combination of two members' decisions, column by column.
TWO = ("aaarrrnnn", "arnarnarn")


def test_unanimous() -> None:
    verdicts = verify(Unanimous(members=said(*TWO)), 9)
    assert verdicts.decision.tolist() == [A, R, N, R, R, R, N, R, N]
    assert verdicts.score == pytest.approx([1, 0.5, 1, 0.5, 0, 0, 1, 0, np.nan], nan_ok=True)
    assert verdicts.reason is not None
    assert verdicts.reason[1] == "Said_1: accept (said a); Said_2: reject (said r)"


def test_majority() -> None:
    assert verify(Majority(members=said(*TWO)), 9).decision.tolist() == [A, N, A, N, R, R, A, R, N]
    three = Majority(members=said("aaan", "arrn", "nran"))
    assert verify(three, 4).decision.tolist() == [A, R, A, N]


def test_weighted() -> None:
    mixed = Weighted(members=said("28ann", "a62nr"), weights=(3, 1))
    verdicts = verify(mixed, 5)
    assert verdicts.score == pytest.approx(
        [(0.6 + 1) / 4, (2.4 + 0.6) / 4, (3 + 0.2) / 4, np.nan, 0], nan_ok=True
    )
    assert verdicts.decision.tolist() == [OPEN, OPEN, OPEN, N, OPEN]
    assert verdicts.reason is not None
    assert verdicts.reason[0] == "Said_1: 0.2 (said 2); Said_2: accept (said a)"


class Counting(Said, frozen=True):
    """As `Said`, and refuses to be shown what it should not see."""

    seen: tuple[int, ...]

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        assert samples.array("i").tolist() == list(self.seen)
        return super().verify(samples, rng)


def test_cascade_asks_only_about_what_earlier_ones_did_not_reject() -> None:
    members = (
        Counting(word="arnara", seen=(0, 1, 2, 3, 4, 5)),
        Counting(word="aaarna", seen=(0, 2, 3, 5)),
        Counting(word="71a_ar", seen=(0, 2, 5)),
    )
    verdicts = verify(Cascade(members=members), 6)
    assert verdicts.decision.tolist() == [OPEN, R, A, R, R, R]
    assert verdicts.score == pytest.approx([0.7] + [np.nan] * 5, nan_ok=True)
    assert verdicts.reason is not None
    assert [reason.count(";") for reason in verdicts.reason] == [2, 0, 2, 1, 0, 2]
    assert verdicts.reason[3] == "Counting_1: accept (said a); Counting_2: reject (said r)"


def test_a_cascade_whose_samples_are_all_rejected_early() -> None:
    assert verify(Cascade(members=said("rr", "aa")), 2).decision.tolist() == [R, R]


def test_cutoff() -> None:
    verdicts = verify(Cutoff(verifier=Said(word="456arn"), at=0.5), 6)
    assert verdicts.decision.tolist() == [R, A, A, A, R, N]
    assert verdicts.score == pytest.approx([0.4, 0.5, 0.6, np.nan, np.nan, np.nan], nan_ok=True)


@pytest.mark.parametrize("kind", [Unanimous, Majority, Cascade])
def test_who_votes_must_decide(kind: type[Ensemble]) -> None:
    with pytest.raises(ConfigError, match=r"Said_1 gives scores.*kind: cutoff"):
        verify(kind(members=said("5", "a")), 1)


DECIDES = TinyVerifier(mode="decide", abstain=0.2)
SCORES = Cutoff(verifier=TinyVerifier(bias=0.5), at=-1.5)
DATA = TinyData().load(0)
GENERATOR = TinyGenerator(np.zeros((3, 2)), np.ones((3, 2)))


def fitted(verifier: Verifier) -> Judge:
    return verifier.fit(None, GENERATOR, DATA.train, np.random.default_rng(0))


EVERY: list[Verifier] = [
    Unanimous(members=(DECIDES, SCORES)),
    Majority(members=(DECIDES, SCORES, DECIDES)),
    Weighted(members=(DECIDES, TinyVerifier()), weights=(1, 2)),
    Cascade(members=(DECIDES, SCORES, TinyVerifier())),
    Cascade(members=(Unanimous(members=(SCORES, DECIDES)), TinyVerifier())),
]


@pytest.mark.parametrize("ensemble", EVERY, ids=lambda e: e.kind)
def test_keeps_the_contract_with_members_that_learn(ensemble: Verifier) -> None:
    check_verifier(ensemble, GENERATOR, DATA.train, DATA.conditions)


def test_members_have_streams_of_their_own() -> None:
    undecided = TinyVerifier(mode="decide", abstain=0.5)
    points = Samples(x=np.zeros((400, 2)), label=np.zeros(400, np.int64))
    ensemble = Unanimous(members=(undecided, undecided))
    both = fitted(ensemble).verify(points, np.random.default_rng(0))
    # Independent members abstain together on a quarter; with one stream they would on a half.
    share = np.isnan(both.score).mean()
    assert abs(share - 0.25) < 4 * (0.25 * 0.75 / 400) ** 0.5


@pytest.mark.parametrize(
    "verifier", [*EVERY, Cutoff(verifier=EVERY[2], at=0.3), Cutoff(verifier=SCORES, at=9)]
)
def test_what_members_learn_is_kept_in_folders_of_their_own(verifier: Verifier, tmp_path: Path) -> None:
    judge = fitted(verifier)
    judge.save(tmp_path)
    if verifier is EVERY[3]:
        folders = sorted(p.name for p in tmp_path.iterdir() if p.is_dir())
        assert folders == ["TinyVerifier_1", "TinyVerifier_3", "cutoff"]
    samples = DATA.test
    expected = judge.verify(samples, np.random.default_rng(1)).score
    alone = verifier.judge_type.load(tmp_path)
    for copy in (verifier.load(tmp_path), alone, pickle.loads(pickle.dumps(judge))):
        assert np.array_equal(copy.verify(samples, np.random.default_rng(1)).score, expected, equal_nan=True)


@pytest.mark.parametrize(
    ("other", "complaint"),
    [
        (TinyVerifier(), "got 'TinyVerifier', expected Wrapper"),
        (Noisy(verifier=TinyVerifier()), "got 'noisy', expected cutoff"),
    ],
)
def test_another_thing_than_a_cutoff_is_no_cutoff(other: Verifier, complaint: str, tmp_path: Path) -> None:
    fitted(SCORES).save(tmp_path)
    (tmp_path / "cutoff.json").write_text(other.model_dump_json())
    with pytest.raises(CorruptFileError, match=complaint):
        CutoffJudge.load(tmp_path)


class Once(TinyVerifier, frozen=True):
    """Stays what it was in its first round."""

    @override
    def fit(
        self, previous: Judge | None, generator: Generator, real: Samples, rng: np.random.Generator
    ) -> TinyJudge:
        return previous if isinstance(previous, TinyJudge) else super().fit(None, generator, real, rng)


@pytest.mark.parametrize(
    "wrap", [lambda v: Cutoff(verifier=v, at=0), lambda v: Weighted(members=(v,), weights=(1,))]
)
def test_members_get_their_judges_of_the_round_before(wrap: Any) -> None:
    verifier = wrap(Once())
    first = fitted(verifier)
    other = verifier.fit(first, GENERATOR, DATA.test, np.random.default_rng(1))
    again = verifier.fit(None, GENERATOR, DATA.test, np.random.default_rng(1))
    score, same, other_score = (
        j.verify(DATA.test, np.random.default_rng(0)).score for j in (first, other, again)
    )
    assert np.array_equal(score, same)
    assert not np.array_equal(score, other_score)


def test_members_are_suited_to_the_data_and_checked_ahead() -> None:
    data = Schema({"text": {"role": "completion"}, "wanted": {"role": "reference"}})
    open_, suited = ReferenceOverlap(), ReferenceOverlap(column="text", reference="wanted")
    assert Weighted(members=(open_,), weights=(1,)).suited_to(data) == Weighted(
        members=(suited,), weights=(1,)
    )
    assert Cutoff(verifier=open_, at=0).suited_to(data) == Cutoff(verifier=suited, at=0)
    missing = FunctionCheck(function="nowhere:to_be_found")
    for verifier in (Majority(members=(missing,)), Cutoff(verifier=missing, at=0), Noisy(verifier=missing)):
        with pytest.raises(ConfigError, match="cannot import the function 'nowhere:to_be_found'"):
            verifier.check_ahead(data)


def test_what_only_scores_is_known_of_an_ensemble() -> None:
    scores = TinyVerifier()
    assert Weighted(members=(DECIDES, scores), weights=(1, 1)).only_scores
    assert Cascade(members=(DECIDES, scores)).only_scores
    assert not Cascade(members=(DECIDES, SCORES)).only_scores
    assert not any(v.only_scores for v in (EVERY[0], EVERY[1], SCORES))


TINY = "veriloop.testing.tiny"
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no members": ({"kind": "majority", "members": []}, "at least 1"),
    "too few weights": (
        {"kind": "weighted", "members": [f"{TINY}:TinyVerifier"] * 2, "weights": [1]},
        "got 1, expected 2",
    ),
    "a weight of 0": (
        {"kind": "weighted", "members": [f"{TINY}:TinyVerifier"], "weights": [0]},
        "greater than 0",
    ),
    "a voter that only scores": (
        {"kind": "unanimous", "members": [f"{TINY}:TinyVerifier"]},
        r"TinyVerifier gives scores.*kind: cutoff",
    ),
    "an early member that only scores": (
        {"kind": "cascade", "members": [f"{TINY}:TinyVerifier"] * 2},
        "member TinyVerifier_1 gives scores",
    ),
    "a member of an unknown kind": ({"kind": "majority", "members": ["juge"]}, "got 'juge'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_fields(case: str) -> None:
    fields, match = WRONG[case]
    with pytest.raises(ValueError, match=match):
        Verifier.model_validate(fields)
