"""How much each extra takes on the disk, with all that it needs: `python tools/sizes.py`, after `make test`.

Sizes are those of the packages that are installed here, in units of 10^6 bytes, veriloop itself not counted.
"""

import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]


def sizes(lines: list[str], found: dict[str, float], seen: set[tuple[str, str]]) -> dict[str, float]:
    """Add to ``found`` the size of each package that the requirements ``lines`` bring."""
    for line in lines:
        need = Requirement(line)
        for extra in ("", *need.extras):
            name = need.name.lower()
            if (name, extra) in seen or (need.marker and not need.marker.evaluate({"extra": ""})):
                continue
            seen.add((name, extra))
            if name == "veriloop":
                sizes(EXTRAS[extra] if extra else PROJECT["dependencies"], found, seen)
                continue
            try:
                package = distribution(name)
            except PackageNotFoundError:
                print(f"  {name} is not installed and is not counted")
                continue
            files = [Path(str(package.locate_file(file))) for file in package.files or ()]
            found[name] = sum(file.stat().st_blocks * 512 for file in files if file.exists()) / 1e6
            # As if this extra were the one that is asked for.
            inner = [
                r.replace('"', "'").replace(f"extra == '{extra}'", "extra == ''")
                for r in package.requires or ()
            ]
            sizes(inner, found, seen)
    return found


def main() -> None:
    """Print a line for the base install, and one for each extra with it."""
    for extra in ("", *EXTRAS):
        line = f"veriloop[{extra}]" if extra else "veriloop"
        print(f"{line:22} {sum(sizes([line], {}, set()).values()):6.0f} MB")


if __name__ == "__main__":
    main()
