"""Combine the rival generators: rounds with intervals, their hull, and distances from the real mean."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np

from ..laws import student_quantile
from ._coin import coin_p
from ._fate import Fate, agreed, fates
from ._judged import Judged
from ._path import Path
from ._rivals import Course, Generator, Start, course
from ._rows import Floats, Rows
from ._surface import learn
from ._tilt import Tilt
from .intervals import LEVEL, Z

ROWS = 20_000
"""Largest number of rows, chosen at random, used to learn the surface and to follow the rivals."""

DRAWS = 24
_TARGETS = 8
"""Number of real means for each drawn course."""

HARDLY = 0.01
"""Least share of the verdicts that must be explained to predict anything beyond round 1. Between 0.01 and
0.02, the bracket held all means of rounds 2 and 3 in the tuning half of ``benchmarks/audit.py``."""

LITTLE = 0.25
"""Least explained share without allowing for a feature that is not given, whose pull may end with it."""

MISS = 0.15
"""Error of a trained model's mean, in spreads per round; rounds add in squares. The small CVAE of
``benchmarks/audit_digits.py`` needs this much in the tuning half for nine features of ten."""

_WIDE = 3.0
"""Half width of an interval, in spreads, above which it counts as unknown."""


@dataclass(frozen=True, eq=False)
class Rounds:
    """Rounds 1 to K of a rival, or of the hull of all; in the features' own units.

    Attributes:
        mean: Means, shape (K, d).
        low: Lower ends of intervals, shape (K, d).
        high: Upper ends of intervals, shape (K, d).
        spread: Standard deviations of the features, shape (K, d).
        ess: Effective number of accepted rows around each mean, shape (K,).
        distances: Distances from the real mean in spreads, for rounds 0 to K; shape (K + 1,).
        distances_low: Lower ends, shape (K + 1,).
        distances_high: Upper ends, shape (K + 1,).
    """

    mean: Floats
    low: Floats
    high: Floats
    spread: Floats
    ess: Floats
    distances: Floats
    distances_low: Floats
    distances_high: Floats


@dataclass(frozen=True, eq=False)
class Bracket:
    """The predictions of all rivals together.

    Attributes:
        rivals: Rounds of each rival, by name.
        hull: Range from the lowest to the highest end, widened by the error of training.
        fate: What happens to the distance, with its probability.
        best: Nearest round in each draw of all rivals, shape (draws,).
        agree_until: Last round, up to `known`, in which the rivals' intervals overlap in all features.
        known: Last round that is reported.
        explained: Share of the verdicts' log-loss that the features explain.
        coin: P-value of the verdicts under a coin toss.
        tails: Largest excess of a direction's fourth moment over a Gaussian's.
    """

    rivals: dict[Generator, Rounds]
    hull: Rounds
    fate: Fate
    best: Floats
    agree_until: int
    known: int
    explained: float
    coin: float
    tails: float


def bracket(
    judged: Judged,
    tilt: Tilt,
    path: Path,
    real: Rows,
    generators: tuple[Generator, ...],
    rounds: int,
    rng: np.random.Generator,
) -> Bracket:
    """Follow each rival on a surface learned from the rows."""
    rows = judged.rows
    start = _start(judged, tilt, path, rng)
    surface = learn(start.z, start.accepted, path.acting, start.chance, rng)
    courses: dict[Generator, Course] = {g: course(g, surface, start, rounds, rng) for g in generators}
    goal = _Goal.of(start, tilt, real, rng)
    hidden = surface.explained < LITTLE
    found: dict[Generator, Rounds] = {
        g: _rounds(c, start, tilt, path, goal, hidden) for g, c in courses.items()
    }
    curves = [goal.curves(c.drawn) for c in courses.values()]
    ends: list[Floats] = []
    if hidden:
        stays = np.repeat(next(iter(courses.values())).drawn[:, :1], rounds, axis=1)
        ends = [goal.curves(stays)]
    hull = _hull(list(found.values()), rows)
    known = 1 if surface.explained < HARDLY else _known(hull, rows)
    return Bracket(
        rivals=found,
        hull=hull,
        fate=agreed([fates(c) for c in curves], DRAWS, *map(fates, ends)),
        best=np.concatenate([c[: known + 1].argmin(axis=0) for c in curves + ends]).astype(float),
        agree_until=min(_agree(list(found.values())), known),
        known=known,
        explained=surface.explained,
        coin=coin_p(start.z, start.accepted, rng),
        tails=float((start.z**4).mean(axis=0).max() - 3),
    )


@dataclass(frozen=True, eq=False)
class _Goal:
    """The real mean and the model's own mean before the first round, with drawn errors; in spreads.

    Attributes:
        origin: Mean of the model, shape (draws, r).
        target: Real mean, shape (r,).
        drawn: Drawn real means, shape (targets, draws, r).
    """

    origin: Floats
    target: Floats
    drawn: Floats

    @classmethod
    def of(cls, start: Start, tilt: Tilt, real: Rows, rng: np.random.Generator) -> Self:
        """Return the goal of a round whose rule is ``tilt``, with `_TARGETS` times `DRAWS` drawn errors."""
        target = tilt.whiten(real.mean - tilt.rows.mean)
        errors = rng.standard_normal((_TARGETS, DRAWS, len(real.deviations))) @ real.deviations
        return cls(start.resampled(np.ones(len(start.z)))[0], target, target + tilt.whiten(errors))

    def curves(self, means: Floats) -> Floats:
        """Return distances of rounds 0 to K of drawn means (draws, K, r): (K + 1, 2 * draws * targets).

        Errors can only add to squares. Half of the curves are as drawn. From the others, the average
        contribution of errors is subtracted twice, because the draws vary around an estimate that has errors
        itself. If the two halves differ, the rows do not decide the question.
        """
        means = np.concatenate([self.origin[:, None], means], axis=1)
        squares = np.square(means - self.drawn[:, :, None]).sum(axis=-1)
        added = means.var(axis=0).sum(axis=-1) + self.drawn.var(axis=(0, 1)).sum()
        both = np.concatenate([squares, np.maximum(squares - 2 * added, 0)])
        return np.sqrt(both).reshape(-1, means.shape[1]).T


def _start(judged: Judged, tilt: Tilt, path: Path, rng: np.random.Generator) -> Start:
    rows = judged.rows
    chosen = np.sort(rng.permutation(rows.n)[:ROWS])
    by_score = judged.best_first is not None
    return Start(
        z=tilt.whiten(rows.some(chosen)),
        accepted=judged.accepted[chosen].astype(float),
        chance=rng.exponential(size=(DRAWS, len(chosen))),
        of=len(chosen) / rows.n,
        mean=tilt.whiten(path.first.mean),
        scatter=tilt.whiten(tilt.whiten(path.first.scatter).T),
        count=int(judged.accepted.sum()),
        share=float(judged.accepted.sum() / judged.judged.sum()) if by_score else None,
    )


def _rounds(c: Course, start: Start, tilt: Tilt, path: Path, goal: _Goal, hidden: bool) -> Rounds:
    root, middle = tilt.root, c.mean @ tilt.root.T
    luck = np.einsum("ij,kjl,il->ki", root, c.luck, root)
    half = student_quantile(DRAWS - 1, (1 + LEVEL) / 2) * np.sqrt(
        (c.drawn @ root.T).var(axis=0, ddof=1) + luck
    )
    # Round 1 is observed, not predicted.
    middle[0], half[0] = path.start.mean, Z * np.sqrt(np.square(path.start.error).sum(axis=0))
    low, high = tilt.rows.mean + middle - half, tilt.rows.mean + middle + half
    near = np.linalg.norm(np.vstack([np.zeros_like(goal.target), c.mean]) - goal.target, axis=1)
    ends = np.quantile(goal.curves(c.drawn), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=1)
    if hidden:
        low, high = np.minimum(low, low[0]), np.maximum(high, high[0])
        ends[0, 1:], ends[1, 1:] = np.minimum(ends[0, 1:], ends[0, 1]), np.maximum(ends[1, 1:], ends[1, 1])
    along = c.mean @ start.z[start.accepted == 1].T
    weights = np.exp(along - along.max(axis=1, keepdims=True))
    return Rounds(
        mean=tilt.rows.mean + middle,
        low=low,
        high=high,
        # Far from the data, rounding may give a negative variance.
        spread=np.sqrt(np.maximum(np.einsum("ij,kjl,il->ki", root, c.scatter, root), 0)),
        ess=weights.sum(axis=1) ** 2 / np.square(weights).sum(axis=1),
        distances=near,
        distances_low=np.minimum(ends[0], near),
        distances_high=np.maximum(ends[1], near),
    )


def _hull(rounds: list[Rounds], rows: Rows) -> Rounds:
    """Return the range from the lowest low to the highest high, widened by training errors."""

    def over(name: str, how: Callable[..., Floats]) -> Floats:
        """Reduce the attribute ``name`` of all rounds with ``how``, along the rounds."""
        return how(np.array([getattr(r, name) for r in rounds]), axis=0)

    miss = MISS * np.sqrt(np.arange(len(rounds[0].mean))) * (len(rounds) > 1)
    each = miss[:, None] * np.sqrt(rows.covariance.diagonal())
    apart = np.concatenate([[0.0], miss])
    return Rounds(
        mean=over("mean", np.mean),
        low=over("low", np.min) - each,
        high=over("high", np.max) + each,
        spread=over("spread", np.mean),
        ess=over("ess", np.min),
        distances=over("distances", np.mean),
        distances_low=np.maximum(over("distances_low", np.min) - apart, 0),
        distances_high=over("distances_high", np.max) + apart,
    )


def _agree(rounds: list[Rounds]) -> int:
    overlap = np.max([r.low for r in rounds], axis=0) <= np.min([r.high for r in rounds], axis=0)
    apart = ~overlap.all(axis=1)
    return int(np.argmax(apart)) if apart.any() else len(apart)


def _known(hull: Rounds, rows: Rows) -> int:
    """Return the last round before the hull is too wide to be a number."""
    wide = ((hull.high - hull.low) / 2 > _WIDE * np.sqrt(rows.covariance.diagonal())).any(axis=1)
    # Round 1 is always reported.
    later = np.flatnonzero(np.atleast_1d(wide)[1:])
    return int(later[0]) + 1 if len(later) else len(hull.mean)
