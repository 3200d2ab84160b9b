"""Figure of a group of recipes: one panel each, with courses or numbers next to the expected ones."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..comparison.figures import MARKERS, round_axis
from ..report.palette import arm_styles
from .chain_files import ChainRecipe, Expectation, Variant
from .collapse_laws import LAWS

if TYPE_CHECKING:
    from .chains import Number

Key = tuple[str, tuple[str, ...]]
Courses = Mapping[str, tuple[ChainRecipe, Mapping[Key, Variant], Mapping[Key, Any]]]
COLUMNS = 3


def recipes_figure(courses: Courses, numbers: Sequence["Number"]) -> Figure:
    """Draw a panel for each recipe: means over chains with two standard errors, and laws as lines.

    Args:
        courses: Each recipe with its variants and the courses of their chains.
        numbers: Expected and measured numbers of all recipes.
    """
    rows = math.ceil(len(courses) / COLUMNS)
    figure = Figure(figsize=(4.2 * COLUMNS, 3.2 * rows), layout="constrained")
    panels = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes, (name, (recipe, variants, made)) in zip(panels, courses.items(), strict=False):
        axes.set_title(name, fontsize=10)
        if recipe.figure is None:
            _numbers(axes, [n for n in numbers if n.recipe == name])
        else:
            _courses(axes, recipe, recipe.figure, variants, made)
    for axes in panels[len(courses) :]:
        axes.set_axis_off()
    return figure


def _courses(
    axes: Axes, recipe: ChainRecipe, quantity: str, variants: Mapping[Key, Variant], made: Mapping[Key, Any]
) -> None:
    wanted = [e for e in recipe.expect if e.quantity == quantity and (e.plan, e.set) in made]
    styles = arm_styles(e.arm for e in wanted)
    for arm, e in {e.arm: e for e in wanted}.items():
        plan, course = variants[e.plan, e.set].plan, made[e.plan, e.set]["arms"][arm][e.quantity]
        style, unit = styles[arm], _unit(e, plan)
        mean, se = np.array(course["mean"]) / unit, np.array(course["se"]) / unit
        rounds = np.arange(len(mean))
        axes.errorbar(
            rounds, mean, 2 * se, fmt=MARKERS[style.symbol], color=style.colour, markersize=3, label=arm
        )
        if e.law is not None:
            axes.plot(rounds, LAWS[e.law](plan, arm) / unit, color=style.colour, linewidth=0.9)
    round_axis(axes)
    axes.set_ylabel(quantity)
    if wanted:
        axes.legend(fontsize=7, loc="upper left")


def _unit(e: Expectation, plan: Any) -> float:
    return float(LAWS[e.law](plan, e.arm)[0]) if e.law and e.in_units_of_start else 1.0


def _numbers(axes: Axes, numbers: Sequence["Number"]) -> None:
    for row, n in enumerate(numbers):
        axes.errorbar(n.measured, -row, xerr=2 * n.se, fmt="o", color="#2f80c8", markersize=4)
        e = n.expectation
        for bound in (n.expected, e.above, e.below):
            if bound is not None and not np.isnan(bound):
                axes.plot(bound, -row, "|", color="#d55e00", markersize=14)
    axes.set_yticks(
        [-row for row in range(len(numbers))], [n.expectation.says[:40] for n in numbers], fontsize=6
    )
    axes.set_xlabel("measured (dots), expected (bars)")
    axes.grid(color="#e4e4e4", linewidth=0.6)
