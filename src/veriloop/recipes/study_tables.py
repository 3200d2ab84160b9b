"""Tables of studies: the results of each line, and the cost of its rounds."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..comparison.chains import Chain
from ..comparison.runs import Recorded
from ..records import STAGES
from ..report.names import short
from ..theory.validation import Floats
from .studies import Study, summary, values_of

Row = dict[str, Any]


def outcome_rows(
    studies: Mapping[str, Study], metrics: Sequence[str], chains: Mapping[str, Sequence[Chain]]
) -> list[Row]:
    """Return a row for each line of each study, with the `summary` of each of ``metrics``.

    Args:
        studies: Studies by name.
        metrics: Metrics; a line without the first one is left out.
        chains: Chains of each study, see `Study.chains`.
    """
    rows: list[Row] = []
    for name, study in studies.items():
        for line in study.lines:
            own = study.of_line(line, chains[name])
            found = {metric: values for metric in metrics if (values := values_of(own, metric)) is not None}
            if metrics[0] in found:
                measured = {
                    metric: summary(values, [c.seed for c in own], study.quantity(metric))
                    for metric, values in found.items()
                }
                rows.append(
                    {"study": name, "line": line.label, "setting": line.setting, "arm": line.arm, **measured}
                )
    return rows


def cost_rows(runs: Sequence[Recorded]) -> list[Row]:
    """Return a row for each arm of each setting: seconds per round and by stage, and samples per second.

    Seconds are means over rounds 1, 2, ... and seeds; rates are ratios of sums. A run uses the threads of its
    plan while other runs go on, so the times are those under that load.
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
    """Return the rows as text under a heading row."""
    cells = [["setting", "arm", "rounds", "seconds a round", "of it fit", "made a second", "judged a second"]]
    for row in rows:
        rates = (row["seconds_per_round"], row["seconds_by_stage"]["fit"])
        speeds = (row["generated_per_second"], row["verified_per_second"])
        cells.append(
            [row["setting"], row["arm"], str(row["rounds"]), *(short(float(x)) for x in (*rates, *speeds))]
        )
    return cells


def _per_second(n: int, seconds: Floats) -> float:
    total = float(seconds.sum())
    return n / total if n and total > 0 else float("nan")
