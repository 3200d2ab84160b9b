"""Recipes made of runs: the content of their files, and the resulting studies.

All studies but the main one vary the first arm of one run, the reference. It is a smaller run, or the main
run if the two differ at most in the number of rounds. An arm that equals the reference's is not computed
again. This is exact, because runs of one seed with the same data and learner have the same start model, and a
round does not depend on the number of later rounds.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import Field, model_validator

from ..config import plan_from, read_config, with_setting
from ..errors import ConfigError
from ..loop.plan import Plan
from ..parts import Checked, at
from .base import Scale
from .folders import RECIPE, checked_recipe
from .studies import MAIN, Line, Study

REFERENCE = "reference"

Config = dict[str, Any]
Settings = Mapping[str, Any]
"""Values of settings by their paths, such as ``{"acceptance.fraction": 0.1}``."""

Count = Annotated[int, Field(ge=1)]


class Pretraining(Checked, frozen=True):
    """Size of a small language model and of its training.

    Attributes:
        vocabulary: Number of tokens, learned from the articles.
        hidden: Width of the residual stream, a multiple of ``heads``.
        layers: Number of layers.
        heads: Number of attention heads in each layer.
        intermediate: Width of the gated feed-forward layers.
        row_tokens: Number of tokens in a training row.
        batch_size: Number of rows in a step.
        steps: Number of steps, over as many passes through the articles as needed.
        repeated: Number of first steps in which rows repeat a text, which teaches copying.
        learning_rate: Peak learning rate of AdamW. It rises over 100 steps, or over a tenth if there are few,
            then falls to zero along half a cosine; once for the repeated texts, and again for the rest.
        copied: Share of the rows whose sentence stays in the text.
        seed: Seed of all random numbers; not that of the experiment, whose seeds share one model.
    """

    vocabulary: Count
    hidden: Count
    layers: Count
    heads: Count
    intermediate: Count
    row_tokens: Count
    batch_size: Count
    steps: Count
    repeated: Annotated[int, Field(ge=0)]
    learning_rate: Annotated[float, Field(gt=0)]
    copied: Annotated[float, Field(ge=0, le=1)]
    seed: Annotated[int, Field(ge=0)] = 0


class Given(Checked, frozen=True):
    """Settings that change if a language model is given, so that none is made.

    Attributes:
        about: As in `Size`; unchanged when None.
        plan: As in `Size`; unchanged when None.
        fills_cores: Whether one run keeps all cores busy, so that several at once would only use more memory.
    """

    about: str | None = None
    plan: str | None = None
    fills_cores: bool = False


class Size(Checked, frozen=True):
    """Settings at one scale.

    Attributes:
        about: Size in one line, for people.
        plan: File of the main run's plan.
        reference: Settings in which the reference differs; it has at most as many rounds.
        pretraining: Pretraining of the language model to start from, if it is made here.
        articles: Largest number of articles for pretraining; None for all training articles.
        given: Settings that change if a model is given; None if none can be given.
    """

    about: str
    plan: str
    reference: Settings = Field(default={})
    pretraining: Pretraining | None = None
    articles: Count | None = None
    given: Given | None = None


class Question(Checked, frozen=True):
    """A study, as written in the file.

    Attributes:
        title: What is varied, as a heading.
        also: More arms of the reference to show, by their labels.
        runs: Start of the runs' names, if each line is a run instead of an arm.
        lines: Settings in which a line differs from the reference, by scale and label. The main study has
            none, because its lines are the arms of its plan.
    """

    title: str
    also: Mapping[str, str] = {}
    runs: str | None = None
    lines: Mapping[Scale, Mapping[str, Settings]] = {}


class StudyRecipe(Checked, frozen=True):
    """Content of the recipe's file.

    Attributes:
        title: Title in one line.
        source: Paper.
        metrics: Metrics to show for each study, if measured; the first one stands for quality.
        claim: Metrics by which the main study's first two arms are compared.
        scales: Settings at each scale.
        studies: Studies by name, the main one first, then those with long runs.
    """

    title: str
    source: str
    metrics: Annotated[tuple[str, ...], Field(min_length=1)]
    claim: tuple[str, ...]
    scales: Mapping[Scale, Size]
    studies: Mapping[str, Question]

    @model_validator(mode="after")
    def _whole(self) -> "StudyRecipe":
        if next(iter(self.studies), None) != MAIN:
            raise ConfigError("studies", got=", ".join(self.studies), expected=f"{MAIN!r} as the first one")
        for name, question in self.studies.items():
            missing = [scale for scale in self.scales if scale not in question.lines]
            if name != MAIN and missing:
                raise ConfigError(f"studies.{name}.lines", got=f"none of scale {missing[0]}")
        if missing := [scale for scale in get_args(Scale) if scale not in self.scales]:
            raise ConfigError("scales", got=f"no scale {missing[0]}", expected=", ".join(get_args(Scale)))
        return self

    @property
    def takes_model(self) -> bool:
        """Whether a language model may be given, at any scale."""
        return any(size.given is not None for size in self.scales.values())

    def fills_cores(self, scale: Scale) -> bool:
        """Whether one run from a model that is given keeps all cores busy."""
        given = self.scales[scale].given
        return given is not None and given.fills_cores

    def size(self, scale: Scale, model: Path | None) -> Size:
        """Return the settings at a scale, for the given model if there is one.

        Raises:
            ConfigError: A model is given, and this scale does not start from one.
        """
        size = self.scales[scale]
        if model is None:
            return size
        if size.given is None:
            may = [name for name, own in self.scales.items() if own.given is not None]
            raise ConfigError(
                f"--model: scale {scale} takes no model",
                got=model,
                expected=f"scale {' or '.join(may)}" if may else "no model",
            )
        own = {key: value for key, value in size.given if key in ("about", "plan") and value is not None}
        return size.model_copy(update={**own, "pretraining": None})


def load_studies(folder: Path) -> StudyRecipe:
    """Read the recipe in ``folder``.

    Raises:
        ConfigError: Its file is missing or is not YAML, or a key or value is wrong.
    """
    return checked_recipe(folder, StudyRecipe)


def studies_of(
    folder: Path, recipe: StudyRecipe, scale: Scale, plan: str, model: Path | None = None
) -> dict[str, Study]:
    """Return the studies of a recipe, by name.

    Args:
        folder: Folder of the recipe.
        recipe: Recipe.
        scale: Scale.
        plan: File of the main run's plan, see `StudyRecipe.size`.
        model: Folder of the language model to start from, instead of the plan's.

    Raises:
        ConfigError: A plan is wrong.
    """
    config = read_config(folder / plan)
    if model is not None:
        config = with_setting(config, "learner.model", str(model), "--model")
    with at(str(folder / plan)):
        main = plan_from(config)
    arms = tuple(Line(name.replace("_", " "), MAIN, name) for name in main.arms)
    made = {MAIN: Study(MAIN, recipe.studies[MAIN].title, {MAIN: main}, arms)}
    if len(recipe.studies) > 1:
        with at(f"{folder / RECIPE}: reference"):
            vary = _Vary(_changed(config, recipe.scales[scale].reference), main)
        for name, question in recipe.studies.items():
            if name != MAIN:
                with at(f"{folder / RECIPE}: studies.{name}"):
                    made[name] = vary.study(name, question, question.lines[scale])
    return made


class _Vary:
    """Builds studies that vary the first arm of the reference, a run with the configuration ``config``."""

    def __init__(self, config: Config, main: Plan) -> None:
        self._config = config
        own = plan_from(config)
        self._base = next(iter(own.arms))
        self._setting, self._plan = MAIN, main
        if not self._in_reference(own, self._base):
            self._setting, self._plan = REFERENCE, own

    def study(self, name: str, question: Question, changes: Mapping[str, Settings]) -> Study:
        """Return the study ``name`` with a line for each of ``changes``, by label."""
        made = self._runs(question.runs, changes) if question.runs else self._arms(name, changes)
        plans, lines = made
        lines += [Line(label, self._setting, arm) for label, arm in question.also.items()]
        return Study(name, question.title, plans, tuple(lines), self._base)

    def _arms(self, name: str, changes: Mapping[str, Settings]) -> tuple[dict[str, Plan], list[Line]]:
        """Return a run with an arm for each of ``changes`` (by label) that differs from the reference's."""
        arms = {_slug(label): dict(self._arm(settings)) for label, settings in changes.items()}
        if len(arms) < len(changes):
            raise ConfigError("two labels stand for one name", got=", ".join(changes), expected="other words")
        plan = plan_from({**self._config, "arms": arms})
        others = {arm: how for arm, how in plan.arms.items() if how != self._plan.arms[self._base]}
        lines = [
            Line(label, name, arm)
            if (arm := _slug(label)) in others
            else Line(label, self._setting, self._base)
            for label in changes
        ]
        return {self._setting: self._plan, name: plan.model_copy(update={"arms": others})}, lines

    def _in_reference(self, plan: Plan, arm: str) -> bool:
        """Return whether ``arm`` is the same in ``plan`` as in the reference, except for its length."""
        alike = plan.model_copy(update={"rounds": self._plan.rounds, "arms": self._plan.arms})
        return alike == self._plan and plan.arms[arm] == self._plan.arms.get(arm)

    def _arm(self, settings: Settings) -> Iterator[tuple[str, Any]]:
        """Return the part of ``settings`` that arms have, as whole keys, which replace the plan's."""
        changed = _changed(self._config, settings)
        return ((key, changed[key]) for key in dict.fromkeys(path.split(".")[0] for path in settings))

    def _runs(self, begin: str, changes: Mapping[str, Settings]) -> tuple[dict[str, Plan], list[Line]]:
        """Return a run for each of ``changes``, of its first arm alone, and the reference."""
        plans: dict[str, Plan] = {self._setting: self._plan}
        lines: list[Line] = []
        for label, settings in changes.items():
            plan = plan_from(_changed(self._config, settings))
            arm = next(iter(plan.arms))
            plan = plan.model_copy(update={"arms": {arm: plan.arms[arm]}})
            setting = self._setting if self._in_reference(plan, arm) else f"{begin}-{_slug(label)}"
            plans.setdefault(setting, plan)
            lines.append(Line(label, setting, arm))
        return plans, lines


def _changed(config: Settings, changes: Settings) -> Config:
    changed = dict(config)
    for path, value in changes.items():
        changed = with_setting(changed, path, value, path)
    return changed


def _slug(label: str) -> str:
    """Convert a label to an arm's name: ``10 %`` to ``10``, ``k x 5,000`` to ``k-x-5000``."""
    words = label.replace(",", "").replace(".", "_").split()
    return "-".join(word for word in words if word.replace("_", "").isalnum())
