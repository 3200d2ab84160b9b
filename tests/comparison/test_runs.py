"""Many runs in one folder: each goes on where it was, and none takes the others down."""

import json
from pathlib import Path

import pytest

from veriloop.comparison.runs import Failed, Recorded, failure, jobs_of, recorded, run_all
from veriloop.config import plan_from
from veriloop.errors import RunFolderError
from veriloop.executors.process import Process
from veriloop.executors.serial import Serial
from veriloop.loop.plan import Plan
from veriloop.testing.broken import cut

TINY = "veriloop.testing.tiny:Tiny"


def plan(**more: object) -> Plan:
    return plan_from(
        {
            "rounds": 2,
            "dataset": {"kind": f"{TINY}Data"},
            "learner": {"kind": f"{TINY}Learner"},
            "verifier": {"kind": f"{TINY}Verifier"},
            "acceptance": {"kind": "top_fraction", "fraction": 0.2},
            "schedule": {"kind": "constant", "n": 60},
            "metrics": [{"kind": f"{TINY}Metric"}],
            **more,
        }
    )


PLANS = {"main": plan(), "strict": plan(acceptance={"kind": "top_fraction", "fraction": 0.05})}
HOPELESS = plan(max_candidates=70)


def results(found: list[Recorded]) -> list[tuple[str, list[dict]]]:
    """Everything that does not depend on the machine's mood."""
    return [
        (job.name, [r.model_dump(mode="json", exclude={"seconds"}) for r in records])
        for job, _, records in found
    ]


def test_a_job_for_each_plan_and_seed() -> None:
    jobs = jobs_of(PLANS, seed=3, seeds=2)
    assert [job.name for job in jobs] == ["main-seed3", "main-seed4", "strict-seed3", "strict-seed4"]
    assert [job.plan.seed for job in jobs] == [3, 4, 3, 4]


def test_results_do_not_depend_on_who_computes(tmp_path: Path) -> None:
    jobs = jobs_of(PLANS, seed=0, seeds=2)
    assert run_all(jobs, tmp_path / "here", Serial()) == []
    assert run_all(jobs, tmp_path / "there", Process(workers=2)) == []
    here, there = (results(recorded(jobs, tmp_path / where)) for where in ("here", "there"))
    assert here == there
    assert [name for name, _ in here] == [job.name for job in jobs]


def test_what_is_over_is_left_alone_and_what_has_begun_goes_on(tmp_path: Path) -> None:
    jobs = jobs_of(PLANS, seed=0, seeds=1)
    run_all(jobs, tmp_path, Serial())
    whole = results(recorded(jobs, tmp_path))
    over, begun = (tmp_path / "runs" / job.name for job in jobs)
    # As a kill leaves it: the last record is not there, and nobody has said that the run is over.
    *lines, _ = (begun / "records.jsonl").read_text().splitlines(keepends=True)
    cut(begun, len(lines))
    before = (over / "events.jsonl").read_bytes()
    assert run_all(jobs, tmp_path, Serial()) == []
    assert results(recorded(jobs, tmp_path)) == whole
    assert (over / "events.jsonl").read_bytes() == before
    events = [json.loads(line) for line in (begun / "events.jsonl").read_text().splitlines()]
    resumed = [e["resumed"] for e in events if e["event"] == "run_started"]
    assert resumed == [0, len(lines)]


@pytest.mark.parametrize("executor", [Serial(), Process(workers=2)], ids=["serial", "process"])
def test_a_run_that_fails_is_named_and_the_others_are_kept(
    tmp_path: Path, executor: Serial | Process
) -> None:
    jobs = jobs_of({"hopeless": HOPELESS, **PLANS}, seed=0, seeds=1)
    failed = run_all(jobs, tmp_path, executor)
    assert [name for name, _ in failed] == ["hopeless-seed0"]
    assert [job.name for job, _, _ in recorded(jobs[1:], tmp_path)] == ["main-seed0", "strict-seed0"]
    line = str(failure(failed, len(jobs)))
    assert line.startswith("1 of 3 runs failed (hopeless-seed0: arm 'verified', round 1: 70 candidates")
    assert "finished runs are kept" in line


def test_runs_that_fail_alike_are_named_together() -> None:
    full = "the disk is full"
    failed = [Failed("main-seed0", full), Failed("strict-seed0", full), Failed("odd-seed0", "no data")]
    line = str(failure(failed, of=5))
    assert line.startswith(
        "3 of 5 runs failed (main-seed0, strict-seed0: the disk is full; odd-seed0: no data). Fix"
    )


def test_the_run_of_another_plan_is_neither_continued_nor_shown(tmp_path: Path) -> None:
    run_all(jobs_of(PLANS, 0, 1), tmp_path, Serial())
    others = jobs_of({"main": PLANS["strict"]}, 0, 1)
    [failed] = run_all(others, tmp_path, Serial())
    assert "has another configuration (arms.verified.acceptance.fraction: 0.2 -> 0.05)" in failed.reason
    with pytest.raises(RunFolderError, match="another configuration"):
        recorded(others, tmp_path)


def test_nothing_recorded_is_nothing(tmp_path: Path) -> None:
    assert recorded(jobs_of(PLANS, 0, 1), tmp_path) == []
