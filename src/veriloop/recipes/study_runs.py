"""Recipes made of runs: makes the runs of their studies, and puts together what they show."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from ..comparison.chains import Chain
from ..comparison.differences import Table, table
from ..comparison.drawing import curves
from ..comparison.page import Cells, Shown, experiment_page, markdown
from ..comparison.results import Measured
from ..comparison.runs import Failed, Recorded, failure, jobs_of, recorded, run_all
from ..comparison.sentence import cells, last_cells, sentences
from ..datasets.text import TextPairs
from ..errors import ConfigError, CorruptFileError, MissingExtraError, VeriloopError
from ..executors.process import Process
from ..executors.serial import Serial
from ..loop.plan import Plan, quantities_of
from ..quantity import Quantity
from ..report.passages import passages
from .base import Finding, Setting
from .grids import grids_figure
from .studies import MAIN, Study, read
from .study_files import Pretraining, Size, load_studies, studies_of
from .study_tables import cost_cells, cost_rows, outcome_rows
from .study_words import claim_numbers, claim_words, study_words

PRETRAINED = "pretrained"
"""The folder, in that of the experiment, of a model that is made here."""

ORIGIN = "origin.json"
"""The file in a model's folder that says what people call it, and where it is from."""


def carry_out(folder: Path, setting: Setting, out: Path) -> Finding:
    """Make the runs of the recipe's studies, or of those in ``setting.only``, and compare their lines.

    A language model that the scale asks for is made first. With ``setting.write_up`` nothing is computed;
    what the runs have recorded so far is written up.

    Raises:
        ConfigError: The recipe or a plan is wrong.
        VeriloopError: There is nothing to compare: no run has finished a round.
        MissingExtraError: A package that the plans need is not installed.
    """
    name, recipe = folder.name, load_studies(folder)
    size = recipe.size(setting.scale, setting.model)
    if (
        setting.model is not None
        and recipe.fills_cores(setting.scale)
        and isinstance(setting.executor, Process)
    ):
        setting = replace(setting, executor=Serial())
    model = setting.model if size.pretraining is None else out / PRETRAINED
    studies = studies_of(folder, recipe, setting.scale, size.plan, model)
    of_model = _start(size, studies[MAIN].plans[MAIN], setting, out) if recipe.takes_model else {}
    about = size.about if setting.model is None else f"{of_model['model']}. {size.about}"
    asked = {study: studies[study] for study in studies if study in (setting.only or studies)}
    runs, failed, broken = _made(asked, setting, out)
    measured = quantities_of(studies[MAIN].plans[MAIN].metrics)
    metrics = [metric for metric in recipe.metrics if metric in measured]
    arms = read(runs)
    compared = {study.name: Compared.of(study, metrics, arms) for study in asked.values()}
    claim = claim_numbers(studies[MAIN], recipe.claim, studies[MAIN].chains(arms))
    outcomes = outcome_rows(asked, metrics, {name: found.chains for name, found in compared.items()})
    costs = cost_rows(runs)
    words = [*claim_words(studies[MAIN], claim), *study_words(asked, metrics[0], outcomes)]
    words += [line for found in compared.values() for line in found.words()]
    figures = _figures(name, compared, runs)
    tables = {title: cells for found in compared.values() for title, cells in found.cells().items()}
    tables["What the rounds cost"] = cost_cells(costs)
    text = "\n".join(f"## {heading}\n\n{about}.\n\n{markdown(cells)}" for heading, cells in tables.items())
    texts = {f"{name}-tables.md": text, "report.html": experiment_page(name, about, words, figures, tables)}
    main = next((run for run in runs if run.job.setting == MAIN), None)
    if main and (written := _texts(main, about)):
        texts[f"{name}-texts.md"] = written
    return Finding(
        numbers={
            "executor": setting.executor.model_dump(mode="json"),
            "about": about,
            "claim": claim,
            "outcomes": outcomes,
            "costs": costs,
            "seconds_of_rounds": round(sum(sum(r.seconds.values()) for run in runs for r in run.records), 1),
            "failed": [f._asdict() for f in failed],
            **of_model,
        },
        words=[about, *words],
        figures={name: shown.figure for name, shown in figures.items()},
        texts=texts,
        measured=[Measured(r, job.plan.seed, job.setting) for job, _, records in runs for r in records],
        failure=broken,
    )


