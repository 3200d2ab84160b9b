"""The real data of a run: loaded once per process, with separate splits for decisions and for reports."""

import hashlib
from collections import Counter
from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from ..datasets.base import Dataset, RealData, misfit
from ..errors import ContractError, DataError
from ..generator import CUT
from ..rules.policy import DataPolicy
from ..samples import Column, Samples
from ..schema import Schema
from . import seam

LOOKED_AT, LOOKED_FOR = 100_000, 10_000
"""Largest number of training rows, and of rows of each held-out split, that are compared."""


# What was asked for last is compared, not looked up by hash, which is made of the whole configuration: every
# round asks.
_schema: tuple[Dataset, Schema] | None = None


def load_schema(dataset: Dataset) -> Schema:
    """Return the type of each data column. Cached, because a data set may have to be loaded for it."""
    global _schema
    if _schema is None or _schema[0] != dataset:
        _schema = (dataset, seam.schema(dataset))
    return _schema[1]


_loaded: tuple[Dataset, int, RealData] | None = None


def load_data(dataset: Dataset, seed: int) -> RealData:
    """Load the real data once per process. Without a validation split, half of the test split becomes one.

    The halves depend only on content and are the same for all seeds: equal prompts or equal images go to the
    same half, and each class is halved, too. The validation split is empty if all test samples are equal.

    Raises:
        DataError: The data are missing or invalid.
        ContractError: The columns do not match the schema of the data set.
    """
    global _loaded
    if _loaded is None or _loaded[:2] != (dataset, seed):
        data = seam.load(dataset, seed)
        _check_columns(data, dataset)
        _loaded = (dataset, seed, _with_validation(data, dataset))
    return _loaded[2]


def _check_columns(data: RealData, dataset: Dataset) -> None:
    """Refuse data whose columns do not match the schema."""
    told = load_schema(dataset)
    # Columns that only generators write, as with prompts alone, are allowed in the start set.
    there = list(dict.fromkeys([*data.train, *data.start, *(data.conditions or ())]))
    if set(told) != set(there):
        raise ContractError(
            f"{type(dataset).__name__}.schema",
            got=f"columns {', '.join(told)}",
            expected=f"{', '.join(there)}, as in the data that it loads",
        )
    if type(dataset).schema is Dataset.schema:
        return  # derived from the training samples; other samples may exceed it
    for place in fields(data):
        samples = getattr(data, place.name)
        for name in samples if isinstance(samples, Samples) else ():
            if name in told and (wrong := misfit(samples[name], told[name])):
                column = f"column {name!r} of {place.name} does not fit the role {told[name].role}"
                got, _, expected = wrong.partition(", expected ")
                raise ContractError(
                    f"{type(dataset).__name__}.schema: {column}", got=got, expected=expected or None
                )


def _with_validation(data: RealData, dataset: Dataset) -> RealData:
    if data.validation is not None:
        return data
    held_out, conditions = data.test, data.test_conditions
    chosen = half_of(held_out, conditions, load_schema(dataset))
    return replace(
        data,
        test=held_out.select(~chosen),
        test_conditions=None if conditions is None else conditions.select(~chosen),
        validation=held_out.select(chosen),
        validation_conditions=None if conditions is None else conditions.select(chosen),
    )


_beside: tuple[Samples, Samples] | None = None


def beside(start: Samples, kept: Samples) -> Samples:
    """Give the start set the columns of a round's samples; real texts count as not cut.

    Returns the same object each time, which is how policies recognise the start set.
    """
    global _beside
    if CUT not in kept or CUT in start:
        return start
    if _beside is None or _beside[0] is not start:
        _beside = (start, start.with_columns(**{CUT: np.zeros(len(start), bool)}))
    return _beside[1]


