import numpy as np
import pytest

from veriloop.linear import simulate
from veriloop.recipes.linear_answers import (
    compare_with_theory,
    one_round_answer,
    phase_answer,
    trajectory_answer,
)
from veriloop.theory import helpful_biases, one_round_grid, one_round_mse, orthogonal_system


def said(words: list[str]) -> str:
    return "\n".join(words)


def test_one_round_numbers_are_the_theorys() -> None:
    system = orthogonal_system(0.2, 0.4)
    numbers, words = one_round_answer(system, 100)
    assert numbers["gain"]
    assert numbers["mse"] == one_round_mse(system, 100, "exact").mse
    assert numbers["generated_per_kept"] == pytest.approx(1 / numbers["acceptance_rate"])
    ((low, high),) = numbers["helpful_biases"]
    assert low == 0
    at_limit = system.moved(bias=high)
    assert one_round_mse(at_limit, 100, "exact").mse == pytest.approx(system.baseline)
    assert one_round_mse(system, numbers["samples_needed_to_gain"], "exact").mse <= system.baseline
    assert one_round_mse(system, numbers["samples_needed_to_gain"] - 1, "exact").mse > system.baseline
    assert "gain in round one: yes" in said(words)
    assert "(the smallest that holds the truth)" in said(words)


def test_a_verifier_that_cannot_help_is_called_so() -> None:
    _, words = one_round_answer(orthogonal_system(1.0, 1.0), 100)
    assert "gain in round one: no" in said(words)
    assert "no number of samples makes this verifier help" in said(words)
    assert "biases that help in one round, at this radius: none" in words
    _, words = one_round_answer(orthogonal_system(0.4, 0.5), 100)
    assert "biases that help in one round: 0 to 0.305; this verifier's 0.4 is none of them" in words


def test_a_bias_can_help_where_no_bias_harms() -> None:
    numbers, words = one_round_answer(orthogonal_system(1.5, 3.0, p=1, n0=4), 100)
    assert numbers["gain"]
    assert "gain in round one: yes" in words[0]
    assert "biases that help in one round: 0.705 to 2.99; this verifier's 1.5 is one of them" in words


def test_a_verifier_that_accepts_nothing_costs_without_end() -> None:
    numbers, words = one_round_answer(orthogonal_system(200.0, 0.1, allow_outside=True), 100)
    assert numbers["generated_per_kept"] == np.inf
    assert "times)" in words[0]


@pytest.mark.parametrize(
    ("bias", "radius", "n", "rounds", "regime", "words"),
    [
        (0.0, 0.5, 100, 20, "gain_then_plateau", "regime: gain, then plateau"),
        (0.2, 1.5, 1000, 40, "gain_then_reversal", "best round: 6, mean squared error 0.05013 (-37 %)"),
        (0.0, 2.0, 1e6, 5, "improving", "regime: still improving after 5 rounds"),
        (1.0, 1.0, 100, 5, "harmful", "best round: 0, do not retrain"),
    ],
)
def test_each_regime_has_its_words(
    bias: float, radius: float, n: float, rounds: int, regime: str, words: str
) -> None:
    answer, course = trajectory_answer(orthogonal_system(bias, radius), n, rounds)
    assert answer.numbers["regime"] == regime == course.regime
    assert words in said(answer.words)
    assert f"it ends at {course.floor:.4g}" in said(answer.words)


def test_phase_names_the_biases_that_help() -> None:
    system = orthogonal_system(0.5, 0.5)
    grid = one_round_grid(system, np.linspace(0, 0.5, 9), np.linspace(0.1, 0.5, 5), 100)
    numbers, words = phase_answer(system, grid, 100)
    assert 0 < numbers["share_with_gain"] < 1
    assert [row["radius"] for row in numbers["helpful_biases"]] == pytest.approx(grid.radii)
    expected = helpful_biases(system, 100, radius=0.1)
    assert numbers["helpful_biases"][0]["biases"] == pytest.approx(expected)
    assert "bias 0 and radius 0.1" in words[-1]
    _, words = phase_answer(system, grid, 5)
    assert "biases that help, none" in said(words)


@pytest.mark.parametrize("verified", [True, False])
def test_a_simulation_is_compared_with_its_theory(verified: bool) -> None:
    system = orthogonal_system(0.3, 0.5, p=3)
    run = simulate(system, 50, 4, 2_000, seed=3, verified=verified)
    seen = compare_with_theory(system, 50, run, verified=verified, own_theory=True)
    assert seen.answer.numbers["within_3_se"] == 1.0
    center, exact = run.mse_center, seen.answer.numbers["theory"]["mse_center"]
    assert np.all(np.abs(center - exact) < 4 * run.mse_center_se)


def test_a_single_chain_is_not_judged() -> None:
    system = orthogonal_system(0.3, 0.5)
    run = simulate(system, 50, 2, 1, seed=2)
    seen = compare_with_theory(system, 50, run, verified=True, own_theory=True)
    assert np.isnan(seen.answer.numbers["within_3_se"])
    assert seen.answer.words == []
