"""How each person judges is found again from what was planted."""

import math

import numpy as np
import pytest

from veriloop.advise.intervals import newcombe, nothing, wilson
from veriloop.advise.people import Opinion, Said, annotators, weight

RIGHT = {"Ann": 0.95, "Bob": 0.8, "Cyd": 0.6}
"""How often each is right, on good and bad samples alike."""


def _verdicts(
    rng: np.random.Generator, right: float, truth: np.ndarray, name: str, known: int, tires_to: float = 0.0
) -> list[Said]:
    """Verdicts on samples of which the first ``known`` are known; one may tire in their second half."""
    chance = np.full(len(truth), right)
    if tires_to:
        chance[known // 2 : known] = tires_to
    said: list[Said] = []
    for row, (good, is_right) in enumerate(zip(truth, rng.random(len(truth)) < chance, strict=True)):
        answer: Opinion = "accept" if good == is_right else "reject"
        meant: Opinion = "accept" if good else "reject"
        said.append(Said(f"{row}", meant if row < known else None, name, answer, 3.0))
    return said


def test_what_was_planted_in_three_people_is_found_within_its_intervals() -> None:
    rng = np.random.default_rng(11)
    truth = rng.random(600) < 0.5
    said = [s for name, right in RIGHT.items() for s in _verdicts(rng, right, truth, name, known=200)]
    found = annotators(said)
    assert list(found) == ["Ann", "Bob", "Cyd"]
    for name, right in RIGHT.items():
        person = found[name]
        assert (person.verdicts, person.seconds) == (600, 3.0)
        assert person.sensitivity.total + person.specificity.total == 200
        for share in (person.sensitivity, person.specificity):
            assert share.low < right < share.high
        # 600 binary trials, and the consensus itself errs: four standard errors.
        assert abs(person.accuracy - right) < 4 * math.sqrt(right * (1 - right) / 600) + 0.02
        assert person.drift.low < 0 < person.drift.high
    # The two others agree and are right, or agree and are wrong; where they differ nothing is counted.
    both_right, both_wrong = RIGHT["Bob"] * RIGHT["Cyd"], (1 - RIGHT["Bob"]) * (1 - RIGHT["Cyd"])
    expected = (0.95 * both_right + 0.05 * both_wrong) / (both_right + both_wrong)
    assert found["Ann"].with_others.low < expected < found["Ann"].with_others.high
    assert found["Ann"].weight > found["Bob"].weight > found["Cyd"].weight > 0


def test_who_tires_is_noticed() -> None:
    rng = np.random.default_rng(5)
    truth = rng.random(200) < 0.5
    drift = annotators(_verdicts(rng, 0.95, truth, "Ann", 200, tires_to=0.6))["Ann"].drift
    assert drift.low < 0.6 - 0.95 < drift.high < 0


def test_two_people_who_differ_have_no_accuracy_and_nobody_agrees_with_themselves() -> None:
    said = [Said("1", None, "Ann", "accept", None), Said("1", None, "Bob", "reject", None)]
    said += [Said("2", None, "Ann", "accept", None), Said("2", None, "Bob", "abstain", None)]
    found = annotators(said)
    assert math.isnan(found["Ann"].accuracy)
    assert math.isnan(found["Ann"].seconds)
    assert (found["Ann"].with_others.count, found["Ann"].with_others.total) == (0, 1)
    assert annotators([]) == {}


def test_weights_grow_with_accuracy_and_never_count_against_a_person() -> None:
    assert weight(0, 0) == pytest.approx(math.log(3))
    assert weight(10, 10) > weight(9, 10) > weight(0, 0) > weight(6, 10) > 0
    assert weight(0, 10) == 0


def test_newcombes_interval_is_as_published() -> None:
    """Table II of the paper, method 10: 56/70 less 48/80, and 9/10 less 3/10."""
    for a, b, low, high in (((56, 70), (48, 80), 0.0524, 0.3339), ((9, 10), (3, 10), 0.1705, 0.8090)):
        found = newcombe(wilson(*a), wilson(*b))
        assert found.value == pytest.approx(a[0] / a[1] - b[0] / b[1])
        assert (round(found.low, 4), round(found.high, 4)) == (low, high)
    assert math.isnan(newcombe(wilson(1, 2), nothing()).value)
