"""Calibrate a table of verdicts against known labels: a judge's, or several people's."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..advise.agreement import Level, agreement
from ..advise.calibrated import Calibrated
from ..advise.calibration import calibrate
from ..advise.intervals import Share
from ..advise.preference import Preference, accuracy_by, preference
from ..errors import ConfigError, DataError
from ..rng import Address
from ..verdicts import Decision
from .tables import read_frame, verdicts_of, yes_or_no


def calibrate_table(
    path: Path,
    *,
    score: str | None = None,
    known: str | None = None,
    annotators: Sequence[str] = (),
    text: str | None = None,
    position: str | None = None,
    at: float | None = None,
    level: Level = "nominal",
) -> Calibrated:
    """Calibrate a column of verdicts against a column of known labels, or compare annotators, or both.

    Args:
        path: .jsonl, .parquet or .csv file with one row per sample.
        score: Column of scores, or of words like accept and reject; empty for abstentions.
        known: Column of known labels: 1 and 0, true and false, yes and no, accept and reject, good and bad.
            Rows without one only count for the annotators' agreement.
        annotators: Columns of people's labels.
        text: Column whose length the verdicts should not prefer.
        position: Column that should not matter, such as which of two answers was shown first.
        at: See `veriloop.advise.calibration.calibrate`.
        level: See `veriloop.advise.agreement.agreement`.

    Raises:
        ConfigError: Only one of ``score`` and ``known`` is given, or neither and no annotators.
        DataError: The file cannot be read, or a column is missing or cannot be understood.
    """
    if (score is None) != (known is None) or (score is None and not annotators):
        raise ConfigError("what to compare", expected="--score with --known, or --annotators, or all three")
    if score is None and (text or position):
        raise ConfigError("--text and --position", expected="with --score and --known")
    table = read_frame(
        path, [name for name in (score, known, *annotators, text, position) if name], [text] if text else []
    )
    found = Calibrated(
        subject=f"column {score} of {path.name}" if score else f"annotators of {path.name}",
        good_are=f"rows with a yes in column {known}" if known else "not given",
        bad_are=f"rows with a no in column {known}" if known else "not given",
    )
    if score is not None and known is not None:
        found = _with_verdicts(found, table, score, known, text, position, at)
    if annotators:
        labels = _labels(table, annotators, level)
        rng = Address(seed=0, arm="agreement").rng()
        found = found.model_copy(update={"agreement": agreement(labels, rng, level)})
    return found


def _with_verdicts(
    found: Calibrated,
    table: pd.DataFrame,
    score: str,
    known: str,
    text: str | None,
    position: str | None,
    at: float | None,
) -> Calibrated:
    left_out = {f"no label in column {known!r}": int(table[known].isna().sum())}
    table = table[table[known].notna()]
    good = yes_or_no(table[known])
    verdicts = verdicts_of(table[score])
    calibration = calibrate(verdicts, good, at)
    preferences: dict[str, Preference] = {}
    if text is not None:
        length = table[text].map(lambda value: len(value) if isinstance(value, str) else np.nan)
        left_out[f"no text in column {text!r}, for its length"] = int(length.isna().sum())
        preferences[f"length of {text}"] = preference(verdicts.score, length.to_numpy(float), good)
    preferences["row of the table"] = preference(verdicts.score, np.arange(len(table), dtype=float), good)
    positions: dict[str, Share] = {}
    if position is not None:
        accepts = verdicts.decide(verdicts.score >= calibration.threshold).is_(Decision.ACCEPT)
        somewhere = table[position].notna().to_numpy(bool)
        left_out[f"nothing in column {position!r}, for its accuracy"] = int(np.count_nonzero(~somewhere))
        judged = ~verdicts.is_(Decision.ABSTAIN)
        places = table[position][somewhere].astype(str).to_numpy()
        positions = accuracy_by(places, (accepts == good)[somewhere], judged[somewhere])
    return found.model_copy(
        update={
            "calibration": calibration,
            "preferences": preferences,
            "positions": positions,
            "left_out": {why: n for why, n in left_out.items() if n},
        }
    )


def _labels(table: pd.DataFrame, annotators: Sequence[str], level: Level) -> dict[str, NDArray[np.float64]]:
    """Return labels as numbers; words, which have no differences, as their index among all words used."""
    columns = [table[name] for name in annotators]
    if all(pd.api.types.is_numeric_dtype(column) for column in columns):
        return {str(c.name): c.to_numpy(float, na_value=np.nan) for c in columns}
    if level == "interval":
        raise DataError("labels whose differences count", got="words", expected="columns of numbers")
    words = pd.Index(sorted({str(word) for column in columns for word in column.dropna()}))
    codes = {str(c.name): words.get_indexer(pd.Index(c.astype(str))).astype(float) for c in columns}
    return {str(c.name): np.where(c.isna(), np.nan, codes[str(c.name)]) for c in columns}
