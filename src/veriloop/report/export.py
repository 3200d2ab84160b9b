"""Kept samples with their provenance, as Parquet or JSON lines for other tools."""

import io
import string
from collections.abc import Container
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic_core import to_json

from ..cards import PromptCard
from ..errors import ConfigError
from ..generator import CUT
from ..nested import Nested, on_one_line
from ..samples import Column
from ..store.atomic import check_replaceable, write_file
from ..store.folder import PROVENANCE, RunFolder

ADDED = ("round", "arm", "chunk", "row", "seed", "score", "verifier")
"""Columns that `kept_table` adds to those of the data."""

Form = Literal["columns", "prompt-completion"]
"""The data's columns as they are, or what a language model was trained on, as TRL's trainers take it."""


Columns = dict[str, pa.Array | Nested]
"""By name; nested values stay as they are until it is known what kind of file is written."""


def kept_table(folder: RunFolder, round_: int, arm: str) -> pa.Table:
    """The samples that a round of an arm kept.

    Returns:
        The columns of the data (images as nested lists of fixed size), then those of `ADDED`; a column of
        the data with such a name has ``data_`` in front of it. A sample's ``chunk`` and ``row`` say where
        in the round it was generated; its ``score`` is null when nobody scored it. ``truncated`` says which
        texts were cut at their greatest length. Nested values that have no one type in Arrow are JSON text.

    Raises:
        ConfigError: There is no such finished round, or it keeps no samples.
        CorruptFileError: The file of kept samples cannot be read.
    """
    return _table(_kept(folder, round_, arm))


def prompt_table(folder: RunFolder, round_: int, arm: str) -> pa.Table:
    """As `kept_table`, with ``prompt`` and ``completion`` in place of the columns they were made from.

    The prompt is the learner's template, filled, and not cut. Where the learner writes chats, both columns
    are lists of messages with ``role`` and ``content``; else they are texts that make the whole when put
    together. An answer whose beginning the model was given has that in front. This is the prompt-completion
    format of TRL, whose trainers pass over other columns.

    Raises:
        ConfigError: The run's learner has no prompt, or see `kept_table`.
        CorruptFileError: See `kept_table`.
    """
    return _table(_prompted(folder, round_, arm))


def export_kept(folder: RunFolder, round_: int, arm: str, path: Path, form: Form = "columns") -> int:
    """Write `kept_table` or `prompt_table` to ``path``, as its suffix says: ``.parquet`` or ``.jsonl``.

    Returns:
        The number of samples.

    Raises:
        ConfigError: The suffix is another one, ``path`` is a link or something else that is no file, or see
            `kept_table` and `prompt_table`.
        StorageError: The file could not be written.
    """
    suffix = path.suffix.lower()
    if suffix not in {".parquet", ".jsonl"}:
        raise ConfigError("file to export to", got=str(path), expected="a name ending in .parquet or .jsonl")
    check_replaceable(path)
    columns = (_kept if form == "columns" else _prompted)(folder, round_, arm)
    buffer = io.BytesIO()
    if suffix == ".parquet":
        pq.write_table(_table(columns), buffer)
    else:
        values = [_values(column) for column in columns.values()]
        for row in zip(*values, strict=True):
            # JSON has no NaN or infinity: they become null.
            line = to_json(dict(zip(columns, row, strict=True)), inf_nan_mode="null").decode()
            buffer.write(on_one_line(line).encode() + b"\n")
    write_file(path, buffer.getvalue())
    return len(next(iter(columns.values())))


def _kept(folder: RunFolder, round_: int, arm: str) -> Columns:
    _check_round(folder, round_, arm)
    samples = folder.kept_with_provenance(round_, arm)
    manifest, n = folder.manifest(), len(samples)
    card = manifest.cards.arms.get(arm)
    columns = {_beside(ADDED, name): _arrow(samples[name]) for name in samples if name not in PROVENANCE}
    chunk, row, score = (samples.array(name) for name in PROVENANCE)
    if CUT in columns:
        columns[_beside([*ADDED, *columns], "truncated")] = columns.pop(CUT)
    return columns | {
        "round": pa.array(np.full(n, round_, np.int32)),
        "arm": pa.array([arm] * n),
        "chunk": pa.array(chunk),
        "row": pa.array(row),
        "seed": pa.array(np.full(n, manifest.seed, np.int64)),
        "score": pa.array(score, from_pandas=True),
        "verifier": pa.array([card.verifier if card else None] * n, pa.string()),
    }


