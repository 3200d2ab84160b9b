"""Comparing arms over seeds, judged by SciPy's own t interval and by curves whose numbers are known."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from veriloop.comparison.runs import Job, Recorded
from veriloop.config import plan_from
from veriloop.experiments.studies import Curve, Line, Study, apart, curves, difference, interval, summary
from veriloop.experiments.study_tables import cost_rows, markdown, outcome_cells, outcome_rows
from veriloop.quantity import Quantity
from veriloop.records import Counts, Estimate, RoundRecord
from veriloop.store.folder import RunFolder

TINY = "veriloop.testing.tiny:Tiny"
PLAN = plan_from(
    {
        "dataset": {"kind": f"{TINY}Data"},
        "learner": {"kind": f"{TINY}Learner"},
        "verifier": {"kind": f"{TINY}Verifier"},
        "metrics": ["frechet"],
        "acceptance": "top_fraction",
        "schedule": {"kind": "constant", "n": 60},
    }
)
LOWER, HIGHER = Quantity(better="lower"), Quantity(better="higher")
LINES = tuple(Line(arm, "main", arm) for arm in PLAN.arms)
STUDY = Study("main", "With and without", {"main": PLAN}, LINES)


def run(seed: int, **arms: Sequence[float]) -> Recorded:
    """A run whose arms measured these numbers."""
    records = [
        RoundRecord(
            arm=arm,
            round=number,
            counts=Counts(generated=300, accepted=60, rejected=240, kept=60) if number else Counts(),
            trained_on=60,
            metrics={"frechet": Estimate(value, 0.5)},
            seconds={"generate": 2.0, "verify": 0.5, "fit": 4.0},
        )
        for arm, values in arms.items()
        for number, value in enumerate(values)
    ]
    return Recorded(Job("main", PLAN.model_copy(update={"seed": seed})), RunFolder(Path("none")), records)


RUNS = [
    run(0, verified=[10, 6, 4, 5], unverified=[10, 12, 14, 16], all_real=[10, 1.0]),
    run(1, verified=[11, 7, 5, 6], unverified=[11, 13, 15, 18], all_real=[11, 1.2]),
    run(2, verified=[9, 5, 3, 3], unverified=[9, 10, 13, 15], all_real=[9, 0.9]),
]


def test_the_interval_is_students() -> None:
    values = np.random.default_rng(0).normal(3, 2, (4, 5))
    mean, low, high = interval(values)
    expected = ttest_1samp(values, 0).confidence_interval(0.95)
    np.testing.assert_allclose(mean, values.mean(axis=0))
    np.testing.assert_allclose(low, expected.low)
    np.testing.assert_allclose(high, expected.high)


def test_one_seed_has_no_interval_but_the_errors_of_its_measurement() -> None:
    assert np.isnan(interval(np.array([[1.0, 2.0]])).low).all()
    verified, *_ = curves(STUDY, "frechet", RUNS[:1])
    np.testing.assert_allclose(verified.band.low, verified.values[0] - 1.0)
    np.testing.assert_allclose(verified.band.high, verified.values[0] + 1.0)


def test_curves_are_of_the_rounds_that_all_lines_and_seeds_have() -> None:
    short = run(2, verified=[9, 5, 3], unverified=[9, 10, 13], all_real=[9])
    found = curves(STUDY, "frechet", [*RUNS[:2], short])
    assert [c.line.arm for c in found] == ["verified", "unverified"], "no bound before all seeds have theirs"
    assert {c.values.shape for c in found} == {(3, 3)}
    whole = curves(STUDY, "frechet", RUNS)
    assert [c.values.shape for c in whole] == [(3, 4), (3, 4), (3, 2)], "a bound is no chain of rounds"
    assert whole[0].seeds == (0, 1, 2)
    assert curves(STUDY, "never measured", RUNS) == []


def test_a_seed_that_has_hardly_begun_takes_nothing_from_the_others() -> None:
    begun = run(3, verified=[9], unverified=[9], all_real=[9])
    found = curves(STUDY, "frechet", [*RUNS, begun])
    assert [c.seeds for c in found] == [(0, 1, 2)] * 3
    assert [c.values.shape for c in found] == [(3, 4), (3, 4), (3, 2)]
    alone = curves(STUDY, "frechet", [begun])
    assert [c.values.shape for c in alone] == [(1, 1)] * 2, "where nobody has more, the start is shown"


def test_lines_are_compared_over_the_same_seeds() -> None:
    alone = run(7, verified=[10, 6], unverified=[10, 12])
    alone = alone._replace(job=alone.job._replace(setting="other"))
    other = run(1, verified=[11, 8])
    other = other._replace(job=other.job._replace(setting="other"))
    lines = (*LINES[:2], Line("varied", "other", "verified"))
    study = Study("more", "Varied", {"main": PLAN, "other": PLAN}, lines)
    assert [c.seeds for c in curves(study, "frechet", [*RUNS, alone, other])] == [(1,)] * 3
    assert curves(study, "frechet", [*RUNS, alone]) == []


def test_a_summary_says_start_best_last_and_change() -> None:
    verified, unverified, _ = curves(STUDY, "frechet", RUNS)
    told = summary(verified, LOWER)
    assert (told["start"]["mean"], told["best"]["mean"], told["best_round"]) == (10, 4, 2)
    assert told["last"]["mean"] == pytest.approx(14 / 3)
    assert told["last_round"] == 3
    np.testing.assert_allclose(told["change"]["values"], [-5, -5, -6])
    assert told["late_from"] == 1
    np.testing.assert_allclose(told["late"]["values"], verified.values[:, 3] - verified.values[:, 1])
    np.testing.assert_allclose(told["ratio"]["values"], [5 / 10, 6 / 11, 3 / 9])
    assert summary(unverified, LOWER)["best_round"] == 0
    assert summary(verified, HIGHER)["best_round"] == 0
    assert summary(verified, Quantity())["best_round"] == 3, "the last, where neither way is better"


def test_a_share_of_nothing_has_no_ratio() -> None:
    curve = Curve(LINES[0], (0, 1), np.array([[0.0, 0.5], [0.5, 0.5]]), np.zeros((2, 2)))
    np.testing.assert_equal(summary(curve, HIGHER)["ratio"]["values"], [np.nan, 1.0])


def test_arms_are_apart_when_their_intervals_are() -> None:
    verified, unverified, _ = curves(STUDY, "frechet", RUNS)
    assert apart(verified, unverified) is True
    assert apart(verified, verified) is False
    assert apart(*curves(STUDY, "frechet", RUNS[:1])[:2]) is None


def test_arms_of_a_seed_are_compared_with_each_other() -> None:
    verified, unverified, _ = curves(STUDY, "frechet", RUNS)
    told = difference(verified, unverified)
    np.testing.assert_allclose(told["values"], [5 - 16, 6 - 18, 3 - 15])
    assert told["mean"] == pytest.approx(-35 / 3)


def test_the_table_has_a_row_for_each_line() -> None:
    cells = outcome_cells(outcome_rows({"main": STUDY}, ["frechet"], RUNS), ["frechet"], ["FD"])
    assert [row[1] for row in cells] == ["arm", *PLAN.arms]
    assert cells[1][2:5] == ["3", "10.0", "4.00 (2)"]
    half = (interval(np.array([5.0, 6, 3])).high - 14 / 3).item()
    assert cells[1][5] == f"5 ± {half:.0f}"  # to the digits that the error leaves
    alone = outcome_cells(outcome_rows({"main": STUDY}, ["frechet"], RUNS[:1]), ["frechet"], ["FD"])
    assert alone[1][5] == "5.00"
    assert markdown([["a", "b"], ["1", "2"]]) == "| a | b |\n|---|---|\n| 1 | 2 |\n"


def test_the_cost_is_that_of_the_rounds() -> None:
    verified = cost_rows(RUNS)[0]
    assert (verified["setting"], verified["arm"], verified["rounds"]) == ("main", "verified", 9)
    assert verified["seconds_per_round"] == pytest.approx(6.5)
    assert verified["generated_per_second"] == pytest.approx(150)
    assert verified["verified_per_second"] == pytest.approx(600)
    assert np.isnan(cost_rows(RUNS)[1]["verified_per_second"]), "nobody judges in the unverified arm"
