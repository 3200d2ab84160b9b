import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from veriloop.errors import DataError
from veriloop.samples import Samples
from veriloop.verifiers.human.content import content_keys, full_ink, shown


def test_keys_know_the_content_and_nothing_else():
    pixels = np.arange(32, dtype=np.uint8).reshape(2, 4, 4)
    keys = content_keys(Samples(pixels=pixels, label=np.array([1, 2])))
    assert len(set(keys)) == 2
    placed = Samples(_row=np.array([7, 8]), label=np.array([1, 2]), pixels=pixels)
    assert content_keys(placed) == keys
    assert content_keys(placed.select(np.array([1]))) == keys[1:]
    assert content_keys(Samples(pixels=pixels, label=np.array([1, 3])))[0] == keys[0]
    assert content_keys(Samples(pixels=pixels.reshape(2, 2, 8), label=np.array([1, 2]))) != keys


@given(st.lists(st.tuples(st.text(max_size=4), st.text(max_size=4)), min_size=1, max_size=8))
def test_different_texts_have_different_keys(rows):
    samples = Samples(prompt=[a for a, _ in rows], text=[b for _, b in rows])
    assert len(set(content_keys(samples))) == len(set(rows))


def test_pictures_are_ink_on_a_bare_page():
    pixels = np.zeros((1, 3, 5), np.uint8)
    pixels[0, 1, 2], pixels[0, 2, 4] = 16, 8
    (seen,) = shown(Samples(pixels=pixels, label=np.array([4])), largest=16)
    assert seen.words == {"label": "4"}
    assert seen.picture is not None
    image = np.asarray(Image.open(io.BytesIO(seen.picture)))
    assert image.shape == (3, 5, 2)
    assert image[..., 0].max() == 0
    expected = np.zeros((3, 5))
    expected[1, 2], expected[2, 4] = 255, 128
    assert np.array_equal(image[..., 1], expected)


def test_words_and_few_numbers_are_shown_and_many_are_refused():
    samples = Samples(x=np.array([[0.5, 1.25]]), text=["<b>bold</b>"], _arm=["hidden"])
    (seen,) = shown(samples, largest=1)
    assert seen.words == {"x": "0.5, 1.25", "text": "<b>bold</b>"}
    assert seen.picture is None
    with pytest.raises(DataError, match="'x' cannot be shown to people: got '17 numbers"):
        shown(Samples(x=np.zeros((1, 17))), largest=1)
    with pytest.raises(DataError, match=r"'pixels' cannot be shown to people.* uint8 of shape"):
        shown(Samples(pixels=np.zeros((1, 8, 8, 3))), largest=1)


@pytest.mark.parametrize("shape", [(1, 3, 5), (1, 3, 5, 3)])
def test_photographs_are_shown_in_their_own_light(shape: tuple[int, ...]):
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    (seen,) = shown(Samples(photo=pixels, label=np.array([4])), largest=255)
    assert seen.picture is not None
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(seen.picture))), pixels[0])


def test_images_are_shown_whatever_their_column_is_called():
    scan = np.full((1, 8, 8), 3, np.uint8)
    (seen,) = shown(Samples(scan=scan, label=np.array([4])), largest=16)
    assert seen.picture is not None
    assert seen.words == {"label": "4"}
    assert full_ink(Samples(scan=scan)) == 3
    assert full_ink(Samples(label=np.array([9]))) == 1
