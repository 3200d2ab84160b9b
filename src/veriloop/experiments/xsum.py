"""From an eighth of the pairs: a language model retrained on its own summaries, the best by ROUGE or any.

Expected: with the verifier ROUGE on held-out articles rises over the rounds and flattens; without it, it does
not rise. Diversity is shown beside it: a model that writes one safe sentence has lost what it gained. Numbers
and texts are of the test split; the paper has no validation split, and decides nothing by one.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..comparison.runs import Recorded, jobs_of, recorded
from ..datasets.xsum import XSum
from ..errors import CorruptFileError, MissingExtraError
from ..executors.process import Process
from ..executors.serial import Serial
from ..loop.plan import quantities_of
from .base import Finding, Setting
from .comparison import MAIN, Comparison, compare
from .xsum_settings import Pretraining, recipe_of, xsum_study

METRICS = (
    *("rouge1", "rouge2", "rougeL"),
    *("rouge1_at_32", "length", "truncated"),
    *("distinct2", "bigram_entropy", "copied"),
    *("loss", "empty"),
)
"""Quality; quality without the gain that is length alone, beside length; diversity; and the rest."""

PRETRAINED = "pretrained"
"""The folder, in that of the experiment, of a model that is made here."""

ORIGIN = "origin.json"
"""The file in a model's folder that says what people call it, and where it is from."""

SHOWN = 3
"""Articles in the file of texts: the first held-out ones, whatever is written about them."""


def xsum(setting: Setting, out: Path) -> Finding:
    """Pretrain a model if the scale asks for one, make the runs, and compare their arms.

    Raises:
        VeriloopError: No run finished a round.
        DataError: There are no pairs of XSum to be had, or no model.
        MissingExtraError: Torch or transformers is not installed.
    """
    recipe, model, card = recipe_of(setting.scale, setting.model), setting.model, None
    if recipe.pretraining is not None:
        model = out / PRETRAINED
        card = _pretrained(recipe.pretraining, recipe.articles, model, setting.write_up)
    study = xsum_study(recipe, model)
    about = recipe.about if setting.model is None else f"{named(setting.model)}. {recipe.about}"
    measured = quantities_of(study.plans[MAIN].metrics)
    metrics = tuple(name for name in METRICS if name in measured)
    if recipe.fills_cores and isinstance(setting.executor, Process):
        setting = replace(setting, executor=Serial())
    comparison = Comparison("xsum", about, {MAIN: study}, metrics, ("rouge1", "distinct2"))
    finding = compare(comparison, setting, out)
    first = recorded(jobs_of(study.plans, setting.seed, setting.seeds), out)[0]
    return finding._replace(
        numbers={
            **finding.numbers,
            "executor": setting.executor.model_dump(mode="json"),
            "pretraining": card,
            "model": None if setting.model is None else named(setting.model),
        },
        texts={**finding.texts, "xsum-texts.md": _texts(first, about)},
    )


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
    pretraining: Pretraining, articles: int | None, folder: Path, write_up: bool
) -> dict[str, Any] | None:
    """How the model in ``folder`` was made; made first if there is none, unless ``write_up``."""
    try:
        from .xsum_pretraining import pretrain, read_card
    except ModuleNotFoundError as e:
        raise MissingExtraError.of(str(e.name), "llm") from e
    if not write_up:
        data = XSum()
        pretrain(data.pairs(data.roles()).train.texts("document")[:articles], pretraining, folder)
    return read_card(folder)


def _texts(run: Recorded, about: str) -> str:
    """What the models of a run wrote about a few held-out articles, over the rounds, in Markdown."""
    written = {
        f"{arm}, round {number}" if number else "start": samples
        for arm, number in _stages(run)
        if (samples := run.folder.preview(number, arm)) is not None
    }
    some = next(iter(written.values())).select(slice(SHOWN))
    lines = [f"{run.job.name}: the first held-out articles, not chosen. {about}."]
    for i, (article, person) in enumerate(zip(some.texts("document"), some.texts("reference"), strict=True)):
        lines += [
            f"\n## Article {i + 1}\n\n{article[:400]} …\n",
            f"- *a person:* {person}",
            *(f"- *{name}:* {samples.texts('summary')[i]}" for name, samples in written.items()),
        ]
    return "\n".join(lines) + "\n"


def _stages(run: Recorded) -> list[tuple[str, int]]:
    """The arms and rounds whose texts are shown: the start, then first, middle and last of each arm."""
    stages = [(run.records[0].arm, 0)]
    for arm in run.job.plan.arms:
        last = max(r.round for r in run.records if r.arm == arm)
        stages += [(arm, number) for number in sorted({1, (1 + last) // 2, last}) if 0 < number <= last]
    return stages
