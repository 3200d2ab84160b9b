import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from veriloop.advise.ship import Look, Ship
from veriloop.cli.ship import _print
from veriloop.config import load_plan
from veriloop.errors import ConfigError

Veriloop = Callable[..., Any]


def test_as_json(veriloop: Veriloop, tiny_run: Path) -> None:
    called = veriloop("ship", tiny_run, "--json")
    assert called.code == 0, called.err
    found = json.loads(called.out)
    assert (found["arm"], found["quantity"], found["error"], found["by"]) == (
        "verified",
        "gap",
        0.05,
        "errors",
    )
    assert [look["round"] for look in found["evidence"]] == [1, 2, 3]
    assert found["round"] in {0} | {look["round"] for look in found["evidence"] if look["shown"]}
    assert found["coin"]["line"]


def test_for_people(veriloop: Veriloop, tiny_run: Path) -> None:
    called = veriloop("ship", tiny_run, "--arm", "unverified", "--error", "0.1")
    assert called.code == 0, called.err
    assert "unverified, gap" in called.out
    assert "error at most 10 % over all looks" in called.out
    assert called.out.splitlines()[-1].startswith("verified ")


def test_numbers_without_an_error_are_measured_and_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    looks = (Look(round=1, gain=0.2, at_least=math.nan, shown=True),)
    found = Ship(round=1, error=0.05, quantity="gap", by="values", evidence=looks, verdict="")
    for answer, word in ((found, "measured so"), (found.model_copy(update={"by": "rows"}), "shown")):
        _print(answer, "verified")
        assert capsys.readouterr().out.strip().endswith(word)


def test_the_forecast_has_the_same_answer(veriloop: Veriloop, tiny_run: Path) -> None:
    forecast = json.loads(veriloop("forecast", tiny_run, "--json").out)
    ship = json.loads(veriloop("ship", tiny_run, "--json").out)
    assert forecast["ship"].items() <= ship.items()
    assert forecast["coin"] == ship["coin"]


def test_list_and_the_end_of_a_run_have_it_too(veriloop: Veriloop, tiny_run: Path, config: Path) -> None:
    listed = json.loads(veriloop("list", tiny_run.parent, "--json").out)["runs"]
    ship = json.loads(veriloop("ship", tiny_run, "--json").out)
    assert [(run["verdict"], run["ship"]) for run in listed] == [(ship["coin"]["line"], ship["round"])]
    ended = veriloop("run", config, "--out", tiny_run, "--resume", "if-possible", "--json")
    found = json.loads(ended.out)
    assert (found["verdict"], found["ship"]) == (ship["coin"]["line"], ship["round"])
    for_people = veriloop("run", config, "--out", tiny_run, "--resume", "if-possible").out
    assert ship["coin"]["line"] in for_people.splitlines()
    table = veriloop("list", tiny_run.parent).out
    assert ship["coin"]["outcome"].split()[0] in table


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (("--arm", "verifed"), "one of verified, unverified, all_real"),
        (("--quantity", "fid"), "expected one of gap"),
        (("--error", "0.7"), "expected a probability above 0 and below 0.5"),
    ],
)
def test_mistakes_end_in_one_line(
    arguments: tuple[str, ...], fragment: str, veriloop: Veriloop, tiny_run: Path
) -> None:
    called = veriloop("ship", tiny_run, *arguments)
    assert called.code == 2
    assert len(called.err.splitlines()) == 1
    assert fragment in called.err


@pytest.mark.parametrize(
    ("override", "fragment"),
    [
        ("ship.quantity=gapp", "ship.quantity: got 'gapp', expected one of gap"),
        ("ship.than=verifed", "ship.than: got 'verifed'"),
        (
            "ship.than=verified",
            "ship.than is the arm whose round is to be named: got 'verified', expected what",
        ),
        ("ship.than=all_real", "expected one of start, verified, unverified"),
        ("ship.error=0.5", "ship.error"),
        ("ship.errors=0.1", "Did you mean 'error'"),
    ],
)
def test_a_plan_with_a_wrong_gate_is_refused(override: str, fragment: str, config: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_plan(config, [override])
    assert fragment in str(caught.value)


def test_a_plan_may_say_what_a_round_has_to_show(config: Path) -> None:
    plan = load_plan(config, ["ship={quantity: gap, error: 0.01, than: unverified}"])
    assert plan.ship.model_dump() == {"quantity": "gap", "error": 0.01, "than": "unverified"}
