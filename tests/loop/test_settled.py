"""Settings that only a trial on the machine can choose: a run asks once, and a resume keeps the answer."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from veriloop.errors import ContractError
from veriloop.events import Event, RoundFinished, SettingsChosen
from veriloop.generator import Generator
from veriloop.loop import run
from veriloop.loop.memory import MemoryRun
from veriloop.samples import Samples
from veriloop.testing.tiny import TinyGenerator, TinyLearner

FITTED: list[str] = []
MACHINE: dict[str, Any] = {}


class Choosy(TinyLearner, frozen=True):
    """Leaves its pace to the machine."""

    pace: str = "auto"

    def settled(self) -> tuple[Mapping[str, Any], str]:
        return ({}, "") if self.pace != "auto" else (MACHINE["says"], "it was tried")

    def fit(self, samples: Samples, init: Generator | None, rng: np.random.Generator) -> TinyGenerator:
        FITTED.append(self.pace)
        return super().fit(samples, init, rng)


@pytest.fixture(autouse=True)
def fresh() -> None:
    FITTED.clear()
    MACHINE["says"] = {"pace": "slow"}


def test_a_resume_elsewhere_keeps_what_the_first_machine_chose(tiny_plan: Any, tmp_path: Path):
    plan = tiny_plan(learner=f"{__name__}:Choosy", arms=["unverified"])
    told: list[Event] = []

    def listen(event: Event) -> None:
        told.append(event)
        if isinstance(event, RoundFinished) and event.round == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(plan, tmp_path / "run", listen=listen)
    chosen = [event for event in told if isinstance(event, SettingsChosen)]
    assert [(e.settings, e.why) for e in chosen] == [({"pace": "slow"}, "it was tried")]
    MACHINE["says"] = {"pace": "fast"}
    folder = run(plan, tmp_path / "run", resume="always")
    assert set(FITTED) == {"slow"}
    assert len(FITTED) == 4
    assert folder.manifest().settled == {"pace": "slow"}
    assert folder.manifest().config["learner"]["pace"] == "auto", "the configuration stays as it was written"
    assert sum(isinstance(e, SettingsChosen) for e in folder.events()[0]) == 1


def test_a_setting_that_is_given_is_not_tried(tiny_plan: Any):
    held = MemoryRun()
    run(tiny_plan(learner={"kind": f"{__name__}:Choosy", "pace": "even"}, rounds=1), held)
    assert set(FITTED) == {"even"}
    assert held.manifest().settled == {}


def test_a_run_in_memory_says_what_was_chosen(tiny_plan: Any):
    held = MemoryRun()
    run(tiny_plan(learner=f"{__name__}:Choosy", rounds=1), held)
    assert held.manifest().settled == {"pace": "slow"}
    assert set(FITTED) == {"slow"}


@pytest.mark.parametrize("says", [{"peace": "slow"}, None, "slow"])
def test_what_is_no_setting_is_refused_in_one_line(says: Any, tiny_plan: Any):
    MACHINE["says"] = says
    with pytest.raises(ContractError, match=r"Choosy.*settled") as refused:
        run(tiny_plan(learner=f"{__name__}:Choosy", rounds=1), None)
    assert "\n" not in str(refused.value)
    assert not FITTED
