"""What a user wants to know about a verifier before any training, in numbers and in words."""

import math
from typing import Any, NamedTuple

import numpy as np

from ..linear import Simulation
from ..theory import (
    ROUNDING,
    LinearSystem,
    Method,
    OneRoundGrid,
    Regime,
    Trajectory,
    best_radius,
    helpful_biases,
    one_round_mse,
    samples_needed,
    trajectory,
    unverified_mse,
)
from ..theory.validation import Floats, SampleSizes, schedule


class Answer(NamedTuple):
    """An answer, in two forms.

    Attributes:
        numbers: Numbers for programs; `recipes.base.plain` converts them for JSON.
        words: A few lines for people.
    """

    numbers: dict[str, Any]
    words: list[str]


def one_round_answer(system: LinearSystem, n: float, method: Method = "exact") -> Answer:
    """Answer whether one round with ``n`` kept samples per direction helps, why, and what would help more.

    Raises:
        DomainError: ``n`` is invalid.
    """
    result = one_round_mse(system, n, method)
    helpful, best = _helpful(system, n), best_radius(system, n)
    fewest = float(samples_needed(system, 0.0, method))
    numbers = {
        "gain": _lower(float(result.mse), float(result.baseline)),
        "mse": result.mse,
        "baseline": result.baseline,
        "log_gain": result.log_gain,
        "synthetic_variance": result.synthetic_variance,
        "verification_error": result.verification_error,
        **_cost(float(result.acceptance_rate)),
        "helpful_biases": helpful,
        "samples_needed_to_gain": fewest,
        "best_radius": {
            "radius": best.radius,
            "mse": best.mse,
            "generated_per_kept": best.generated_per_kept,
        },
    }
    least = " (the smallest that holds the truth)" if best.radius <= system.bias * (1 + 1e-6) else ""
    words = [
        _gain_words("round one", float(result.baseline), float(result.mse)),
        f"of this, {result.synthetic_variance:.4g} is noise of {n:g} samples per direction,"
        f" {result.verification_error:.4g} stays however many are kept",
        _cost_words(float(result.acceptance_rate)),
        _helpful_words(helpful, system.bias),
        "no number of samples makes this verifier help"
        if np.isinf(fewest)
        else f"to gain at all it takes {fewest:,.0f} kept samples per direction",
        f"best radius for this bias: {best.radius:.3g}{least}, error {best.mse:.4g},"
        f" {best.generated_per_kept:.2f} generated for each one kept",
    ]
    return Answer(numbers, words)


def trajectory_answer(system: LinearSystem, n: SampleSizes, rounds: int) -> tuple[Answer, Trajectory]:
    """Return the first gain, the best round, the regime and the end of ``rounds`` rounds.

    Raises:
        DomainError: ``n`` or ``rounds`` is invalid.
    """
    course = trajectory(system, n, rounds)
    first = float(schedule(n, rounds)[0])
    rate = float(one_round_mse(system, first, "exact").acceptance_rate)
    helpful = _helpful(system, first)
    error = course.mse_star
    numbers = {
        "gain_in_round_one": _lower(float(error[1]), float(error[0])),
        "best_round": course.best_round,
        "regime": str(course.regime),
        "floor": course.floor,
        **_cost(rate),
        "helpful_biases": helpful,
        "mse_star": error,
        "mse_center": course.mse_center,
    }
    words = [
        _gain_words("round one", float(error[0]), float(error[1])),
        *_course_words(course),
        _cost_words(rate),
        _helpful_words(helpful, system.bias),
    ]
    return Answer(numbers, words), course


def phase_answer(system: LinearSystem, grid: OneRoundGrid, n: float) -> Answer:
    """Return where in the plane of bias and radius one round helps.

    Args:
        system: The system of ``grid``, with a bias direction.
        grid: Result of `one_round_grid` for this system.
        n: Kept samples per direction.
    """
    share = float(np.mean(grid.log_gain > 0))
    radii = np.unique(grid.radii[np.linspace(0, len(grid.radii) - 1, 6).round().astype(int)])
    helpful = [helpful_biases(system, n, radius=radius) for radius in radii]
    best = np.unravel_index(int(grid.log_gain.argmax()), grid.log_gain.shape)
    numbers = {
        "share_with_gain": share,
        "helpful_biases": [{"radius": r, "biases": biases} for r, biases in zip(radii, helpful, strict=True)],
        "baseline": grid.baseline,
        "biases": grid.biases,
        "radii": grid.radii,
        "log_gain": grid.log_gain,
        "acceptance_rate": grid.acceptance_rate,
    }
    words = [
        f"one round helps in {100 * share:.1f} % of this plane",
        *(
            f"  radius {r:.3g}: biases that help, {_intervals(biases)}"
            for r, biases in zip(radii, helpful, strict=True)
        ),
        f"largest log gain: {grid.log_gain[best]:.3g}, at bias {grid.biases[best[0]]:.3g}"
        f" and radius {grid.radii[best[1]]:.3g}",
    ]
    return Answer(numbers, words)


