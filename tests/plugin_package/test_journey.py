"""A stranger's package, from its wheel to an audit, in a fresh environment and by the commands alone."""

import importlib
import json
import os
import signal
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ..patience import until

pytest.importorskip("hatchling", reason="builds the package's wheel; it is in the extra dev")

HERE = Path(__file__).parent
CONFIG = HERE / "pebbles.yaml"
PARTS = {
    "datasets": "pebbles", "learners": "blobs", "verifiers": "collector", "acceptance": "picky",
    "policies": "half_old", "metrics": "purity", "executors": "helpers",
}  # fmt: skip

Command = Callable[..., str]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel"]
    subprocess.run(
        [*pip, "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", out, HERE],
        check=True,
        capture_output=True,
    )
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh environment, with the package installed.

    veriloop and what it needs are those of the running environment: they lie on its path.
    """
    home = tmp_path_factory.mktemp("fresh")
    venv.create(home, with_pip=False)
    interpreter = home / "bin" / "python"
    scheme = {"base": str(home), "platbase": str(home)}
    site = Path(sysconfig.get_path("purelib", "venv", vars=scheme))
    standard = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), str(HERE)}
    standard.add(str(Path(sysconfig.get_path("stdlib")) / "lib-dynload"))
    shared = [p for p in sys.path if p and p not in standard and Path(p).is_dir()]
    (site / "shared.pth").write_text("\n".join(shared) + "\n")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", interpreter, "install"]
    subprocess.run([*pip, "--no-deps", "--no-index", wheel], check=True, capture_output=True)
    return interpreter


@pytest.fixture(scope="module")
def command(python: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return [str(python), "-c", "from veriloop.cli.main import main; main()"]


@pytest.fixture
def veriloop(command: list[str], tmp_path: Path) -> Command:
    def call(*arguments: object) -> str:
        done = subprocess.run([*command, *map(str, arguments)], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call


def test_the_wheel_holds_the_package_and_its_entry_points(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        registered = archive.read(next(n for n in names if n.endswith("entry_points.txt"))).decode()
    assert "veriloop_pebbles/data.py" in names
    for family, kind in PARTS.items():
        assert f"[veriloop.{family}]" in registered
        assert f"{kind} = veriloop_pebbles." in registered
    assert not [n for n in names if "test" in n]


def test_both_packages_are_seen(python: Path) -> None:
    code = "from importlib.metadata import entry_points as e; print(e(group='veriloop.datasets').names)"
    found = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "'pebbles'" in found
    assert "'digits'" in found


def test_the_journey(veriloop: Command, command: list[str], tmp_path: Path) -> None:
    valid = json.loads(veriloop("validate", CONFIG, "--json"))
    assert valid["valid"] is True
    assert valid["cards"]["quantities"]["purity"]["better"] == "higher"
    assert valid["cards"]["arms"]["verified"]["verifier"] == "collector"
    assert valid["schema"]["size"]["role"] == "vector"

    preview = json.loads(veriloop("preview", CONFIG, "--json"))
    assert set(preview["arms"]) == {"verified", "unverified"}

    # Unbroken, then with a kill in the middle and resumed: the same records.
    veriloop("run", CONFIG, "--out", "whole", "--plain")
    kill_in_the_middle(
        [*command, "run", str(CONFIG), "--out", "runs/killed", "--set", "learner.seconds=0.2"], tmp_path
    )
    before = records(tmp_path / "runs/killed")
    assert 0 < len(before) < 14
    veriloop("resume", "runs/killed", "--plain")
    whole, killed = records(tmp_path / "whole"), records(tmp_path / "runs/killed")
    assert killed[: len(before)] == before
    assert killed == whole
    last = {record["arm"]: record for record in killed}
    assert last["verified"]["round"] == last["unverified"]["round"] == 6
    assert last["verified"]["metrics"]["purity"]["value"] > last["unverified"]["metrics"]["purity"]["value"]
    assert last["verified"]["validation"]["purity"]["value"] > 0

    forecast = json.loads(veriloop("forecast", "runs/killed", "--json"))
    assert "purity" in json.dumps(forecast)
    assert Path(tmp_path, json.loads(veriloop("report", "runs/killed", "--json"))["report"]).is_file()
    listed = veriloop("list", "runs", "--json")
    assert "killed" in listed
    assert "finished" in listed
    veriloop("export", "runs/killed", "--round", 6, "--arm", "verified", "--to", "kept.jsonl")
    kept = [json.loads(line) for line in (tmp_path / "kept.jsonl").read_text().splitlines()]
    assert len(kept) == 80
    assert {"size", "place"} <= set(kept[0])
    audit = json.loads(veriloop("audit", "runs/killed", "--json"))
    assert audit


def test_a_stop_rule_ends_the_arm_that_gets_worse(veriloop: Command, tmp_path: Path) -> None:
    # Much too wide, and nearly everything is kept: purity falls, and higher is better.
    settings = ["acceptance.reach=3.5", "learner.wider=1.6", "arms=[verified]"]
    veriloop("run", CONFIG, "--out", "wide", "--plain", *(x for s in settings for x in ("--set", s)))
    assert [record["round"] for record in records(tmp_path / "wide")][-1] < 6
    assert "verified" in json.loads((tmp_path / "wide/manifest.json").read_text())["stopped_arms"]


def records(folder: Path) -> list[dict]:
    lines = (folder / "records.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]


def kill_in_the_middle(call: list[str], where: Path) -> None:
    """Kill the run once it has finished its first round."""
    process = subprocess.Popen(
        call, cwd=where, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    written = where / "runs/killed/records.jsonl"
    try:
        until(lambda: written.exists() and written.read_text().count("\n") >= 4, process)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_its_parts_keep_the_contracts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(HERE / "src")
    data, model, judging, rules = (
        importlib.import_module(f"veriloop_pebbles.{name}") for name in ("data", "model", "judging", "rules")
    )
    from veriloop.metrics.base import Evaluation
    from veriloop.rng import Address
    from veriloop.samples import Samples
    from veriloop.testing import (
        check_acceptance,
        check_dataset,
        check_executor,
        check_learner,
        check_metric,
        check_policy,
        check_verifier,
    )

    check_dataset(data.Pebbles())
    real = data.Pebbles().load(0)
    generator = check_learner(model.Blobs(), real.start, real.conditions)
    check_verifier(judging.Collector(odd=1.5), generator, real.train, real.conditions)
    check_acceptance(judging.Picky(reach=-0.4), real.train)
    kept = [real.train.select(slice(40 * k, 40 * k + 40)) for k in range(1, 4)]
    check_policy(rules.HalfOld(), real.start, kept)
    condition = Samples(place=np.arange(100) % 2)

    def evaluation(wider: float) -> Evaluation:
        fitted = model.Blobs(wider=wider).fit(real.train, None, Address(0).rng())
        return Evaluation(fitted, fitted.sample(100, Address(1).rng(), condition), real.test)

    check_metric(rules.Purity(), evaluation(1.0), worse=evaluation(3.0))
    check_executor(rules.Helpers())
