"""``veriloop preview CONFIG``."""

from typing import TYPE_CHECKING

import typer

from .options import ConfigArgument, JsonOption, SetOption

if TYPE_CHECKING:
    from rich.table import Table

    from ..loop import Preview


def preview(config: ConfigArgument, set_: SetOption = None, json: JsonOption = False) -> None:
    """Run one tiny round of each arm, and estimate the whole run's time and disk. Leaves nothing behind."""
    from ..config import load_plan
    from ..loop import preview as preview_plan
    from ..report.names import duration, why_abstained
    from .output import data_line, print_json, print_table

    plan = load_plan(config, set_ or [])
    seen = preview_plan(plan)
    if json:
        print_json(seen.model_dump(mode="json"))
        return
    print_table(_table(seen))
    for name, arm in seen.arms.items():
        if why := why_abstained(arm):
            typer.echo(f"{name}, tiny round: the verifier {why}")
        if arm.counts.generated and not arm.counts.kept:
            typer.echo(f"{name}, tiny round: nothing was kept; estimated is a run up to its limits")
    typer.echo(f"start model: {seen.start_samples:,} samples, {duration(seen.start_seconds)}")
    for about in (seen.prompts_cut, seen.duplicates_left_out, seen.rows_left_out, seen.held_out_seen):
        if about:
            typer.echo(data_line(about))
    typer.echo(
        f"the whole run, in one process: about {duration(seen.estimated_seconds)}"
        f" and {seen.estimated_disk_mb:,.0f} MB"
    )


def _table(seen: "Preview") -> "Table":
    from ..report.names import duration
    from .output import new_table

    table = new_table()
    table.add_column("arm")
    for heading in ("tiny round\naccepted", "\nof", "\ntime", "all rounds\ncandidates", "\ntime", "\nMB"):
        table.add_column(heading, justify="right")
    for name, arm in seen.arms.items():
        table.add_row(
            name,
            f"{arm.counts.accepted:,}",
            f"{arm.counts.generated:,}",
            duration(sum(arm.seconds.values())),
            f"{arm.estimated_candidates:,}",
            duration(arm.estimated_seconds),
            f"{arm.estimated_disk_mb:,.0f}",
        )
    return table
