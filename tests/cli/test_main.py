"""What holds for every verb: quick help, one line for a mistake, one JSON object for machines."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import veriloop as package

VERBS = (
    "demo",
    "validate",
    "preview",
    "run",
    "resume",
    "report",
    "list",
    "show",
    "stop",
    "export",
    "theory",
    "simulate",
    "reproduce",
    "serve",
    "verdicts",
)


def test_help_is_light_and_names_every_verb() -> None:
    program = (
        "import sys; sys.argv = ['veriloop', '--help']\n"
        "from veriloop.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    *text, imported = done.stdout.splitlines()
    assert not {*imported.split()} & {"torch", "pandas", "plotly", "matplotlib", "numpy", "pydantic", "yaml"}
    assert all(f" {verb} " in "\n".join(text) for verb in VERBS)


GROUPS = {"theory": "theory one-round", "verdicts": "verdicts import"}
"""Verbs that have verbs of their own, and one of these."""


# `serve` runs until it is ended: it has no result to print.
@pytest.mark.parametrize("verb", [GROUPS.get(verb, verb) for verb in VERBS if verb != "serve"])
def test_every_verb_explains_itself_and_speaks_json(veriloop, verb: str) -> None:
    called = veriloop(*verb.split(), "--help")
    assert called.code == 0
    assert "--json" in called.out


def test_version(veriloop) -> None:
    assert veriloop("--version") == (0, f"veriloop {package.__version__}\n", "")


def test_no_arguments_show_the_help(veriloop) -> None:
    assert "Commands" in veriloop().out


MISTAKES: dict[str, tuple[tuple[str, ...], str]] = {
    "no config": (("validate", "absent.yaml"), "absent.yaml: No such file"),
    "a folder for a config": (("validate", "."), "Is a directory"),
    "unknown key": (("validate", "CONFIG", "--set", "lerner.x=1"), "Did you mean 'learner'"),
    "bad value": (("validate", "CONFIG", "--set", "rounds=0"), "rounds"),
    "set without a value": (("validate", "CONFIG", "--set", "rounds"), "--set"),
    "nothing to resume": (("resume", "absent"), "no such run folder"),
    "a run is needed": (("run", "CONFIG", "--out", "absent", "--resume", "always"), "no run in"),
    "a run is there": (("run", "CONFIG", "--out", "RUN"), "there is a run in"),
    "another configuration": (
        ("run", "CONFIG", "--out", "RUN", "--resume", "always", "--set", "seed=5"), "seed: 0 -> 5"
    ),
    "no run to report": (("report", "."), "does not contain a run"),
    "no folder to list": (("list", "absent"), "no such folder"),
    "no such arm": (("export", "RUN", "--round", "1", "--arm", "verifed", "--to", "x.jsonl"), "verified"),
    "no such round": (("export", "RUN", "--round", "8", "--arm", "verified", "--to", "x.jsonl"), "1, 2, 3"),
    "unknown suffix": (("export", "RUN", "--round", "1", "--arm", "verified", "--to", "x.csv"), ".parquet"),
    "nowhere to write": (
        ("export", "RUN", "--round", "1", "--arm", "verified", "--to", "no/x.jsonl"), "cannot write no/x"
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("json_", [False, True], ids=["text", "json"])
def test_a_mistake_is_one_line_and_exit_code_2(
    veriloop, config: Path, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    mistake: str, json_: bool,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    arguments, expected = MISTAKES[mistake]
    places = {"CONFIG": config, "RUN": tiny_run}
    called = veriloop(*(places.get(a, a) for a in arguments), *(["--json"] if json_ else []))
    assert called.code == 2
    assert called.out == ""
    assert called.err.startswith("error: ")
    assert called.err.count("\n") == 1
    assert expected in called.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["frobnicate"], "No such command 'frobnicate'. See: veriloop --help"),
        (["theory", "one-round"], "Missing option '--bias'. See: veriloop theory one-round --help"),
        (["run", "--nope"], "No such option: --nope. See: veriloop run --help"),
        (["demo", "--seed", "-1"], "Invalid value for '--seed'"),
        (["export", "x", "--round", "first"], "Invalid value for '--round'"),
        (["list"], "Missing argument 'DIR'. See: veriloop list --help"),
        (["calibrate", "x", "--arm"], "Option '--arm' requires an argument"),
        (["theory", "nope"], "No such command 'nope'. See: veriloop theory --help"),
    ],
)
def test_wrong_usage_is_one_line(veriloop, arguments: list[str], told: str) -> None:
    called = veriloop(*arguments)
    assert (called.code, called.out) == (2, "")
    assert called.err.count("\n") == 1
    assert called.err.startswith(f"error: {told}")


def test_without_arguments_help_is_shown(veriloop) -> None:
    called = veriloop()
    assert called.code == 2
    assert "Usage: " in called.out + called.err
    assert "error" not in called.err


@pytest.mark.parametrize("message", ["", "Unable to allocate 909. TiB"])
def test_too_little_memory_is_one_line(
    veriloop, tiny_run: Path, monkeypatch: pytest.MonkeyPatch, message: str
) -> None:
    def fail(folder: object) -> Path:
        raise MemoryError(*([message] if message else []))

    monkeypatch.setattr("veriloop.report.html.write_report", fail)
    called = veriloop("report", tiny_run)
    assert called.code == 2
    assert called.err.count("\n") == 1
    assert called.err.startswith("error: out of memory")
    assert message in called.err


def test_an_interrupt_shows_no_traceback(veriloop, tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(folder: object) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr("veriloop.report.html.write_report", interrupt)
    called = veriloop("report", tiny_run)
    assert called.code == 130
    assert "Traceback" not in called.err


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(28, "No space left on device", "/full/x"), "error: No space left on device: /full/x\n"),
        (PermissionError(13, "Permission denied"), "error: [Errno 13] Permission denied\n"),
    ],
)
def test_a_failing_disk_is_one_line(
    veriloop, tiny_run: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, line: str
) -> None:
    def fail(folder: object) -> Path:
        raise error

    monkeypatch.setattr("veriloop.report.html.write_report", fail)
    assert veriloop("report", tiny_run) == (2, "", line)


def test_validate(veriloop, config: Path) -> None:
    called = veriloop("validate", config, "--set", "seed=3")
    assert called.code == 0
    assert "arms verified, unverified, all_real; 3 rounds; seed 3" in called.out
    checked = json.loads(veriloop("validate", config, "--json").out)
    assert checked["valid"] is True
    assert checked["schema"]["x"] == {"role": "vector", "p": 2, "given": False}
    assert checked["schema"]["label"] == {"role": "label", "classes": 3, "given": True}
    arms = {name: (card["role"], card["verified"]) for name, card in checked["cards"]["arms"].items()}
    assert arms == {"verified": ("chain", True), "unverified": ("chain", False), "all_real": ("bound", False)}
    assert set(checked) == {"valid", "cards", "schema", "downloads", "notes", "data"}
    assert checked["downloads"] == []
    assert checked["data"]["rows"]["start"] <= checked["data"]["rows"]["train"]


def test_preview_estimates_and_leaves_nothing(
    veriloop, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    called = veriloop("preview", config)
    assert "unverified" in called.out
    assert "the whole run, in one process: about" in called.out
    estimate = json.loads(veriloop("preview", config, "--json").out)
    assert set(estimate["arms"]) == {"verified", "unverified", "all_real"}
    assert list(tmp_path.iterdir()) == []


def test_preview_says_why_the_verifier_abstained(veriloop, config: Path) -> None:
    silent = ("--set", "verifier.abstain=0.5", "--set", "arms=[verified]")
    lines = veriloop("preview", config, *silent).out.splitlines()
    said = next(
        line for line in lines if line.startswith("verified, trial round: the verifier abstained on ")
    )
    assert "no reason given (" in said
    told = json.loads(veriloop("preview", config, *silent, "--json").out)["arms"]["verified"]
    assert told["abstentions"]["no reason given"] == told["counts"]["abstained"] > 0


def test_preview_says_that_nothing_was_kept(veriloop, config: Path) -> None:
    line = "verified, trial round: nothing was kept"
    never = ("--set", "acceptance={kind: threshold, at: 9}", "--set", "arms=[verified]")
    called = veriloop("preview", config, *never)
    assert called.code == 0
    assert line in called.out
    assert line not in veriloop("preview", config).out
