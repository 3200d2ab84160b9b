"""Many runs in one folder: each a run folder of its own, spread over an executor, resumable at any moment."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ..errors import VeriloopError
from ..executors.base import Executor
from ..loop.plan import Plan
from ..loop.rounds import run
from ..records import RoundRecord
from ..store.folder import RunFolder

RUNS = "runs"
"""The folder, in that of the experiment, in which its run folders lie."""


STARTS = "starts"
"""The folder beside it in which start models wait for the runs that share them."""


class Job(NamedTuple):
    """A run to be made.

    Attributes:
        setting: What it is called in results.
        plan: What it does, its seed included.
    """

    setting: str
    plan: Plan

    @property
    def name(self) -> str:
        """Of its run folder: ``SETTING-seedK``."""
        return f"{self.setting}-seed{self.plan.seed}"


class Failed(NamedTuple):
    """A run that did not end well: the name of its folder, and why, in one line."""

    name: str
    reason: str


class Recorded(NamedTuple):
    """A run with what it has recorded so far, at least one round."""

    job: Job
    folder: RunFolder
    records: list[RoundRecord]


def jobs_of(plans: Mapping[str, Plan], seed: int, seeds: int) -> list[Job]:
    """Each plan under ``seeds`` seeds from ``seed`` on; all seeds of a plan come before the next plan."""
    return [
        Job(setting, plan.model_copy(update={"seed": number}))
        for setting, plan in plans.items()
        for number in range(seed, seed + seeds)
    ]


def run_all(jobs: list[Job], out: Path, executor: Executor, *, share_starts: bool = False) -> list[Failed]:
    """Make the runs in ``out/runs``; one that has begun goes on where it was, one that is over is left alone.

    The executor spreads whole runs: each computes serially, on the threads of its plan. So the order of
    ``jobs`` matters for the time only: put long ones first. A run that fails does not end the others.

    Args:
        jobs: The runs.
        out: The folder of the experiment.
        executor: Who computes.
        share_starts: Whether equal start models are trained once, and kept until all runs have begun.

    Returns:
        Those that failed.
    """
    # Workers may have another working directory.
    out = out.absolute()
    starts = out / STARTS if share_starts else None
    reasons = zip(jobs, executor.map(_run, jobs, _Places(out / RUNS, starts)), strict=True)
    failed = [Failed(job.name, reason) for job, reason in reasons if reason is not None]
    if not failed:
        shutil.rmtree(out / STARTS, ignore_errors=True)
    return failed


def recorded(jobs: list[Job], out: Path) -> list[Recorded]:
    """Those of ``jobs`` that have recorded something in ``out/runs``, in the same order.

    Raises:
        RunFolderError: A folder holds the run of another plan.
    """
    found: list[Recorded] = []
    for job in jobs:
        folder = RunFolder(out / RUNS / job.name)
        if folder.exists() and (records := folder.records()):
            folder.check_same_config(job.plan.config())
            found.append(Recorded(job, folder, records))
    return found


class _Places(NamedTuple):
    runs: Path
    starts: Path | None


def _run(places: _Places, job: Job) -> str | None:
    """Make a run; the reason if it fails."""
    folder = RunFolder(places.runs / job.name)
    try:
        if folder.exists() and folder.manifest().status == "finished":
            folder.check_same_config(job.plan.config())
        else:
            run(job.plan, folder.path, resume="if-possible", starts=places.starts)
    except VeriloopError as e:
        return str(e)
    return None


def failure(failed: list[Failed], of: int) -> VeriloopError:
    """One line that names the runs that failed, out of ``of``, and says why."""
    names: dict[str, list[str]] = {}
    for name, reason in failed:
        names.setdefault(reason, []).append(name)
    why = "; ".join(f"{', '.join(those)}: {reason}" for reason, those in names.items())
    return VeriloopError(
        f"{len(failed)} of {of} runs failed ({why})",
        fix="mend the cause and give the same command again: what has finished is kept",
    )
