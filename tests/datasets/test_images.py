import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from veriloop.datasets.images import balanced_order, images, labels
from veriloop.errors import DataError
from veriloop.samples import Samples

PIXELS = np.zeros((3, 8, 8), np.uint8)
LABEL = np.arange(3)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"label": LABEL}, "no such column"),
        ({"pixels": PIXELS}, "no such column"),
        ({"pixels": PIXELS.astype(float), "label": LABEL}, "uint8 counts"),
        ({"pixels": PIXELS.reshape(3, 64), "label": LABEL}, "uint8 counts"),
        ({"pixels": PIXELS + 17, "label": LABEL}, "has pixel values that are too large: got 17"),
        ({"pixels": PIXELS, "label": LABEL + 8}, "out of range: got '8..10'"),
        ({"pixels": PIXELS, "label": LABEL - 1}, "out of range"),
        ({"pixels": PIXELS, "label": LABEL.astype(float)}, "whole numbers"),
        ({"pixels": ["a", "b", "c"], "label": LABEL}, "holds text"),
    ],
)
def test_wrong_images_are_refused_with_a_reason(columns: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        images(Samples(**columns), levels=16, classes=10)


def test_labels_of_any_whole_type_become_int64() -> None:
    assert labels(Samples(label=np.arange(3, dtype=np.uint8)), 10).dtype == np.int64


@given(st.lists(st.integers(0, 4), max_size=60), st.integers(0, 5))
def test_every_prefix_is_as_balanced_as_the_classes_allow(label: list[int], seed: int) -> None:
    array = np.array(label, np.int64)
    order = balanced_order(array, np.random.default_rng(seed))
    assert sorted(order.tolist()) == list(range(len(array)))
    available = np.bincount(array, minlength=5)
    for n in range(len(array) + 1):
        taken = np.bincount(array[order[:n]], minlength=5)
        open_classes = taken < available
        # A class may lag behind the fullest only if it has run out.
        assert taken.max() - taken[open_classes].min(initial=taken.max()) <= 1


def test_balanced_order_is_random() -> None:
    label = np.repeat(np.arange(10), 20)
    a, b, c = (balanced_order(label, np.random.default_rng(s)) for s in (0, 0, 1))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)
