"""Run a command on a text and read its result: the exit code, or a file."""

import json
import math
import os
import resource
import tempfile
from pathlib import Path
from typing import Any

from veriloop.guarded.process import GuardedProcess

CANNOT = (126, 127)
"""Exit codes of a command that cannot be started, as in a shell."""


def check(
    row: dict[str, Any],
    *,
    text: str,
    command: list[str],
    file: str | None,
    reward_file: bool,
    timeout: float,
    files: int,
    processes: int | None,
    home: str,
) -> tuple[Any, str]:
    """Return the result and the reason."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (files, resource.RLIM_INFINITY))
    with tempfile.TemporaryDirectory(prefix="veriloop-", ignore_cleanup_errors=True) as place:
        folder, beside = Path(place, "work"), Path(place, "said")
        folder.mkdir()
        beside.mkdir()
        given, printed, reward = folder / (file or "text.txt"), beside / "printed", beside / "reward"
        given.write_text(row[text], encoding="utf-8", errors="surrogatepass")
        (folder / "row.json").write_text(json.dumps(row), encoding="utf-8")
        told = {"VERILOOP_TEXT": str(given), "VERILOOP_REWARD": str(reward), "VERILOOP_HOME": home}
        with given.open("rb") as input_, printed.open("wb") as output:
            process = GuardedProcess(
                [part.replace("{file}", str(given)).replace("{home}", home) for part in command],
                most=processes,
                output=output,
                input=None if file else input_,
                folder=folder,
                env={**told, "PWD": str(folder)},
            )
            try:
                code = process.wait(timeout)
            finally:
                process.end()
        return _verdict(
            code, process.had_too_many(), _last_line(printed), reward if reward_file else None, timeout
        )


def _verdict(
    code: int | None, too_many: bool, printed: str, reward: Path | None, timeout: float
) -> tuple[Any, str]:
    said = f": {printed}" if printed else ""
    if too_many:
        return None, "the command started more processes than allowed"
    if code is None:
        return None, f"the command took longer than {timeout:g} s"
    if code in CANNOT:
        return None, f"the command cannot be started{said}"
    if code < 0:
        return None, f"the command was ended by signal {-code}{said}"
    if reward is None:
        return code == 0, printed if code == 0 else f"exit code {code}{said}"
    if code != 0:
        return None, f"exit code {code}{said}"
    return _reward(reward, printed)


def _reward(path: Path, printed: str) -> tuple[Any, str]:
    try:
        content = path.read_bytes()[: 1 << 16].decode()
    except (OSError, UnicodeDecodeError):
        return None, "the command wrote no reward to the file $VERILOOP_REWARD"
    try:
        value = json.loads(content)
    except ValueError:
        value = content.strip()
    reason = printed
    if isinstance(value, dict):
        value, reason = value.get("score", value.get("reward")), str(value.get("reason", printed))
    if isinstance(value, bool | int | float) and math.isfinite(value):
        return value, reason
    return None, f"the reward file holds {content.strip()[:60]!r}, not a number"


def _last_line(path: Path) -> str:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 4096, 0))
        lines = file.read().decode(errors="replace").split("\n")
    return next((" ".join(line.split())[:150] for line in reversed(lines) if line.strip()), "")
