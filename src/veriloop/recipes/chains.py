"""Carry out recipes of toy chains: make the chains of each plan, and compare them with expected numbers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import ConfigError, StorageError, VeriloopError
from ..laws import normal_quantile
from ..loop.plan import Plan
from ..parts import did_you_mean
from .base import Finding, Setting
from .chain_courses import Asked, in_numpy, make_chains, quantities, stored
from .chain_figures import recipes_figure
from .chain_files import ChainRecipe, Expectation, Variant, load_chains, variants_of
from .collapse_laws import LAWS
from .folders import recipe_names

DONE = "chains"
"""Folder in that of the experiment with the finished variants, one file each."""

WRONG_AT_ALL = 0.01
"""Probability that, if all expectations are true, any number lies beyond its limit."""

Key = tuple[str, str, tuple[str, ...]]
"""A variant: its recipe, the file of its plan, and the changed settings."""


class Number(NamedTuple):
    """An expected number, and the measured one.

    Attributes:
        recipe: Name of the recipe's folder.
        expectation: Expectation.
        expected: Expected number; NaN for a bound.
        measured: Mean over chains.
        se: Its standard error.
        chains: Number of chains.
        engine: ``chains`` for those made at once, ``loop`` for runs of the ordinary loop.
    """

    recipe: str
    expectation: Expectation
    expected: float
    measured: float
    se: float
    chains: int
    engine: str

    @property
    def z(self) -> float:
        """Distance from the expected number, or beyond the bound, in standard errors; 0 within the bound."""
        e = self.expectation
        apart = self.measured - self.expected
        if e.above is not None or e.below is not None:
            low = max(0.0, e.above - self.measured) if e.above is not None else 0.0
            apart = low + (max(0.0, self.measured - e.below) if e.below is not None else 0.0)
        return apart / self.se if self.se > 0 else (0.0 if abs(apart) < 1e-9 else np.inf)


def carry_out(group: Path, setting: Setting, out: Path) -> Finding:
    """Make the chains of the recipes in ``group``, or of those that ``setting`` names, and compare them.

    Each variant's chains are stored once finished, under a key of everything that they depend on.

    Raises:
        ConfigError: A recipe or a plan is wrong.
    """
    names = setting.only or recipe_names(group)
    recipes = {name: load_chains(group / name) for name in names}
    variants = {name: variants_of(group / name, recipe, setting.seed) for name, recipe in recipes.items()}
    asked = [
        Asked(variant, recipes[name].chains[setting.scale])
        for name, found in variants.items()
        for variant in found.values()
    ]
    _check(recipes, variants)
    _make(out / DONE)
    missing = [] if setting.write_up else [a for a in asked if not stored(out / DONE / f"{a.key}.json")]
    # The longest first: those of the ordinary loop.
    missing.sort(key=lambda a: in_numpy(a.variant.plan))
    failed = [reason for reason in setting.executor.map(make_chains, missing, out / DONE) if reason]
    made = {
        (a.variant.recipe, a.variant.file, a.variant.set): found
        for a in asked
        if (found := stored(out / DONE / f"{a.key}.json"))
    }
    numbers = [
        _number(name, e, variants[name][e.plan, e.set].plan, found)
        for name, recipe in recipes.items()
        for e in recipe.expect
        if (found := made.get((name, e.plan, e.set)))
    ]
    courses = {
        name: (recipe, variants[name], {key[1:]: found for key, found in made.items() if key[0] == name})
        for name, recipe in recipes.items()
    }
    return Finding(
        _as_json(numbers, made),
        [*map(_line, numbers), *_summary(numbers, len(made), len(asked))],
        {group.name: recipes_figure(courses, numbers)},
        failure=_failure(failed, len(asked)),
    )


def _check(recipes: Mapping[str, ChainRecipe], variants: Mapping[str, Mapping[Any, Variant]]) -> None:
    """Raise the error of a law that does not cover its plan before any chain is made."""
    for name, recipe in recipes.items():
        for e in recipe.expect:
            if e.law is not None and e.law not in LAWS:
                raise ConfigError(
                    f"recipe {name}: law", got=e.law, expected=", ".join(LAWS), fix=did_you_mean(e.law, LAWS)
                )
            plan = variants[name][e.plan, e.set].plan
            known = quantities(plan, e.arm)
            if e.quantity not in known:
                raise ConfigError(
                    f"recipe {name}: quantity",
                    got=e.quantity,
                    expected=f"one of {', '.join(sorted(known))}",
                    fix=did_you_mean(e.quantity, known),
                )
            _expected(e, plan)


def _expected(e: Expectation, plan: Plan) -> float:
    if e.law is None:
        return np.nan if e.value is None else e.value
    course = LAWS[e.law](plan, e.arm)
    return float(course[e.round] / (course[0] if e.in_units_of_start else 1.0))


def _number(recipe: str, e: Expectation, plan: Plan, found: Mapping[str, Any]) -> Number:
    course = found["arms"][e.arm][e.quantity]
    unit = float(LAWS[e.law](plan, e.arm)[0]) if e.law and e.in_units_of_start else 1.0
    mean, se = course["mean"][e.round] / unit, course["se"][e.round] / unit
    return Number(recipe, e, _expected(e, plan), mean, se, found["chains"], found["engine"])


def _make(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as e:
        raise StorageError(f"cannot write to {folder}: {e.strerror}", fix="choose another folder") from e


def _limit(numbers: Sequence[Number]) -> float:
    """Return the largest deviation that counts as agreement, in standard errors."""
    return -normal_quantile(WRONG_AT_ALL / 2 / max(len(numbers), 1))


def _right(numbers: Sequence[Number]) -> int:
    return sum(abs(n.z) <= _limit(numbers) for n in numbers)


def _summary(numbers: Sequence[Number], made: int, asked: int) -> list[str]:
    words: list[str] = []
    if numbers:
        words.append(
            f"{_right(numbers)} of {len(numbers)} numbers are as expected, within {_limit(numbers):.1f} "
            f"standard errors (if all are right, {WRONG_AT_ALL:.0%} of such tables have one beyond)"
        )
    if made < asked:
        words.append(f"{asked - made} of {asked} plans have no chains yet: give the command again")
    return words


def _as_json(numbers: Sequence[Number], made: Mapping[Key, Mapping[str, Any]]) -> dict[str, Any]:
    seconds, cpu = dict[str, float](), dict[str, float]()
    for (recipe, *_), found in made.items():
        seconds[recipe] = seconds.get(recipe, 0.0) + found["seconds"]
        cpu[recipe] = cpu.get(recipe, 0.0) + found["cpu_seconds"]
    return {
        "numbers": [
            {
                "recipe": n.recipe,
                **n.expectation.model_dump(exclude={"law", "value"}),
                "expected": n.expected,
                "measured": n.measured,
                "se": n.se,
                "z": n.z,
                "chains": n.chains,
                "engine": n.engine,
            }
            for n in numbers
        ],
        "as_expected": _right(numbers),
        "limit_in_standard_errors": _limit(numbers),
        "seconds_by_recipe": seconds,
        "cpu_seconds_by_recipe": cpu,
        "cpu_seconds": sum(cpu.values()),
    }


def _failure(failed: Sequence[str], asked: int) -> VeriloopError | None:
    if not failed:
        return None
    return VeriloopError(
        f"{len(failed)} of {asked} plans failed ({'; '.join(failed)})",
        fix="remove the cause and give the same command again: what has finished is kept",
    )


def _line(n: Number) -> str:
    e = n.expectation
    if e.above is not None or e.below is not None:
        bounds = [f"at least {e.above:g}"] if e.above is not None else []
        expected = " and ".join(bounds + ([f"at most {e.below:g}"] if e.below is not None else []))
    else:
        expected = f"{n.expected:.5g}"
    return f"{n.recipe}: {e.says}: {n.measured:.5g} ± {n.se:.2g}, expected {expected}"
