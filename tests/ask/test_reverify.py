"""Verifiers ranked before training, against what training then makes of them."""

from typing import Any

import numpy as np
import pytest

from veriloop.advise.agreement import cohen_kappa
from veriloop.advise.intervals import bootstrap
from veriloop.ask.kept_quality import Scale
from veriloop.ask.rejudge import retrained
from veriloop.ask.replay import replay
from veriloop.ask.reverify import OWN, Reverified, _kappa_of, reverify
from veriloop.config import plan_from
from veriloop.errors import ConfigError
from veriloop.loop import Plan, run
from veriloop.loop.plan import Rival
from veriloop.rules.acceptance import Threshold, TopFraction
from veriloop.store.folder import RunFolder
from veriloop.testing.tiny import TinyVerifier

TINY = "veriloop.testing.tiny"


def plan(**changes: Any) -> Plan:
    settings = {
        "rounds": 2,
        "dataset": {"kind": f"{TINY}:TinyData", "start": 12},
        "learner": f"{TINY}:TinyLearner",
        "verifier": {"kind": f"{TINY}:TinyVerifier", "bias": 1.0},
        "acceptance": {"kind": "top_fraction", "fraction": 0.2},
        "schedule": {"kind": "constant", "n": 300},
        "metrics": [f"{TINY}:TinyMetric"],
        "arms": ["verified", "unverified"],
    }
    return plan_from({**settings, **changes})


RIVALS = {f"bias {b}": Rival(TinyVerifier(bias=b), TopFraction(fraction=0.2)) for b in (0.0, 1.0, 2.0, 4.0)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return run(plan(), tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="module")
def found(folder: RunFolder) -> Reverified:
    return reverify(plan(), folder, "verified", 2, RIVALS)


def test_a_trial_model_tells_the_same_order(folder: RunFolder) -> None:
    tried = reverify(plan(), folder, "verified", 2, RIVALS, trial=0.5)
    gaps = {choice.name: choice.kept_quality.value for choice in tried.choices}
    assert gaps["bias 0.0"] < gaps["bias 2.0"] < gaps["bias 4.0"]
    assert [choice.name for choice in tried.choices][-1] == "bias 4.0"


def test_the_order_is_that_of_retraining(found: Reverified, folder: RunFolder) -> None:
    again = replay(plan(), folder, "verified", 2)
    actual = {name: retrained(again, folder, rival).validation["gap"] for name, rival in RIVALS.items()}
    predicted = {choice.name: choice.predicted for choice in found.choices}
    for name, estimate in actual.items():
        assert predicted[name].low <= estimate.value <= predicted[name].high, name
    for a in actual:
        for b in actual:
            if actual[a].value + 4 * (actual[a].se + actual[b].se) < actual[b].value:
                assert predicted[a].value < predicted[b].value, (a, b)
    assert [choice.name for choice in found.choices][-1] == "bias 4.0"


def test_the_own_verifier_is_among_them(found: Reverified) -> None:
    choices = {choice.name: choice for choice in found.choices}
    assert choices[OWN].kept == choices["bias 1.0"].kept == 300
    assert choices[OWN].kept_quality == choices["bias 1.0"].kept_quality
    assert found.kappa[f"{OWN} / bias 1.0"].value == 1.0
    assert found.kappa[f"{OWN} / bias 4.0"].value < 0.5
    assert len(found.pairs) == 4
    assert all(choice.gain is not None for choice in found.choices)


def test_kappa_is_cohens() -> None:
    rng = np.random.default_rng(0)
    first, second = (rng.random(500) < 0.3).astype(float), (rng.random(500) < 0.4).astype(float)
    second[:200] = first[:200]
    counts = np.bincount((2 * first + second).astype(int), minlength=4)
    found = _kappa_of(counts, rng)
    assert found.value == pytest.approx(cohen_kappa(first, second))
    resampled = bootstrap(lambda rows: cohen_kappa(first[rows], second[rows]), 500, rng)
    assert (found.low, found.high) == pytest.approx((resampled.low, resampled.high), abs=0.02)


def test_a_class_of_which_nothing_is_kept_stays_as_it_is(folder: RunFolder) -> None:
    again = replay(plan(), folder, "verified", 2)
    scale = Scale.of(again, "gap")
    made = again.remade.samples
    kept = made.select(made.array("label") == 0)
    value, _ = scale.of_kept(kept, again)
    everything, error = scale.of_kept(made)
    assert abs(value - everything) < 4 * error, "no other class was moved by leaving it out"


def test_a_verifier_that_keeps_nothing_is_last(folder: RunFolder) -> None:
    never = Rival(TinyVerifier(), Threshold(at=5.0))
    found = reverify(plan(), folder, "verified", 1, {"never": never, "bias 0": RIVALS["bias 0.0"]})
    assert found.choices[-1].name == "never"
    assert found.choices[-1].kept == 0
    assert found.choices[-1].notes[0].startswith("It keeps nothing")


def test_what_cannot_be_predicted_is_refused(folder: RunFolder) -> None:
    with pytest.raises(ConfigError, match="frechet"):
        reverify(plan(), folder, "verified", 2, RIVALS, metric="frechet")
    with pytest.raises(ConfigError, match="no such arm"):
        reverify(plan(), folder, "other", 2, RIVALS)
