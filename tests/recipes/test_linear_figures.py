import numpy as np
import pytest
from matplotlib.figure import Figure

from veriloop.recipes.linear_figures import (
    GainMap,
    draw_break_even,
    draw_gain,
    one_round_figure,
    smoothed,
    zero_crossing,
)
from veriloop.theory import orthogonal_system

AXIS = np.linspace(0.0, 1.0, 11)


def tilted(zero: float) -> GainMap:
    """A gain that falls with bias and vanishes at ``zero``."""
    return GainMap(AXIS, AXIS, np.repeat(zero - AXIS[:, None], len(AXIS), axis=1))


def test_zero_crossing_interpolates() -> None:
    assert zero_crossing(AXIS, 0.33 - AXIS) == pytest.approx(0.33)
    assert np.isnan(zero_crossing(AXIS, 2 - AXIS))
    assert np.isnan(zero_crossing(AXIS, -1 - AXIS))


def test_smoothing_keeps_a_straight_contour() -> None:
    rough = tilted(0.5)._replace(
        log_gain=tilted(0.5).log_gain + np.random.default_rng(0).normal(0, 0.2, (11, 11))
    )
    smooth = smoothed(rough, width=0.15)
    assert np.abs(smooth.log_gain - tilted(0.5).log_gain)[3:-3].max() < 0.15
    np.testing.assert_array_equal(smooth.biases, AXIS)


def test_white_is_zero_and_both_sides_share_a_scale() -> None:
    mesh = draw_gain(Figure().add_subplot(), tilted(0.2), limit=0.8)
    assert (mesh.norm.vmin, mesh.norm.vmax) == (-0.8, 0.8)
    assert mesh.norm(np.zeros(1)) == 0.5


def test_the_contour_lies_where_the_gain_is_zero() -> None:
    axes = Figure().add_subplot()
    draw_break_even(axes, tilted(0.33), "zero gain")
    (path,) = axes.collections[0].get_paths()
    np.testing.assert_allclose(np.asarray(path.vertices)[:, 0], 0.33)


def test_a_map_without_a_change_of_sign_has_no_contour() -> None:
    axes = Figure().add_subplot()
    draw_break_even(axes, tilted(2.0), "zero gain")
    assert not axes.collections
    assert axes.get_legend() is None


@pytest.mark.parametrize(
    ("bias", "helpful"), [(0.0, [[0.0, 0.3]]), (0.2, [[0.1, 0.3], [0.4, 0.5]]), (0.2, [])]
)
def test_the_curve_of_one_round_passes_through_the_marked_point(bias: float, helpful: list) -> None:
    marked = np.array(helpful).reshape(-1, 2)
    axes = one_round_figure(orthogonal_system(bias, 0.4), 100, "exact", marked).axes[0]
    assert len(axes.patches) == len(helpful)
    curve, _, point, *_ = axes.get_lines()
    (x, y), (xs, ys) = (np.asarray(line.get_data()) for line in (point, curve))
    np.testing.assert_allclose(np.interp(x, xs, ys), y)
