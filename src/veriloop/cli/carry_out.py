"""Run a plan for a user: live progress, then a table and the report."""

import shlex
from collections.abc import Callable
from contextlib import AbstractContextManager
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from ..loop import Plan, Resume
    from ..store.folder import RunFolder


def carry_out(
    plan: "Plan",
    out: Path,
    *,
    resume: "Resume",
    accept_changes: bool = False,
    wait: bool = False,
    json: bool,
    plain: bool,
) -> None:
    """Run ``plan`` in ``out``, write the report, and print the results.

    Raises:
        VeriloopError: See `veriloop.loop.run`.
        ExhaustedError: No arm is left to continue; the report is still written.
        typer.Exit: With code 130, after an interrupt.
    """
    from ..errors import ExhaustedError
    from ..report.summary import summarise
    from ..store.folder import RunFolder
    from .live import progress
    from .output import outcome_json, print_json, report_of

    def shown() -> AbstractContextManager[None]:
        """Return the block that shows the progress of the run."""
        return progress(RunFolder(out), plan, json=json, plain=plain)

    try:
        folder = _run(plan, out, resume, accept_changes, wait, shown)
    except ExhaustedError:
        if RunFolder(out).exists():
            report_of(RunFolder(out))
        raise
    report = report_of(folder)
    if json:
        print_json(outcome_json(folder, report, summarise(folder)))
    else:
        _say(folder, report)


def _run(
    plan: "Plan",
    out: Path,
    resume: "Resume",
    accept_changes: bool,
    wait: bool,
    shown: Callable[[], AbstractContextManager[None]],
) -> "RunFolder":
    """Run the plan until it ends, or waits for people and ``wait`` is false.

    Raises:
        typer.Exit: After an interrupt.
    """
    from ..loop import run
    from ..report.standing import resume_command
    from ..store.folder import RunFolder
    from .waiting import wait_for_people

    try:
        with shown():
            folder = run(plan, out, resume=resume, accept_changes=accept_changes)
        while wait and folder.manifest().status == "waiting":
            typer.echo(f"{folder.manifest().reason}; judge them with: {_serve_command(out)}", err=True)
            wait_for_people(folder)
            if folder.manifest().status != "waiting":
                break
            with shown():
                folder = run(plan, out, resume="always", accept_changes=accept_changes)
        return folder
    except KeyboardInterrupt:
        after = "nothing was started"
        if RunFolder(out).exists():
            after = f"finished rounds are safe, continue with: {resume_command(RunFolder(out))}"
        typer.echo(f"interrupted; {after}", err=True)
        raise typer.Exit(130) from None


def _say(folder: "RunFolder", report: Path | None) -> None:
    """Print what came of a run, for people."""
    from ..events import AboutData
    from ..report.names import why_abstained
    from ..report.overview import overview
    from ..report.standing import resume_command
    from ..report.summary import summarise
    from .output import data_line, no_report, outcome_table, print_lines, print_table

    summaries = summarise(folder)
    manifest = folder.manifest()
    print_table(outcome_table(summaries))
    told = {type(event): event for event in folder.events()[0] if isinstance(event, AboutData)}
    for event in told.values():
        typer.echo(data_line(event))
    for summary in summaries:
        if why := why_abstained(summary.last):
            typer.echo(f"{summary.arm}, round {summary.last.round}: the verifier {why}")
        for why in summary.last.silent:
            typer.echo(f"{summary.arm}, round {summary.last.round}: {why}")
        numbers = summary.last.metrics
        if missing := [n for n in manifest.cards.wholes(list(numbers)) if isnan(numbers[n].value)]:
            typer.echo(
                f"{summary.arm}, round {summary.last.round}: could not be measured: {', '.join(missing)}"
            )
    for arm, reason in manifest.stopped_arms.items():
        typer.echo(f"{arm} ended early: {reason}")
    print_lines(f"{s.arm}: {s.sentence()}" for s in summaries)
    print_lines(overview(folder).lines())
    typer.echo(f"report: {report}" if report else f"{manifest.status}; {no_report()}")
    if manifest.status == "waiting":
        typer.echo(
            f"{manifest.reason}; judge them with: {_serve_command(folder.path)},"
            f" then continue with: {resume_command(folder)}"
        )
    elif manifest.status == "stopped":
        typer.echo(f"stopped {manifest.reason}; continue with: {resume_command(folder)}")


def _serve_command(out: Path) -> str:
    return shlex.join(["veriloop", "serve", str(out.parent)])
