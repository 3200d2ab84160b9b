"""Samples of a round as a table for other tools: the data's columns, and the origin of each sample."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from ..events import SAID
from ..generator import CUT
from ..nested import Nested
from ..samples import Column, Samples
from ..store.reader import PROVENANCE
from ..tables import JSON_TEXT

Columns = dict[str, pa.Array | Nested]
"""By name; nested values stay as they are until it is known what kind of file is written."""

ADDED = ("round", "arm", "chunk", "row", "seed", "score", "verifier")
"""Columns that `columns_of` adds to those of the data; ``reason`` besides, where there are reasons."""

TAKEN = (*ADDED, "truncated")
"""Names that are prefixed with ``data_`` if the data have such a column."""


class Provenance(NamedTuple):
    """Origin of the samples of a round."""

    round: int
    arm: str
    seed: int
    verifier: str | None


def columns_of(samples: Samples, of: Provenance) -> Columns:
    """Return ``samples`` with the columns of `PROVENANCE`, for other tools.

    Returns:
        The columns of the data (images as nested lists of fixed size), then those of `ADDED`; a data column
        with a name in `TAKEN` is prefixed with ``data_``. A sample's ``chunk`` and ``row`` say where in the
        round it was generated; its ``score`` is null if it was not scored. ``truncated`` marks texts cut at
        the length limit.
    """
    n = len(samples)
    own = [name for name in samples if name not in (*PROVENANCE, SAID)]
    chunk, row, score = (samples.array(name) for name in PROVENANCE)
    called = beside(TAKEN, own)
    columns: Columns = {called[name]: _arrow(samples[name]) for name in own if name != CUT}
    if CUT in samples:
        columns["truncated"] = _arrow(samples[CUT])
    columns |= {
        "round": pa.array(np.full(n, of.round, np.int32)),
        "arm": pa.array([of.arm] * n, pa.string()),
        "chunk": pa.array(chunk),
        "row": pa.array(row),
        "seed": pa.array(np.full(n, of.seed, np.int64)),
        "score": pa.array(score, from_pandas=True),
        "verifier": pa.array([of.verifier] * n, pa.string()),
    }
    if SAID in samples:
        name = "reason"
        while name in columns:
            name = f"verifier_{name}"
        columns[name] = pa.array(samples.texts(SAID), pa.string())
    return columns


def as_table(columns: Columns) -> pa.Table:
    """Return the columns in Arrow's types; nested values as JSON text if they would not be read back equal.

    Such a column is marked, so that `veriloop.tables` parses its values.
    """
    typed = {name: _typed(c) if isinstance(c, Nested) else c for name, c in columns.items()}
    fields = [
        pa.field(name, array.type, metadata=JSON_TEXT)
        if isinstance(columns[name], Nested) and pa.types.is_string(array.type)
        else pa.field(name, array.type)
        for name, array in typed.items()
    ]
    return pa.table(typed, schema=pa.schema(fields))


def values_of(column: pa.Array | Nested) -> list[Any]:
    """Return the values of a column, as plain Python."""
    return column.values() if isinstance(column, Nested) else column.to_pylist()


def at_rows(column: pa.Array | Nested, rows: Sequence[int]) -> pa.Array | Nested:
    """Return a column at other rows."""
    if isinstance(column, Nested):
        return Nested([column[row] for row in rows])
    return column.take(pa.array(rows, pa.int64()))


def _typed(column: Nested) -> pa.Array:
    values = column.values()
    try:
        typed = pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array(list(column), pa.string())
    return typed if typed.to_pylist() == values else pa.array(list(column), pa.string())


def beside(taken: Iterable[str], names: Iterable[str]) -> dict[str, str]:
    """Return the names of the data's columns in the table: ``data_`` is added in front until one is free.

    Names are given in order of length, so that samples which were exported before lose no column.
    """
    used, called = set(taken), dict[str, str]()
    for name in sorted(names, key=len):
        new = name
        while new in used:
            new = f"data_{new}"
        used.add(new)
        called[name] = new
    return called


def _arrow(column: Column) -> pa.Array | Nested:
    if isinstance(column, Nested):
        return column
    if not isinstance(column, np.ndarray):
        return pa.array(column, pa.string())
    flat: pa.Array = pa.array(column.reshape(-1))
    for size in reversed(column.shape[1:]):
        flat = pa.FixedSizeListArray.from_arrays(flat, size)
    return flat
