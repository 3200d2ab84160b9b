"""Tidy frames of records: one row per number, for pandas, seaborn or a spreadsheet."""

from collections.abc import Sequence

import pandas as pd

from ..records import STAGES, Counts, RoundRecord


def metrics_frame(records: Sequence[RoundRecord]) -> pd.DataFrame:
    """Return columns ``arm, round, metric, value, se, low, high``, one row per measured number.

    ``low`` and ``high`` are the 95 % interval if there is one, else two standard errors on each side.
    """
    rows = [
        (r.arm, r.round, name, estimate.value, estimate.se, *estimate.band)
        for r in records
        for name, estimate in r.metrics.items()
    ]
    return _frame(rows, arm=str, round=int, metric=str, value=float, se=float, low=float, high=float)


def seconds_frame(records: Sequence[RoundRecord]) -> pd.DataFrame:
    """Return columns ``arm, round, stage, seconds``, one row per stage in the order of stages."""
    rows = [
        (r.arm, r.round, stage, r.seconds[stage])
        for r in records
        for stage in (*STAGES, *(s for s in r.seconds if s not in STAGES))
        if stage in r.seconds
    ]
    return _frame(rows, arm=str, round=int, stage=str, seconds=float)


def counts_frame(records: Sequence[RoundRecord]) -> pd.DataFrame:
    """Return a row per record: ``arm, round``, its counts, ``trained_on, exhausted, acceptance_rate``.

    The acceptance rate is the accepted share of all generated candidates, including abstentions; NaN if
    nothing was generated.
    """
    rows = [(r.arm, r.round, *r.counts.model_dump().values(), r.trained_on, r.exhausted) for r in records]
    counts = dict.fromkeys(Counts.model_fields, int)
    frame = _frame(rows, arm=str, round=int, **counts, trained_on=int, exhausted=bool)
    generated = frame["generated"]
    frame["acceptance_rate"] = frame["accepted"] / generated.where(generated > 0)
    return frame


def _frame(rows: list[tuple], **types: type) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(types)).astype(types)