def _start(size: Size, plan: Plan, setting: Setting, out: Path) -> dict[str, Any]:
    """What the results say of the language model that the runs start from; made if there is none."""
    card = None
    if size.pretraining is not None:
        card = _pretrained(size.pretraining, size.articles, plan, out / PRETRAINED, setting.write_up)
    return {"pretraining": card, "model": None if setting.model is None else named(setting.model)}


def named(folder: Path) -> str:
    """What the model in ``folder`` is: as its `ORIGIN` says, or else the folder's name.

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
    """How the model in ``folder`` was made; made first if there is none, unless ``write_up``."""
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
    """Make the runs, or what is missing of them: those that have recorded something, and what failed."""
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


class Compared(NamedTuple):
    """A study as a comparison has it: a table for each quantity that was measured."""

    study: Study
    chains: list[Chain]
    tables: dict[str, Table]

    @classmethod
    def of(cls, study: Study, metrics: Sequence[str], arms: Mapping[str, Sequence[Chain]]) -> "Compared":
        """Of the arms of all runs, by setting."""
        chains = study.chains(arms)
        tables = {metric: table(metric, chains) for metric in metrics}
        return cls(study, chains, {metric: found for metric, found in tables.items() if found.rows})

    @property
    def quantities(self) -> dict[str, Quantity]:
        """What the tables are of."""
        return {metric: self.study.quantity(metric) for metric in self.tables}

    def words(self) -> list[str]:
        """Which lines can be distinguished by the first quantity."""
        first = next(iter(self.tables), None)
        if first is None or len({chain.variation for chain in self.chains}) < 2:
            return []
        found = sentences(self.study.quantity(first), self.tables[first])
        return [f"{self.study.title}: {line}" for line in found]

    def figure(self) -> Figure:
        """Each quantity over the rounds, a line each."""
        figure = curves(self.quantities, self.tables, self.chains)
        seeds = len({chain.seed for chain in self.chains})
        bands = f"means of {seeds} seeds, 95 % intervals" if seeds > 1 else "one seed, ± 2 standard errors"
        figure.suptitle(f"{self.study.title}; {bands}", fontsize=11)
        return figure

    def cells(self) -> dict[str, Cells]:
        """Its tables as text, by heading."""
        title, quantities = self.study.title, self.quantities
        found: dict[str, Cells] = {}
        if self.tables:
            found[title] = last_cells({name: q.title for name, q in quantities.items()}, self.tables)
        for name, of in list(self.tables.items())[:1]:
            if len(rows := cells(quantities[name], of)) > 1:
                found[f"{title}: differences in {quantities[name].title}"] = rows
        return found


def _figures(name: str, compared: Mapping[str, Compared], runs: Sequence[Recorded]) -> dict[str, Shown]:
    """The figures by the names of their files; models of images show what they draw."""
    figures = {
        name if study == MAIN else f"{name}-{study}": Shown(found.study.title, found.figure())
        for study, found in compared.items()
        if found.tables
    }
    main = next((run for run in runs if run.job.setting == MAIN), None)
    if main and main.folder.manifest().cards.data.named("image"):
        seed, why = main.job.plan.seed, "means for the eye; training and metrics use samples"
        figures[f"{name}-grids"] = Shown(f"What the models draw, seed {seed}: {why}", grids_figure(main))
    return figures


def _texts(run: Recorded, about: str) -> str | None:
    """What a run's models wrote for the first held-out prompts, in Markdown; None if they write nothing."""
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
