"""A user's tables, with a row per sample: scores, verdicts, labels and features."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import DataError
from ..tables import read_values
from ..verdicts import Decision, Verdicts

MOST_VALUES = 50
"""Largest number of different texts in a category column."""

YES = frozenset({"1", "1.0", "true", "yes", "accept", "good"})
NO = frozenset({"0", "0.0", "false", "no", "reject", "bad"})


def read_frame(path: Path, columns: Sequence[str], texts: Sequence[str] = ()) -> pd.DataFrame:
    """Read the ``columns`` of a .jsonl, .parquet or .csv file with `veriloop.tables.read_values`.

    Args:
        path: Path of the file.
        columns: Required columns.
        texts: Columns that hold text, even if a CSV file's text looks like a number.

    Raises:
        ConfigError: The file name has another ending.
        DataError: It cannot be read, has no rows, or a column is missing.
    """
    table = read_values(path, list(dict.fromkeys(columns)), texts)
    return pd.DataFrame({name: _series(values) for name, values in table.columns.items()})


def _series(values: list[Any]) -> pd.Series:
    """Whole numbers stay whole, also beside missing ones; those of more than 64 bits stay Python's own."""
    kinds = {type(value) for value in values} - {type(None)}
    missing = None in values
    if kinds == {bool}:
        return pd.Series(values, dtype="boolean" if missing else bool)
    if kinds == {int}:
        fits = all(value is None or -(2**63) <= value < 2**63 for value in values)
        return pd.Series(values, dtype=("Int64" if missing else np.int64) if fits else object)
    if kinds <= {int, float}:
        return pd.Series([np.nan if value is None else value for value in values], dtype=float)
    return pd.Series(values, dtype=object)


def yes_or_no(column: pd.Series) -> NDArray[np.bool_]:
    """Convert a column of words such as accept and reject, or of 1 and 0, to booleans.

    Raises:
        DataError: A word has another meaning.
    """
    words = column.astype(str).str.strip().str.lower()
    unknown = sorted(set(words) - YES - NO)
    if unknown:
        raise DataError(
            f"column {column.name!r}",
            got=", ".join(unknown[:3]),
            expected="1 and 0, yes and no, or accept and reject",
        )
    return words.isin(YES).to_numpy(bool)


def verdicts_of(column: pd.Series) -> Verdicts:
    """Convert numbers to scores and words to decisions; empty or abstain is an abstention.

    A column of only 1 and 0 holds decisions, because a threshold would reject all of them if the judge is
    worse than a coin.

    Raises:
        DataError: A word is none of these.
    """
    missing = column.isna().to_numpy(bool)
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        score = column.to_numpy(float, na_value=np.nan)
        if np.isinf(score).any():
            raise DataError(
                f"column {column.name!r}, row {int(np.argmax(np.isinf(score))) + 1}: an infinite score",
                expected="a number, or nothing where the verifier abstained",
            )
        silent = np.isnan(score)
        if np.isin(score[~silent], (0, 1)).all():
            said = np.where(score == 1, Decision.ACCEPT, Decision.REJECT)
        else:
            said = np.full(len(score), Decision.OPEN)
        return Verdicts(score, np.where(silent, Decision.ABSTAIN, said))
    words = column.astype(str).str.strip().str.lower()
    silent = missing | (words == "abstain").to_numpy(bool)
    said = np.zeros(len(column), bool)
    said[~silent] = yes_or_no(column[~silent])
    decision = np.where(silent, Decision.ABSTAIN, np.where(said, Decision.ACCEPT, Decision.REJECT))
    return Verdicts(np.where(silent, np.nan, said), decision)


class Features(NamedTuple):
    """Columns of two tables side by side, as numbers.

    Attributes:
        rows: Rows of the first table, shape (n, features); NaN for missing values.
        others: Rows of the second table, shape (m, features).
        names: Names of the features: a column's name, or that of a category with a value, such as
            ``city=north``.
    """

    rows: NDArray[np.float64]
    others: NDArray[np.float64]
    names: list[str]


def features_of(
    table: pd.DataFrame, reference: pd.DataFrame, columns: Sequence[str], paths: tuple[Path, Path]
) -> Features:
    """Return numeric columns unchanged, and a 0/1 feature for each category value except the most frequent.

    A category is a column of texts or booleans. The most frequent value in ``reference`` has no feature,
    because it is where all others are 0.

    Raises:
        DataError: A column holds numbers in one table and texts in the other, values that are neither, or
            too many different ones.
    """
    parts = [_feature(table[name], reference[name], name, paths) for name in columns]
    return Features(
        np.concatenate([part.rows for part in parts], axis=1),
        np.concatenate([part.others for part in parts], axis=1),
        [name for part in parts for name in part.names],
    )


def _feature(column: pd.Series, other: pd.Series, name: str, paths: tuple[Path, Path]) -> Features:
    both = (column, other)
    if all(pd.api.types.is_numeric_dtype(c) and not pd.api.types.is_bool_dtype(c) for c in both):
        rows, others = (numbers(c.to_frame(name), [name], p) for c, p in zip(both, paths, strict=True))
        return Features(rows, others, [name])
    for c, path in zip(both, paths, strict=True):
        wrong = [v for v in c.dropna() if not isinstance(v, str | bool | np.bool_)]
        if wrong:
            raise DataError(
                f"{path}, column {name!r}",
                got=f"{wrong[0]!r}",
                expected="numbers alone, or texts or truth values alone, in both tables",
            )
    words = [c.map(lambda v: v if isinstance(v, str) else str(v).lower(), na_action="ignore") for c in both]
    counts = words[1].value_counts()
    values = sorted({*words[0].dropna(), *counts.index})
    if len(values) < 2:
        raise DataError(
            f"{paths[0]}, column {name!r} is the same in all rows",
            got=", ".join(values) or "nothing",
            expected="several values",
            fix="leave it out of --features",
        )
    if len(values) > MOST_VALUES:
        raise DataError(
            f"{paths[0]}, column {name!r}",
            got=f"{len(values):,} different texts",
            expected=f"at most {MOST_VALUES} as a category",
            fix="audit texts with --text",
        )
    usual = max(values, key=lambda v: (counts.get(v, 0), v), default=None)
    shown = [value for value in values if value != usual]

    def zeros_and_ones(c: pd.Series) -> NDArray[np.float64]:
        """Return zeros and ones for each value shown, shape (n, values); NaN where ``c`` has no value."""
        one_hot = np.array([[v == value for value in shown] for v in c], float).reshape(len(c), len(shown))
        one_hot[c.isna().to_numpy(bool)] = np.nan
        return one_hot

    rows, others = map(zeros_and_ones, words)
    return Features(rows, others, [f"{name}={value}" for value in shown])


def numbers(table: pd.DataFrame, columns: Sequence[str], path: Path) -> NDArray[np.float64]:
    """Return numeric columns side by side, shape (rows, columns); NaN for missing values.

    Raises:
        DataError: One of them holds something else.
    """
    for name in columns:
        if not pd.api.types.is_numeric_dtype(table[name]):
            raise DataError(f"{path}, column {name!r}", got=str(table[name].dtype), expected="numbers")
    return np.column_stack([table[name].to_numpy(float, na_value=np.nan) for name in columns])
