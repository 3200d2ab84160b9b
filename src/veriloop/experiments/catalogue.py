"""The experiments by name, and what each leaves behind: ``NAME.json``, figures as PNG and SVG, tables."""

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from ..comparison.figures import save_figure
from ..comparison.results import write_results
from ..errors import ConfigError, StorageError
from ..parts import did_you_mean
from ..store.atomic import write_file
from .base import Finding, Setting, plain
from .comparison import MAIN
from .linear_estimators import linear_estimators
from .linear_phase import linear_phase
from .linear_trajectories import linear_trajectories
from .mnist import mnist
from .mnist_settings import STUDIES as MNIST_STUDIES
from .recipe_files import CLONE, recipe_groups, recipe_names
from .recipes import carry_out
from .xsum import xsum


class Experiment(NamedTuple):
    """An experiment.

    Attributes:
        carry_out: Does it; the folder is where runs go, if it is made of runs.
        studies: What `Setting.only` may name; empty for an experiment that is one computation, of one seed.
        of_seeds: Whether it may be asked for several seeds. The recipes have many chains under one.
        takes_model: Whether it starts from a language model that `Setting.model` may name.
    """

    carry_out: Callable[[Setting, Path], Finding]
    studies: tuple[str, ...]
    of_seeds: bool = True
    takes_model: bool = False


def _computed(by: Callable[[Setting], Finding]) -> Experiment:
    return Experiment(lambda setting, _: by(setting), ())


EXPERIMENTS: dict[str, Experiment] = {
    "linear-phase": _computed(linear_phase),
    "linear-estimators": _computed(linear_estimators),
    "linear-trajectories": _computed(linear_trajectories),
    "mnist": Experiment(mnist, MNIST_STUDIES),
    "xsum": Experiment(xsum, (MAIN,), takes_model=True),
}


class Reproduced(NamedTuple):
    """A finding, and where it was written."""

    finding: Finding
    seconds: float
    results: Path
    figures: list[Path]
    texts: list[Path]


def reproduce(name: str, setting: Setting, out: Path) -> Reproduced:
    """Carry out the experiment ``name`` and write its numbers, figures and tables to the folder ``out``.

    Raises:
        ConfigError: There is no such experiment or study, or an experiment of one seed is asked for more.
        StorageError: ``out`` cannot be written; found out before anything is computed.
    """
    experiment = _find(name, setting)
    _make(out)
    began = time.perf_counter()
    finding = experiment.carry_out(setting, out)
    seconds = time.perf_counter() - began
    figures = [out / f"{figure}.{suffix}" for figure in finding.figures for suffix in ("png", "svg")]
    for path in figures:
        save_figure(finding.figures[path.stem], path)
    texts = [out / text for text in finding.texts]
    for path in texts:
        write_file(path, finding.texts[path.name].encode())
    more = {"executor": setting.executor.model_dump(mode="json"), **plain(finding.numbers)}
    results = out / f"{name}.json"
    write_results(results, _command(name, setting), seconds, finding.measured, **more)
    return Reproduced(finding, seconds, results, figures, texts)


def _known() -> dict[str, Experiment]:
    """The experiments of the package, and those that are made of the recipes that are there."""
    of_recipes = {
        name: Experiment(partial(carry_out, group), recipe_names(group), of_seeds=False)
        for name, group in recipe_groups().items()
    }
    return {**of_recipes, **EXPERIMENTS}


def _find(name: str, setting: Setting) -> Experiment:
    known = _known()
    if name not in known:
        raise ConfigError(
            "no such experiment",
            got=name,
            expected=f"one of {', '.join(known)}",
            fix=did_you_mean(name, known) or (None if len(known) > len(EXPERIMENTS) else CLONE),
        )
    experiment = known[name]
    if not experiment.of_seeds and (setting.seeds > 1 or setting.study_seeds):
        raise ConfigError(
            f"{name} has many chains under one seed",
            fix="leave out --seeds and --study-seeds; choose with --seed",
        )
    of_runs = setting.seeds > 1 or setting.only or setting.study_seeds or setting.write_up
    if of_runs and not experiment.studies:
        raise ConfigError(
            f"{name} is one computation of one seed",
            fix="leave out --seeds, --study-seeds, --only and --write-up; choose with --seed",
        )
    if setting.model is not None and not experiment.takes_model:
        having = ", ".join(other for other, about in EXPERIMENTS.items() if about.takes_model)
        raise ConfigError(f"--model: {name} starts from no model", got=setting.model, fix=f"use {having}")
    for study in setting.only:
        if study not in experiment.studies:
            raise ConfigError(
                f"--only: {name} has no such study",
                got=study,
                expected=f"some of {', '.join(experiment.studies)}",
                fix=did_you_mean(study, experiment.studies),
            )
    return experiment


def _command(name: str, setting: Setting) -> str:
    seeds = f" --seeds {setting.seeds}" if setting.seeds > 1 else ""
    if setting.study_seeds:
        seeds += f" --study-seeds {setting.study_seeds}"
    only = f" --only {','.join(setting.only)}" if setting.only else ""
    model = "" if setting.model is None else f" --model {setting.model.name}"
    asked = f"{name}{model} --scale {setting.scale} --seed {setting.seed}{seeds}{only}"
    return f"veriloop reproduce {asked} --out DIR"


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        reason = "" if os.access(folder, os.W_OK) else "permission denied"
    except OSError as e:
        reason = e.strerror or str(e)
    if reason:
        raise StorageError(f"cannot write to {folder}: {reason}", fix="choose another folder")