def held_out_seen(data: RealData, schema: Schema, where: str) -> dict[str, int]:
    """Count the held-out rows that are also training rows, by split; splits without any are omitted.

    Built-in data sets remove such rows; this detects them in others. Rows are compared by prompt, or else by
    image, or else by all columns except ids and extras. Data with neither text nor fractions are not checked,
    because rows of a few integers may well repeat. At most `LOOKED_AT` training rows and `LOOKED_FOR` rows
    per split are compared, which takes a fraction of a second.

    Args:
        data: Real data.
        schema: Schema of the data.
        where: Location for the error message.

    Raises:
        DataError: All rows of a split are training rows, so nothing is held out.
    """
    telling = [n for n in _prompts_or_images(schema) if n in data.train]
    names = telling or [n for n in data.train if schema[n].role not in ("id", "extra")]
    train = data.train.select(slice(LOOKED_AT)).only(names)
    if not telling and all(schema[n].role == "category" or _is_whole(train[n]) for n in names):
        return {}
    known, found = set(_digests(train)), dict[str, int]()
    for split in ("test", "validation"):
        held_out: Samples | None = getattr(data, split)
        if held_out is None or not len(held_out):
            continue
        rows = _digests(held_out.select(slice(LOOKED_FOR)).only(names))
        if seen := sum(row in known for row in rows):
            found[split] = seen
        if seen == len(rows):
            raise DataError(
                f"{where}: {split} contains only training rows (by {', '.join(names)})",
                got=f"{seen} of {len(rows)}",
                expected="rows that no model is trained on",
                fix="hold out other rows: results on training rows are meaningless",
            )
    return found


_unseen: tuple[RealData, Samples] | None = None


def read_by(policy: DataPolicy, data: RealData) -> Samples:
    """Return the real samples that ``policy`` receives: the start set, or the other training samples."""
    global _unseen
    if policy.reads == "start":
        return data.start
    if policy.reads != "unseen":
        raise ContractError(f"{type(policy).__name__}.reads", got=policy.reads, expected="start or unseen")
    if _unseen is None or _unseen[0] is not data:
        names = list(data.train)
        left = Counter(_digests(data.start.only(names)) if len(data.start) else [])
        # Of rows with equal content, remove as many as the start set contains.
        new = np.ones(len(data.train), bool)
        for row, digest in enumerate(_digests(data.train)):
            if left[digest]:
                left[digest] -= 1
                new[row] = False
        _unseen = (data, data.train.select(new))
    return _unseen[1]


def _is_whole(column: Column) -> bool:
    return isinstance(column, np.ndarray) and column.dtype.kind in "biu"


def half_of(samples: Samples, conditions: Samples | None, schema: Schema) -> NDArray[np.bool_]:
    """Return a mask of half of the n rows, shape (n,), and of each class. Equal rows stay together."""
    columns = {**dict(conditions or {}), **dict(samples)}
    names = [name for name in _telling_apart(schema) if name in columns] or list(columns)
    content = Samples(**{name: columns[name] for name in names})
    rows: dict[bytes, list[int]] = {}
    for row, digest in enumerate(_digests(content)):
        rows.setdefault(digest, []).append(row)
    strata = [n for n, c in schema.items() if c.role in {"label", "category"} and n in columns]
    by_class = sorted(rows, key=lambda digest: (*(str(columns[n][rows[digest][0]]) for n in strata), digest))
    chosen = np.zeros(len(samples), bool)
    taken = left = 0
    for digest in by_class:
        size = len(rows[digest])
        if taken < left:
            chosen[rows[digest]] = True
            taken += size
        else:
            left += size
    return chosen


def _telling_apart(schema: Schema) -> list[str]:
    """Return the columns that identify samples: prompts, else images, else all generated columns."""
    return _prompts_or_images(schema) or schema.made


def _prompts_or_images(schema: Schema) -> list[str]:
    return schema.named("prompt") + schema.named("messages") or schema.named("image")


def _digests(samples: Samples) -> list[bytes]:
    """Return a digest of each row's content."""
    hashes = [hashlib.blake2b(digest_size=16) for _ in range(len(samples))]
    for name in sorted(samples):
        column = samples[name]
        for row, value in enumerate(column):
            content = value.encode() if isinstance(value, str) else np.asarray(value).tobytes()
            hashes[row].update(len(content).to_bytes(8, "little") + content)
    return [h.digest() for h in hashes]
