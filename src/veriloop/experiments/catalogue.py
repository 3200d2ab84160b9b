"""The experiments by name, and what each leaves behind: ``NAME.json``, ``NAME.png`` and ``NAME.svg``."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ..errors import ConfigError, StorageError
from ..parts import did_you_mean
from .base import Finding, Setting, plain
from .figures import save_figure
from .linear_estimators import linear_estimators
from .linear_phase import linear_phase
from .linear_trajectories import linear_trajectories
from .results import write_results

EXPERIMENTS: dict[str, Callable[[Setting], Finding]] = {
    "linear-phase": linear_phase,
    "linear-estimators": linear_estimators,
    "linear-trajectories": linear_trajectories,
}


class Reproduced(NamedTuple):
    """A finding, and where it was written."""

    finding: Finding
    seconds: float
    results: Path
    figures: list[Path]


def reproduce(name: str, setting: Setting, out: Path) -> Reproduced:
    """Carry out the experiment ``name`` and write its numbers and its figure to the folder ``out``.

    Raises:
        ConfigError: There is no such experiment.
        StorageError: ``out`` cannot be written; found out before anything is computed.
    """
    if name not in EXPERIMENTS:
        raise ConfigError(
            "no such experiment",
            got=name,
            expected=f"one of {', '.join(EXPERIMENTS)}",
            fix=did_you_mean(name, EXPERIMENTS),
        )
    _make(out)
    began = time.perf_counter()
    finding = EXPERIMENTS[name](setting)
    seconds = time.perf_counter() - began
    figures = [out / f"{name}.{suffix}" for suffix in ("png", "svg")]
    for path in figures:
        save_figure(finding.figure, path)
    command = f"veriloop reproduce {name} --scale {setting.scale} --seed {setting.seed} --out DIR"
    more = {"executor": setting.executor.model_dump(mode="json"), **plain(finding.numbers)}
    results = out / f"{name}.json"
    write_results(results, command, seconds, (), **more)
    return Reproduced(finding, seconds, results, figures)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        reason = "" if os.access(folder, os.W_OK) else "permission denied"
    except OSError as e:
        reason = e.strerror or str(e)
    if reason:
        raise StorageError(f"cannot write to {folder}: {reason}", fix="choose another folder")
