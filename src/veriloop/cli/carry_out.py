"""Carry out a plan in front of a person: live progress, then a table and the report."""

import shlex
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from ..loop import Plan, Resume


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
    """Run ``plan`` in ``out``, write the report, and print what came of it.

    Raises:
        VeriloopError: See `veriloop.loop.run`.
        ExhaustedError: No arm is left that could go on; the report is written all the same.
        typer.Exit: With code 130, after an interrupt.
    """
    from ..errors import ExhaustedError
    from ..events import AboutData
    from ..loop import run
    from ..report.names import why_abstained
    from ..report.overview import overview
    from ..report.standing import resume_command
    from ..report.summary import summarise
    from ..store.folder import RunFolder
    from .live import progress
    from .output import (
        data_line,
        no_report,
        outcome_json,
        outcome_table,
        print_json,
        print_lines,
        print_table,
        report_of,
    )
    from .waiting import wait_for_people

    try:
        with progress(RunFolder(out), plan, json=json, plain=plain):
            folder = run(plan, out, resume=resume, accept_changes=accept_changes)
        while wait and folder.manifest().status == "waiting":
            typer.echo(f"{folder.manifest().reason}; judge them with: {_serve_command(out)}", err=True)
            wait_for_people(folder)
            if folder.manifest().status != "waiting":
                break
            with progress(RunFolder(out), plan, json=json, plain=plain):
                folder = run(plan, out, resume="always", accept_changes=accept_changes)
    except KeyboardInterrupt:
        begun = RunFolder(out).exists()
        after = (
            f"finished rounds are safe, continue with: {resume_command(RunFolder(out))}"
            if begun
            else "nothing was begun"
        )
        typer.echo(f"interrupted; {after}", err=True)
        raise typer.Exit(130) from None
    except ExhaustedError:
        if RunFolder(out).exists():
            report_of(RunFolder(out))
        raise
    report, summaries = report_of(folder), summarise(folder)
    if json:
        print_json(outcome_json(folder, report, summaries))
        return
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
            f"{manifest.reason}; judge them with: {_serve_command(out)},"
            f" then go on with: {resume_command(folder)}"
        )
    elif manifest.status == "stopped":
        typer.echo(f"stopped {manifest.reason}; go on with: {resume_command(folder)}")


def _serve_command(out: Path) -> str:
    return shlex.join(["veriloop", "serve", str(out.parent)])
