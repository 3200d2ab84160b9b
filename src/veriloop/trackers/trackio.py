"""trackio: a local SQLite database with its own page, or a Space on the Hugging Face hub."""

import io
import os
from collections.abc import Mapping
from contextlib import redirect_stdout
from typing import Any

from typing_extensions import override

from ..errors import ConfigError
from ..extras import require
from ..schema import Schema
from .base import RunInfo, Tracker, Tracking, round_in

require("trackio")


class Trackio(Tracker, frozen=True):
    """Logs rounds to trackio; ``trackio show`` opens its page.

    Runs are stored in ``TRACKIO_DIR``. ``trackio sync`` copies them to a Space on the hub.
    """

    @override
    def check_ahead(self, schema: Schema) -> None:
        """Refuse a remote store: its rounds cannot be listed, so a resume would write some twice."""
        for name in ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL"):
            if os.environ.get(name):
                raise ConfigError(
                    "trackio would write to a remote store",
                    got=f"{name}={os.environ[name]}",
                    expected="its local one",
                    fix=f"unset {name}, then: trackio sync --project {self.project!r} --space-id SPACE",
                )

    @override
    def open(self, run: RunInfo) -> Tracking:
        import trackio

        name = f"{run.name} {run.key}"
        with _quiet():
            own = trackio.init(
                self.project,
                name=name,
                config=dict(run.settings),
                resume="allow",
                embed=False,
                auto_log_gpu=False,
                auto_log_cpu=False,
            )
        return _Open(self.project, name, own)


class _Open(Tracking):
    def __init__(self, project: str, name: str, own: Any) -> None:
        self._project, self._name, self._own = project, name, own

    @override
    def logged(self) -> set[tuple[str, int]]:
        from trackio.sqlite_storage import SQLiteStorage

        rows = SQLiteStorage.get_logs(self._project, self._name)
        found = (round_in(name, int(row["step"])) for row in rows for name in row)
        return {place for place in found if place}

    @override
    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        self._own.log(dict(numbers), step=step)

    @override
    def close(self, status: str) -> None:
        with _quiet():
            self._own.finish()


def _quiet() -> redirect_stdout[Any]:
    # It prints how to open its page, but --json promises one JSON object on stdout.
    return redirect_stdout(io.StringIO())
