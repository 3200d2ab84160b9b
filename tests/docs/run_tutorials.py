"""Run the tutorials as the scripts that they are, each in an empty folder.

    python tests/docs/run_tutorials.py [NAME ...] [--keep]

``--keep`` writes what each cell printed to ``docs/tutorials/NAME.json``, where the site takes it from.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TUTORIALS = Path(__file__).resolve().parents[2] / "docs" / "tutorials"
END_OF_CELL = "<end of cell>"


def marked(script: str) -> str:
    """The script with a line that marks the end of each cell of code; its line numbers stay."""
    lines, code = [], False
    for line in [*script.splitlines(), "# %%"]:
        begins = line.startswith("# %%")
        lines.append(f"print({END_OF_CELL!r}, flush=True)" if begins and code else line)
        if begins:
            code = "[markdown]" not in line
    return "\n".join(lines)


def printed(path: Path, folder: Path) -> list[str]:
    """Run a tutorial in ``folder``; what each of its cells of code printed.

    Raises:
        subprocess.CalledProcessError: It failed.
    """
    copy = folder / path.name
    copy.write_text(marked(path.read_text()))
    environment = {**os.environ, "PYTHONWARNINGS": "error::DeprecationWarning:veriloop", "COLUMNS": "110"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, copy.name],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [output.strip("\n") for output in done.stdout.split(END_OF_CELL)[:-1]]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--keep", action="store_true", help="keep what the cells print, for the site")
    arguments = parser.parse_args()
    failed = []
    for path in sorted(TUTORIALS.glob("*.py")):
        if arguments.names and path.stem not in arguments.names:
            continue
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            try:
                outputs = printed(path, Path(folder))
            except subprocess.CalledProcessError:
                failed.append(path.stem)
                print(f"{path.stem}: failed", flush=True)
                continue
        if arguments.keep:
            path.with_suffix(".json").write_text(json.dumps(outputs, indent=1, ensure_ascii=False) + "\n")
        print(f"{path.stem}: {time.perf_counter() - began:.0f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
