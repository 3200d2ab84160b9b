"""The gate names a round only where it is shown to be better, and stands by it."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import ndtri

from veriloop.advise.paired import Reading, gain
from veriloop.advise.ship import GROUPS, Ship, ship
from veriloop.quantity import Better, Near, Quantity
from veriloop.records import Counts, Estimate, RoundRecord, Split

HIGHER = Quantity("Score", better="higher")
Rows = Callable[[int, str, str, Split], np.ndarray | None]


def chain(values: list[float], se: float = math.nan, arm: str = "verified") -> list[RoundRecord]:
    return [
        RoundRecord(
            arm=arm,
            round=k,
            counts=Counts(),
            trained_on=1,
            metrics={"score": Estimate(value, se)},
            seconds={},
        )
        for k, value in enumerate(values)
    ]


def by_rows(rows: np.ndarray, quantity: Quantity = HIGHER, error: float = 0.05) -> Ship:
    """The gate's answer to rows of shape (rounds + 1, n)."""
    return ship(chain(list(rows.mean(axis=1))), "score", quantity, rows=lambda k, *_: rows[k], error=error)


def shown(found: Ship) -> list[int]:
    return [look.round for look in found.evidence if look.shown]


def course(gains: list[float], n: int, rng: np.random.Generator) -> np.ndarray:
    hardness = rng.standard_normal(n)
    return np.array([hardness + g + 0.5 * rng.standard_normal(n) for g in gains])


@pytest.mark.parametrize("n", [6, 40, 2 * GROUPS + 30])
def test_a_flat_run_passes_with_the_error_that_is_allowed(n: int) -> None:
    """Over all looks at seven rounds; exact where gains are symmetric, whatever the number of rows."""
    runs = 200
    rng = np.random.default_rng(n)
    wrong = [bool(shown(by_rows(course([0.0] * 8, n, rng), error=0.2))) for _ in range(runs)]
    spent = 0.2 * 6 / math.pi**2 * sum(1 / k**2 for k in range(1, 8))
    # Fewer are right, too: with six rows there are 64 sign patterns, so that limits are coarse.
    assert np.mean(wrong) < spent + 3 * math.sqrt(0.2 * 0.8 / runs)
    if n >= 40:
        assert np.mean(wrong) > spent - 3 * math.sqrt(0.2 * 0.8 / runs) - 0.02


def test_rounds_that_are_better_do_not_let_others_pass() -> None:
    """The error holds for each mixture: here odd rounds are worse or equal, even ones are far better."""
    rng = np.random.default_rng(1)
    runs = 200
    wrong = sum(
        any(k % 2 for k in shown(by_rows(course([0.0, 0.0, 2.0, 0.0, 2.0, -0.01, 2.0], 50, rng), error=0.2)))
        for _ in range(runs)
    )
    assert wrong / runs < 0.2 + 3 * math.sqrt(0.2 * 0.8 / runs)


def test_what_was_said_of_a_round_stays() -> None:
    rng = np.random.default_rng(2)
    rows = course([0.0, 0.1, 0.2, 0.3, 0.3, 0.1, 0.4], 200, rng)
    whole = by_rows(rows)
    for last in range(1, len(rows)):
        assert by_rows(rows[: last + 1]).evidence == whole.evidence[:last]
    assert whole.round in shown(whole)
    assert whole.round == max(shown(whole), key=lambda k: rows[k].mean())


def test_pairs_see_what_errors_do_not() -> None:
    rng = np.random.default_rng(3)
    rows = 5 * rng.standard_normal(400) + np.array([[0.0], [0.2]]) + 0.3 * rng.standard_normal((2, 400))
    paired = by_rows(rows)
    alone = ship(chain([float(r.mean()) for r in rows], se=5 / 20), "score", HIGHER)
    assert (paired.round, paired.by, paired.rows) == (1, "rows", 400)
    assert (alone.round, alone.by, alone.rows) == (0, "errors", 0)
    assert paired.evidence[0].at_least > 0
    assert "400 rows" in paired.verdict
    assert "measured better, but no more than luck may explain" in alone.verdict


