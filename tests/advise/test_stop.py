import math

import pytest
from pydantic import ValidationError

from veriloop.advise.stop import Stop
from veriloop.errors import ConfigError
from veriloop.quantity import Near, Quantity
from veriloop.records import Counts, Estimate, RoundRecord

QUANTITIES = {
    "fid": Quantity(better="lower"),
    "rouge1": Quantity(better="higher"),
    "diversity": Quantity(better=Near(1.0)),
    "length": Quantity(),
    "nelbo": Quantity(better="lower"),
}


def chain(values: list[float], metric: str = "fid", se: float = 0.0) -> list[RoundRecord]:
    return [
        RoundRecord(
            arm="verified",
            round=k,
            counts=Counts(generated=1_000, accepted=1_000, kept=100) if k else Counts(),
            trained_on=100,
            metrics={metric: Estimate(value, se)},
            seconds={"generate": 2.0, "fit": 8.0} if k else {"fit": 30.0},
        )
        for k, value in enumerate(values)
    ]


def ends_after(rule: Stop, records: list[RoundRecord]) -> int | None:
    """The round after which a run under ``rule`` ends; None if it goes on."""
    return next((k for k in range(len(records)) if rule.decide(records[: k + 1], QUANTITIES)), None)


PLATEAU = [9.0, 6.0, 5.0, 4.99, 5.0, 4.98]
REVERSAL = [9.0, 6.0, 5.0, 5.5, 6.0, 7.0]


@pytest.mark.parametrize(
    ("rule", "values", "se", "round_"),
    [
        ({"when": "plateau", "min_gain": 0.1}, PLATEAU, 0.0, 4),
        ({"when": "plateau", "min_gain": 0.1, "patience": 1}, PLATEAU, 0.0, 3),
        ({"when": "plateau", "min_gain": 0.1, "patience": 4}, PLATEAU, 0.0, None),
        # Without a least gain every small one counts, unless it drowns in the noise of the metric.
        ({"when": "plateau", "patience": 1}, PLATEAU[:4], 0.0, None),
        ({"when": "plateau", "patience": 1}, PLATEAU[:4], 0.1, 3),
        ({"when": "plateau"}, REVERSAL, 0.0, 4),
        ({"when": "reversal"}, REVERSAL, 0.0, 4),
        ({"when": "reversal"}, REVERSAL, 0.2, 5),
        ({"when": "reversal", "min_gain": 0.8}, REVERSAL, 0.0, 5),
        ({"when": "reversal"}, PLATEAU, 0.1, None),
        ({"when": "reversal"}, [9.0, 8.0, 7.0, 6.0], 0.0, None),
    ],
)
def test_when_a_metric_ends_an_arm(
    rule: dict[str, object], values: list[float], se: float, round_: int | None
) -> None:
    stop = Stop.model_validate({"quantity": "fid", **rule})
    assert ends_after(stop, chain(values, se=se)) == round_


@pytest.mark.parametrize(
    ("values", "plateau", "reversal"),
    [
        ([0.2, 0.3, 0.4, 0.5], {"fid": 1, "rouge1": None, "diversity": None}, {"fid": 1}),
        ([0.5, 0.4, 0.3, 0.2], {"fid": None, "rouge1": 1, "diversity": 1}, {"rouge1": 1, "diversity": 1}),
        ([0.6, 0.9, 1.2, 1.5], {"fid": 1, "rouge1": None, "diversity": 2}, {"fid": 1, "diversity": 2}),
        ([1.6, 1.3, 1.1, 1.0], {"fid": None, "rouge1": 1, "diversity": None}, {"rouge1": 1}),
    ],
)
def test_a_rule_takes_the_direction_of_its_quantity(
    values: list[float], plateau: dict[str, int | None], reversal: dict[str, int | None]
) -> None:
    for name in ("fid", "rouge1", "diversity"):
        records = chain(values, name)
        rules = {when: Stop(when=when, quantity=name, patience=1) for when in ("plateau", "reversal")}
        assert ends_after(rules["plateau"], records) == plateau[name], name
        assert ends_after(rules["reversal"], records) == reversal.get(name), name


def test_a_quantity_without_a_direction_decides_nothing_and_is_refused() -> None:
    stop = Stop(when="plateau", quantity="length")
    with pytest.raises(
        ConfigError, match=r"length, which has no better direction.*fid, rouge1.*better=\"higher\""
    ):
        stop.decide(chain(PLATEAU, "length"), QUANTITIES)
    with pytest.raises(ConfigError, match=r"'fyd'.*Did you mean 'fid'"):
        Stop(when="plateau", quantity="fyd").checked_among(QUANTITIES)


