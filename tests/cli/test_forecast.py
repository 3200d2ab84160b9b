import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

REGIMES = {"improving", "gain_then_plateau", "gain_then_reversal", "harmful", "unclear"}


def test_as_json(veriloop: Callable[..., Any], tiny_run: Path) -> None:
    called = veriloop("forecast", tiny_run, "--metric", "gap", "--arm", "unverified", "--rounds", 2, "--json")
    assert called.code == 0, called.err
    found = json.loads(called.out)
    assert (found["arm"], found["metric"]) == ("unverified", "gap")
    assert [coming["round"] for coming in found["next"]] == [4, 5]
    assert all(coming["low"] <= coming["value"] <= coming["high"] for coming in found["next"])
    assert found["best_round_so_far"] in range(4)
    assert found["plateau"] is None or found["plateau"]["low"] <= found["plateau"]["high"]
    assert found["regime"] in REGIMES
    assert found["verdict"]


def test_for_people(veriloop: Callable[..., Any], tiny_run: Path) -> None:
    called = veriloop("forecast", tiny_run)
    assert called.code == 0, called.err
    assert "verified, gap" in called.out
    assert "round 4" in called.out
    assert "per verdict" in called.out
    assert called.out.endswith("Based on the validation data.\n")


@pytest.mark.parametrize(
    ("better", "kept"), [("higher", "higher"), ("lower", "lower"), ("0.5", {"near": 0.5})]
)
def test_the_direction_can_be_said(
    better: str, kept: object, veriloop: Callable[..., Any], tiny_run: Path
) -> None:
    called = veriloop("forecast", tiny_run, "--better", better, "--json")
    assert json.loads(called.out)["better"] == kept


def test_an_arm_without_rounds_enough(veriloop: Callable[..., Any], tiny_run: Path) -> None:
    called = veriloop("forecast", tiny_run, "--arm", "all_real")
    assert called.code == 0, called.err
    assert called.out.startswith("Cannot tell yet: gap was measured in 2 rounds")


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (("--arm", "verifed"), "one of verified, unverified, all_real"),
        (("--metric", "fid"), "expected one of gap"),
        (("--better", "near one"), "expected lower, higher, or a number"),
    ],
)
def test_mistakes_end_in_one_line(
    arguments: tuple[str, ...], fragment: str, veriloop: Callable[..., Any], tiny_run: Path
) -> None:
    called = veriloop("forecast", tiny_run, *arguments)
    assert called.code == 2
    assert called.err.startswith("error: ")
    assert len(called.err.strip().splitlines()) == 1
    assert fragment in called.err


def test_the_report_has_it(veriloop: Callable[..., Any], tiny_run: Path) -> None:
    assert veriloop("report", tiny_run).code == 0
    assert 'id="forecast"' in (tiny_run / "report.html").read_text()
