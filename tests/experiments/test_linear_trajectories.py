import numpy as np

from veriloop.experiments.base import Setting
from veriloop.experiments.linear_trajectories import RADII, courses, linear_trajectories


def test_the_courses_are_the_papers() -> None:
    found = courses(seed=0)
    center = [c for c in found if c.panel == "a"]
    assert [c.system.radius for c in center] == list(RADII)
    assert all(np.isclose(c.system.bias, 1.0) for c in center)
    settings = [(c.system.bias, c.verified, c.growing) for c in found if c.panel == "b"]
    assert settings == [(0.0, True, False), (0.0, True, True), (0.0, False, False)]


def test_numbers(smoke: Setting) -> None:
    finding = linear_trajectories(smoke)
    numbers, words, (figure,) = finding.numbers, finding.words, finding.figures.values()
    assert numbers["mild_bias"]["regime"] == "gain_then_reversal"
    assert numbers["mild_bias"]["best_round"] == 6
    assert numbers["mild_bias"]["best"] < numbers["mild_bias"]["floor"] < numbers["mild_bias"]["start"]
    verified, growing, unverified = (c for c in numbers["curves"] if c["panel"] == "b")
    assert growing["n"] == "100 k"
    assert growing["simulated"][-1] < 0.3 * verified["simulated"][-1]
    assert verified["simulated"][-1] < 0.06 < 0.5 < unverified["simulated"][-1]
    assert words[1].startswith("mild bias: best round 6 predicted")
    _, labels = figure.axes[2].get_legend_handles_labels()
    assert "predicted best round: 6" in labels