class Compared(NamedTuple):
    """A simulation, compared with theory.

    Attributes:
        answer: Answer in numbers and words.
        theory: ``E ||theta_k - theta*||^2`` by theory, shape ``(rounds + 1,)``.
        note: Name of that theory.
    """

    answer: Answer
    theory: Floats
    note: str


def compare_with_theory(
    system: LinearSystem, n: SampleSizes, run: Simulation, *, verified: bool, own_theory: bool
) -> Compared:
    """Compare the simulation ``run`` with theory.

    Args:
        system: Linear system.
        n: Kept samples per direction, as simulated.
        run: Simulation.
        verified: Whether it simulated the verified chain.
        own_theory: Whether its design has an exact theory: block and standard designs have; isotropic is
            compared with the theory of the block design.
    """
    rounds = len(run.mse_star) - 1
    if verified:
        theory = trajectory(system, n, rounds)
        star, center = theory.mse_star, theory.mse_center
    else:
        star = unverified_mse(system, n, rounds)
        center = star + system.bias**2
    note = "exact theory" if own_theory else "theory of the block design"
    z = (run.mse_star - star) / run.mse_star_se
    within = float(np.mean(np.abs(z) <= 3)) if run.replicates > 1 else float("nan")
    numbers = {
        "mse_star": run.mse_star,
        "mse_star_se": run.mse_star_se,
        "mse_center": run.mse_center,
        "mse_center_se": run.mse_center_se,
        "theory": {"kind": note, "mse_star": star, "mse_center": center},
        "within_3_se": within,
    }
    words = [f"{100 * within:.0f} % of rounds within 3 standard errors of the {note}"] * (within == within)
    return Compared(Answer(numbers, words), star, note)


def _helpful(system: LinearSystem, n: float) -> Floats:
    toward = np.ones(system.dimension) if system.bias == 0 else None
    return helpful_biases(system, n, direction=toward)


def _cost(rate: float) -> dict[str, float]:
    return {"acceptance_rate": rate, "generated_per_kept": 1 / rate if rate > 0 else math.inf}


def _cost_words(rate: float) -> str:
    made = _cost(rate)["generated_per_kept"]
    return f"accepts {100 * rate:.3g} % of fresh samples: generate {made:.3g} for each one kept"


def _lower(after: float, before: float) -> bool:
    return after < (1 - ROUNDING) * before


def _gain_words(when: str, before: float, after: float) -> str:
    verdict = "yes" if _lower(after, before) else "no"
    change = _change(before, after)
    return f"gain in {when}: {verdict}, mean squared error {before:.4g} -> {after:.4g} ({change})"


def _change(before: float, after: float) -> str:
    return f"{100 * (after / before - 1):+.0f} %" if after < 10 * before else f"{after / before:.3g} times"


def _helpful_words(helpful: Floats, bias: float) -> str:
    if not len(helpful):
        return "biases that help in one round, at this radius: none"
    among = "one of them" if any(low <= bias < high for low, high in helpful) else "none of them"
    return f"biases that help in one round: {_intervals(helpful)}; this verifier's {bias:.3g} is {among}"


def _intervals(helpful: Floats) -> str:
    """Return intervals in words, with enough digits to tell the ends of each apart."""

    def words(low: float, high: float) -> str:
        """Return ``low`` to ``high`` with at least three digits."""
        digits = next((k for k in range(3, 17) if f"{low:.{k}g}" != f"{high:.{k}g}"), 17)
        return f"{low:.{digits}g} to {high:.{digits}g}"

    return " and ".join(words(low, high) for low, high in helpful) or "none"


def _course_words(course: Trajectory) -> list[str]:
    error, best = course.mse_star, course.best_round
    ends = f"it ends at {course.floor:.4g}, {course.floor / error[0]:.3g} times the start"
    match course.regime:
        case Regime.HARMFUL:
            return ["best round: 0, do not retrain", f"regime: harmful, no round beats the start; {ends}"]
        case Regime.GAIN_THEN_REVERSAL:
            regime = f"gain, then reversal; {ends}"
        case Regime.GAIN_THEN_PLATEAU:
            regime = f"gain, then plateau; {ends}"
        case Regime.IMPROVING:
            regime = f"still improving after {len(error) - 1} rounds; {ends}"
    change = _change(float(error[0]), float(error[best]))
    return [
        f"best round: {best}, mean squared error {error[best]:.4g} ({change})",
        f"regime: {regime}",
    ]