def test_the_validation_split_decides_where_there_is_one() -> None:
    """Measured on test data the arm goes on falling; on validation data it has turned."""
    records = [
        r.model_copy(update={"validation": {"fid": Estimate(value, 0.0)}})
        for r, value in zip(chain([9.0, 8.0, 7.0, 6.0, 5.0]), REVERSAL, strict=False)
    ]
    stop = Stop(when="reversal", quantity="fid")
    assert ends_after(stop, records) == 4
    decision = stop.decide(records, QUANTITIES)
    assert decision is not None
    assert "by fid of validation data (5 there)" in decision.reason
    assert ends_after(stop, chain([9.0, 8.0, 7.0, 6.0, 5.0])) is None


def test_the_old_key_is_answered_with_the_new_word() -> None:
    with pytest.raises(ValidationError, match=r"expected the key quantity\. Write quantity: fid"):
        Stop.model_validate({"when": "plateau", "metric": "fid"})


def test_by_forecast_an_arm_ends_when_no_gain_is_likely() -> None:
    stop = Stop(when="forecast", quantity="fid")
    over, on = [5 + 4 * 0.4**k for k in range(12)], [10 - 0.5 * k for k in range(12)]
    ended = ends_after(stop, chain(over))
    assert ended is not None
    assert 4 <= ended <= 8
    assert ends_after(stop, chain(on)) is None
    assert ends_after(Stop(when="forecast", quantity="fid", min_gain=2.0), chain(on)) is not None
    later = ends_after(Stop(when="forecast", quantity="fid", certainty=0.99), chain(over))
    assert later is None or later >= ended
    decision = stop.decide(chain(over), QUANTITIES)
    assert decision is not None
    assert decision.reason.startswith("forecast: the next 2 rounds will bring no gain, ")
    assert decision.evidence["chance_of_gain"] <= 0.1
    assert stop.decide(chain(over[:2]), QUANTITIES) is None


@pytest.mark.parametrize(
    "rule",
    [
        Stop(when="plateau", quantity="fid"),
        Stop(when="reversal", quantity="fid", patience=3),
        Stop(when="forecast", quantity="fid", certainty=0.8),
        Stop(when="budget", seconds=3),
    ],
)
def test_a_rule_is_read_back_from_a_manifest_with_all_its_defaults(rule: Stop) -> None:
    assert Stop.model_validate(rule.model_dump(mode="json")) == rule


def test_missing_numbers_decide_nothing() -> None:
    stop = Stop(when="plateau", quantity="fid", patience=1)
    assert stop.decide(chain([5.0, math.nan]), QUANTITIES) is None
    assert stop.decide(chain([5.0], "nelbo"), QUANTITIES) is None
    assert stop.decide([], QUANTITIES) is None


def test_the_evidence_is_the_numbers() -> None:
    decision = Stop(when="reversal", quantity="fid").decide(chain(REVERSAL[:5]), QUANTITIES)
    assert decision is not None
    assert decision.evidence == {"best_round": 2, "best": 5.0, "round_3": 5.5, "round_4": 6.0}
    assert (
        decision.reason
        == "reversal: the last 2 rounds were worse than round 2, by fid of test data (5 there)"
    )


def test_a_budget_is_not_exceeded() -> None:
    records = chain([1.0] * 8)
    # The start takes 30 s and each round 10 s: after round 3 there is no time for a fourth in 65 s.
    assert ends_after(Stop(when="budget", seconds=65), records) == 3
    assert ends_after(Stop(when="budget", candidates=5_000), records) == 5
    assert ends_after(Stop(when="budget", seconds=65, candidates=2_000), records) == 2
    decision = Stop(when="budget", candidates=2_500).decide(records[:3], {})
    assert decision is not None
    assert decision.evidence == {"spent": 2_000, "last_round": 1_000, "limit": 2_500}


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"when": "budget"}, "no budget"),
        ({"when": "plateau"}, "no quantity"),
        ({"when": "plateau", "quantity": "fid", "seconds": 3}, "expected when: budget"),
        ({"when": "plateau", "quantity": "fid", "certainty": 0.8}, "expected when: forecast"),
    ],
)
def test_an_incomplete_rule_is_refused(rule: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Stop.model_validate(rule)
