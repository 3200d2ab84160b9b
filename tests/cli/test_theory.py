"""``veriloop theory``: answers for people and for machines."""

import json
from pathlib import Path
from typing import get_args

import pytest

from veriloop.cli.theory import one_round
from veriloop.theory import Method, one_round_mse, orthogonal_system

VERIFIER = ("--bias", 0.2, "--radius", 0.4)


def test_one_round(veriloop) -> None:
    called = veriloop("theory", "one-round", *VERIFIER)
    assert (called.code, called.err) == (0, "")
    assert called.out.splitlines()[:4] == [
        "gain in round one: yes, mean squared error 0.08 -> 0.05846 (-27 %)",
        "of this, 0.03139 is noise of 100 samples per direction, 0.02707 stays however many are kept",
        "accepts 76.6 % of fresh samples: generate 1.31 for each one kept",
        "biases that help in one round: 0 to 0.314; this verifier's 0.2 is one of them",
    ]


@pytest.mark.parametrize("method", get_args(Method))
def test_one_round_for_machines(veriloop, method: Method) -> None:
    called = veriloop("theory", "one-round", *VERIFIER, "--n", 50, "--method", method, "--sigma", 2, "--json")
    found = json.loads(called.out)
    assert found["system"] == {
        "bias": 0.2, "radius": 0.4, "p": 8, "n0": 100, "sigma": 2.0, "sigma_c": 1.5957691
    }  # fmt: skip
    expected = one_round_mse(orthogonal_system(0.2, 0.4, sigma=2.0), 50, method).mse
    assert found["mse"] == pytest.approx(expected)
    assert found["gain"] == (found["mse"] < found["baseline"])


def test_methods_of_the_option_are_the_theorys() -> None:
    option = one_round.__annotations__["method"]
    assert get_args(get_args(option)[0]) == get_args(Method)


def test_the_biases_that_help_are_a_set(veriloop) -> None:
    setting = ("--bias", 1.5, "--radius", 3, "--p", 1, "--n0", 4, "--n", 100)
    found = json.loads(veriloop("theory", "one-round", *setting, "--json").out)
    assert found["gain"] is True
    assert found["helpful_biases"] == [pytest.approx([0.70547461, 2.98759923], abs=1e-7)]


def test_a_verifier_that_accepts_everything_adds_noise_and_nothing_else(veriloop) -> None:
    setting = ("--bias", 0.2, "--radius", 10_000, "--p", 2, "--n0", 18, "--n", 100, "--rounds", 4)
    found = json.loads(veriloop("theory", "trajectory", *setting, "--json").out)
    assert found["mse_star"] == pytest.approx([1 / 9 + 0.02 * k for k in range(5)], abs=1e-7)
    assert found["regime"] == "harmful"


def test_a_narrow_set_of_biases_has_two_ends(veriloop) -> None:
    setting = ("--bias", 0.2, "--radius", 10_000, "--p", 2, "--n0", 18, "--n", 100, "--rounds", 4)
    assert "help in one round: 14140 to 14141; this" in veriloop("theory", "trajectory", *setting).out


def test_the_limit_of_many_samples(veriloop) -> None:
    found = json.loads(veriloop("theory", "one-round", *VERIFIER, "--n", "inf", "--json").out)
    assert found["synthetic_variance"] == 0
    assert found["n"] == "inf"


def test_trajectory(veriloop) -> None:
    called = veriloop("theory", "trajectory", "--bias", 0.2, "--radius", 1.5, "--n", 1000, "--rounds", 40)
    assert called.code == 0
    assert "0.05013 *" in called.out
    assert "best round: 6, mean squared error 0.05013 (-37 %)" in called.out
    assert "regime: gain, then reversal; it ends at 0.06764, 0.845 times the start" in called.out


def test_trajectory_for_machines_takes_a_schedule(veriloop) -> None:
    found = json.loads(
        veriloop("theory", "trajectory", *VERIFIER, "--n", "50,100,200", "--rounds", 3, "--json").out
    )
    assert found["n"] == [50, 100, 200]
    assert len(found["mse_star"]) == len(found["mse_center"]) == 4
    assert {"best_round", "regime", "floor", "helpful_biases", "generated_per_kept"} <= found.keys()


def test_phase(veriloop) -> None:
    called = veriloop("theory", "phase", "--cells", 9)
    assert called.out.startswith("one round helps in 4")
    assert "radius 0.01: biases that help, 0 to 0.308" in called.out
    found = json.loads(veriloop("theory", "phase", "--cells", 9, "--json").out)
    assert len(found["log_gain"]) == len(found["log_gain"][0]) == len(found["biases"]) == 9
    assert "bias" not in found["system"]


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
@pytest.mark.parametrize(
    "verb", [("one-round", *VERIFIER), ("trajectory", *VERIFIER), ("phase", "--cells", 9)], ids=lambda v: v[0]
)
def test_plots(veriloop, tmp_path: Path, verb: tuple[object, ...], suffix: str) -> None:
    path = tmp_path / f"plot.{suffix}"
    called = veriloop("theory", *verb, "--plot", path)
    assert called.code == 0
    assert called.out.endswith(f"plot: {path}\n")
    assert path.stat().st_size > 1_000


MISTAKES: dict[str, tuple[tuple[object, ...], str]] = {
    "negative radius": (("one-round", "--bias", 0.1, "--radius", -1), "radius is out of range"),
    "negative bias": (("trajectory", "--bias", -0.1, "--radius", 1), "bias is out of range"),
    "nan": (("one-round", "--bias", "nan", "--radius", 1), "bias holds NaN"),
    "n 0": (("one-round", *VERIFIER, "--n", 0), "n is not a sample size"),
    "n is no number": (("trajectory", *VERIFIER, "--n", "1O0"), "got '1O0'"),
    "short schedule": (("trajectory", *VERIFIER, "--n", "5,10"), "does not cover the rounds"),
    "no rounds": (("trajectory", *VERIFIER, "--rounds", 0), "rounds is not a count"),
    "never accepts": (("one-round", "--bias", 0, "--radius", 0, "--sigma-c", 0), "would never accept"),
    "ball misses": (("one-round", "--bias", 0.5, "--radius", 0.4), "0.1 more than the radius"),
    "few real samples": (("one-round", *VERIFIER, "--n0", 7), "at least p = 8"),
    "too wide and too long": (
        ("trajectory", "--bias", 0, "--radius", 1000, "--n", 1, "--rounds", 200),
        "too wide and chain too long",
    ),
    "no noise": (("one-round", *VERIFIER, "--sigma", 0), "sigma is out of range"),
    "empty range": (("phase", "--bias", 0.5, 0.1), "LOW < HIGH"),
    "negative range": (("phase", "--radius", -1, 1), "radii is out of range"),
    "unknown suffix": (("one-round", *VERIFIER, "--plot", "x.gif"), ".png, .svg, .pdf"),
    "nowhere to draw": (("phase", "--plot", "no/x.png"), "no such folder"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("json_", [False, True], ids=["text", "json"])
def test_a_mistake_is_one_line_and_exit_code_2(
    veriloop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mistake: str, json_: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments, expected = MISTAKES[mistake]
    called = veriloop("theory", *arguments, *(["--json"] if json_ else []))
    assert (called.code, called.out) == (2, "")
    assert called.err.startswith("error: ")
    assert called.err.count("\n") == 1
    assert expected in called.err
    assert list(tmp_path.iterdir()) == []
