"""Recipes made of runs: make the runs of their studies, and combine the results."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..comparison.engine import MOST_ROWS, Comparison, compared
from ..comparison.page import Shown, experiment_page, markdown
from ..comparison.results import Measured
from ..comparison.runs import Failed, Recorded, failure, jobs_of, recorded, run_all
from ..datasets.text import TextPairs
from ..errors import ConfigError, CorruptFileError, MissingExtraError, VeriloopError
from ..executors.process import Process
from ..executors.serial import Serial
from ..loop.plan import Plan, quantities_of
from ..report.passages import passages
from .base import Finding, Setting
from .folders import RECIPE
from .grids import grids_figure
from .studies import MAIN, Study, read
from .study_files import Pretraining, Size, load_studies, studies_of
from .study_tables import cost_cells, cost_rows, outcome_rows
from .study_words import claim_numbers, claim_words, study_words

PRETRAINED = "pretrained"
"""Folder in that of the experiment with a model that is made here."""

ORIGIN = "origin.json"
"""File in a model's folder with its name and origin."""


def carry_out(folder: Path, setting: Setting, out: Path) -> Finding:
    """Make the runs of the recipe's studies, or of those in ``setting.only``, and compare their lines.

    If the scale needs a language model, it is made first. With ``setting.write_up`` nothing is computed, and
    the results recorded so far are written up.

    Raises:
        ConfigError: The recipe or a plan is wrong.
        VeriloopError: No run has finished a round, so there is nothing to compare.
        MissingExtraError: A package that the plans need is not installed.
    """
    recipe, given = load_studies(folder), setting.model
    size = recipe.size(setting.scale, given)
    if given is not None and recipe.fills_cores(setting.scale) and isinstance(setting.executor, Process):
        setting = replace(setting, executor=Serial())
    model = given if size.pretraining is None else out / PRETRAINED
    studies = studies_of(folder, recipe, setting.scale, size.plan, model)
    main = studies[MAIN].plans[MAIN]
    measured = quantities_of(main.metrics)
    metrics = [metric for metric in recipe.metrics if metric in measured]
    if not metrics:
        what = f"{folder / RECIPE}: metrics: {size.plan} measures none of them"
        raise ConfigError(what, got=", ".join(recipe.metrics), expected=f"some of {', '.join(measured)}")
    of_model = _start(size, main, setting, out) if recipe.takes_model else {}
    about = size.about if given is None else f"{of_model['model']}. {size.about}"
    asked = {name: studies[name] for name in studies if name in (setting.only or studies)}
    runs, failed, broken = _made(asked, setting, out)
    arms = read(runs)
    claim = claim_numbers(studies[MAIN], recipe.claim, studies[MAIN].chains(arms))
    found = _written_up(folder.name, about, asked, metrics, runs, claim_words(studies[MAIN], claim))
    numbers = {
        "executor": setting.executor.model_dump(mode="json"),
        "about": about,
        "claim": claim,
        **found.numbers,
        "failed": [f._asdict() for f in failed],
        **of_model,
    }
    return found._replace(numbers=numbers, failure=broken)


def _written_up(
    name: str,
    about: str,
    asked: Mapping[str, Study],
    metrics: Sequence[str],
    runs: Sequence[Recorded],
    claim: Sequence[str],
) -> Finding:
    """Return the results of the studies; ``claim`` is that of the main one, in words."""
    arms = read(runs)
    chains = {study.name: study.chains(arms) for study in asked.values()}
    found = {study: compared(own, metrics=metrics) for study, own in chains.items() if own}
    outcomes, costs = outcome_rows(asked, metrics, chains), cost_rows(runs)
    words = [*claim, *study_words(asked, metrics[0], outcomes)]
    for study, of in found.items():
        # The claim already contains the first line of the main study.
        lines = of.sentences[1:] if study == MAIN else of.sentences
        words += [f"{asked[study].title}: {line}" for line in lines]
    figures = _figures(name, [(asked[study], of) for study, of in found.items()], runs)
    tables = {
        f"{asked[study].title}. {heading}": cells
        for study, of in found.items()
        for heading, cells in of.cells(MOST_ROWS).items()
    }
    tables["What the rounds cost"] = cost_cells(costs)
    text = "\n".join(f"## {heading}\n\n{about}.\n\n{markdown(cells)}" for heading, cells in tables.items())
    texts = {f"{name}-tables.md": text, "report.html": experiment_page(name, about, words, figures, tables)}
    main = next((run for run in runs if run.job.setting == MAIN), None)
    if main and (written := _texts(main, about)):
        texts[f"{name}-texts.md"] = written
    return Finding(
        numbers={
            "outcomes": outcomes,
            "costs": costs,
            "seconds_of_rounds": round(sum(sum(r.seconds.values()) for run in runs for r in run.records), 1),
        },
        words=[about, *words],
        figures={file: shown.figure for file, shown in figures.items()},
        texts=texts,
        measured=[Measured(r, job.plan.seed, job.setting) for job, _, records in runs for r in records],
    )


