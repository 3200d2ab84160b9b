"""What do many rounds do? Three courses over rounds, theory over simulated points.

Expected: (a) with a bias of 1 every radius goes to the knowledge center, at its own speed; (b) without bias
the verified chain improves and stays, and goes on improving where rounds grow, while the unverified one gets
worse for ever; (c) with a mild bias the error falls, turns at the predicted best round, and ends above it.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..linear import Simulation, simulate
from ..report.palette import OTHER_ARMS, USUAL_ARMS, ArmStyle
from ..theory import LinearSystem, trajectory
from ..theory.validation import Floats, SampleSizes
from .base import Finding, Scale, Setting, agreement, agreement_words
from .linear_figures import (
    CENTER_LABEL,
    STAR_LABEL,
    draw_simulated,
    draw_theory,
    finish_rounds,
    mark_best_round,
)
from .linear_system import orthogonal_system, random_direction, unverified_mse

P, N0 = 8, 100
RADII = (1.0, 1.5, 2.0, 2.5)
"""Of panel (a); the smallest whose ball still holds a truth at distance 1 is 1."""


@dataclass(frozen=True)
class Size:
    """How long and how often: rounds of panels (a) and (b), rounds of (c), chains of each curve."""

    rounds: int
    mild_rounds: int
    replicates: int


SIZES: dict[Scale, Size] = {
    "smoke": Size(10, 15, 50),
    "cpu": Size(60, 40, 100),
    "paper": Size(60, 40, 500),
}


class Course(NamedTuple):
    """One curve: what is simulated, and what is drawn of it.

    Attributes:
        panel: ``a``, ``b`` or ``c``.
        label: In the legend.
        style: Of line and points.
        system: The linear system.
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
        """Kept samples per direction, of every round or of each."""
        return self.n * np.arange(1, rounds + 1) if self.growing else self.n


class Followed(NamedTuple):
    """A course by theory and by simulation: the distance of its panel, shape ``(rounds + 1,)``."""

    course: Course
    theory: Floats
    mean: Floats
    error: Floats


def courses(seed: int) -> list[Course]:
    """The curves of the three panels."""
    toward = random_direction(P, seed)

    def system(bias: float, radius: float) -> LinearSystem:
        return orthogonal_system(bias, radius, p=P, n0=N0, direction=toward)

    verified, unverified = USUAL_ARMS["verified"], USUAL_ARMS["unverified"]
    return [
        *(
            Course("a", f"$r$ = {radius:g}", style, system(1.0, radius), 1_000)
            for radius, style in zip(RADII, OTHER_ARMS, strict=True)
        ),
        Course("b", "verified, $n$ = 100", verified, system(0.0, 0.5), 100),
        Course("b", "verified, $n_k$ = 100 $k$", OTHER_ARMS[0], system(0.0, 0.5), 100, growing=True),
        Course("b", "unverified", unverified, system(0.0, 0.5), 100, verified=False),
        Course("c", "verified, $r$ = 1.5", verified, system(0.2, 1.5), 1_000),
    ]


def linear_trajectories(setting: Setting) -> Finding:
    """Simulate and solve every course of the figure."""
    size = SIZES[setting.scale]
    followed = [_follow(course, i, size, setting) for i, course in enumerate(courses(setting.seed))]
    # Round 0 is left out: it tests the normal start model, not the theory.
    theory, mean, error = (
        np.concatenate([part[1:] for part in parts]) for parts in zip(*(f[1:] for f in followed), strict=True)
    )
    found = agreement(theory, mean, error, size.replicates)
    mild = trajectory(followed[-1].course.system, followed[-1].course.n, size.mild_rounds)
    numbers = {
        "setting": {"p": P, "n0": N0, "sigma": 1.0},
        "replicates": size.replicates,
        **found,
        "note": "points along one curve share their chains, so they agree or differ together",
        "mild_bias": {
            "regime": str(mild.regime),
            "best_round": mild.best_round,
            "simulated_best_round": int(followed[-1].mean.argmin()),
            "start": mild.mse_star[0],
            "best": mild.mse_star[mild.best_round],
            "floor": mild.floor,
        },
        "curves": [_numbers(f) for f in followed],
    }
    words = [
        agreement_words(found, f"points of {len(followed)} curves"),
        f"mild bias: best round {mild.best_round} predicted, {followed[-1].mean.argmin()} simulated;"
        f" error {mild.mse_star[0]:.4f} at the start, {mild.mse_star.min():.4f} there, {mild.floor:.4f} in"
        " the end",
    ]
    figure = _figure(followed, mild.best_round, mild.floor, size.replicates)
    return Finding(numbers, words, {"linear-trajectories": figure})


def _follow(course: Course, number: int, size: Size, setting: Setting) -> Followed:
    rounds = size.mild_rounds if course.panel == "c" else size.rounds
    # Curves must not share their start, or they would all be off together.
    seed = 10 * setting.seed + number
    sizes = course.sizes(rounds)
    run: Simulation = simulate(
        course.system, sizes, rounds, size.replicates, seed,
        verified=course.verified, executor=setting.executor,
    )  # fmt: skip
    if not course.verified:
        return Followed(course, unverified_mse(course.system, sizes, rounds), run.mse_star, run.mse_star_se)
    exact = trajectory(course.system, sizes, rounds)
    if course.panel == "a":
        return Followed(course, exact.mse_center, run.mse_center, run.mse_center_se)
    return Followed(course, exact.mse_star, run.mse_star, run.mse_star_se)


def _numbers(followed: Followed) -> dict[str, Any]:
    course, system = followed.course, followed.course.system
    rounds = sorted({0, 1, 2, 5, 10, 20, 40, 60} & {*range(len(followed.theory))})
    return {
        "panel": course.panel,
        "bias": system.bias,
        "radius": system.radius if course.verified else None,
        "n": f"{course.n} k" if course.growing else course.n,
        "distance_to": "center" if course.panel == "a" else "truth",
        "rounds": rounds,
        "theory": followed.theory[rounds],
        "simulated": followed.mean[rounds],
        "standard_error": followed.error[rounds],
    }


def _figure(followed: list[Followed], best_round: int, floor: float, replicates: int) -> Figure:
    figure = Figure(figsize=(13.2, 4.3), layout="constrained")
    panels: dict[str, Axes] = dict(zip("abc", figure.subplots(1, 3), strict=True))
    for course, theory, mean, error in followed:
        panel = panels[course.panel]
        draw_theory(panel, theory, course.style, course.label)
        draw_simulated(panel, mean, error, course.style, every=max(1, len(theory) // 15))
    mark_best_round(panels["c"], best_round, followed[-1].theory[best_round])
    grey = USUAL_ARMS["all_real"].colour
    panels["c"].axhline(floor, color=grey, linestyle=":", label="where it ends")
    panels["c"].axhline(followed[-1].theory[0], color=grey, linestyle="--", label="no retraining")
    panels["a"].set_ylim(bottom=5e-3)
    panels["b"].set_ylim(bottom=6e-5)
    finish_rounds(
        panels["a"],
        CENTER_LABEL,
        "(a) bias 1, $n$ = 1,000: the radius sets the speed",
        loc="lower center",
        ncols=4,
    )
    finish_rounds(panels["b"], STAR_LABEL, "(b) bias 0, $r$ = 0.5: verified against unverified")
    finish_rounds(panels["c"], STAR_LABEL, "(c) bias 0.2, $n$ = 1,000: gain, then reversal", "linear")
    figure.suptitle(
        f"lines: exact theory; points: {replicates:,} simulated chains, ± 2 standard errors", fontsize=10
    )
    return figure