def test_by_errors_each_round_has_its_part_of_the_error() -> None:
    found = ship(chain([1.0, 1.5, 1.5], se=0.1), "score", HIGHER, error=0.1)
    for k, look in enumerate(found.evidence, 1):
        part = 0.1 * 6 / math.pi**2 / k**2
        assert look.at_least == pytest.approx(0.5 + float(ndtri(part)) * 0.1 * math.sqrt(2))


@pytest.mark.parametrize("se", [0.0, math.nan])
def test_values_without_an_error_are_compared_and_that_is_said(se: float) -> None:
    found = ship(chain([3.0, 2.0, 2.5], se), "score", Quantity(better="lower"))
    assert (found.round, found.by, shown(found)) == (1, "values", [1, 2])
    assert "this run's models only" in found.verdict
    worse = ship(chain([1.0, 2.0], se), "score", Quantity(better="lower"))
    assert worse.round == 0
    assert worse.verdict.startswith("No round is better than the start by score")
    assert worse.advice == "ship the start model, because no round is shown to be better than it"


@pytest.mark.parametrize(
    ("better", "values", "best"),
    [
        ("higher", [0.0, 1.0], 1),
        ("lower", [0.0, 1.0], 0),
        (Near(1.0), [0.0, 1.3], 1),
        (Near(1.0), [1.1, 2.0], 0),
    ],
)
def test_directions(better: Better, values: list[float], best: int) -> None:
    rng = np.random.default_rng(4)
    noise = 0.1 * rng.standard_normal((2, 60))
    rows = np.array(values)[:, None] + noise - noise.mean(axis=1, keepdims=True)
    assert by_rows(rows, Quantity(better=better)).round == best


def test_without_a_direction_nothing_is_named() -> None:
    found = ship(chain([0.0, 5.0], 0.1), "score", Quantity())
    assert (found.round, found.evidence) == (0, ())
    assert "cannot name a round to ship" in found.verdict


def test_than_another_arm_is_by_rounds_of_equal_number() -> None:
    rng = np.random.default_rng(5)
    ours, theirs = course([0.0, 1.0, 1.0], 80, rng), course([0.0, 1.0, 0.2], 80, rng)
    rows = {"verified": ours, "plain": theirs}
    found = ship(
        chain(list(ours.mean(axis=1))),
        "score",
        HIGHER,
        rows=lambda k, arm, *_: rows[arm][k],
        than=chain(list(theirs.mean(axis=1)), arm="plain"),
    )
    assert (shown(found), found.than) == ([2], "plain")
    assert "better than plain" in found.verdict


@pytest.mark.parametrize("records", [[], chain([1.0]), chain([1.0, math.nan])])
def test_nothing_to_look_at(records: list[RoundRecord]) -> None:
    found = ship(records, "score", HIGHER)
    assert (found.round, found.evidence) == (0, ())
    assert "yet" in found.verdict


def test_a_gain_without_rows_in_common_goes_by_errors() -> None:
    new, old = Reading(Estimate(2.0, 0.3), np.full(3, 2.0)), Reading(Estimate(1.0, 0.4), np.full(4, 1.0))
    found = gain(new, old, HIGHER)
    assert (found.value, found.se, found.by) == (1.0, pytest.approx(0.5), "errors")


def test_a_gain_near_the_best_value_is_to_first_order() -> None:
    """The distance of a mean to 1: that of ``x`` and of its mirror image is the same, row by row."""
    rows = np.array([0.2, 0.9, 0.4])
    new = Reading(Estimate(1.5, 0.1), 1.0 + rows)
    old = Reading(Estimate(0.5, 0.1), 1.0 - rows)
    found = gain(new, old, Quantity(better=Near(1.0)))
    assert found.value == 0
    assert found.rows == pytest.approx(np.zeros(3))
