"""Kept samples with their provenance, as Parquet or JSON lines for other tools."""

import io
import string
from collections.abc import Container
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic_core import to_json

from ..errors import ConfigError
from ..samples import Column
from ..store.atomic import check_replaceable, write_file
from ..store.folder import PROVENANCE, RunFolder

ADDED = ("round", "arm", "chunk", "row", "seed", "score", "verifier")
"""Columns that `kept_table` adds to those of the data."""

Form = Literal["columns", "prompt-completion"]
"""The data's columns as they are, or what a language model was trained on, as TRL's trainers take it."""


def kept_table(folder: RunFolder, round_: int, arm: str) -> pa.Table:
    """The samples that a round of an arm kept.

    Returns:
        The columns of the data (images as nested lists of fixed size), then those of `ADDED`; a column of
        the data with such a name has ``data_`` in front of it. A sample's ``chunk`` and ``row`` say where
        in the round it was generated; its ``score`` is null when nobody scored it.

    Raises:
        ConfigError: There is no such finished round, or it keeps no samples.
        CorruptFileError: The file of kept samples cannot be read.
    """
    _check_round(folder, round_, arm)
    samples = folder.kept_with_provenance(round_, arm)
    manifest, n = folder.manifest(), len(samples)
    card = manifest.cards.arms.get(arm)
    columns = {_beside(ADDED, name): _arrow(samples[name]) for name in samples if name not in PROVENANCE}
    chunk, row, score = (samples.array(name) for name in PROVENANCE)
    columns |= {
        "round": pa.array(np.full(n, round_, np.int32)),
        "arm": pa.array([arm] * n),
        "chunk": pa.array(chunk),
        "row": pa.array(row),
        "seed": pa.array(np.full(n, manifest.seed, np.int64)),
        "score": pa.array(score, from_pandas=True),
        "verifier": pa.array([card.verifier if card else None] * n, pa.string()),
    }
    return pa.table(columns)


def prompt_table(folder: RunFolder, round_: int, arm: str) -> pa.Table:
    """As `kept_table`, with ``prompt`` and ``completion`` in place of the columns they were made from.

    The prompt is the learner's template, filled, and not cut. Where the learner sends it as a chat message,
    both columns are lists of messages with ``role`` and ``content``; else they are texts that make the whole
    when put together. This is the prompt-completion format of TRL, whose trainers pass over other columns.

    Raises:
        ConfigError: The run's learner has no prompt, or see `kept_table`.
        CorruptFileError: See `kept_table`.
    """
    cards = folder.manifest().cards
    if cards.prompt is None:
        raise ConfigError(
            "this run has no prompts",
            got=f"columns {cards.data.described()}",
            expected="a run of a language model",
        )
    template, chat = cards.prompt.template, cards.prompt.chat
    written = cards.data.one("completion", "the form prompt-completion")
    table = kept_table(folder, round_, arm)
    used = {name: _beside(ADDED, name) for _, name, _, _ in string.Formatter().parse(template) if name}
    rows = zip(*(table[stored].to_pylist() for stored in used.values()), strict=True)
    prompts = [template.format(**dict(zip(used, row, strict=True))) for row in rows]
    completions = table[_beside(ADDED, written)].to_pylist()
    if chat:
        columns = {
            "prompt": [[{"role": "user", "content": text}] for text in prompts],
            "completion": [[{"role": "assistant", "content": text}] for text in completions],
        }
    else:
        joint = "" if template[-1:].isspace() else " "
        columns = {"prompt": prompts, "completion": [joint + text if text else "" for text in completions]}
    made_from = {*used.values(), _beside(ADDED, written)}
    others = [name for name in table.column_names if name not in made_from]
    return pa.table(columns | {_beside(columns, name): table[name] for name in others})


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
    table = (kept_table if form == "columns" else prompt_table)(folder, round_, arm)
    buffer = io.BytesIO()
    if suffix == ".parquet":
        pq.write_table(table, buffer)
    else:
        for row in table.to_pylist():
            # JSON has no NaN or infinity: they become null.
            buffer.write(to_json(row, inf_nan_mode="null") + b"\n")
    write_file(path, buffer.getvalue())
    return table.num_rows


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


def _arrow(column: Column) -> pa.Array:
    if not isinstance(column, np.ndarray):
        return pa.array(column, pa.string())
    flat: pa.Array = pa.array(column.reshape(-1))
    for size in reversed(column.shape[1:]):
        flat = pa.FixedSizeListArray.from_arrays(flat, size)
    return flat
