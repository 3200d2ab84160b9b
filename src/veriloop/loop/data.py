"""The real data of a run: loaded once per process, with a split for decisions beside the one for reports."""

import hashlib
from collections import Counter
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..datasets.base import Dataset, RealData
from ..errors import ContractError, DataError
from ..generator import CUT
from ..rules.policy import DataPolicy
from ..samples import Column, Samples
from ..schema import Schema
from . import seam

LOOKED_AT, LOOKED_FOR = 100_000, 10_000
"""How many training rows, and how many of each held-out split, are compared at most."""


# What was asked for last is compared, not looked up by hash, which is made of the whole configuration: every
# round asks.
_schema: tuple[Dataset, Schema] | None = None


def load_schema(dataset: Dataset) -> Schema:
    """What each column of the data is. Kept, because a data set may have to be loaded to say it."""
    global _schema
    if _schema is None or _schema[0] != dataset:
        _schema = (dataset, seam.schema(dataset))
    return _schema[1]


_loaded: tuple[Dataset, int, RealData] | None = None


def load_data(dataset: Dataset, seed: int) -> RealData:
    """The real data, loaded once per process. Without a validation split, half of the test split becomes it.

    Which half is a matter of content alone, equal for all seeds: equal prompts, or equal images, are on one
    side, and each class is halved like the whole. It is empty where all test samples are equal.

    Raises:
        DataError: The data are missing or not what they should be.
        ContractError: The columns are not those of the schema that the data set gave.
    """
    global _loaded
    if _loaded is None or _loaded[:2] != (dataset, seed):
        data = seam.load(dataset, seed)
        _check_columns(data, dataset)
        _loaded = (dataset, seed, _with_validation(data, dataset))
    return _loaded[2]


def _check_columns(data: RealData, dataset: Dataset) -> None:
    """Refuse data of other columns than their schema tells of."""
    told = load_schema(dataset)
    # What only generators write, as where there are prompts alone, has its place in the start set.
    there = list(dict.fromkeys([*data.train, *data.start, *(data.conditions or ())]))
    if set(told) != set(there):
        raise ContractError(
            f"{type(dataset).__name__}.schema",
            got=f"columns {', '.join(told)}",
            expected=f"{', '.join(there)}, as in the data that it loads",
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
    """The start set with the columns of what a round kept: real texts were not cut.

    The same object each time, by which policies know it again.
    """
    global _beside
    if CUT not in kept or CUT in start:
        return start
    if _beside is None or _beside[0] is not start:
        _beside = (start, start.with_columns(**{CUT: np.zeros(len(start), bool)}))
    return _beside[1]


def held_out_seen(data: RealData, schema: Schema, where: str) -> dict[str, int]:
    """How many held-out rows are training rows as well, by split; without zeros.

    Our own data sets leave such rows out; of anybody else's this notices them. Rows are compared by their
    prompts, or else their images, or else all that they hold but ids and extras; of data without text and
    without fractions nothing is said, since a few whole numbers are equal by right. At most `LOOKED_AT`
    training rows and `LOOKED_FOR` of each split are compared, which takes a fraction of a second.

    Args:
        data: The real data.
        schema: Of its columns.
        where: What an error calls them.

    Raises:
        DataError: All rows of a split are: then nothing is held out.
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
                f"{where}: {split} holds nothing but training rows (by {', '.join(names)})",
                got=f"{seen} of {len(rows)}",
                expected="rows that no model is trained on",
                fix="hold some out: what a model has seen says nothing of it",
            )
    return found


_unseen: tuple[RealData, Samples] | None = None


def read_by(policy: DataPolicy, data: RealData) -> Samples:
    """The real samples that ``policy`` is given: the start set, or the other training samples."""
    global _unseen
    if policy.reads == "start":
        return data.start
    if _unseen is None or _unseen[0] is not data:
        names = list(data.train)
        left = Counter(_digests(data.start.only(names)) if len(data.start) else [])
        # Of rows with equal content, as many are left out as the start set has.
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
    """A mask of half of the n rows, shape (n,): of each class too. Rows of equal content stay together."""
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
    """What samples are told apart by: their prompts, else their images, else all that is made."""
    return _prompts_or_images(schema) or schema.made


def _prompts_or_images(schema: Schema) -> list[str]:
    return schema.named("prompt") + schema.named("messages") or schema.named("image")


def _digests(samples: Samples) -> list[bytes]:
    """A digest of each row's content."""
    hashes = [hashlib.blake2b(digest_size=16) for _ in range(len(samples))]
    for name in sorted(samples):
        column = samples[name]
        for row, value in enumerate(column):
            content = value.encode() if isinstance(value, str) else np.asarray(value).tobytes()
            hashes[row].update(len(content).to_bytes(8, "little") + content)
    return [h.digest() for h in hashes]