def _start(size: Size, plan: Plan, setting: Setting, out: Path) -> dict[str, Any]:
    """Return a description of the language model that the runs start from; make it if there is none."""
    card = None
    if size.pretraining is not None:
        card = _pretrained(size.pretraining, size.articles, plan, out / PRETRAINED, setting.write_up)
    return {"pretraining": card, "model": None if setting.model is None else named(setting.model)}


def named(folder: Path) -> str:
    """Return the name and origin of the model in ``folder``, from `ORIGIN`, or else the folder's name.

    Raises:
        CorruptFileError: The file cannot be read.
    """
    path = folder / ORIGIN
    if not path.exists():
        return folder.resolve().name
    try:
        return str(json.loads(path.read_text())["name"])
    except (OSError, ValueError, TypeError, LookupError) as e:
        raise CorruptFileError(f"{path} cannot be read ({e})", fix='write {"name": "..."} into it') from e


def _pretrained(
    pretraining: Pretraining, articles: int | None, plan: Plan, folder: Path, write_up: bool
) -> dict[str, Any] | None:
    """Return how the model in ``folder`` was made; make it if there is none, unless ``write_up``."""
    try:
        from ..learners.causal_lm import CausalLM
        from .pretraining import pretrain, read_card
    except ModuleNotFoundError as e:
        raise MissingExtraError.of(str(e.name), "llm") from e
    if not write_up:
        data, learner = plan.dataset, plan.learner
        template = learner.prompt.template if isinstance(learner, CausalLM) else None
        if not isinstance(data, TextPairs) or template is None or template.count("{") != 1:
            raise ConfigError(
                "pretraining",
                expected="a plan with pairs of texts, and causal_lm with a template of one column",
            )
        roles = data.roles()
        texts = data.pairs(roles).train.texts(data.schema().one("prompt", "pretraining"))
        pretrain(texts[:articles], pretraining, template, folder)
    return read_card(folder)


def _made(
    asked: Mapping[str, Study], setting: Setting, out: Path
) -> tuple[list[Recorded], list[Failed], VeriloopError | None]:
    """Make the missing part of the runs; return the runs with records, and the failures."""
    plans = {name: plan for study in asked.values() for name, plan in study.plans.items()}
    jobs = [
        job
        for job in jobs_of(plans, setting.seed, setting.seeds)
        if job.setting == MAIN or job.plan.seed < setting.seed + (setting.study_seeds or setting.seeds)
    ]
    failed = [] if setting.write_up else run_all(jobs, out, setting.executor)
    broken = failure(failed, len(jobs)) if failed else None
    names = {f.name for f in failed}
    runs = recorded([job for job in jobs if job.name not in names], out)
    if not runs:
        raise broken or VeriloopError(
            f"no run in {out} has finished a round", fix="make the runs first, without --write-up"
        )
    return runs, failed, broken


def _figures(
    name: str, found: Sequence[tuple[Study, Comparison]], runs: Sequence[Recorded]
) -> dict[str, Shown]:
    """Return the figures by file name; for models of images, also what they draw."""
    figures: dict[str, Shown] = {}
    for study, of in found:
        figure, seeds = of.plot(), len(of.seeds)
        bands = f"means of {seeds} seeds, 95 % intervals" if seeds > 1 else "one seed, ± 2 standard errors"
        figure.suptitle(f"{study.title}; {bands}", fontsize=11)
        figures[name if study.name == MAIN else f"{name}-{study.name}"] = Shown(study.title, figure)
    main = next((run for run in runs if run.job.setting == MAIN), None)
    if main and main.folder.manifest().cards.data.named("image"):
        seed, why = main.job.plan.seed, "means for the eye; training and metrics use samples"
        figures[f"{name}-grids"] = Shown(f"What the models draw, seed {seed}: {why}", grids_figure(main))
    return figures


def _texts(run: Recorded, about: str) -> str | None:
    """Return what a run's models wrote for the first held-out prompts, in Markdown; None without texts."""
    shown = passages(run.folder)
    if not shown:
        return None
    lines = [f"{run.job.name}: the first held-out prompts, not chosen. {about}."]
    for i, passage in enumerate(shown, 1):
        lines += [
            f"\n## Prompt {i}\n\n{passage.prompt}\n",
            f"- *a person:* {passage.reference}",
            *(f"- *{t.arm}{f', round {t.round}' if t.round else ''}:* {t.text}" for t in passage.texts),
        ]
    return "\n".join(lines) + "\n"
