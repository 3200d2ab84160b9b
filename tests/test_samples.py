import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from veriloop.errors import CorruptFileError, DataError
from veriloop.samples import Samples, concat

names = st.text("abcxyz_.0", min_size=1, max_size=8)


@st.composite
def samples(draw, columns=None):
    n = draw(st.integers(0, 6))
    kinds = {
        name: draw(st.sampled_from(["text", np.uint8, np.int64, np.float32, np.float64, np.bool_]))
        for name in draw(st.lists(names, min_size=1, max_size=4, unique=True))
    }
    return Samples(
        **{
            name: draw(st.lists(st.text(max_size=5), min_size=n, max_size=n))
            if kind == "text"
            else draw(hnp.arrays(kind, (n, *draw(st.sampled_from([(), (2,), (2, 3)])))))
            for name, kind in kinds.items()
        }
    )


@given(samples())
def test_save_and_load_change_nothing(tmp_path_factory, s):
    path = tmp_path_factory.mktemp("s") / "x.npz"
    s.save(path)
    assert Samples.load(path).same_as(s)
    assert s.to_bytes() == Samples.load(path).to_bytes()


@given(samples(), st.data())
def test_select_by_mask_by_index_and_by_slice_agree(s, data):
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(s), max_size=len(s))), bool)
    assert s.select(mask).same_as(s.select(np.flatnonzero(mask)))
    assert s.select(slice(0, 2)).same_as(s.select(np.arange(min(2, len(s)))))


@given(samples(), st.integers(0, 6))
def test_concat_undoes_a_split(s, at):
    assert concat([s.select(slice(at)), s.select(slice(at, None))]).same_as(s)


def test_length_counts_rows_and_iteration_names_columns():
    s = Samples(x=np.zeros((3, 2)), t=["a", "b", "c"])
    assert len(s) == 3
    assert list(s) == ["x", "t"]
    assert "x" in s


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({}, "without columns"),
        ({"x": np.zeros(3), "y": np.zeros(2)}, "different length"),
        ({"x": np.array(3.0)}, "first axis"),
        ({"x": np.array([object()])}, "array of object"),
        ({"x": [1, 2]}, "list of text"),
        ({"x": "text"}, "list of text"),
    ],
)
def test_bad_columns_are_refused(columns, message):
    with pytest.raises(DataError, match=message):
        Samples(**columns)


def test_columns_cannot_be_changed():
    s = Samples(x=np.zeros(3))
    with pytest.raises(ValueError, match="read-only"):
        s.array("x")[0] = 1


def test_unknown_column_names_the_known_ones():
    with pytest.raises(DataError, match="expected one of x, y"):
        Samples(x=np.zeros(1), y=np.zeros(1))["z"]


def test_concat_needs_equal_columns():
    with pytest.raises(DataError, match="different columns"):
        concat([Samples(x=np.zeros(1)), Samples(y=np.zeros(1))])


@given(st.integers(0, 400), st.binary(max_size=4))
def test_a_damaged_file_is_called_so(tmp_path_factory, cut, tail):
    path = tmp_path_factory.mktemp("s") / "x.npz"
    content = Samples(x=np.arange(50), t=["text"] * 50).to_bytes()
    path.write_bytes(content[: min(cut, len(content) - 30)] + tail)
    with pytest.raises(CorruptFileError, match=r"x\.npz"):
        Samples.load(path)


def test_equal_samples_are_equal_and_others_are_not() -> None:
    samples = Samples(x=np.arange(3), text=["a", "b", "c"])
    assert samples == Samples(x=np.arange(3), text=["a", "b", "c"])
    for other in (
        Samples(x=np.arange(3)),
        Samples(x=np.arange(3.0), text=["a", "b", "c"]),
        Samples(x=np.arange(3), text=["a", "b", "d"]),
        Samples(x=np.arange(2), text=["a", "b"]),
        {"x": [0, 1, 2]},
        None,
    ):
        assert (samples == other) is False
    with pytest.raises(TypeError, match="unhashable"):
        hash(samples)
