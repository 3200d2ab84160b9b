"""`veriloop compare`, and plans with the keys seeds and vary before the other verbs."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from veriloop.config import load_plan
from veriloop.errors import ConfigError
from veriloop.store.folder import RunFolder

from ..patience import until
from .conftest import CONFIG

SEVERAL = f"{CONFIG}\nseeds: 2\nvary: {{acceptance.fraction: [0.1, 0.5]}}\n"
FORMAT_1 = Path(__file__).parents[1] / "store" / "format_1"


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("several") / "plan.yaml"
    path.write_text(SEVERAL)
    return path


@pytest.fixture(scope="module")
def made(several: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a comparison, made by ``veriloop run``."""
    from veriloop.comparison.engine import compare
    from veriloop.executors.serial import Serial

    return compare(several, tmp_path_factory.mktemp("made"), executor=Serial()).out or Path()


def numbers(out: Path) -> dict[str, Any]:
    return json.loads((out / "compare.json").read_text())["quantities"]


def test_run_carries_out_a_comparison(veriloop, several: Path, made: Path, tmp_path: Path) -> None:
    called = veriloop("run", several, "--out", tmp_path / "out")
    assert called.code == 0, called.err
    assert called.out.startswith("Gap of verified after round 3: ")
    assert "acceptance.fraction=0.1-seed0: finished" in called.err
    assert numbers(tmp_path / "out") == numbers(made)
    names = [path.name for path in sorted((tmp_path / "out" / "runs").iterdir())]
    assert names == [path.name for path in sorted((made / "runs").iterdir())]


def test_run_takes_seeds_from_the_command_line_too(veriloop, config: Path, tmp_path: Path) -> None:
    called = veriloop("run", config, "--set", "seeds=2", "--set", "rounds=1", "--out", tmp_path, "--json")
    assert called.code == 0, called.err
    assert json.loads(called.out)["seeds"] == [0, 1]


def test_one_run_only_options_are_refused(veriloop, several: Path, tmp_path: Path) -> None:
    called = veriloop("run", several, "--out", tmp_path / "out", "--accept-changes")
    assert called.code == 2
    assert "apply to single runs only: got 'a comparison" in called.err
    assert not (tmp_path / "out").exists()


def test_the_library_refuses_what_is_no_single_plan(several: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"seeds and vary: this configuration describes a comparison.*veriloop compare"
    ):
        load_plan(several)


def test_validate_checks_every_variation(veriloop, several: Path) -> None:
    called = veriloop("validate", several)
    assert called.code == 0
    assert "4 runs: each of acceptance.fraction=0.1; acceptance.fraction=0.5 with each seed" in called.out
    known = json.loads(veriloop("validate", several, "--json").out)
    assert (known["variations"], known["seeds"]) == (
        ["acceptance.fraction=0.1", "acceptance.fraction=0.5"],
        [0, 1],
    )
    wrong = veriloop("validate", several, "--set", "vary={balance: [label, x]}")
    assert wrong.code == 2
    assert wrong.err == (
        "error: balance=x: arms.verified.balance: got 'x', expected a column of the conditions (label)\n"
    )


def test_preview_takes_the_first_variation_as_many_times_as_there_are_runs(veriloop, several: Path) -> None:
    called = veriloop("preview", several)
    assert called.code == 0
    assert called.out.startswith("acceptance.fraction=0.1, seed 0:")
    assert "all 4 runs, if they cost the same: about " in called.out
    assert "keep_models: last" in called.out
    seen = json.loads(veriloop("preview", several, "--json").out)
    assert seen["comparison"]["runs"] == 4
    assert seen["comparison"]["estimated_disk_mb"] == pytest.approx(4 * seen["estimated_disk_mb"])


def test_a_mistake_of_one_variation_comes_before_anything_is_written(
    veriloop, config: Path, tmp_path: Path
) -> None:
    called = veriloop("compare", config, "--vary", "balance=label,x", "--out", tmp_path / "out")
    assert (called.code, called.err.count("\n")) == (2, 1)
    assert "balance=x: arms.verified.balance" in called.err
    assert not (tmp_path / "out").exists()


