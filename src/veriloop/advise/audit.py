"""A verifier read from one round of its verdicts: how far it pulls, where to, and for how long that helps.

Retraining on accepted samples moves the model's mean m to T(m), the accepted mean. For a Gaussian location
model one round's rows and verdicts tell T everywhere in reach (see `veriloop.advise._tilt`), so its slope,
its fixed point and its next rounds can be read off before any training. For features of anything else that
is an approximation.
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ConfigError, DataError
from ..rng import Address
from ._path import REACH, Path, follow
from ._prognosis import Distances, distance, prognosis, verdict
from ._rows import Floats, Rows, Source
from ._tilt import FEW, Judged, Tilt
from .audited import Audit, Center, Predicted
from .intervals import Z

Rule = Literal["fixed", "top_fraction"]

_DRAWS = 2_000
_SHOWN = 5
"""So many rows show what the verifier wants, and as many what it does not want."""

_COPIES = 0.01
"""From this share of repeated rows on, it is said that they may be copies."""


def audit(
    generated: ArrayLike | Source,
    accepted: ArrayLike,
    real: ArrayLike | Source,
    *,
    scores: ArrayLike | None = None,
    rule: Rule = "fixed",
    names: Sequence[str] | None = None,
    rounds: int = 20,
    seed: int = 0,
) -> Audit:
    """Audit a verifier from one round of samples with its verdicts.

    Intervals are from a multiplier bootstrap of random blocks of rows, on the map linearised in its errors:
    one pass over the rows for each round, whatever the number of draws.

    Args:
        generated: Features of generated samples, shape (n, d); an array, or anything with a shape that gives
            slices of rows, such as a memory-mapped file.
        accepted: Whether each was accepted, shape (n,): True or False, 1 or 0, None or NaN where the verifier
            abstained. Abstained rows are neither accepted nor rejected.
        real: Features of real samples, shape (any, d).
        scores: Shape (n,), higher is better; for the rule ``top_fraction``.
        rule: How samples were accepted: each for itself, by a threshold or by chance (``fixed``), or the best
            share of all (``top_fraction``), so that the threshold will move with the model.
        names: Of the features, for errors.
        rounds: How many rounds to predict, at least 2.
        seed: Of the blocks and draws.

    Raises:
        ConfigError: ``top_fraction`` without scores, or too few rounds.
        DataError: The rows cannot carry an answer: not finite, of different width, constant, all or hardly
            any accepted, or the accepted are not the best by score.
    """
    if rounds < 2:
        raise ConfigError("rounds to predict", got=rounds, expected="at least 2")
    rng = Address(seed, arm="audit").rng()
    rows = Rows("generated", generated, names, rng)
    reference = Rows("real", real, names, rng)
    if reference.d != rows.d:
        raise DataError("real rows of another width", got=f"{reference.d} features", expected=f"{rows.d}")
    rows.check_varying()
    judged = _judged(rows, accepted, scores, rule)
    tilt = Tilt(judged)
    path = follow(tilt, rounds)
    distances = _distances(tilt, path, reference, rng)
    expected = prognosis(distances)
    eigenvalues = np.sort(np.linalg.eigvals(path.first.slope).real)[::-1]
    narrowed = np.linalg.eigvalsh(tilt.whiten(tilt.whiten(path.first.scatter).T))
    wanted, unwanted = _shown(tilt, judged, path.first.mean)
    center, bias, bias_norm = None, None, None
    if path.center is not None:
        value, low, high = _interval(rows, path.center.mean, path.center.error)
        center = Center(value, low, high, rows.mean + path.newton, path.extrapolated)
        bias, bias_norm = reference.mean - value, distance(distances.floor, distances.floor_drawn)
    return Audit(
        n_generated=rows.n,
        n_accepted=int(judged.accepted.sum()),
        acceptance_rate=float(judged.accepted.mean()),
        eigenvalues=eigenvalues,
        half_lives=_half_lives(eigenvalues),
        neutral=path.neutral,
        pull=path.first.mean / np.sqrt(rows.covariance.diagonal()),
        wanted=wanted,
        unwanted=unwanted,
        variance_ratio=float(narrowed.mean()),
        entropy_change=float(np.log(np.maximum(narrowed, 1e-300)).sum() / 2),
        center=center,
        bias=bias,
        bias_norm=bias_norm,
        trajectory=[
            Predicted(k, *_interval(rows, p.mean, p.error), p.ess) for k, p in enumerate(path.points, 1)
        ],
        trajectory_ended=path.ended,
        gain_one_round=expected.gain,
        distances=np.sqrt(distances.curve),
        best_round=expected.best,
        enough=expected.enough,
        plateau=expected.plateau,
        regime=expected.regime,
        regime_agreement=expected.agreement,
        verdict=verdict(expected, distances, path.ended, path.extrapolated, path.widened > 1),
        warnings=_warnings(tilt, judged, path),
    )


def _judged(rows: Rows, accepted: ArrayLike, scores: ArrayLike | None, rule: Rule) -> Judged:
    try:
        said = np.asarray(accepted, np.float64)
    except (TypeError, ValueError):
        said = np.full(rows.n, np.inf)
    if said.shape != (rows.n,):
        raise DataError("accepted", got=f"shape {said.shape}", expected=f"({rows.n},), one a generated row")
    odd = ~np.isnan(said) & (said != 0) & (said != 1)
    if odd.any():
        at = int(np.argmax(odd))
        raise DataError(
            f"accepted, row {at + 1}",
            got=str(np.asarray(accepted, object)[at]),
            expected="True or False, or nothing where the verifier abstained",
        )
    judged, yes = ~np.isnan(said), said == 1
    n = int(yes.sum())
    if n < REACH:
        raise DataError(
            "too few accepted rows to tell anything", got=n, expected=f"{REACH} or more", fix="generate more"
        )
    if n == judged.sum():
        raise DataError(
            "every judged row was accepted",
            got=f"{n:,} of {n:,}",
            fix="a verifier that never says no has no center, and changes nothing",
        )
    return Judged(rows, yes, judged, _best_first(yes, judged, scores) if rule == "top_fraction" else None)


def _best_first(
    yes: NDArray[np.bool_], judged: NDArray[np.bool_], scores: ArrayLike | None
) -> NDArray[np.int64]:
    """The judged rows by falling score; of equal scores the accepted ones first."""
    if scores is None:
        raise ConfigError("rule top_fraction", got="no scores", expected="a score for each row")
    score = np.asarray(scores, np.float64)
    if score.shape != yes.shape or not np.isfinite(score[judged]).all():
        raise DataError("scores", expected=f"a finite number for each of {int(judged.sum())} judged rows")
    ahead = int(np.count_nonzero(score[judged & ~yes] > score[yes].min()))
    if ahead:
        raise DataError(
            f"{ahead} rejected rows score higher than an accepted one",
            expected="the best share of all accepted",
            fix="use the rule fixed, or the scores that decided",
        )
    order = np.lexsort((~yes, -np.where(judged, score, 0.0)))
    return order[judged[order]]


def _distances(tilt: Tilt, path: Path, real: Rows, rng: np.random.Generator) -> Distances:
    """Squared distances from the real mean in spreads, with errors of both sides drawn."""
    rows = tilt.rows
    target = real.mean - rows.mean
    by_block = rng.standard_normal((_DRAWS, len(rows.deviations)))
    drawn_target = tilt.whiten(target + rng.standard_normal((_DRAWS, len(real.deviations))) @ real.deviations)

    def squared(mean: Floats, error: Floats) -> tuple[float, Floats]:
        drawn = tilt.whiten(mean + by_block @ error) - drawn_target
        return tilt.length(mean - target) ** 2, np.square(drawn).sum(axis=1)

    start = squared(np.zeros(rows.d), rows.deviations)
    curve, drawn = zip(start, *(squared(p.mean, p.error) for p in path.points), strict=True)
    end = path.center
    floor, floor_drawn = (
        (math.nan, np.full(_DRAWS, math.nan)) if end is None else squared(end.mean, end.error)
    )
    return Distances(np.array(curve), np.array(drawn), floor, floor_drawn.astype(np.float64))


def _interval(rows: Rows, mean: Floats, error: Floats) -> tuple[Floats, Floats, Floats]:
    value, half = rows.mean + mean, Z * np.sqrt(np.square(error).sum(axis=0))
    return value, value - half, value + half


def _half_lives(eigenvalues: Floats) -> Floats:
    inside = np.clip(eigenvalues, 1e-300, None)
    return np.where(inside < 1, math.log(0.5) / np.log(np.where(inside < 1, inside, 0.5)), np.inf)


def _shown(tilt: Tilt, judged: Judged, pull: Floats) -> tuple[list[int], list[int]]:
    """Rows that show the pull: accepted ones farthest along it, and rejected ones farthest against."""
    along = tilt.rows.project(tilt.precision_times(pull))
    yes, no = np.flatnonzero(judged.accepted), np.flatnonzero(judged.judged & ~judged.accepted)
    wanted = yes[np.argsort(-along[yes], kind="stable")[:_SHOWN]]
    unwanted = no[np.argsort(along[no], kind="stable")[:_SHOWN]]
    return wanted.tolist(), unwanted.tolist()


def _warnings(tilt: Tilt, judged: Judged, path: Path) -> list[str]:
    rows, n_accepted = tilt.rows, int(judged.accepted.sum())
    found = []
    if tilt.shrinkage:
        found.append(
            f"{n_accepted:,} accepted rows are few for {rows.d} features (fewer than {FEW} each): covariances"
            f" are shrunk towards their diagonals by {tilt.shrinkage:.0%}, and R with them."
        )
    if path.widened > 1:
        # A log-concave acceptance narrows a Gaussian along all directions (H. Brascamp and E. Lieb, 1976).
        found.append(
            f"Along some direction the variance of the accepted rows is {path.widened:.1f} times that of all:"
            " either the generated rows are far from Gaussian, or the verifier wants more than one thing."
            " Trust round 1, and not what is predicted beyond."
        )
    # Any direction without structure tells rows apart, and copies not.
    code = rows.project(np.sqrt(np.arange(2, rows.d + 2)) / np.sqrt(rows.covariance.diagonal()))
    copies = 1 - len(np.unique(code)) / rows.n
    if copies > _COPIES:
        found.append(
            f"{copies:.0%} of the generated rows repeat another one: if they are copies and not draws of"
            " their own, the intervals are too narrow."
        )
    return found
