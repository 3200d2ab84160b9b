"""Settings and findings of an experiment."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np

from ..comparison.results import Measured
from ..errors import VeriloopError
from ..executors.base import Executor
from ..laws import student_tail
from ..theory.validation import Floats

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Scale: TypeAlias = Literal["smoke", "cpu", "paper"]
"""``smoke``: seconds, shows that it works. ``cpu``: a laptop, shows the claim. ``paper``: as published."""


@dataclass(frozen=True)
class Setting:
    """Settings of an experiment.

    Attributes:
        scale: Size of the experiment.
        seed: Seed of all random numbers.
        executor: Executor; results do not depend on it.
        seeds: Number of seeds from ``seed`` on, for an experiment made of runs.
        only: Studies of such an experiment to carry out; all when empty.
        study_seeds: Number of seeds for studies other than the main one; all when None.
        write_up: Whether to compute nothing, and write up what the experiment's runs have recorded so far.
        model: Folder of a language model to use instead of the scale's own.
    """

    scale: Scale
    seed: int
    executor: Executor
    seeds: int = 1
    only: tuple[str, ...] = ()
    study_seeds: int | None = None
    write_up: bool = False
    model: Path | None = None


class Finding(NamedTuple):
    """Findings of an experiment.

    Attributes:
        numbers: Content of the results file; see `plain` for the types it may contain.
        words: The same in a few lines for people.
        figures: Figures by file name, without suffix.
        texts: Tables and pages by file name.
        measured: Records of an experiment made of runs.
        failure: Error to raise at the end, if runs failed.
    """

    numbers: dict[str, Any]
    words: list[str]
    figures: Mapping[str, "Figure"]
    texts: Mapping[str, str] = {}
    measured: Sequence[Measured] = ()
    failure: VeriloopError | None = None


def agreement(theory: Floats, simulated: Floats, error: Floats, replicates: int) -> dict[str, Any]:
    """Return how often theory and simulation agree, judged by the simulation's own standard errors.

    The naive sample standard error is used, as a user would: nothing is pooled, nothing comes from theory.
    For normal errors its deviations follow Student's t, which gives the share to expect.

    Args:
        theory: Values by theory, of any shape.
        simulated: Means over replicates, same shape.
        error: Their standard errors, same shape.
        replicates: Number of replicates behind each mean.
    """
    z = (simulated - theory) / error
    return {
        "within_3_se": float(np.mean(np.abs(z) <= 3)),
        "within_3_se_expected": float(1 - 2 * student_tail(replicates - 1, 3)),
        "within_3_se_how": f"sample standard error over {replicates:,} replicates, exact theory",
        "compared": z.size,
        "z_mean": float(z.mean()),
        "z_standard_deviation": float(z.std()),
        "z_largest": float(np.abs(z).max()),
    }


def agreement_words(found: dict[str, Any], what: str) -> str:
    """Return the result of `agreement` in one line; ``what`` names the values, such as points."""
    share, expected = found["within_3_se"], found["within_3_se_expected"]
    return (
        f"theory and simulation within 3 standard errors: {100 * share:.2f} % of {found['compared']:,} {what}"
        f" (chance alone: {100 * expected:.2f} %)"
    )


def plain(value: Any) -> Any:
    """Convert ``value`` for JSON: arrays become lists, NaN becomes None, infinity becomes ``"inf"``.

    Floats keep 8 significant digits: more than any simulation resolves, and easy to compare.
    """
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return float(f"{value:.8g}") if math.isfinite(value) else str(value)
    return value
