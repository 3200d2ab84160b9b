"""How long it takes until veriloop is there: `import veriloop`, and `veriloop --help`.

    python benchmarks/imports.py

Prints the importtime total of each beside that of NumPy alone, measured in the same run, and whether
torch was imported. The aim: under 0.5 s each, and no torch.
"""

import subprocess
import sys

REPEATS = 5
CODE = {
    "import numpy (baseline)": "import numpy",
    "import veriloop": "import veriloop",
    "vl.Plan, vl.run": "import veriloop as vl; vl.Plan, vl.run",
    "veriloop --help": "import sys; sys.argv[1:] = ['--help']; from veriloop.cli.main import main; main()",
    "import veriloop.loop": "import veriloop.loop",
}


def import_seconds(code: str) -> tuple[float, bool]:
    """Seconds of imports by `python -X importtime`, the smallest of some runs; whether torch came."""
    totals, torch = [], False
    for _ in range(REPEATS):
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True
        )
        lines = [line.split("|") for line in done.stderr.splitlines() if line.startswith("import time:")]
        totals.append(sum(int(line[0].split(":")[1]) for line in lines[1:]) / 1e6)
        torch |= any(line[2].strip() == "torch" for line in lines)
    return min(totals), torch


def main() -> None:
    baseline = 0.0
    for name, code in CODE.items():
        seconds, torch = import_seconds(code)
        baseline = baseline or seconds
        brings = "imports torch" if torch else "no torch"
        print(f"{name:26} {seconds:6.3f} s  {seconds / baseline:5.2f} x NumPy  {brings}")


if __name__ == "__main__":
    main()
