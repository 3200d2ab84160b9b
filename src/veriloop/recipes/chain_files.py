"""Recipes of toy chains: plans, and the numbers expected from them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field, FiniteFloat, model_validator

from ..config import load_plan
from ..errors import ConfigError
from ..loop.plan import Plan
from ..parts import Checked, did_you_mean
from .base import Scale
from .folders import RECIPE, checked_recipe


class Expectation(Checked, frozen=True):
    """An expected number, and its place in the recipe's runs.

    Attributes:
        says: Meaning of the number, for people.
        plan: File of the plan.
        set: Settings of the plan to change, in the form of ``--set``.
        arm: Arm of the plan.
        round: Round whose models are measured.
        quantity: Quantity whose mean over chains is the number.
        law: Name of the exact law that gives the expected number; see `collapse_laws.LAWS`.
        value: Expected number, instead of a law.
        above: Lower bound of the number, instead of an exact expectation.
        below: Upper bound of the number, instead of an exact expectation.
        in_units_of_start: Whether number and law are divided by the law's value for the start model.
        source: Source: the paper's theorem, or its derivation.
    """

    says: str
    plan: str = "plan.yaml"
    set: tuple[str, ...] = ()
    arm: str
    round: Annotated[int, Field(ge=0)]
    quantity: str
    law: str | None = None
    value: FiniteFloat | None = None
    above: FiniteFloat | None = None
    below: FiniteFloat | None = None
    in_units_of_start: bool = False
    source: str

    @model_validator(mode="after")
    def _one_kind(self) -> "Expectation":
        exact = (self.law is not None) + (self.value is not None)
        if exact + (self.above is not None or self.below is not None) != 1:
            raise ConfigError(
                "an expectation", got="several or none of law, value, above and below", expected="one of them"
            )
        if self.in_units_of_start and self.law is None:
            raise ConfigError("in_units_of_start", got="no law", expected="a law, which knows the start")
        return self


class ChainRecipe(Checked, frozen=True):
    """Content of ``recipe.yaml``.

    Attributes:
        title: Title in one line.
        source: Paper.
        chains: Number of chains of each arm, by scale.
        expect: Expected numbers.
        figure: Quantity whose course is drawn; None draws only the numbers.
    """

    title: str
    source: str
    chains: Mapping[Scale, Annotated[int, Field(ge=2)]]
    expect: Annotated[tuple[Expectation, ...], Field(min_length=1)]
    figure: str | None = None


class Variant(NamedTuple):
    """A plan of a recipe, with some settings changed.

    Attributes:
        recipe: Name of the recipe's folder.
        file: File of the plan.
        set: Changed settings.
        plan: Resulting plan.
    """

    recipe: str
    file: str
    set: tuple[str, ...]
    plan: Plan


def load_chains(folder: Path) -> ChainRecipe:
    """Read the recipe in ``folder``.

    Raises:
        ConfigError: Its file is missing or is not YAML, or a key or value is wrong.
    """
    return checked_recipe(folder, ChainRecipe)


def variants_of(folder: Path, recipe: ChainRecipe, seed: int) -> dict[tuple[str, tuple[str, ...]], Variant]:
    """Return the plans that a recipe's expectations refer to, each once, by file and changes.

    Raises:
        ConfigError: A plan is wrong, or lacks an arm that an expectation names.
    """
    found: dict[tuple[str, tuple[str, ...]], Variant] = {}
    for expected in recipe.expect:
        key = expected.plan, expected.set
        if key not in found:
            plan = load_plan(folder / expected.plan, [*expected.set, f"seed={seed}"])
            found[key] = Variant(folder.name, expected.plan, expected.set, plan)
        plan = found[key].plan
        if expected.arm not in plan.arms or expected.round > plan.rounds:
            raise ConfigError(
                f"{folder / RECIPE}: {expected.says}",
                got=f"arm {expected.arm!r}, round {expected.round}",
                expected=f"one of {', '.join(plan.arms)}, and a round up to {plan.rounds}",
                fix=did_you_mean(expected.arm, plan.arms),
            )
    return found
