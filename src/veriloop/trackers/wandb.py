"""Weights & Biases: a local folder for each run, which ``wandb sync`` uploads."""

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from typing_extensions import override

from ..extras import require
from .base import RunInfo, Tracker, Tracking, round_in

require("wandb")


class WandB(Tracker, frozen=True):
    """Logs rounds to Weights & Biases, offline: to a folder in ``WANDB_DIR``, or in ``./wandb``.

    ``wandb sync`` uploads it. An offline run of wandb can neither be continued nor read, so a resumed run
    writes a new folder with all of its rounds, under the same id, and removes the one before.
    """

    @override
    def open(self, run: RunInfo) -> Tracking:
        # Not imported by name, since it is not among the tools that check this project's types.
        wandb: Any = import_module("wandb")
        place = Path(os.environ.get("WANDB_DIR", ".")).resolve()
        earlier = list(place.glob(f"wandb/offline-run-*-{run.key}"))
        if earlier:
            time.sleep(1)  # folders are named by the second
        own = wandb.init(
            project=self.project,
            id=run.key,
            name=run.name,
            config=dict(run.settings),
            mode="offline",
            # wandb would take the folder in which this process opened its first run.
            dir=str(place),
            reinit="create_new",
            settings=wandb.Settings(
                silent=True,
                console="off",
                disable_git=True,
                save_code=False,
                x_disable_meta=True,
                x_disable_stats=True,
            ),
        )
        return _Open(own, earlier)


class _Open(Tracking):
    def __init__(self, own: Any, earlier: Sequence[Path]) -> None:
        self._own, self._earlier = own, earlier
        self._logged: set[tuple[str, int]] = set()

    @override
    def logged(self) -> set[tuple[str, int]]:
        return set(self._logged)

    @override
    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        self._own.log(dict(numbers), step=step)
        self._logged |= {place for name in numbers if (place := round_in(name, step))}

    @override
    def close(self, status: str) -> None:
        self._own.finish(exit_code=int(status == "failed"))
        for folder in self._earlier:
            shutil.rmtree(folder)
