"""The verbs that compute: run, resume, demo."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from veriloop.cli.main import main
from veriloop.store.folder import RunFolder

from ..patience import until

COMMAND = [sys.executable, "-c", "from veriloop.cli.main import main; main()"]


def test_run_in_a_process_of_its_own(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = subprocess.run([*COMMAND, "run", config, "--out", out], capture_output=True, text=True)
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    assert lines[0].startswith("start model done: gap ")
    assert any(line.startswith("verified round 3/3 done: gap ") for line in lines)
    assert len(lines) == 1 + 2 * 3 + 1
    assert "first → last round" in done.stdout
    assert f"report: {out / 'report.html'}" in done.stdout
    assert (out / "report.html").is_file()


def test_json_is_one_object_and_nothing_else(veriloop, config: Path, tmp_path: Path) -> None:
    called = veriloop("run", config, "--out", tmp_path / "run", "--json")
    assert (called.code, called.err) == (0, "")
    outcome = json.loads(called.out)
    assert outcome["status"] == "finished"
    assert outcome["run"] == str(tmp_path / "run")
    assert Path(outcome["report"]).is_file()
    assert {arm: record["round"] for arm, record in outcome["last"].items()} == {
        "verified": 3, "unverified": 3, "all_real": 1
    }  # fmt: skip
    assert {record["round"] for record in outcome["first"].values()} == {0}
    assert outcome["last"]["verified"]["metrics"]["gap"]["value"] > 0


def test_settings_of_the_command_line_replace_the_files(veriloop, config: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    called = veriloop("run", config, "--out", out, "--set", "rounds=1", "--set", "schedule.n=30", "--plain")
    assert called.code == 0
    assert [r.counts.kept for r in RunFolder(out).records() if r.arm == "verified"] == [0, 30]


def test_resuming_a_finished_run_shows_it_again(veriloop, tiny_run: Path) -> None:
    before = (tiny_run / "records.jsonl").read_bytes()
    called = veriloop("resume", tiny_run)
    assert called.code == 0
    assert called.err == ""
    assert "gap" in called.out
    assert (tiny_run / "records.jsonl").read_bytes() == before


def _hear_interrupts() -> None:
    # A shell's background jobs ignore SIGINT, and so would what they start: these tests may be one.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_an_interrupted_run_says_how_to_go_on(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = [*COMMAND, "run", config, "--out", out, "--set", "rounds=2000"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, preexec_fn=_hear_interrupts, **pipes) as process:
        until(lambda: RunFolder(out).records(), process)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate()
    assert process.returncode == 130
    assert stdout == ""
    expected = f"interrupted; finished rounds are safe, continue with: veriloop resume {out}"
    assert stderr.splitlines()[-1] == expected
    assert "Traceback" not in stderr
    assert RunFolder(out).manifest().status == "stopped"


def test_an_interrupt_before_the_run_begins(
    veriloop, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("veriloop.loop.run", interrupt)
    called = veriloop("run", config, "--out", tmp_path / "run")
    assert called == (130, "", "interrupted; nothing was started\n")


def test_an_arm_that_ends_early_is_mentioned(veriloop, config: Path, tmp_path: Path) -> None:
    limits = ["--set", "max_candidates=40", "--set", "on_exhausted=stop"]
    called = veriloop("run", config, "--out", tmp_path / "run", *limits)
    assert called.code == 0
    assert "verified ended early: " in called.out
    assert "verified ended early: " in called.err
    assert "verified round 1: kept " in called.err


def test_demo(veriloop, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The verb alone, on a tiny plan: what the demonstration shows is tested with the demonstration."""
    from veriloop.config import load_plan

    asked: list[tuple[int, int]] = []

    def demo_plan(seed: int, rounds: int) -> object:
        asked.append((seed, rounds))
        return load_plan(config, [f"seed={seed}", f"rounds={rounds}"])

    monkeypatch.setattr("veriloop.starters.demo.demo_plan", demo_plan)
    monkeypatch.chdir(tmp_path)
    first = veriloop("demo", "--seed", 4, "--rounds", 2, "--json")
    outcome = json.loads(first.out)
    assert asked == [(4, 2)]
    assert outcome["run"] == "runs/demo-seed-4"
    assert {"run", "report", "first", "last"} <= set(outcome)
    again = veriloop("demo", "--seed", 4, "--rounds", 2, "--json")
    assert json.loads(again.out) == outcome
    assert "unverified   on equally many" in veriloop("demo", "--seed", 4, "--rounds", 2).err


def test_where_no_arm_is_left_there_is_a_line_and_a_report(tmp_path, monkeypatch, capfd) -> None:
    kind = "veriloop.testing.tiny"
    config = {
        "rounds": 2,
        "dataset": f"{kind}:TinyData",
        "learner": f"{kind}:TinyLearner",
        "verifier": {"kind": f"{kind}:TinyVerifier", "mode": "decide", "abstain": 1.0},
        "schedule": {"kind": "constant", "n": 60},
        "metrics": [f"{kind}:TinyMetric"],
        "arms": ["verified"],
    }
    path = tmp_path / "silent.json"
    path.write_text(json.dumps(config))
    given = ["veriloop", "run", str(path), "--out", str(tmp_path / "run"), "--plain"]
    monkeypatch.setattr(sys, "argv", given)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capfd.readouterr().err
    assert "verified round 1: the verifier abstains on all" in said
    assert said.splitlines()[-1].startswith("error: arm 'verified', round 1: the verifier abstains on all")
    assert "Candidates not distinguished" in (tmp_path / "run/report.html").read_text()
