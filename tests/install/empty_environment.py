"""What a user gets: the wheel in an empty environment, without extras and then with some.

It needs a package index:

    python tests/install/empty_environment.py

Prints sizes, and ends with 1 where something is not as it should be.
"""

import argparse
import csv
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
LARGEST_BASE = 250.0
"""10^6 bytes, pip not counted."""

LINEAR = """\
dataset: {kind: linear}
learner: ols
verifier: {kind: knowledge_ball, center: [1.1, 1, 1, 1, 1, 1, 1, 1], radius: 0.5}
rounds: 2
schedule: {kind: constant, n: 200}
metrics: [{kind: parameter_error, truth: [1, 1, 1, 1, 1, 1, 1, 1]}]
"""

WITHOUT_EXTRAS = [
    "theory one-round --bias 0.3 --radius 0.4",
    "theory trajectory --bias 0.3 --radius 0.4 --rounds 3",
    "simulate --bias 0.1 --radius 0.4 --replicates 50 --rounds 3",
    "audit generated.csv --real real.csv --accepted ok --features a,b,city",
    "calibrate --table generated.csv --score a --known ok",
    "validate linear.yaml",
    "preview linear.yaml",
    "run linear.yaml --plain",
    "list runs",
    "show runs/linear",
    "verify runs/linear",
    "forecast runs/linear",
    "ship runs/linear",
]
"""What works without an extra."""

NEED_EXTRAS = {
    "theory one-round --bias 0.3 --radius 0.4 --plot a.png": "report",
    "audit generated.csv --real real.csv --accepted ok --text city": "torch",
    "report runs/linear": "report",
    "export runs/linear --round 2 --arm verified --to kept.jsonl": "report",
    "compare linear.yaml --seeds 2 --out compared": "report",
    "serve runs": "web",
    "demo": "torch",
    "init digits": "torch",
    "init text": "llm",
    "init human": "torch",
}
"""What says in one line which extra it needs."""


def main() -> None:
    """Carry it out."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument(
        "--base-only", action="store_true", help="leave out the extras, of which torch is large"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        wheel = built(home / "wheel")
        python, site = empty(home / "environment")
        before = size(site)
        pip(python, str(wheel))
        base = size(site) - before
        print(f"without extras: {base:.0f} MB")
        failures = [] if base < LARGEST_BASE else [f"the base install is {base:.0f} MB"]
        (work := home / "work").mkdir()
        write_tables(work)
        (work / "linear.yaml").write_text(LINEAR)
        imported = subprocess.run([python, "-W", "error", "-c", "import veriloop"], cwd=work)
        failures += ["import veriloop warns"] * (imported.returncode != 0)
        for command in WITHOUT_EXTRAS:
            done = veriloop(python, command, work)
            failures += [f"{command}: {done.stderr}"] * (done.returncode != 0)
        for command, extra in NEED_EXTRAS.items():
            done = veriloop(python, command, work)
            line = f"pip install 'veriloop[{extra}]'\n"
            if done.returncode != 2 or not done.stderr.endswith(line) or done.stderr.count("\n") > 1:
                failures.append(f"{command}: exit code {done.returncode}, {done.stderr!r}, not {line!r}")
        if not asked.base_only:
            pip(python, f"{wheel}[torch,report]")
            print(f"with torch and report: {size(site) - before:.0f} MB")
            for command in (
                "init digits",
                "run digits.yaml --plain",
                "init function",
                "validate function.yaml",
            ):
                done = veriloop(python, command, work)
                failures += [f"{command}: {done.stderr}"] * (done.returncode != 0)
            if not (work / "runs/digits/report.html").is_file():
                failures.append("the run of digits.yaml has no report")
    print("\n".join(failures) or "all as it should be")
    sys.exit(bool(failures))


def built(out: Path) -> Path:
    """The wheel of this checkout."""
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", out, ROOT]
    subprocess.run(command, check=True)
    return next(out.glob("*.whl"))


def empty(home: Path) -> tuple[Path, Path]:
    """The interpreter of a new environment that holds pip only, and the folder of its packages."""
    venv.create(home, with_pip=True)
    return home / "bin" / "python", next(home.glob("lib/python*/site-packages"))


def pip(python: Path, *packages: str) -> None:
    """Install the versions that the tests ran with."""
    constraints = ROOT / "constraints.txt"
    subprocess.run([python, "-m", "pip", "install", "-q", "-c", constraints, *packages], check=True)


def size(folder: Path) -> float:
    """10^6 bytes on the disk."""
    return sum(file.stat().st_blocks * 512 for file in folder.rglob("*")) / 1e6


def veriloop(python: Path, command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command line."""
    call = [python.parent / "veriloop", *command.split()]
    return subprocess.run(call, cwd=cwd, capture_output=True, text=True)


def write_tables(folder: Path) -> None:
    """Generated rows with verdicts, and real ones."""
    rng = np.random.default_rng(0)
    for name, shift in (("generated", 0.3), ("real", 0.0)):
        with (folder / f"{name}.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["a", "b", "city", "ok"])
            for a, b in rng.normal(shift, 1, (600, 2)):
                said = "yes" if a + rng.normal(0, 0.5) > 0 else "no"
                rows.writerow([f"{a:.6f}", f"{b:.6f}", "north" if b > 0.5 else "south", said])


if __name__ == "__main__":
    main()
