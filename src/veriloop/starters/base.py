"""Parts of a starter plan, and its layout."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple


class Written(NamedTuple):
    """A plan that is ready to be written.

    Attributes:
        text: Commented YAML.
        notes: Lines to print for the user.
        files: Other files that the plan needs, by path relative to the working directory.
        next: The command to run next, if it is not a plain run of the plan.
    """

    text: str
    notes: tuple[str, ...] = ()
    files: Mapping[Path, bytes] = MappingProxyType({})
    next: str | None = None


class Starter(NamedTuple):
    """A kind of starter plan.

    Attributes:
        about: Description of ``--path``, for the help text.
        write: Function that makes the plan for a path; the second argument is the plan's file.
    """

    about: str
    write: Callable[[Path, Path], Written]


class Example(NamedTuple):
    """An example that includes its data.

    Attributes:
        about: What it shows, for the help text.
        write: Function that makes the plan; its argument is the plan's file.
    """

    about: str
    write: Callable[[Path], Written]


def quoted(value: object) -> str:
    """Return a path or name in YAML, quoted if necessary."""
    text = str(value)
    return (
        text if re.fullmatch(r"[A-Za-z_./][A-Za-z0-9_./-]*", text) else json.dumps(text, ensure_ascii=False)
    )


def listed(names: list[str] | tuple[str, ...]) -> str:
    """Return names as a YAML list."""
    return f"[{', '.join(map(quoted, names))}]"


def heading(title: str, command: str, plan: Path) -> str:
    """Return the comment at the top of a plan."""
    file, folder = quoted(plan), quoted(run_folder(plan))
    steps = {
        f"veriloop validate {file}": "is everything found?",
        f"veriloop preview {file}": "a few rows: how long will the whole take?",
        f"veriloop run {file} --out {folder}": "ends with a report",
    }
    width = max(map(len, steps))
    shown = "\n".join(f"#   {step:{width}}   {what}" for step, what in steps.items())
    return f"# {title}\n# Made by: {command}\n#\n{shown}\n"


def run_folder(plan: Path) -> Path:
    """Return the folder for the run of a plan, unless the user names another one."""
    return Path("runs") / plan.stem


LOOP = """\
# Rounds after the start model, and how many samples each round keeps and trains on.
rounds: {rounds}
schedule: {{kind: constant, n: {kept}}}

# In each round the verifier learns to tell real from generated; this share, the best, of all candidates is
# kept.
verifier: {{kind: discriminator, epochs: {epochs}, hidden: [128, 64]}}
acceptance: {{kind: top_fraction, fraction: {fraction}}}
{balance}
# With the verifier, without one, and one model of all real data to compare with.
arms: [verified, unverified, all_real]

evaluation_samples: {evaluated}
executor: {{kind: process, workers: 2}}
"""
"""The part that all starter plans share."""


def balanced(label: str) -> str:
    """Return the line that balances the classes."""
    return f"balance: {quoted(label)}   # equally many are kept of each\n"
