"""An audit of tables: generated rows with verdicts, and real rows."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..advise.audit import Audit, Rule, audit
from ..errors import ConfigError, DataError
from ..verdicts import Decision
from .embedding import embed
from .tables import npz_array, numbers, read_table, verdicts_of


class AuditedTable(NamedTuple):
    """An audit, and its features' names; ``texts`` are the audited texts, empty when there are none."""

    audit: Audit
    names: list[str]
    texts: list[str]


def audit_table(
    table: Path,
    real: Path,
    accepted: str,
    *,
    features: Sequence[str] = (),
    array: str | None = None,
    text: str | None = None,
    score: str | None = None,
    rule: Rule = "fixed",
) -> AuditedTable:
    """Audit the verdicts of a table against a table of real rows.

    Args:
        table: A .jsonl, .parquet or .csv file of generated rows; an .npz file for ``array``.
        real: The same of real rows.
        accepted: The column, or array, of what was accepted: true and false, 1 and 0, yes and no; nothing, or
            abstain, where the verifier did not judge.
        features: The columns of numbers to audit in.
        array: The array of an .npz file to audit in, rows x features.
        text: The column of texts to audit in, by `veriloop.report.embedding.embed`.
        score: The column, or array, of scores.
        rule: See `veriloop.advise.audit.audit`.

    Raises:
        ConfigError: Not just one of ``features``, ``array`` and ``text`` is given, or no score for the rule.
        DataError: A file cannot be read, or its rows cannot carry an answer.
    """
    if sum(map(bool, (features, array, text))) != 1:
        raise ConfigError("what to audit in", expected="one of --features, --array and --text")
    if rule == "top_fraction" and score is None:
        raise ConfigError("rule top_fraction", got="no --score", expected="the column of scores that decided")
    if array is not None:
        return _arrays(table, real, accepted, array, score, rule)
    used = [*features, *([text] if text else [])]
    frame = read_table(table, [accepted, *used, *([score] if score else [])])
    reference = read_table(real, used)
    texts: list[str] = []
    if text is not None:
        texts = _texts(frame[text], table)
        rows, real_rows = embed(texts, _texts(reference[text], real))
        names = [f"direction {j}" for j in range(1, rows.shape[1] + 1)]
    else:
        rows, real_rows = numbers(frame, features, table), numbers(reference, features, real)
        names = list(features)
    found = audit(
        rows,
        _said(frame[accepted]),
        real_rows,
        scores=None if score is None else numbers(frame, [score], table)[:, 0],
        rule=rule,
        names=names,
    )
    return AuditedTable(found, names, texts)


def _arrays(
    table: Path, real: Path, accepted: str, array: str, score: str | None, rule: Rule
) -> AuditedTable:
    rows = npz_array(table, array)
    found = audit(
        rows,
        npz_array(table, accepted)[:],
        npz_array(real, array),
        scores=None if score is None else npz_array(table, score)[:],
        rule=rule,
    )
    return AuditedTable(found, [f"{array}[{j}]" for j in range(rows.shape[1])], [])


def _said(column: pd.Series) -> NDArray:
    """1 and 0 as they are, words by what they mean; NaN where the verifier abstained."""
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(float, na_value=np.nan)
    verdicts = verdicts_of(column)
    return np.where(verdicts.is_(Decision.ABSTAIN), np.nan, verdicts.is_(Decision.ACCEPT))


def _texts(column: pd.Series, path: Path) -> list[str]:
    missing = np.flatnonzero([not isinstance(value, str) for value in column])
    if len(missing):
        raise DataError(
            f"{path}, row {missing[0] + 1}: no text in column {column.name!r}",
            fix="leave out rows without text",
        )
    return column.tolist()
