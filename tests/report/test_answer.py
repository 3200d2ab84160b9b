"""The answer on top of a run, from its records and rows."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from veriloop.cards import ArmCard, Gate, RunCard
from veriloop.quantity import Quantity
from veriloop.records import Counts, Estimate, RoundRecord, Split
from veriloop.report.answer import answer, gate
from veriloop.report.summary import by_arm
from veriloop.store.manifest import Manifest

QUANTITIES = {
    "score": Quantity("Score", better="higher"),
    "length": Quantity("Length"),
}
ARMS = {"verified": ArmCard(verified=True, last_round=3), "plain": ArmCard(last_round=3)}


@dataclass
class Known:
    """A run that is known by its rows: of each (arm, split), shape (rounds + 1, n)."""

    rows_of: dict[tuple[str, str], np.ndarray]
    name: str = "score"
    arms: dict[str, ArmCard] = field(default_factory=lambda: ARMS)
    ship: Gate = field(default_factory=Gate)
    stored: bool = True

    def manifest(self) -> Manifest:
        cards = RunCard(arms=self.arms, quantities=QUANTITIES, ship=self.ship)
        return Manifest(config={}, seed=0, cards=cards)

    def records(self) -> list[RoundRecord]:
        found: list[RoundRecord] = []
        for arm in dict.fromkeys(arm for arm, _ in self.rows_of):
            for k in range(len(self.rows_of[arm, "test"])):
                numbers: dict[str, Any] = {}
                for split in ("test", "validation"):
                    own = self.rows_of[arm, split][k]
                    numbers[split] = {self.name: Estimate(own.mean(), own.std() / np.sqrt(len(own)))}
                found.append(
                    RoundRecord(
                        arm=arm,
                        round=k,
                        counts=Counts(),
                        trained_on=1,
                        metrics=numbers["test"],
                        validation=numbers["validation"],
                        seconds={},
                    )
                )
        return found

    def rows(self, round_: int, arm: str, name: str, split: Split) -> np.ndarray | None:
        return self.rows_of[arm, split][round_] if self.stored else None


def known(gains: dict[str, list[float]], n: int = 120, seed: int = 0, **more: Any) -> Known:
    rng = np.random.default_rng(seed)
    rows: dict[tuple[str, str], np.ndarray] = {}
    for split in ("test", "validation"):
        hardness = rng.standard_normal(n)
        start = hardness + 0.3 * rng.standard_normal(n)
        for arm, own in gains.items():
            later = [hardness + g + 0.3 * rng.standard_normal(n) for g in own]
            rows[arm, split] = np.array([start, *later])
    return Known(rows, **more)


RISING = {"verified": [0.3, 0.6, 0.5], "plain": [-0.1, -0.2, -0.3]}


def test_the_line_names_both_arms_and_speaks_of_the_last_round() -> None:
    found = answer(known(RISING))
    assert found.line.startswith("verified is better than plain: Score +")
    assert found.coin is not None
    assert (found.coin.round, found.coin.by, found.coin.pairs) == (3, "rows", 120)
    assert found.coin.low < 0.8 < found.coin.high
    assert found.ship is not None
    assert (found.ship.round, found.ship.split) == (2, "validation")
    assert found.at_ship is not None
    assert (found.at_ship.round, found.at_ship.outcome) == (2, "better")


def test_another_quantity_can_be_asked_about() -> None:
    found = answer(
        known({arm: [-g for g in gains] for arm, gains in RISING.items()}, name="length"), "length"
    )
    assert found.line == "length has no better direction, so the arms are not compared."
    assert answer(known(RISING), "score") == answer(known(RISING))


def test_old_runs_have_no_rows_and_are_compared_unpaired() -> None:
    found = answer(known(RISING, stored=False))
    assert found.coin is not None
    assert found.ship is not None
    assert (found.coin.by, found.ship.by) == ("errors", "errors")
    assert "not paired" in found.line


def test_an_arm_that_ended_early_is_compared_at_its_last_round() -> None:
    found = answer(known({"verified": [0.3, 0.6, 0.9], "plain": [0.0]}))
    assert found.coin is not None
    assert found.coin.round == 1


def test_without_an_unverified_arm_it_is_against_the_start() -> None:
    arms = {"verified": ARMS["verified"]}
    found = answer(known({"verified": [0.3, 0.6]}, arms=arms))
    assert found.line.startswith("verified is better than the start model")
    assert found.line.endswith("There is no unverified arm to compare with.")


def test_a_model_of_all_real_data_is_not_the_other_arm() -> None:
    arms = {"verified": ARMS["verified"], "all_real": ArmCard(role="bound", last_round=1)}
    found = answer(known({"verified": [0.3, 0.6], "all_real": [5.0]}, arms=arms))
    assert "than the start model" in found.line


@pytest.mark.parametrize(
    ("run", "line"),
    [
        (known({"verified": [], "plain": []}), "No round has finished after the start model yet."),
        (known(RISING, name="length"), "length has no better direction"),
    ],
)
def test_where_nothing_can_be_said(run: Known, line: str) -> None:
    found = answer(run)
    assert found.line.startswith(line)
    assert found.coin is None


def test_the_plan_says_what_a_round_has_to_beat_and_how_surely() -> None:
    run = known({"verified": [0.3, 0.3], "plain": [0.3, 0.0]}, ship=Gate(than="plain", error=0.01))
    found = answer(run).ship
    assert found is not None
    assert (found.round, found.than, found.error) == (2, "plain", 0.01)
    chains = by_arm(run.records())
    own = gate(run.rows, chains, run.manifest().cards, "plain", "score")
    assert own.than == "start", "an arm cannot beat itself"
