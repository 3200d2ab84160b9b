"""Audit a verifier from one round of its verdicts: how far it pulls, where to, and for how long that helps.

Round 1 is observed: the mean of accepted rows. What later rounds do depends on how the generator is refitted,
so they are predicted for rival generators (`veriloop.advise._rivals`), and the report covers all of them. The
knowledge center and the contraction are those of the paper's model, a generator that keeps its spread
(`veriloop.advise._tilt`).
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ..errors import ConfigError, DataError
from ..rng import Address
from ._bracket import Rounds, bracket
from ._judged import Judged, Rule, judged
from ._path import Path, Point, follow
from ._prognosis import COIN, best_round, distance, enough, left, percentiles, regime, verdict
from ._rivals import GENERATORS, Generator
from ._rows import Floats, Rows, Source
from ._tilt import Tilt
from ._warnings import warnings
from .audited import Audit, Center, Predicted
from .intervals import Z

_DRAWS = 2_000
_SHOWN = 5
"""Number of rows shown as wanted, and as unwanted."""


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
    generator: Generator | None = None,
    copies: int | None = None,
) -> Audit:
    """Audit a verifier from one round of samples with its verdicts.

    Args:
        generated: Features of generated samples, shape (n, d): an array, or an object with a shape that
            returns slices of rows, such as a memory-mapped file.
        accepted: Whether each was accepted, shape (n,): True or False, 1 or 0, None or NaN for an abstention.
            Abstentions are neither accepted nor rejected.
        real: Features of real samples, shape (any, d).
        scores: Scores, shape (n,), higher is better; for the rule ``top_fraction``.
        rule: How samples were accepted: separately, by a threshold or at random (``fixed``), or as the best
            share of all (``top_fraction``), in which case the threshold moves with the model.
        names: Names of the features, for error messages.
        rounds: Number of rounds to predict, at least 2.
        seed: Seed for blocks and draws.
        generator: How the generator is refitted, if known: ``location`` moves its mean and keeps its spread,
            ``refit`` is a Gaussian with the accepted rows' mean and covariance, ``resample`` draws from the
            accepted rows, smoothed. None predicts for all three and reports what holds for each, and for a
            trained model with training errors.
        copies: Number of samples that repeat another one, if ``generated`` is derived from them and does not
            show it; counted in ``generated`` when None.

    Raises:
        ConfigError: ``top_fraction`` without scores, too few rounds, or no such generator.
        DataError: The rows cannot be audited: not finite, of different width, constant, all or hardly any
            accepted, or the accepted ones are not the best by score.
    """
    if rounds < 2:
        raise ConfigError("rounds to predict", got=rounds, expected="at least 2")
    if generator is not None and generator not in GENERATORS:
        raise ConfigError("generator", got=generator, expected=f"one of {', '.join(GENERATORS)}")
    rng = Address(seed, arm="audit").rng()
    rows = Rows("generated", generated, names, rng)
    reference = Rows("real", real, names, rng)
    if reference.d != rows.d:
        raise DataError(
            "real rows with a different number of features",
            got=f"{reference.d} features",
            expected=f"{rows.d}",
        )
    rows.check_varying()
    said = judged(rows, accepted, scores, rule)
    return _audited(said, reference, rounds, generator, copies, rng)


def _audited(
    said: Judged,
    reference: Rows,
    rounds: int,
    generator: Generator | None,
    copies: int | None,
    rng: np.random.Generator,
) -> Audit:
    """Predict the rounds after the observed one; ``reference`` holds the real rows."""
    rows, tilt = said.rows, Tilt(said)
    path = follow(tilt, rounds)
    rivals = bracket(said, tilt, path, reference, (generator,) if generator else GENERATORS, rounds, rng)
    # If a coin could have given these verdicts, any center is noise.
    end = path.center if rivals.coin <= COIN else None
    gain, bias_norm = _distances(tilt, path.start, end, reference, rng)
    found = regime(rivals, reference.n, generator == "location" and path.center is None)
    best = best_round(rivals, found)
    center = None if end is None else _center(rows.mean, end, path)
    eigenvalues = np.sort(np.linalg.eigvals(tilt.inverse @ path.first.slope @ tilt.root).real)[::-1]
    narrowed = np.linalg.eigvalsh(tilt.whiten(tilt.whiten(path.first.scatter).T))
    wanted, unwanted = _shown(tilt, said, path.first.mean)
    known = slice(0, rivals.known + 1)
    return Audit(
        n_generated=rows.n,
        n_accepted=int(said.accepted.sum()),
        acceptance_rate=float(said.accepted.mean()),
        told_from_coin=rivals.coin,
        explained=rivals.explained,
        eigenvalues=eigenvalues,
        half_lives=_half_lives(eigenvalues),
        neutral=path.neutral,
        pull=path.first.mean / np.sqrt(rows.covariance.diagonal()),
        wanted=wanted,
        unwanted=unwanted,
        variance_ratio=float(narrowed.mean()),
        entropy_change=float(np.log(np.maximum(narrowed, 1e-300)).sum() / 2),
        center=center,
        bias=None if center is None else reference.mean - center.value,
        bias_norm=bias_norm,
        models={name: _predicted(found_, rivals.known) for name, found_ in rivals.rivals.items()},
        agree_until=rivals.agree_until,
        trajectory=_predicted(rivals.hull, rivals.known),
        trajectory_ended=rivals.known < rounds,
        gain_one_round=gain,
        distances=rivals.hull.distances[known],
        distances_low=rivals.hull.distances_low[known],
        distances_high=rivals.hull.distances_high[known],
        best_round=best,
        enough=enough(rivals.hull.distances[known]),
        plateau=left(rivals),
        regime=found,
        verdict=verdict(found, rivals, best, gain),
        warnings=warnings(tilt, said, path, reference, rivals, copies),
    )


def _center(mean: Floats, end: Point, path: Path) -> Center:
    half = Z * np.sqrt(np.square(end.error).sum(axis=0))
    value = mean + end.mean
    return Center(value, value - half, value + half, mean + path.newton, path.extrapolated)


def _predicted(r: Rounds, known: int) -> list[Predicted]:
    return [
        Predicted(k + 1, r.mean[k], r.low[k], r.high[k], r.spread[k], float(r.ess[k])) for k in range(known)
    ]


def _distances(tilt: Tilt, first: Point, center: Point | None, real: Rows, rng: np.random.Generator):
    """Return how much nearer round 1 is, and how far the center is, in spreads, with both sides' errors."""
    rows = tilt.rows
    target = real.mean - rows.mean
    by_block = rng.standard_normal((_DRAWS, len(rows.deviations)))
    drawn_target = tilt.whiten(target + rng.standard_normal((_DRAWS, len(real.deviations))) @ real.deviations)

    def squared(mean: Floats, error: Floats) -> tuple[float, Floats]:
        """Return the squared distance from the target, and with drawn errors, shape (draws,)."""
        drawn = tilt.whiten(mean + by_block @ error) - drawn_target
        return tilt.length(mean - target) ** 2, np.square(drawn).sum(axis=1)

    now, drawn_now = squared(np.zeros(rows.d), rows.deviations)
    then, drawn_then = squared(first.mean, first.error)
    gain = percentiles(math.sqrt(now) - math.sqrt(then), np.sqrt(drawn_now) - np.sqrt(drawn_then))
    return gain, None if center is None else distance(*squared(center.mean, center.error))


def _half_lives(eigenvalues: Floats) -> Floats:
    inside = np.clip(eigenvalues, 1e-300, None)
    return np.where(inside < 1, math.log(0.5) / np.log(np.where(inside < 1, inside, 0.5)), np.inf)


def _shown(tilt: Tilt, judged: Judged, pull: Floats) -> tuple[list[int], list[int]]:
    """Return rows that show the pull: accepted ones farthest along it, rejected ones farthest against it."""
    along = tilt.rows.project(tilt.precision_times(pull))
    yes, no = np.flatnonzero(judged.accepted), np.flatnonzero(judged.judged & ~judged.accepted)
    wanted = yes[np.argsort(-along[yes], kind="stable")[:_SHOWN]]
    unwanted = no[np.argsort(along[no], kind="stable")[:_SHOWN]]
    return wanted.tolist(), unwanted.tolist()
