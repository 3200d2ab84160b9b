import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from veriloop.errors import DataError
from veriloop.packed import join, pack
from veriloop.samples import Samples

row_shapes = st.sampled_from([(), (2,), (3, 3), (0,), (4, 4)])


@st.composite
def chunks(draw):
    """Samples in pieces, some of zeros and ones only, beside columns that never pack."""
    shape, highest = draw(row_shapes), draw(st.integers(0, 2))
    return [
        Samples(
            pixels=draw(hnp.arrays(np.uint8, (n, *shape), elements=st.integers(0, highest))),
            score=np.arange(n) / 3,
            text=["ab"] * n,
        )
        for n in draw(st.lists(st.integers(0, 4), min_size=1, max_size=3))
    ]


@given(chunks())
def test_packing_changes_nothing(parts):
    for part in parts:
        assert pack(part).unpack().same_as(part)
    whole = join([pack(part) for part in parts])
    assert np.array_equal(whole["pixels"], np.concatenate([part["pixels"] for part in parts]))
    assert whole.array("pixels").dtype == np.uint8
    assert list(whole) == list(parts[0])


@given(chunks(), st.data())
def test_a_selection_of_packed_samples_is_that_of_the_samples(parts, data):
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(parts[0]), max_size=len(parts[0]))), bool)
    assert pack(parts[0]).select(mask).unpack().same_as(parts[0].select(mask))


def test_only_bits_are_packed_to_an_eighth():
    bits = np.ones((10, 28, 28), np.uint8)
    packed = pack(Samples(bits=bits, counts=2 * bits, flags=bits > 0, label=np.ones(10, np.uint8)))
    assert list(packed.shapes) == ["bits"]
    assert packed.samples.array("bits").nbytes * 8 == bits.nbytes


def test_nothing_to_join_is_refused():
    with pytest.raises(DataError, match="nothing to concatenate"):
        join([])
