import math

import pytest

from veriloop.records import Counts, Estimate, RoundRecord
from veriloop.report.summary import ArmSummary, Change, by_arm, summarise
from veriloop.store.folder import RunFolder


def change(metric: str, first: float, last: float, se: float = 0.1) -> Change:
    return Change(metric, Estimate(first, se), Estimate(last, se))


def record(arm: str, round_: int, **metrics: float) -> RoundRecord:
    estimates = {name: Estimate(value, 0.1) for name, value in metrics.items()}
    return RoundRecord(arm=arm, round=round_, counts=Counts(), trained_on=1, metrics=estimates, seconds={})


@pytest.mark.parametrize(
    ("metric", "first", "last", "verdict"),
    [
        ("frechet", 23.0, 12.0, "better"),
        ("frechet", 12.0, 23.0, "worse"),
        ("frechet", 12.0, 12.2, "no clear change"),
        ("accuracy", 1.0, 2.0, "better"),
        ("diversity", 0.5, 1.2, "better"),
        ("diversity", 1.0, 2.0, "worse"),
        ("kl", 1.0, 9.0, None),
        ("frechet", math.nan, 9.0, None),
    ],
)
def test_verdicts(metric: str, first: float, last: float, verdict: str | None) -> None:
    assert change(metric, first, last).verdict == verdict


def test_without_a_standard_error_nothing_is_claimed() -> None:
    assert change("frechet", 23.0, 12.0, math.nan).verdict is None


@pytest.mark.parametrize(("first", "last"), [(0.0, 1.0), (-1.0, 1.0), (math.nan, 1.0)])
def test_no_ratio_where_it_would_mislead(first: float, last: float) -> None:
    assert math.isnan(change("nelbo", first, last).ratio)


def test_sentences() -> None:
    def sentence(last: RoundRecord, *, is_bound: bool = False) -> str:
        return ArmSummary("verified", record("verified", 0, frechet=23.1), last, is_bound).sentence()

    assert sentence(record("verified", 6, frechet=12.4)) == (
        "Fréchet distance 23.1 → 12.4 (\u00d70.54, better) over 6 rounds"
    )
    assert sentence(record("verified", 1, frechet=23.2)).endswith("no clear change) over 1 round")
    assert sentence(record("verified", 0, frechet=23.1)).endswith("no round after the start model yet")
    assert sentence(record("verified", 1, frechet=8.0), is_bound=True).endswith("trained on all real data")
    assert sentence(record("verified", 3)) == "3 rounds done, nothing measured"


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
