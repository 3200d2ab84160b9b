"""Recipes of toy chains: plans, and the numbers to expect of them."""

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
    """A number to expect, and where in the recipe's runs it is.

    Attributes:
        says: What the number is, for people.
        plan: The file of the plan.
        set: Settings of the plan to change, as ``--set`` has them.
        arm: Of the plan.
        round: Whose models are looked at.
        quantity: Whose mean over chains is the number.
        law: The name of the exact law that gives the expected number; see `collapse_laws.LAWS`.
        value: The expected number, in place of a law.
        above: The number must not lie below this, in place of an exact expectation.
        below: The number must not lie above this, likewise.
        in_units_of_start: Whether number and law are shown over the law's value for the start model.
        source: Where it comes from: the paper's theorem, or what it is derived from.
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
    """What stands in ``recipe.yaml``.

    Attributes:
        title: One line.
        source: The paper.
        chains: How many chains each arm has, by scale.
        expect: The numbers.
        figure: The quantity whose course is drawn; None draws the numbers alone.
    """

    title: str
    source: str
    chains: Mapping[Scale, Annotated[int, Field(ge=2)]]
    expect: Annotated[tuple[Expectation, ...], Field(min_length=1)]
    figure: str | None = None


class Variant(NamedTuple):
    """A plan of a recipe, with some settings changed.

    Attributes:
        recipe: The name of the recipe's folder.
        file: Of the plan.
        set: What is changed.
        plan: What comes of it.
    """

    recipe: str
    file: str
    set: tuple[str, ...]
    plan: Plan


def load_chains(folder: Path) -> ChainRecipe:
    """The recipe in ``folder``.

    Raises:
        ConfigError: Its file is missing or no YAML, or a key or value is wrong.
    """
    return checked_recipe(folder, ChainRecipe)


def variants_of(folder: Path, recipe: ChainRecipe, seed: int) -> dict[tuple[str, tuple[str, ...]], Variant]:
    """The plans that a recipe's expectations look at, each once, by file and changes.

    Raises:
        ConfigError: A plan is wrong, or lacks an arm that is looked at.
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