def _prompted(folder: RunFolder, round_: int, arm: str) -> Columns:
    cards = folder.manifest().cards
    if cards.prompt is None:
        raise ConfigError(
            "this run has no prompts",
            got=f"columns {cards.data.described()}",
            expected="a run of a language model",
        )
    card, written = cards.prompt, cards.data.one("completion", "the form prompt-completion")
    kept = _kept(folder, round_, arm)
    names = {name: _beside(ADDED, name) for _, name, _, _ in string.Formatter().parse(card.template) if name}
    rows = [
        dict(zip(names, row, strict=True))
        for row in zip(*(_values(kept[stored]) for stored in names.values()), strict=True)
    ]
    texts = _values(kept[_beside(ADDED, written)])
    pairs = [
        _chat_pair(card, row, text) if card.chat else _pair(card, row, text)
        for row, text in zip(rows, texts, strict=True)
    ]
    made_from = {*names.values(), _beside(ADDED, written)}
    columns: Columns = {
        name: Nested.of(values) if card.chat else pa.array(values, pa.string())
        for name, values in zip(("prompt", "completion"), zip(*pairs, strict=True), strict=True)
    }
    others = [name for name in kept if name not in made_from]
    return columns | {_beside(columns, name): kept[name] for name in others}


def _pair(card: PromptCard, row: dict[str, Any], text: str) -> tuple[str, str]:
    filled = card.template.format(**row)
    # An empty completion is trained on as nothing.
    return filled, card.joint(filled) + text if text else ""


def _chat_pair(card: PromptCard, row: dict[str, Any], text: str) -> tuple[list[Any], list[Any]]:
    turns = next(iter(row.values()))
    if not isinstance(turns, list):
        turns = [{"role": "user", "content": card.template.format(**row)}]
    begun = turns[-1]["content"] if turns[-1]["role"] == "assistant" else None
    if begun is not None:
        turns, text = turns[:-1], begun + text
    return turns, [{"role": "assistant", "content": text}]


def _values(column: pa.Array | Nested) -> list[Any]:
    return column.values() if isinstance(column, Nested) else column.to_pylist()


def _table(columns: Columns) -> pa.Table:
    return pa.table({name: _typed(c) if isinstance(c, Nested) else c for name, c in columns.items()})


def _typed(column: Nested) -> pa.Array:
    """Nested values in Arrow's types; as JSON text where they would not come back equal from these."""
    values = column.values()
    try:
        typed = pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array(list(column), pa.string())
    return typed if typed.to_pylist() == values else pa.array(list(column), pa.string())


def _check_round(folder: RunFolder, round_: int, arm: str) -> None:
    records = folder.records()
    arms = dict.fromkeys(r.arm for r in records)
    if arm not in arms:
        raise ConfigError(
            f"no finished round of arm {arm!r} in {folder.path}",
            expected=f"one of {', '.join(arms)}" if arms else "a run with a finished round",
        )
    keeping = sorted(r.round for r in records if r.arm == arm and r.counts.kept > 0)
    if round_ not in keeping:
        raise ConfigError(
            f"arm {arm!r} keeps no samples in this round",
            got=round_,
            expected=f"one of {', '.join(map(str, keeping))}" if keeping else "an arm that keeps samples",
        )


def _beside(names: Container[str], name: str) -> str:
    """What a column of the data is called beside others of these names."""
    return f"data_{name}" if name in names else name


def _arrow(column: Column) -> pa.Array | Nested:
    if isinstance(column, Nested):
        return column
    if not isinstance(column, np.ndarray):
        return pa.array(column, pa.string())
    flat: pa.Array = pa.array(column.reshape(-1))
    for size in reversed(column.shape[1:]):
        flat = pa.FixedSizeListArray.from_arrays(flat, size)
    return flat
