"""Splits by content: a property of the rows, not of their ids."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from veriloop.datasets.images import halves
from veriloop.datasets.splits import apart, array_keys, counted, taken, text_keys
from veriloop.errors import DataError

KEYS = st.lists(st.integers(0, 5), max_size=20)


def test_texts_are_equal_but_for_white_space_and_encoding() -> None:
    one, same, encoded, other = text_keys(["a  caf\u00e9\n", " a caf\u00e9", "a cafe\u0301", "A caf\u00e9"])
    assert one == same == encoded
    assert one != other, "letters count"


def test_images_are_equal_where_their_pixels_are() -> None:
    pixels = np.zeros((3, 2, 2), np.uint8)
    pixels[2, 1, 1] = 1
    first, second, third = array_keys(pixels)
    assert first == second != third


@given(KEYS.filter(bool), KEYS, KEYS)
def test_apart_leaves_no_equal_rows_on_two_sides(train: list, validation: list, test: list) -> None:
    if set(train) <= set(validation) | set(test):
        with pytest.raises(DataError, match="every training row is also held out"):
            apart(train, validation, test)
        return
    stay, stay_validation = apart(train, validation, test)
    kept = {k for k, s in zip(train, stay, strict=True) if s}
    kept_validation = {k for k, s in zip(validation, stay_validation, strict=True) if s}
    assert kept == set(train) - set(validation) - set(test)
    assert kept_validation == set(validation) - set(test)
    counts = counted(train=stay, validation=stay_validation)
    assert counts.get("train", 0) == sum(k in {*validation, *test} for k in train)
    assert counts.get("validation", 0) == sum(k in set(test) for k in validation)


@given(KEYS, st.integers(0, 25), st.randoms(use_true_random=False))
def test_a_share_takes_whole_groups_and_as_few_as_will_do(keys: list, n: int, random) -> None:
    order = np.array(random.sample(range(len(keys)), len(keys)), int)
    mask = taken(keys, order, n)
    inside = {k for k, m in zip(keys, mask, strict=True) if m}
    assert all(m == (k in inside) for k, m in zip(keys, mask, strict=True))
    assert mask.sum() >= min(n, len(keys))
    if inside:
        last = next(keys[i] for i in order[::-1] if keys[i] in inside and all(
            keys[j] != keys[i] for j in order[: list(order).index(i)]
        ))  # fmt: skip
        assert mask.sum() - keys.count(last) < n, "the group that came last was needed"


def test_without_equal_rows_a_share_is_the_first_of_the_order() -> None:
    order = np.random.default_rng(0).permutation(50)
    assert set(np.flatnonzero(taken(list(range(50)), order, 7))) == set(order[:7])


@given(st.lists(st.integers(0, 4), max_size=60), st.integers(0, 9))
def test_halves_are_alike_in_each_class_and_in_all(label: list, seed: int) -> None:
    labels = np.array(label, int)
    first, second = halves(labels, np.random.default_rng(seed))
    assert sorted([*first, *second]) == list(range(len(label)))
    assert 0 <= len(first) - len(second) <= 1
    counts = [np.bincount(labels[half], minlength=5) for half in (first, second)]
    assert np.abs(counts[0] - counts[1]).max() <= 1
