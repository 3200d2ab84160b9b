"""Tables of studies: what became of each line, and what its rounds cost."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..comparison.runs import Recorded
from ..records import STAGES, Estimate
from ..report.names import MISSING, short, with_error
from ..theory.validation import Floats
from .studies import Study, curves, summary

Row = dict[str, Any]


def outcome_rows(studies: Mapping[str, Study], metrics: Sequence[str], runs: Sequence[Recorded]) -> list[Row]:
    """A row for each line of each study, with the `summary` of each of ``metrics``."""
    rows: list[Row] = []
    for study in studies.values():
        by_line = {line: {} for line in study.lines}
        for metric in metrics:
            for c in curves(study, metric, runs):
                by_line[c.line][metric] = summary(c, study.quantity(metric))
        rows += [
            {"study": study.name, "line": line.label, "setting": line.setting, "arm": line.arm, **measured}
            for line, measured in by_line.items()
            if metrics[0] in measured
        ]
    return rows


def outcome_cells(rows: Sequence[Row], metrics: Sequence[str], titles: Sequence[str]) -> list[list[str]]:
    """The rows as text under a heading row: last values; of the first metric also start and best."""
    first = metrics[0]
    cells = [["study", "arm", "rounds", f"{titles[0]} at the start", f"best {titles[0]} (round)", *titles]]
    for row in rows:
        head = row[first]
        best = f"{short(head['best']['mean'])} ({head['best_round']})"
        start = short(head["start"]["mean"])
        last = [_with_half_width(row[m]["last"]) if m in row else MISSING for m in metrics]
        cells.append([row["study"], row["line"], str(head["last_round"]), start, best, *last])
    return cells


def cost_rows(runs: Sequence[Recorded]) -> list[Row]:
    """A row for each arm of each setting: seconds per round and by stage, and samples per second.

    Means over rounds 1, 2, ... and seeds; per second over their sums. A run computes on the threads of its
    plan while others run beside it, so these are times under that load.
    """
    rows: list[Row] = []
    settings = dict.fromkeys((f.job.setting, arm) for f in runs for arm in f.job.plan.arms)
    for setting, arm in settings:
        records = [
            r for f in runs if f.job.setting == setting for r in f.records if r.arm == arm and r.round > 0
        ]
        if not records:
            continue
        seconds = {stage: np.array([r.seconds.get(stage, 0.0) for r in records]) for stage in STAGES}
        generated = sum(r.counts.generated for r in records)
        judged = any(f.job.plan.arms[arm].verifier for f in runs if f.job.setting == setting)
        rows.append(
            {
                "setting": setting,
                "arm": arm,
                "rounds": len(records),
                "seconds_per_round": np.mean([sum(r.seconds.values()) for r in records]),
                "seconds_by_stage": {stage: values.mean() for stage, values in seconds.items()},
                "generated_per_second": _per_second(generated, seconds["generate"]),
                "verified_per_second": _per_second(generated if judged else 0, seconds["verify"]),
                "trained_on_per_round": np.mean([r.trained_on for r in records]),
            }
        )
    return rows


def cost_cells(rows: Sequence[Row]) -> list[list[str]]:
    """The rows as text under a heading row."""
    cells = [["setting", "arm", "rounds", "seconds a round", "of it fit", "made a second", "judged a second"]]
    for row in rows:
        rates = (row["seconds_per_round"], row["seconds_by_stage"]["fit"])
        speeds = (row["generated_per_second"], row["verified_per_second"])
        cells.append(
            [row["setting"], row["arm"], str(row["rounds"]), *(short(float(x)) for x in (*rates, *speeds))]
        )
    return cells


def markdown(cells: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; the first row is its heading."""
    head, *rows = ("| " + " | ".join(row) + " |" for row in cells)
    return "\n".join([head, "|" + "---|" * len(cells[0]), *rows]) + "\n"


def _with_half_width(value: Mapping[str, Any]) -> str:
    half = (value["high"] - value["low"]) / 2
    return with_error(Estimate(value["mean"], half))


def _per_second(n: int, seconds: Floats) -> float:
    total = float(seconds.sum())
    return n / total if n and total > 0 else float("nan")
