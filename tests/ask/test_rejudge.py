"""A finished round before other verifiers: the same candidates, judged as the loop would."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from veriloop.ask.rejudge import rejudged, retrained
from veriloop.ask.replay import replay
from veriloop.config import plan_from
from veriloop.errors import ConfigError
from veriloop.loop import Plan, run
from veriloop.loop.plan import Rival
from veriloop.rules.acceptance import AcceptAll, TopFraction
from veriloop.samples import Samples
from veriloop.store.folder import RunFolder
from veriloop.testing.tiny import TinyVerifier

TINY = "veriloop.testing.tiny"


def plan(**changes: Any) -> Plan:
    settings = {
        "rounds": 2,
        "dataset": f"{TINY}:TinyData",
        "learner": f"{TINY}:TinyLearner",
        "verifier": f"{TINY}:TinyVerifier",
        "acceptance": {"kind": "top_fraction", "fraction": 0.2},
        "schedule": {"kind": "constant", "n": 60},
        "metrics": [f"{TINY}:TinyMetric"],
        "arms": ["verified", "unverified"],
        "chunk_size": 70,
    }
    return plan_from({**settings, **changes})


PLANS = {
    "top fraction": plan(),
    "balanced": plan(balance="label"),
    "threshold": plan(acceptance={"kind": "threshold", "at": -1.0}),
    "stored": plan(keep_candidates=True),
}


@pytest.fixture(scope="module", params=PLANS)
def finished(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Plan, RunFolder]:
    made = PLANS[request.param]
    return made, run(made, tmp_path_factory.mktemp("runs") / "run")


@pytest.mark.parametrize("round_", [1, 2])
def test_the_arms_own_verifier_says_what_it_said(finished: tuple[Plan, RunFolder], round_: int) -> None:
    plan, folder = finished
    again, own = replay(plan, folder, "verified", round_), plan.arms["verified"]
    assert own.verifier is not None
    said = rejudged(again, folder, Rival(own.verifier, own.acceptance))
    assert said.kept.same_as(folder.kept(round_, "verified"))
    np.testing.assert_array_equal(said.remade.score, again.remade.score)
    np.testing.assert_array_equal(said.remade.accepted, again.remade.accepted)


def test_retrained_is_the_round_itself(finished: tuple[Plan, RunFolder]) -> None:
    plan, folder = finished
    own = plan.arms["verified"]
    assert own.verifier is not None
    again = replay(plan, folder, "verified", 2)
    record = retrained(again, folder, Rival(own.verifier, own.acceptance))
    (was,) = (r for r in folder.records() if (r.arm, r.round) == ("verified", 2))
    assert record.metrics == was.metrics
    assert record.validation == was.validation


def test_candidates_that_were_kept_are_read(tmp_path: Path) -> None:
    folder = run(PLANS["stored"], tmp_path / "run")
    again = replay(PLANS["stored"], folder, "verified", 1)
    assert len(again.chunks) == 5, "300 candidates in chunks of 70"
    other = run(PLANS["top fraction"], tmp_path / "other")
    made = replay(PLANS["top fraction"], other, "verified", 1)
    assert again.remade.samples.same_as(made.remade.samples)
    np.testing.assert_array_equal(again.remade.score, made.remade.score)


def test_a_rival_is_fitted_and_may_keep_others(finished: tuple[Plan, RunFolder]) -> None:
    plan, folder = finished
    again = replay(plan, folder, "verified", 2)
    biased = rejudged(again, folder, Rival(TinyVerifier(bias=3.0), TopFraction(fraction=0.2)))

    def of_one_class(samples: Samples) -> np.ndarray:
        return samples.array("x")[samples.array("label") == 0, 0]

    assert of_one_class(biased.kept).min() > np.median(of_one_class(again.remade.samples))
    assert len(biased.remade.samples) <= sum(len(samples) for samples, _, _ in again.chunks)
    decided = rejudged(again, folder, Rival(TinyVerifier(mode="decide"), AcceptAll()))
    assert 0 < len(decided.kept) <= 60


def test_a_rule_that_does_not_fit_is_refused(finished: tuple[Plan, RunFolder]) -> None:
    plan, folder = finished
    again = replay(plan, folder, "verified", 1)
    with pytest.raises(ConfigError, match="would keep every candidate"):
        rejudged(again, folder, Rival(TinyVerifier(), AcceptAll()))
