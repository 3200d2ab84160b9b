"""``veriloop preview CONFIG``."""

import math
from typing import TYPE_CHECKING

import typer

from .options import ConfigArgument, JsonOption, SetOption

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

    from ..loop import Preview
    from ..loop.previews import ArmPreview, Shown


def preview(config: ConfigArgument, set_: SetOption = None, json: JsonOption = False) -> None:
    """Try a plan on a few rows within a minute: some judged candidates, and the estimated cost of the run.

    For a configuration with the keys seeds or vary, the first variation is tried.
    """
    from ..comparison.variations import check, requested
    from ..loop import preview as preview_plan
    from .output import data_line, print_json, print_table

    request = requested(config, overrides=set_ or [])
    if request.runs > 1:
        check(request)
    first, plan = next(iter(request.plans.items()))
    seen = preview_plan(plan.model_copy(update={"seed": request.seeds[0]}))
    if json:
        comparison = {"comparison": _comparison(first, request.runs, seen)} if request.runs > 1 else {}
        print_json({**seen.model_dump(mode="json"), **comparison})
        return
    if request.runs > 1:
        typer.echo(f"{first}, seed {request.seeds[0]}:")
    for name, arm in seen.arms.items():
        for line in _candidates(name, arm):
            typer.echo(line)
    print_table(_table(seen))
    for name, arm in seen.arms.items():
        for line in _remarks(name, arm):
            typer.echo(line)
    for about in seen.about_data:
        typer.echo(data_line(about))
    for part, lines in seen.notes.items():
        for line in lines:
            typer.echo(f"{part}: {line}")
    for line in _whole(seen):
        typer.echo(line)
    if request.runs > 1:
        for line in _all_runs(request.runs, seen, plan.keep_models):
            typer.echo(line)


def _candidates(name: str, arm: "ArmPreview") -> "Iterator[str]":
    """Yield some candidates of an arm, each with the verifier's remark."""
    if arm.shown:
        yield f"{name}: {len(arm.shown)} of the {arm.counts.generated:,} candidates tried"
    for shown in arm.shown:
        yield ""
        yield f"  {_fate(shown)}"
        for column, value in shown.columns.items():
            lines = value.splitlines() or [""]
            yield f"    {column}: {lines[0]}" if len(lines) == 1 else f"    {column}:"
            yield from (f"      {line}" for line in lines if len(lines) > 1)


def _fate(shown: "Shown") -> str:
    from ..report.names import short

    score = None if shown.score is None or math.isnan(shown.score) else f"score {short(shown.score)}"
    said = ", ".join(filter(None, [score, shown.reason]))
    return f"{shown.fate}: {said}" if said else shown.fate


def _remarks(name: str, arm: "ArmPreview") -> "Iterator[str]":
    from ..report.names import why_abstained

    if why := why_abstained(arm):
        yield f"{name}, trial round: the verifier {why}"
    for why in arm.silent:
        yield f"{name}, trial round: {why}"
    if arm.counts.generated and not arm.counts.kept:
        yield f"{name}, trial round: nothing was kept; the estimate is for a run up to its limits"
    if arm.waits:
        yield f"{name}: {arm.waits}; its candidates cannot be judged until then"


def _whole(seen: "Preview") -> "Iterator[str]":
    """Yield the start model, the speed, what could not be measured, and the whole run."""
    from ..report.names import duration, rate

    start = f"start model: {seen.start_samples:,} samples, {_about(duration(seen.start_seconds))}"
    done, of = seen.tried_steps or (0, 0)
    if seen.tried_rows < seen.start_samples or done < of:
        steps = f" in {done:,} of {of:,} steps" if of else ""
        start += f"; the trial model was trained on {seen.tried_rows:,} of them{steps}"
    yield start
    words = {"generate": "writing", "fit": "training"}
    if speeds := [f"{words[stage]} {rate(tokens)}" for stage, tokens in seen.tokens_per_second.items()]:
        yield ", ".join(speeds)
    for what in seen.missed:
        yield f"not measured: {what}"
    low, high = map(duration, seen.seconds_range)
    known = math.isfinite(seen.estimated_seconds)
    size = f"{seen.estimated_disk_mb:,.0f} MB" if math.isfinite(seen.estimated_disk_mb) else "an unknown size"
    yield (
        f"the whole run, in one process: about {duration(seen.estimated_seconds)} ({low} to {high})"
        f" and {size} on disk; at least {seen.memory_mb:,.0f} MB of memory"
        if known
        else "the whole run: no estimate, because some parts were not measured"
    )


def _comparison(first: str, runs: int, seen: "Preview") -> dict[str, object]:
    """Return the cost of all runs of a comparison if each costs as much as the first; None if unknown."""
    whole = {"estimated_seconds": seen.estimated_seconds, "estimated_disk_mb": seen.estimated_disk_mb}
    known = {name: runs * number if math.isfinite(number) else None for name, number in whole.items()}
    return {"variation": first, "runs": runs, **known}


def _all_runs(runs: int, seen: "Preview", keeps_models: str) -> "Iterator[str]":
    from ..report.names import duration

    if math.isfinite(seen.estimated_seconds) and math.isfinite(seen.estimated_disk_mb):
        yield (
            f"all {runs} runs, if they cost the same: about {duration(runs * seen.estimated_seconds)},"
            f" divided by the number of workers, and {runs * seen.estimated_disk_mb:,.0f} MB on disk"
        )
    if keeps_models == "all":
        yield "with keep_models: last, only the models of the start and of the last rounds are kept"


def _about(words: str) -> str:
    from ..report.names import MISSING

    return "time unknown" if words == MISSING else words


def _table(seen: "Preview") -> "Table":
    from ..report.names import MISSING, duration
    from .output import new_table

    table = new_table()
    table.add_column("arm")
    for heading in ("trial round\naccepted", "\nof", "\ntime", "all rounds\ncandidates", "\ntime", "\nMB"):
        table.add_column(heading, justify="right")

    def whole(number: float) -> str:
        """Return a number without decimals, or `MISSING` if it is not finite."""
        return f"{number:,.0f}" if math.isfinite(number) else MISSING

    for name, arm in seen.arms.items():
        table.add_row(
            name,
            f"{arm.counts.accepted:,}",
            f"{arm.counts.generated:,}",
            duration(sum(arm.seconds.values())),
            whole(arm.estimated_candidates),
            duration(arm.estimated_seconds),
            whole(arm.estimated_disk_mb),
        )
    return table
