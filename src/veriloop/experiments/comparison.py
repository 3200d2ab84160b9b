"""An experiment made of studies: makes their runs, and puts together what they show."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..comparison.page import Shown, experiment_page
from ..comparison.results import Measured
from ..comparison.runs import Recorded, failure, jobs_of, recorded, run_all
from ..errors import VeriloopError
from ..report.names import short, signed
from .base import Finding, Setting
from .studies import Study, apart, coin, curves, difference, summary
from .study_figures import study_figure
from .study_tables import cost_cells, cost_rows, markdown, outcome_cells, outcome_rows

MAIN = "main"
"""The study that shows the claim; also the setting of its one run."""

LONG = 4
"""A chain of so many rounds has two halves to compare."""

Numbers = dict[str, Any]


@dataclass(frozen=True)
class Comparison:
    """What is compared.

    Attributes:
        name: The experiment's; its files begin with it.
        about: What it is at this scale, in one line.
        studies: By name, those with long runs first. `MAIN` is about the claim: of its first line, the
            verified arm, against its second.
        metrics: Shown of each study, a panel each; the first stands for quality.
        claimed: Those of the metrics that the claim is about.
        pictures: More figures of a run of `MAIN`, by the ends of their files' names.
    """

    name: str
    about: str
    studies: Mapping[str, Study]
    metrics: tuple[str, ...]
    claimed: tuple[str, ...]
    pictures: Callable[[Recorded], Mapping[str, Shown]] = lambda _: {}

    def title(self, metric: str) -> str:
        """What people call one of the metrics."""
        return next(iter(self.studies.values())).quantity(metric).title


def compare(comparison: Comparison, setting: Setting, out: Path) -> Finding:
    """Make the runs of all studies, or of those in ``setting.only``, and compare their lines.

    With ``setting.write_up`` nothing is computed; what the runs have recorded so far is written up.

    Raises:
        VeriloopError: There is nothing to compare: no run has finished a round.
    """
    asked = {
        name: study
        for name, study in comparison.studies.items()
        if name in (setting.only or comparison.studies)
    }
    plans = {name: plan for study in asked.values() for name, plan in study.plans.items()}
    jobs = [
        job
        for job in jobs_of(plans, setting.seed, setting.seeds)
        if job.setting == MAIN or job.plan.seed < setting.seed + (setting.study_seeds or setting.seeds)
    ]
    failed = [] if setting.write_up else run_all(jobs, out, setting.executor)
    broken = failure(failed, len(jobs)) if failed else None
    names = {f.name for f in failed}
    runs = recorded([job for job in jobs if job.name not in names], out)
    if not runs:
        raise broken or VeriloopError(
            f"no run in {out} has finished a round", fix="make the runs first, without --write-up"
        )
    claim = _claim(comparison, runs)
    outcomes, costs = outcome_rows(asked, comparison.metrics, runs), cost_rows(runs)
    words = [*_claim_words(comparison, claim), *_study_words(comparison, asked, outcomes)]
    figures = _figures(comparison, asked, runs)
    titles = [comparison.title(metric) for metric in comparison.metrics]
    tables = {
        "What became of each arm": outcome_cells(outcomes, comparison.metrics, titles),
        "What the rounds cost": cost_cells(costs),
    }
    text = "\n".join(
        f"## {heading}\n\n{comparison.about}.\n\n{markdown(cells)}" for heading, cells in tables.items()
    )
    page = experiment_page(comparison.name, comparison.about, words, figures, tables)
    return Finding(
        numbers={
            "about": comparison.about,
            "claim": claim,
            "outcomes": outcomes,
            "costs": costs,
            "seconds_of_rounds": round(sum(sum(r.seconds.values()) for run in runs for r in run.records), 1),
            "failed": [f._asdict() for f in failed],
        },
        words=[comparison.about, *words],
        figures={name: shown.figure for name, shown in figures.items()},
        texts={f"{comparison.name}-tables.md": text, "report.html": page},
        measured=[Measured(r, job.plan.seed, job.setting) for job, _, records in runs for r in records],
        failure=broken,
    )


def _figures(
    comparison: Comparison, studies: Mapping[str, Study], runs: Sequence[Recorded]
) -> dict[str, Shown]:
    """The figures by the names of their files; that of `MAIN` has the experiment's own."""
    name = comparison.name
    figures = {
        name if study.name == MAIN else f"{name}-{study.name}": Shown(
            study.title, study_figure(study, runs, comparison.metrics)
        )
        for study in studies.values()
        if curves(study, comparison.metrics[0], runs)
    }
    main = next((run for run in runs if run.job.setting == MAIN), None)
    pictures = comparison.pictures(main) if main else {}
    return figures | {f"{name}-{end}": shown for end, shown in pictures.items()}


