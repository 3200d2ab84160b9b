"""A value goes through columns, files and rows, and comes out equal."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veriloop.errors import DataError
from veriloop.functions.rows import Rows
from veriloop.nested import Nested, on_one_line, to_text
from veriloop.samples import Samples, concat, plain, rows_of, type_of
from veriloop.schema import Schema, schema_of

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


def same(a: Any, b: Any) -> bool:
    """Equal, of equal types, with keys in the same order: 1 is not 1.0, and not True."""
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b and str(a) == str(b)


@given(st.lists(VALUES, min_size=1, max_size=4))
@settings(max_examples=100, deadline=None)
def test_values_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, values: list[Any]) -> None:
    samples = Samples(info=Nested.of(values), n=np.arange(len(values)))
    path = tmp_path_factory.getbasetemp() / "nested.npz"
    samples.save(path)
    both = concat([Samples.load(path), samples.select(np.arange(len(values))[::-1])])
    both = pickle.loads(pickle.dumps(copy.deepcopy(both))).with_columns(m=np.arange(2 * len(values)))
    assert type_of(both["info"]) == "nested values"
    back = [row["info"] for row in rows_of(both, ["n", "info"])]
    assert same(back, values + values[::-1])
    assert samples.same_as(Samples.load(path))
    assert [same(Rows(samples, ["info"])._plain["info"](i), v) for i, v in enumerate(values)]


@given(VALUES)
@settings(max_examples=100, deadline=None)
def test_a_value_is_one_line_of_json(value: Any) -> None:
    line = on_one_line(to_text(value))
    assert len(line.splitlines()) == 1
    assert same(Nested([line]).value(0), value)


def test_rows_are_what_people_wrote() -> None:
    turns = [{"role": "user", "content": "é\u2028"}]
    samples = Samples(
        messages=Nested.of([turns, turns]),
        answer=["a", "b"],
        x=np.eye(2),
        label=np.arange(2),
        _arm=["v", "v"],
    )
    assert rows_of(samples)[1] == {"messages": turns, "answer": "b", "x": [0.0, 1.0], "label": 1}
    assert plain(samples["messages"]) == [turns, turns]
    assert rows_of(samples.select(slice(0))) == []


def test_the_schema_knows_turns_from_other_values() -> None:
    turns = Nested.of([[{"role": "user", "content": "a"}]])
    samples = Samples(chat=turns, info=Nested.of([{"a": []}]), text=["t"])
    schema = schema_of(samples, samples.only(["chat"]))
    assert [column.role for column in schema.values()] == ["messages", "nested", "extra"]
    assert Schema(schema.dump()) == schema


def test_texts_and_nested_values_joined_are_texts() -> None:
    joined = concat([Samples(a=["1"]), Samples(a=Nested.of([1]))])
    assert type_of(joined["a"]) == "text"


@pytest.mark.parametrize("value", [{1, 2}, b"x", object(), {"when": np.datetime64("2026-01-01")}])
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(DataError, match="JSON cannot hold"):
        to_text(value)
