"""Studies as comparisons: which seeds and rounds are shown, and what a line has come to."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from veriloop.cards import ArmCard, RunCard
from veriloop.comparison.chains import Chain
from veriloop.comparison.differences import mean_interval, table
from veriloop.comparison.runs import Job, Recorded
from veriloop.comparison.variations import AS_GIVEN
from veriloop.config import plan_from
from veriloop.quantity import Quantity
from veriloop.recipes.studies import Line, Study, alike, apart, coin, over_seeds, summary, values_of
from veriloop.recipes.study_tables import cost_rows, outcome_rows
from veriloop.recipes.study_words import claim_numbers
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
CARD = RunCard(
    arms={
        "verified": ArmCard(last_round=3),
        "unverified": ArmCard(last_round=3),
        "all_real": ArmCard(role="bound", last_round=1),
    }
)
NOWHERE = RunFolder(Path("nowhere"))


def records(arm: str, values: Sequence[float]) -> list[RoundRecord]:
    """Of an arm that measured these numbers."""
    return [
        RoundRecord(
            arm=arm,
            round=number,
            counts=Counts(generated=300, accepted=60, rejected=240, kept=60) if number else Counts(),
            trained_on=60,
            metrics={"frechet": Estimate(value, 0.5)},
            seconds={"generate": 2.0, "verify": 0.5, "fit": 4.0},
        )
        for number, value in enumerate(values)
    ]


def run(seed: int, **arms: Sequence[float]) -> list[Chain]:
    """The arms of a run."""
    return [
        Chain(AS_GIVEN, arm, seed, tuple(records(arm, values)), NOWHERE, CARD, None)
        for arm, values in arms.items()
    ]


def of_runs(*runs: Sequence[Chain]) -> Mapping[str, Sequence[Chain]]:
    return {"main": [chain for run in runs for chain in run]}


ARMS: tuple[dict[str, list[float]], ...] = (
    {"verified": [10, 6, 4, 5], "unverified": [10, 12, 14, 16], "all_real": [10, 1.0]},
    {"verified": [11, 7, 5, 6], "unverified": [11, 13, 15, 18], "all_real": [11, 1.2]},
    {"verified": [9, 5, 3, 3], "unverified": [9, 10, 13, 15], "all_real": [9, 0.9]},
)
RUNS = [run(seed, **arms) for seed, arms in enumerate(ARMS)]
WHOLE = STUDY.chains(of_runs(*RUNS))


def values(arm: str, chains: Sequence[Chain] = WHOLE) -> np.ndarray | None:
    line = next(line for line in LINES if line.arm == arm)
    return values_of(STUDY.of_line(line, chains), "frechet")


def shapes(chains: Sequence[Chain]) -> list[tuple[int, ...]]:
    found = [values(line.arm, chains) for line in LINES]
    return [v.shape for v in found if v is not None]


def test_the_interval_is_students() -> None:
    values = np.random.default_rng(0).normal(3, 2, 4)
    expected = ttest_1samp(values, 0).confidence_interval(0.95)
    np.testing.assert_allclose(mean_interval(values), [values.mean(), expected.low, expected.high])
    assert np.isnan(mean_interval(values[:1])[1:]).all()


def test_lines_are_of_the_rounds_that_all_lines_and_seeds_have() -> None:
    short = run(2, verified=[9, 5, 3], unverified=[9, 10, 13], all_real=[9])
    found = STUDY.chains(of_runs(*RUNS[:2], short))
    assert shapes(found) == [(3, 3), (3, 3)], "no bound before all seeds have theirs"
    assert shapes(WHOLE) == [(3, 4), (3, 4), (3, 2)], "a bound is no chain of rounds"
    assert values_of(WHOLE, "never measured") is None
    assert STUDY.chains({}) == []


def test_a_seed_that_has_hardly_begun_takes_nothing_from_the_others() -> None:
    begun = run(3, verified=[9], unverified=[9], all_real=[9])
    assert shapes(STUDY.chains(of_runs(*RUNS, begun))) == [(3, 4), (3, 4), (3, 2)]
    assert shapes(STUDY.chains(of_runs(begun))) == [(1, 1)] * 2, "where nobody has more, the start is shown"


def test_lines_are_compared_over_the_same_seeds() -> None:
    lines = (Line("with", "main", "verified"), Line("varied", "other", "verified"))
    study = Study("more", "Varied", {"main": PLAN, "other": PLAN}, lines, "verified")
    alone, other = run(7, verified=[10, 6]), run(1, verified=[11, 8])
    found = study.chains({**of_runs(*RUNS), "other": [*alone, *other]})
    assert [(c.variation, c.seed, c.last) for c in found] == [("with", 1, 1), ("varied", 1, 1)]
    assert study.chains({**of_runs(*RUNS), "other": alone}) == []


def test_arms_of_one_run_are_variations_of_one_arm() -> None:
    lines = (Line("some", "main", "verified"), Line("none", "main", "unverified"))
    study = Study("keep", "Kept", {"main": PLAN}, lines, "verified")
    found = study.chains(of_runs(*RUNS))
    assert {(c.variation, c.arm, c.arm_of_run) for c in found} == {
        ("some", "verified", "verified"),
        ("none", "verified", "unverified"),
    }
    (difference,) = table("frechet", found).differences
    assert (difference.a, difference.b, difference.n, difference.round) == ("some", "none", 3, 3)
    assert difference.mean == pytest.approx(-35 / 3)
    assert difference.told_apart


def test_a_summary_says_start_best_last_and_change() -> None:
    verified, unverified = values("verified"), values("unverified")
    assert verified is not None
    assert unverified is not None
    told = summary(verified, (0, 1, 2), LOWER)
    assert told["seeds"] == (0, 1, 2)
    assert (told["start"]["mean"], told["best"]["mean"], told["best_round"]) == (10, 4, 2)
    assert told["last"]["mean"] == pytest.approx(14 / 3)
    assert told["last_round"] == 3
    np.testing.assert_allclose(told["change"]["values"], [-5, -5, -6])
    assert told["late_from"] == 1
    np.testing.assert_allclose(told["late"]["values"], verified[:, 3] - verified[:, 1])
    np.testing.assert_allclose(told["ratio"]["values"], [5 / 10, 6 / 11, 3 / 9])
    assert summary(unverified, (0, 1, 2), LOWER)["best_round"] == 0
    assert summary(verified, (0, 1, 2), HIGHER)["best_round"] == 0
    neither = summary(verified, (0, 1, 2), Quantity())
    assert neither["best_round"] == 3, "the last, where neither way is better"


def test_a_share_of_nothing_has_no_ratio() -> None:
    told = summary(np.array([[0.0, 0.5], [0.5, 0.5]]), (0, 1), HIGHER)
    np.testing.assert_equal(told["ratio"]["values"], [np.nan, 1.0])


def test_arms_are_apart_when_their_intervals_are() -> None:
    one, other = over_seeds(np.array([5.0, 6, 3])), over_seeds(np.array([16.0, 18, 15]))
    assert apart(one, other) is True
    assert apart(one, one) is False
    assert apart(over_seeds(np.array([5.0])), over_seeds(np.array([16.0]))) is None


def test_the_claim_compares_the_first_two_arms_of_each_seed() -> None:
    claim = claim_numbers(STUDY, ["frechet", "never measured"], WHOLE)
    assert list(claim) == ["frechet"]
    told = claim["frechet"]
    assert told["verified"]["last"]["mean"] == pytest.approx(14 / 3)
    assert told["apart"] is True
    np.testing.assert_allclose(told["difference"]["values"], [5 - 16, 6 - 18, 3 - 15])
    assert told["difference"]["mean"] == pytest.approx(-35 / 3)
    assert "verified is better than unverified" in told["coin"]
    alone = alike(RUNS[0])
    one_seed = coin(STUDY.of_line(LINES[0], alone), STUDY.of_line(LINES[1], alone), "frechet", LOWER)
    assert (one_seed.outcome, one_seed.by) == ("better", "errors")


def test_there_is_a_row_for_each_line() -> None:
    rows = outcome_rows({"main": STUDY}, ["frechet"], {"main": WHOLE})
    assert [(row["study"], row["line"], row["setting"], row["arm"]) for row in rows] == [
        ("main", arm, "main", arm) for arm in PLAN.arms
    ]
    assert rows[0]["frechet"]["best_round"] == 2
    assert outcome_rows({"main": STUDY}, ["never measured"], {"main": WHOLE}) == []


def test_the_cost_is_that_of_the_rounds() -> None:
    runs = [
        Recorded(
            Job("main", PLAN.model_copy(update={"seed": seed})),
            NOWHERE,
            [record for arm, numbers in arms.items() for record in records(arm, numbers)],
        )
        for seed, arms in enumerate(ARMS)
    ]
    verified, unverified, _ = cost_rows(runs)
    assert (verified["setting"], verified["arm"], verified["rounds"]) == ("main", "verified", 9)
    assert verified["seconds_per_round"] == pytest.approx(6.5)
    assert verified["generated_per_second"] == pytest.approx(150)
    assert verified["verified_per_second"] == pytest.approx(600)
    assert np.isnan(unverified["verified_per_second"]), "nobody judges in the unverified arm"
    assert replace(WHOLE[0], own_arm="other").arm_of_run == "other"
