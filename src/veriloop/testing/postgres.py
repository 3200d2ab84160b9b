"""A temporary private PostgreSQL server, for tests and measurements."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import VeriloopError


class NoPostgresError(VeriloopError):
    """No PostgreSQL server can be started on this machine."""


@contextmanager
def postgres() -> Iterator[str]:
    """Start a server with an empty database in a temporary folder that no other user can reach.

    Yields:
        URL of the database. The server and all data are removed when the block ends.

    Raises:
        NoPostgresError: PostgreSQL's programs are missing, or do not start.
    """
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    # Not in a test's folder: its parents may be closed to the user who runs the server, and the path of a
    # socket must be short.
    folder = Path(tempfile.mkdtemp(prefix="veriloop-postgres-"))
    data, user = folder / "data", _unprivileged(folder)
    try:
        _call([initdb, "-D", data, "-U", "veriloop", "--auth=trust", "--encoding=UTF8", "--no-sync"], user)
        options = f"-k {folder} -c listen_addresses=''"
        _call([pg_ctl, "-D", data, "-w", "-l", folder / "log", "-o", options, "start"], user)
        try:
            yield f"postgresql+psycopg://veriloop@/postgres?host={folder}"
        finally:
            _call([pg_ctl, "-D", data, "-m", "immediate", "stop"], user)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _program(name: str) -> Path:
    # Debian does not put them on the path.
    places = [*(Path(d) for d in os.get_exec_path()), *sorted(Path("/usr/lib/postgresql").glob("*/bin"))]
    found = next((p / name for p in places if os.access(p / name, os.X_OK)), None)
    if found is None:
        raise NoPostgresError(f"{name} is not installed", fix="install the package postgresql")
    return found


def _unprivileged(folder: Path) -> str | None:
    """Return the user to run the server, because PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    user = "postgres" if "postgres" in known else "nobody"
    shutil.chown(folder, user)
    return user


def _call(command: list[str | Path], user: str | None) -> None:
    # Output goes to a file, because the server left running by pg_ctl would hold a pipe open.
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(command, user=user, stdout=output, stderr=output, cwd="/", check=False)
        if done.returncode:
            output.seek(0)
            last = (output.read().strip().splitlines() or ["no word"])[-1]
            raise NoPostgresError(f"{Path(command[0]).name} failed: {last}")
