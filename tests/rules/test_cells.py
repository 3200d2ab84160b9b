import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from veriloop.rules._cells import Cells
from veriloop.samples import Samples

CORNERS = np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0], [9.0, 9.0]])
CORNER = np.repeat(np.arange(4), [10, 20, 30, 40])
POINTS = Samples(x=CORNERS[CORNER] + np.random.default_rng(0).uniform(-1, 1, (100, 2)))
ONE_GROUP = np.zeros(100, int)


def test_two_kinds_far_apart_are_two_cells():
    kind = (CORNER >= 2).astype(int)  # the upper corners, 70 of 100, 9 above the lower ones
    points = Samples(x=np.stack([POINTS.array("x")[:, 0] / 9, POINTS.array("x")[:, 1]], 1))
    cells = Cells(points, ONE_GROUP, "x", 2)
    cell = cells.of(0, points)
    assert len(set(zip(cell.tolist(), kind.tolist(), strict=True))) == 2
    assert sorted(cells.places(0, 100)) == [30, 70]


def test_cells_are_the_same_every_time_and_fewer_than_the_points():
    a, b = (Cells(POINTS, ONE_GROUP, "x", 5).of(0, POINTS) for _ in range(2))
    assert np.array_equal(a, b)
    few = POINTS.select(slice(3))
    assert len(Cells(few, np.zeros(3, int), "x", 5).places(0, 10)) <= 3


def test_equal_points_are_one_cell():
    same = Samples(x=np.ones((20, 2)))
    cells = Cells(same, np.zeros(20, int), "x", 5)
    assert cells.places(0, 7) == [7]


def test_a_group_without_real_samples_is_one_cell():
    cells = Cells(POINTS, ONE_GROUP, "x", 5)
    assert cells.places("other", 7) == [7]
    assert cells.of("other", POINTS).tolist() == [0] * 100


@given(n=st.integers(0, 500), count=st.integers(1, 12))
def test_places_are_the_real_shares_to_within_one(n, count):
    cells = Cells(POINTS, ONE_GROUP, "x", count)
    places = np.array(cells.places(0, n))
    shares = np.bincount(cells.of(0, POINTS), minlength=len(places)) / 100
    assert places.sum() == n
    assert np.abs(places - n * shares).max() < 1


@pytest.mark.parametrize("shape", [(100, 28, 28), (100,)])
def test_columns_of_any_shape_are_flattened(shape):
    x = np.random.default_rng(0).integers(0, 2, shape).astype(np.uint8)
    cells = Cells(Samples(x=x), ONE_GROUP, "x", 4)
    assert cells.of(0, Samples(x=x)).shape == (100,)
