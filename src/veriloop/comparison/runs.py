"""Many runs in one folder, each with its own run folder, distributed by an executor and resumable."""

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
"""Name of the sub-folder with the run folders."""


STARTS = "starts"
"""Name of the sub-folder with start models that runs share."""


class Job(NamedTuple):
    """A run to make.

    Attributes:
        setting: Name of the setting in results.
        plan: Plan of the run, including its seed.
    """

    setting: str
    plan: Plan

    @property
    def name(self) -> str:
        """Name of its run folder: ``SETTING-seedK``."""
        return f"{self.setting}-seed{self.plan.seed}"


class Failed(NamedTuple):
    """A run that failed: the name of its folder, and why, in one line."""

    name: str
    reason: str


class Recorded(NamedTuple):
    """A run with its records so far, at least one."""

    job: Job
    folder: RunFolder
    records: list[RoundRecord]


def jobs_of(plans: Mapping[str, Plan], seed: int, seeds: int) -> list[Job]:
    """Return jobs for each plan with ``seeds`` seeds from ``seed`` on, plan by plan."""
    return [
        Job(setting, plan.model_copy(update={"seed": number}))
        for setting, plan in plans.items()
        for number in range(seed, seed + seeds)
    ]


def run_all(jobs: list[Job], out: Path, executor: Executor, *, share_starts: bool = False) -> list[Failed]:
    """Make the runs in ``out/runs``; started runs are continued, and finished ones left alone.

    The executor distributes whole runs: each computes serially, with the threads of its plan. So the order of
    ``jobs`` affects only the time: put long ones first. A run that fails does not end the others.

    Args:
        jobs: Runs to make.
        out: Folder of the experiment.
        executor: Executor of the runs.
        share_starts: Whether equal start models are trained once, and kept until all runs have started.

    Returns:
        The runs that failed.
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
    """Return those of ``jobs`` with records in ``out/runs``, in the same order.

    Raises:
        RunFolderError: A folder contains the run of another plan.
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
    """Make a run; return the reason if it fails."""
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
    """Return one line that names the failed runs out of ``of``, with the reasons."""
    names: dict[str, list[str]] = {}
    for name, reason in failed:
        names.setdefault(reason, []).append(name)
    why = "; ".join(f"{', '.join(those)}: {reason}" for reason, those in names.items())
    return VeriloopError(
        f"{len(failed)} of {of} runs failed ({why})",
        fix="fix the cause and repeat the same command: finished runs are kept",
    )