def _claim(comparison: Comparison, runs: Sequence[Recorded]) -> dict[str, Numbers]:
    """By metric, the `summary` of both arms, and how they differ in the end; empty without runs of `MAIN`.

    ``apart`` compares their intervals, ``difference`` is that of the arms of each seed, which have one start.
    """
    claim: dict[str, Numbers] = {}
    for metric in comparison.claimed:
        found = curves(comparison.studies[MAIN], metric, runs)[:2]
        if len(found) == 2:
            quantity = comparison.studies[MAIN].quantity(metric)
            claim[metric] = {c.line.arm: summary(c, quantity) for c in found}
            claim[metric] |= {"apart": apart(*found), "difference": difference(*found)}
            if quantity.better is not None:
                claim[metric]["coin"] = coin(found[0], found[1], metric, quantity).line
    return claim


def _claim_words(comparison: Comparison, claim: Mapping[str, Numbers]) -> list[str]:
    words: list[str] = []
    for metric, numbers in claim.items():
        title = comparison.title(metric)
        arms = [arm for arm in numbers if arm not in {"apart", "difference", "coin"}]
        if "coin" in numbers:
            words.append(numbers["coin"])
        words += [f"{title}, {arm}: {course(numbers[arm])}" for arm in arms]
        if numbers["apart"] is not None:
            words.append(
                f"{title}: the arms' last 95 % intervals {'are' if numbers['apart'] else 'are not'} apart; "
                f"{arms[0]} less {arms[1]} on equal seeds: {_change(numbers['difference'])}"
            )
    return words


def course(numbers: Numbers) -> str:
    """Such as ``417 → 198 after 6 rounds (x0.47, 95 % interval 0.41 to 0.53), best 190 in round 5``."""
    start, last, best = (numbers[key]["mean"] for key in ("start", "last", "best"))
    ratio = numbers["ratio"]
    alone = len(numbers["seeds"]) == 1
    sure = ", one seed" if alone else f", 95 % interval {ratio['low']:.2f} to {ratio['high']:.2f}"
    where = f"{short(best)} in round {numbers['best_round']}" if numbers["best_round"] else "at the start"
    return (
        f"{short(start)} → {short(last)} after {_rounds(numbers['last_round'])}"
        f" (x{ratio['mean']:.2f}{sure}), best {where}{_late(numbers)}"
    )


def _late(numbers: Numbers) -> str:
    """Such as ``; from round 7 on +0.003 (95 % interval -0.001 to +0.007)``; nothing for a short chain."""
    if numbers["last_round"] < LONG:
        return ""
    return f"; from round {numbers['late_from']} on {_change(numbers['late'])}"


def _change(over_seeds: Numbers) -> str:
    """Such as ``+0.003 (95 % interval -0.001 to +0.007)``; of one seed the change alone."""
    mean, low, high = (signed(float(over_seeds[key])) for key in ("mean", "low", "high"))
    return mean if len(over_seeds["values"]) == 1 else f"{mean} (95 % interval {low} to {high})"


def _study_words(
    comparison: Comparison, studies: Mapping[str, Study], outcomes: Sequence[Numbers]
) -> list[str]:
    """A line on each study but `MAIN`: where the first metric ends along its lines."""
    metric = comparison.metrics[0]
    words: list[str] = []
    for study in studies.values():
        rows = [row for row in outcomes if row["study"] == study.name and metric in row]
        if study.name != MAIN and rows:
            ends = "; ".join(f"{row['line']}: {short(row[metric]['last']['mean'])}" for row in rows)
            after = _rounds(rows[0][metric]["last_round"])
            words.append(f"{study.title} ({comparison.title(metric)} after {after}): {ends}")
    return words


def _rounds(n: int) -> str:
    return f"{n} round" if n == 1 else f"{n} rounds"
