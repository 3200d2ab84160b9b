"""Whether the lowest versions that pyproject.toml allows are installed, and the fast tests pass with them.

See the job `lowest-versions` in `.github/workflows/test.yml` for the installation.
"""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).parents[2]
FAST = ["tests/theory", "tests/advise", "tests/rules", "tests/cli/test_theory.py", "tests/cli/test_audit.py",
        "tests/cli/test_calibrate.py", "tests/test_laws.py"]  # fmt: skip


def main() -> None:
    """Print what is newer than the lowest, then run the tests."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *project["optional-dependencies"]["report"]]
    for name, lowest in (re.split(">=", line) for line in lines):
        try:
            found = version(name)
        except PackageNotFoundError:
            found = "nothing"
        if not (found + ".").startswith(lowest + "."):
            print(f"{name}: {found} is installed, {lowest} is the lowest that is allowed")
    sys.exit(subprocess.run([sys.executable, "-m", "pytest", "-q", *FAST], cwd=ROOT).returncode)


if __name__ == "__main__":
    main()
