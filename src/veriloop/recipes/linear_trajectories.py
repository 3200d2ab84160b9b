"""What do many rounds do? Errors over rounds in panels: exact theory as lines, simulation as points."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pydantic import Field, FiniteFloat, model_validator

from ..errors import ConfigError
from ..linear import Simulation, simulate
from ..parts import Checked
from ..report.palette import OTHER_ARMS, USUAL_ARMS, ArmStyle
from ..theory import LinearSystem, Trajectory, orthogonal_system, trajectory, unverified_mse
from ..theory.validation import Floats, SampleSizes
from .base import Finding, Scale, Setting, agreement, agreement_words
from .folders import checked_recipe
from .linear_figures import (
    CENTER_LABEL,
    STAR_LABEL,
    draw_simulated,
    draw_theory,
    finish_rounds,
    mark_best_round,
)
from .linear_setting import Count, LinearRecipe, random_direction


class Panel(Checked, frozen=True):
    """A panel of the figure.

    Attributes:
        title: Title above it.
        distance_to: Point that distances are shown to: the truth or the verifier's center.
        axis: Scale of the errors.
        lowest: Lower end of that axis.
        best_round: Whether to mark the last course's best round, its start and its end.
    """

    title: str
    distance_to: Literal["truth", "center"] = "truth"
    axis: Literal["log", "linear"] = "log"
    lowest: FiniteFloat | None = None
    best_round: bool = False


class CourseRecipe(Checked, frozen=True):
    """A curve, as written in the file.

    Attributes:
        panel: Panel in which it is drawn.
        label: Label in the legend.
        colour_of: Arm whose style it has; one of the other styles when None.
        bias: Bias of the verifier, in units of the noise.
        radius: Radius of the verifier, in units of the noise.
        n: Kept samples per direction and round.
        growing: Whether round k keeps k times as many.
        verified: Whether the verifier filters.
    """

    panel: str
    label: str
    colour_of: Literal["verified", "unverified"] | None = None
    bias: Annotated[FiniteFloat, Field(ge=0)]
    radius: Annotated[FiniteFloat, Field(ge=0)]
    n: Count
    growing: bool = False
    verified: bool = True


class Size(Checked, frozen=True):
    """Number of rounds by panel, and of chains for each curve."""

    rounds: Mapping[str, Count]
    replicates: Annotated[int, Field(ge=2)]


class TrajectoriesRecipe(LinearRecipe, frozen=True):
    """Content of the recipe's file.

    Attributes:
        panels: Panels by name, from left to right.
        courses: Curves.
        scales: Numbers of rounds and chains at each scale.
    """

    panels: Mapping[str, Panel]
    courses: Annotated[tuple[CourseRecipe, ...], Field(min_length=1)]
    scales: Mapping[Scale, Size]

    @model_validator(mode="after")
    def _drawn(self) -> "TrajectoriesRecipe":
        for where, names in (
            ("courses: panels", {c.panel for c in self.courses}),
            *((f"scales.{scale}.rounds", set(size.rounds)) for scale, size in self.scales.items()),
        ):
            if names != set(self.panels):
                raise ConfigError(where, got=", ".join(sorted(names)), expected=", ".join(self.panels))
        return self


class Course(NamedTuple):
    """One curve: its simulation and its appearance.

    Attributes:
        panel: Name of its panel.
        label: Label in the legend.
        style: Style of line and points.
        system: Linear system.
        n: Kept samples per direction and round; k times as many in round k when ``growing``.
        verified: Whether the verifier filters.
    """

    panel: str
    label: str
    style: ArmStyle
    system: LinearSystem
    n: int
    verified: bool = True
    growing: bool = False

    def sizes(self, rounds: int) -> SampleSizes:
        """Kept samples per direction: one number for all rounds, or one for each."""
        return self.n * np.arange(1, rounds + 1) if self.growing else self.n


class Followed(NamedTuple):
    """A course by theory and by simulation: the distance shown in its panel, shape ``(rounds + 1,)``."""

    course: Course
    theory: Floats
    mean: Floats
    error: Floats


def courses(recipe: TrajectoriesRecipe, seed: int) -> list[Course]:
    """Return the curves of the panels; all biases have the same direction."""
    toward = random_direction(recipe.p, seed)
    others = {panel: iter(OTHER_ARMS) for panel in recipe.panels}
    return [
        Course(
            c.panel,
            c.label,
            USUAL_ARMS[c.colour_of] if c.colour_of else next(others[c.panel]),
            orthogonal_system(c.bias, c.radius, p=recipe.p, n0=recipe.n0, direction=toward),
            c.n,
            c.verified,
            c.growing,
        )
        for c in recipe.courses
    ]


def linear_trajectories(folder: Path, setting: Setting) -> Finding:
    """Simulate and solve every course of the figure.

    Raises:
        ConfigError: The recipe is wrong.
    """
    recipe = checked_recipe(folder, TrajectoriesRecipe)
    size = recipe.scales[setting.scale]
    followed = [_follow(course, i, recipe, setting) for i, course in enumerate(courses(recipe, setting.seed))]
    # Without round 0, which tests the normal start model and not the theory.
    theory, mean, error = (
        np.concatenate([part[1:] for part in parts]) for parts in zip(*(f[1:] for f in followed), strict=True)
    )
    found = agreement(theory, mean, error, size.replicates)
    turning = _turning(recipe, followed)
    numbers = {
        "setting": {"p": recipe.p, "n0": recipe.n0, "sigma": 1.0},
        "replicates": size.replicates,
        **found,
        "note": "points along one curve share their chains, so they agree or differ together",
        **({} if turning is None else {"mild_bias": _turns(*turning)}),
        "curves": [_numbers(f, recipe.panels[f.course.panel]) for f in followed],
    }
    words = [agreement_words(found, f"points of {len(followed)} curves")]
    if turning is not None:
        turned, exact = turning
        words.append(
            f"mild bias: best round {exact.best_round} predicted, {turned.mean.argmin()} simulated;"
            f" error {exact.mse_star[0]:.4f} at the start, {exact.mse_star.min():.4f} there,"
            f" {exact.floor:.4f} in the end"
        )
    return Finding(numbers, words, {folder.name: _figure(recipe, followed, turning, size.replicates)})


Turning = tuple[Followed, Trajectory]
"""A course whose best round is marked, with its exact values."""


def _turning(recipe: TrajectoriesRecipe, followed: list[Followed]) -> Turning | None:
    """Return the last course of the panel that marks the best round; None if there is no such panel."""
    for f in reversed(followed):
        if recipe.panels[f.course.panel].best_round:
            rounds = len(f.theory) - 1
            return f, trajectory(f.course.system, f.course.sizes(rounds), rounds)
    return None


def _turns(turned: Followed, exact: Trajectory) -> dict[str, Any]:
    return {
        "regime": str(exact.regime),
        "best_round": exact.best_round,
        "simulated_best_round": int(turned.mean.argmin()),
        "start": exact.mse_star[0],
        "best": exact.mse_star[exact.best_round],
        "floor": exact.floor,
    }


def _follow(course: Course, number: int, recipe: TrajectoriesRecipe, setting: Setting) -> Followed:
    size, panel = recipe.scales[setting.scale], recipe.panels[course.panel]
    rounds = size.rounds[course.panel]
    # Curves do not share a start, or their errors would be correlated.
    seed = 10 * setting.seed + number
    sizes = course.sizes(rounds)
    run: Simulation = simulate(
        course.system, sizes, rounds, size.replicates, seed,
        verified=course.verified, executor=setting.executor,
    )  # fmt: skip
    if course.verified:
        exact = trajectory(course.system, sizes, rounds)
        star, center = exact.mse_star, exact.mse_center
    else:
        star = unverified_mse(course.system, sizes, rounds)
        center = star + course.system.bias**2
    if panel.distance_to == "center":
        return Followed(course, center, run.mse_center, run.mse_center_se)
    return Followed(course, star, run.mse_star, run.mse_star_se)


def _numbers(followed: Followed, panel: Panel) -> dict[str, Any]:
    course, system = followed.course, followed.course.system
    rounds = sorted({0, 1, 2, 5, 10, 20, 40, 60} & {*range(len(followed.theory))})
    return {
        "panel": course.panel,
        "bias": system.bias,
        "radius": system.radius if course.verified else None,
        "n": f"{course.n} k" if course.growing else course.n,
        "distance_to": panel.distance_to,
        "rounds": rounds,
        "theory": followed.theory[rounds],
        "simulated": followed.mean[rounds],
        "standard_error": followed.error[rounds],
    }


def _figure(
    recipe: TrajectoriesRecipe, followed: list[Followed], turning: Turning | None, replicates: int
) -> Figure:
    figure = Figure(figsize=(13.2, 4.3), layout="constrained")
    row = figure.subplots(1, len(recipe.panels), squeeze=False)[0]
    panels: dict[str, Axes] = dict(zip(recipe.panels, row, strict=True))
    for course, theory, mean, error in followed:
        panel = panels[course.panel]
        draw_theory(panel, theory, course.style, course.label)
        draw_simulated(panel, mean, error, course.style, every=max(1, len(theory) // 15))
    if turning is not None:
        turned, exact = turning
        panel, grey = panels[turned.course.panel], USUAL_ARMS["all_real"].colour
        mark_best_round(panel, exact.best_round, turned.theory[exact.best_round])
        panel.axhline(exact.floor, color=grey, linestyle=":", label="where it ends")
        panel.axhline(turned.theory[0], color=grey, linestyle="--", label="no retraining")
    for name, about in recipe.panels.items():
        curves = sum(f.course.panel == name for f in followed)
        legend: dict[str, Any] = {"loc": "lower left"}
        if curves > 3:
            legend = {"loc": "lower center", "ncols": curves}
        if about.lowest is not None:
            panels[name].set_ylim(bottom=about.lowest)
        label = CENTER_LABEL if about.distance_to == "center" else STAR_LABEL
        finish_rounds(panels[name], label, about.title, about.axis, **legend)
    figure.suptitle(
        f"lines: exact theory; points: {replicates:,} simulated chains, ± 2 standard errors", fontsize=10
    )
    return figure
