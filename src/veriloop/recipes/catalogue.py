"""Find a recipe, carry it out, and write ``NAME.json``, figures and tables, for ``reproduce``."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from ..comparison.figures import save_figure
from ..comparison.results import write_results
from ..errors import ConfigError, StorageError
from ..parts import did_you_mean
from ..store.atomic import write_file
from . import chains, study_runs
from .base import Finding, Setting, plain
from .folders import KIND, RECIPE, is_group, read_recipe, recipe_folders, recipe_names
from .linear_estimators import linear_estimators
from .linear_phase import linear_phase
from .linear_trajectories import linear_trajectories
from .study_files import load_studies

CHAINS, STUDIES = "chains", "studies"

COMPUTED: dict[str, Callable[[Path, Setting], Finding]] = {
    "phase": linear_phase,
    "estimators": linear_estimators,
    "trajectories": linear_trajectories,
}
"""Kinds of recipes that are a single computation with one seed."""


class Experiment(NamedTuple):
    """A recipe, or a folder of several, and the settings that it allows.

    Attributes:
        carry_out: Function that carries it out; runs, if there are any, are written to the folder.
        studies: Names that `Setting.only` may contain; empty for a single computation with one seed.
        of_seeds: Whether it allows several seeds. Chains do not, because one seed already gives many.
        takes_model: Whether it starts from a language model, which `Setting.model` may name.
    """

    carry_out: Callable[[Setting, Path], Finding]
    studies: tuple[str, ...] = ()
    of_seeds: bool = True
    takes_model: bool = False


class Reproduced(NamedTuple):
    """A finding, and the files it was written to."""

    finding: Finding
    seconds: float
    results: Path
    figures: list[Path]
    texts: list[Path]


def reproduce(name: str, setting: Setting, out: Path) -> Reproduced:
    """Carry out the recipe ``name`` and write its numbers, figures and tables to the folder ``out``.

    Args:
        name: Name of a folder in ``recipes/`` of the working directory or of veriloop; or the path of
            another folder.
        setting: Settings.
        out: Output folder.

    Raises:
        ConfigError: There is no such recipe or study, or the recipe allows only one seed.
        StorageError: ``out`` cannot be written. This is checked before anything is computed.
    """
    folder = _folder(name)
    experiment = _experiment(folder)
    _check(folder.name, experiment, setting)
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
    results = out / f"{folder.name}.json"
    write_results(results, _command(folder.name, setting), seconds, finding.measured, **more)
    return Reproduced(finding, seconds, results, figures, texts)


def _folder(name: str) -> Path:
    """Return the folder of the recipe ``name``.

    Raises:
        ConfigError: There is no such recipe.
    """
    known = recipe_folders()
    if name in known:
        return known[name]
    given = Path(name)
    if (given / RECIPE).is_file() or recipe_names(given):
        return given.resolve()
    raise ConfigError(
        "no such recipe",
        got=name,
        expected=f"one of {', '.join(known)}, or a folder with a {RECIPE}",
        fix=did_you_mean(name, known),
    )


def _experiment(folder: Path) -> Experiment:
    """Return the recipe in ``folder`` as an experiment.

    Raises:
        ConfigError: Its file is missing or is not YAML, or its kind is unknown.
    """
    if is_group(folder):
        return Experiment(partial(chains.carry_out, folder), recipe_names(folder), of_seeds=False)
    kind = read_recipe(folder).get(KIND, CHAINS)
    if kind == CHAINS:
        return Experiment(
            lambda setting, out: chains.carry_out(folder.parent, replace(setting, only=(folder.name,)), out)
        )
    if kind == STUDIES:
        recipe = load_studies(folder)
        return Experiment(
            partial(study_runs.carry_out, folder), tuple(recipe.studies), takes_model=recipe.takes_model
        )
    if kind in COMPUTED:
        return Experiment(lambda setting, _: COMPUTED[kind](folder, setting))
    known = [STUDIES, CHAINS, *COMPUTED]
    raise ConfigError(
        f"{folder / RECIPE}: kind",
        got=kind,
        expected=f"one of {', '.join(known)}",
        fix=did_you_mean(str(kind), known),
    )


def _check(name: str, experiment: Experiment, setting: Setting) -> None:
    """Check that the recipe allows the settings.

    Raises:
        ConfigError: It does not allow one of them.
    """
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
        raise ConfigError(f"--model: {name} starts from no model", got=setting.model, fix="leave out --model")
    for study in setting.only:
        if study not in experiment.studies:
            raise ConfigError(
                f"--only: {name} has no such study",
                got=study,
                expected=f"some of {', '.join(experiment.studies)}",
                fix=did_you_mean(study, experiment.studies),
            )


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