def test_folders_that_hold_runs(veriloop, made: Path) -> None:
    whole = json.loads(veriloop("compare", made, "--json").out)
    assert whole["variations"] == ["acceptance.fraction=0.1", "acceptance.fraction=0.5"]
    assert whole["quantities"] == numbers(made)
    assert json.loads(veriloop("compare", made / "runs", "--json").out) == whole
    assert json.loads(veriloop("compare", *sorted((made / "runs").iterdir()), "--json").out) == whole


def test_one_run_has_its_curves_and_numbers(veriloop, made: Path, tmp_path: Path) -> None:
    run = made / "runs" / "acceptance.fraction=0.1-seed0"
    called = veriloop("compare", run, "--out", tmp_path)
    assert called.code == 0, called.err
    assert called.out.startswith("Gap, one variation, 1 seed: verified ")
    content = json.loads((tmp_path / "compare.json").read_text())
    assert content["variations"] == ["as given"]
    assert len(content["records"]) == len(RunFolder(run).records())
    assert (tmp_path / "curves.png").is_file()
    assert not (tmp_path / "differences.png").exists()


def test_runs_of_format_1_and_of_other_plans(veriloop, made: Path) -> None:
    called = veriloop("compare", FORMAT_1 / "tiny", made)
    assert called.code == 0, called.err
    assert "acceptance.fraction=0.5" in called.out


def test_an_unfinished_run_and_another_length(veriloop, config: Path, made: Path, tmp_path: Path) -> None:
    longer = tmp_path / "longer"
    veriloop(
        "run", config, "--out", longer, "--set", "rounds=5", "--set", "acceptance.fraction=0.1", "--plain"
    )
    shorter = tmp_path / "shorter"
    shutil.copytree(made / "runs" / "acceptance.fraction=0.1-seed0", shorter)
    found = json.loads(veriloop("compare", longer, shorter, "--json").out)
    assert found["variations"] == ["rounds=5", "rounds=3"]
    verified = [d for d in found["quantities"]["gap"]["differences"] if d["arm"] == "verified"]
    assert [(d["round"], d["equal"]) for d in verified] == [(3, True)]
    assert "equal in all variations up to round 3" in found["sentences"][0]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["nowhere"], "no such file or folder: got 'nowhere'"),
        (["RUN", "RUN"], "two runs have the same settings and seed"),
        (["RUN", "CONFIG"], "several paths include a file"),
        (["CONFIG"], "add --out DIR"),
        (["RUN", "--seeds", "2"], "--seeds: existing runs are compared unchanged"),
        (["RUN", "--executor", "process"], "--executor: existing runs"),
        (["CONFIG", "--out", "OUT", "--executor", "nobody"], "no executors of this kind"),
        (["CONFIG", "--out", "OUT", "--write-up"], "no run in"),
        (["EMPTY"], "does not contain a run"),
    ],
)
def test_mistakes_are_one_line(
    veriloop, config: Path, made: Path, tmp_path: Path, arguments: list[str], line: str
) -> None:
    places = {
        "RUN": next((made / "runs").iterdir()),
        "CONFIG": config,
        "OUT": tmp_path / "out",
        "EMPTY": tmp_path,
    }
    called = veriloop("compare", *(places.get(argument, argument) for argument in arguments))
    assert (called.code, called.err.count("\n")) == (2, 1)
    assert line.lower() in called.err.lower()
    assert not (tmp_path / "out").exists()


def test_a_folder_of_another_comparison_is_refused(veriloop, several: Path, made: Path) -> None:
    before = (made / "compare.json").read_bytes()
    called = veriloop("compare", several, "--set", "rounds=1", "--out", made)
    assert (called.code, called.err.count("\n")) == (2, 1)
    assert "rounds" in called.err
    assert (made / "compare.json").read_bytes() == before


def test_an_interrupt_ends_cleanly_and_the_rest_can_be_written_up(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "veriloop", "compare", config, "--out", out, "--seeds", "2"]
    long = [*command, "--vary", "rounds=5000,6000", "--set", "keep_models=last"]
    process = subprocess.Popen(long, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    until(lambda: any(out.glob("runs/*/round_9")), process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert err.splitlines()[-1].startswith("interrupted; finished runs are kept")
    assert "Traceback" not in err
    done = subprocess.run([*long, "--write-up"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (out / "compare.json").is_file()
    # Of ten rounds and more, the models of the start and of the last one or two are kept.
    for run in (out / "runs").iterdir():
        assert len(list(run.glob("round_*/verified/generator"))) <= 4
