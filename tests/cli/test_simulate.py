"""``veriloop simulate``: Monte Carlo with the theory beside it."""

import json
from pathlib import Path
from typing import get_args

import pytest

from veriloop.cli.simulate import simulate
from veriloop.linear import Design

SMALL = ("--bias", 0.3, "--radius", 0.5, "--p", 3, "--rounds", 3, "--replicates", 200)


def test_a_table_and_a_verdict(veriloop, tmp_path: Path) -> None:
    path = tmp_path / "plot.svg"
    called = veriloop("simulate", *SMALL, "--plot", path)
    assert (called.code, called.err) == (0, "")
    assert "exact theory" in called.out
    assert "100 % of rounds within 3 standard errors of the exact theory" in called.out
    assert called.out.endswith(f"plot: {path}\n")
    assert path.stat().st_size > 1_000


def test_for_machines(veriloop) -> None:
    found = json.loads(veriloop("simulate", *SMALL, "--n", "20,40,80", "--seed", 5, "--json").out)
    assert (found["n"], found["seed"], found["design"], found["verified"]) == ([20, 40, 80], 5, "block", True)
    assert len(found["mse_star"]) == len(found["mse_center_se"]) == len(found["theory"]["mse_star"]) == 4
    assert found["within_3_se"] == 1.0


def test_without_verifier_the_error_grows(veriloop) -> None:
    found = json.loads(veriloop("simulate", *SMALL, "--unverified", "--json").out)
    assert found["verified"] is False
    assert found["mse_star"][3] > 2 * found["mse_star"][0]
    assert found["within_3_se"] == 1.0


def test_the_isotropic_design_is_compared_with_the_block_design(veriloop) -> None:
    found = json.loads(veriloop("simulate", *SMALL, "--design", "isotropic", "--json").out)
    assert found["theory"]["kind"] == "theory of the block design"


def test_a_single_chain_has_no_error(veriloop, tmp_path: Path) -> None:
    arguments = ("simulate", *SMALL, "--replicates", 1, "--plot", tmp_path / "x.png")
    assert veriloop(*arguments).code == 0
    found = json.loads(veriloop(*arguments, "--json").out)
    assert found["within_3_se"] is None
    assert found["mse_star_se"] == [None] * 4


def test_who_computes_does_not_matter(veriloop) -> None:
    here = veriloop("simulate", *SMALL, "--json")
    assert veriloop("simulate", *SMALL, "--json", "--executor", "process", "--workers", 2) == here


def test_designs_of_the_option_are_the_simulations() -> None:
    option = simulate.__annotations__["design"]
    assert get_args(get_args(option)[0]) == get_args(Design)


MISTAKES: dict[str, tuple[tuple[object, ...], str]] = {
    "no chains": (("--replicates", 0), "replicates is not a count"),
    "negative seed": (("--seed", -1), "seed is not a count"),
    "infinite n": (("--n", "inf"), "n is infinite"),
    "negative radius": (("--radius", -1), "radius is out of range"),
    "never accepts": (("--bias", 0, "--radius", 0, "--sigma-c", 0), "would never accept"),
    "unknown executor": (("--executor", "threads"), "no executors of this kind"),
    "workers of none": (("--workers", 2), "'serial' has none"),
    "unknown suffix": (("--plot", "x.gif"), ".png, .svg, .pdf"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_2(
    veriloop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mistake: str
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments, expected = MISTAKES[mistake]
    called = veriloop("simulate", *SMALL, *arguments)
    assert (called.code, called.out) == (2, "")
    assert called.err.startswith("error: ")
    assert called.err.count("\n") == 1
    assert expected in called.err
    assert list(tmp_path.iterdir()) == []
