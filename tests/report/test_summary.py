import math

import pytest

from veriloop.cards import ArmCard, RunCard
from veriloop.quantity import Better, Near, Quantity
from veriloop.records import Counts, Estimate, RoundRecord
from veriloop.report.summary import ArmSummary, Change, by_arm, summarise
from veriloop.store.folder import RunFolder

CARDS = RunCard(
    arms={"verified": ArmCard(last_round=6), "all_real": ArmCard(role="bound", last_round=1)},
    quantities={
        "length": Quantity("Length"),
        "frechet": Quantity("Fréchet distance", better="lower"),
        "solved": Quantity("Solved", better="higher"),
    },
)


def change(better: Better, first: float, last: float, se: float = 0.1) -> Change:
    return Change(Quantity(better=better), Estimate(first, se), Estimate(last, se))


def record(arm: str, round_: int, **metrics: float) -> RoundRecord:
    estimates = {name: Estimate(value, 0.1) for name, value in metrics.items()}
    return RoundRecord(arm=arm, round=round_, counts=Counts(), trained_on=1, metrics=estimates, seconds={})


@pytest.mark.parametrize(
    ("better", "first", "last", "verdict"),
    [
        ("lower", 23.0, 12.0, "better"),
        ("lower", 12.0, 23.0, "worse"),
        ("lower", 12.0, 12.2, "cannot tell"),
        ("higher", 1.0, 2.0, "better"),
        ("higher", 2.0, 1.0, "worse"),
        (Near(1.0), 0.5, 1.2, "better"),
        (Near(1.0), 1.0, 2.0, "worse"),
        (Near(1.0), 0.0, 2.0, "cannot tell"),
        (Near(7.0), 1.0, 6.0, "better"),
        (None, 1.0, 9.0, None),
        ("lower", math.nan, 9.0, "cannot tell"),
    ],
)
def test_verdicts(better: Better, first: float, last: float, verdict: str | None) -> None:
    assert change(better, first, last).verdict == verdict


def test_without_a_standard_error_nothing_is_claimed() -> None:
    assert change("lower", 23.0, 12.0, math.nan).verdict == "cannot tell"


@pytest.mark.parametrize(("first", "last"), [(0.0, 1.0), (-1.0, 1.0), (math.nan, 1.0)])
def test_no_ratio_where_it_would_mislead(first: float, last: float) -> None:
    assert math.isnan(change("lower", first, last).ratio)


def test_sentences() -> None:
    def sentence(last: RoundRecord, arm: str = "verified") -> str:
        return ArmSummary(arm, record(arm, 0, length=3, frechet=23.1), last, CARDS).sentence()

    assert sentence(record("verified", 6, frechet=12.4)) == (
        "Fréchet distance 23.1 → 12.4 (\u00d70.54, better) over 6 rounds"
    )
    assert sentence(record("verified", 1, frechet=23.2)).endswith("cannot tell) over 1 round")
    assert sentence(record("verified", 0, frechet=23.1)).endswith("no round after the start model yet")
    assert sentence(record("all_real", 1, frechet=8.0), "all_real").endswith("trained on all real data")
    assert sentence(record("verified", 3)) == "3 rounds done, nothing measured"


def test_a_strangers_quantity_that_rises_is_said_to_improve() -> None:
    first, last = record("verified", 0, solved=0.2), record("verified", 2, solved=2.4)
    told = ArmSummary("verified", first, last, CARDS).sentence()
    assert told.startswith("Solved 0.200 → 2.40 (\u00d712.00, better)")


def test_the_headline_is_the_first_quantity_with_a_direction() -> None:
    assert CARDS.headline == "frechet"
    assert CARDS.headline_of(["solved", "length"]) == "solved"
    assert CARDS.headline_of(["length"]) == "length", "what there is"
    assert CARDS.headline_of(["new"]) == "new"
    assert CARDS.headline_of([]) is None


def test_arms_come_in_the_order_of_the_configuration() -> None:
    records = [record("b", 1), record("b", 0), record("new", 0), record("a", 0)]
    chains = by_arm(records, ["a", "absent", "b"])
    assert list(chains) == ["a", "b", "new"]
    assert [r.round for r in chains["b"]] == [0, 1]


def test_a_run_is_summarised_by_arm(image_run: RunFolder) -> None:
    verified, unverified, all_real = summarise(image_run)
    assert (verified.arm, verified.rounds, verified.is_bound) == ("verified", 6, False)
    assert verified.changes["frechet"].verdict == "better"
    assert unverified.changes["frechet"].verdict == "worse"
    assert (all_real.rounds, all_real.is_bound) == (1, True)
