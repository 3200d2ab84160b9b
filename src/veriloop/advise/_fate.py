"""Classify what happens to the distance from the real mean over the rounds, with its probability."""

from typing import NamedTuple

import numpy as np

from ._rows import Floats

MATTERS = 0.05
"""Share of the first distance below which a curve counts as arrived."""

TURN = 1 / 3
"""Share of the gain that must be lost again for a curve to count as turned back."""

HELPS, TURNS, HARMS = 0, 1, 2

SURE = (0.6, 0.75, 0.75)
"""Below this probability no regime is given, by fate. Turns and harm need more: in the tuning half of
``benchmarks/audit.py``, those at 0.6 to 0.75 came true in fewer than half of the cases."""

AS_DRAWN = 0.1
"""Weight of the half of the curves that errors move away from the real mean. With equal weights, harm and
turns at 0.6 to 0.7 came true in a quarter of the cases of the tuning half, and help in nine of ten."""

DENIED = 0.2
"""Probability below which a rival contradicts the others' fate."""

HIDDEN = 0.65
"""Weight of the case that the verifier judges by a feature that is not given, where it cannot be excluded.
Where all rivals then see it turn back, it stayed in 68 % of the futures of the tuning half."""


class Fate(NamedTuple):
    """The joint result of the rivals' draws.

    Attributes:
        kind: `HELPS` and stays, `TURNS` back, or `HARMS` from the start; None if a rival contradicts it.
        probability: Probability of this kind, with equal weights for the rivals, and `HIDDEN` for a hidden
            feature.
        by_rival: Most likely kind by each rival's own draws.
    """

    kind: int | None
    probability: float
    by_rival: list[int]


def fates(distances: Floats) -> Floats:
    """Return the fate of each curve.

    Args:
        distances: Distances from the real mean after rounds 0, 1, ..., K, shape (K + 1, ...).

    Returns:
        Shape (...): `HARMS` when no round is nearer than the start; `TURNS` when some round is, and later
        ones lose at least the share `TURN` of what was gained; else `HELPS`.
    """
    start, later = distances[0], distances[1:]
    nearest = np.minimum.accumulate(distances, axis=0)
    turned = (distances - nearest).max(axis=0) >= TURN * (start - nearest[-1])
    harms = later.min(axis=0) >= start
    return np.where(harms, HARMS, np.where(turned, TURNS, HELPS))


def agreed(by_rival: list[Floats], independent: int, hidden: Floats | None = None) -> Fate:
    """Return the most likely fate over all rivals' draws, unless one of them contradicts it.

    A hidden feature is a rival of another kind: the others may all be wrong together. So it has its own
    weight, and nobody contradicts.

    Args:
        by_rival: Fates of each rival's draws, shape (draws,): half of them as drawn, then the others, without
            the average contribution of errors.
        independent: Number of independent draws of each rival.
        hidden: Fates if the pull ends with round 1, in the same form; None where no feature can be hidden.
    """
    shares = np.array([_shares(drawn, independent) for drawn in by_rival])
    mean = shares.mean(axis=0)
    contradicted = shares.min(axis=0) < DENIED
    if hidden is not None:
        mean = (1 - HIDDEN) * mean + HIDDEN * _shares(hidden, independent)
        contradicted[:] = False
    kind = int(mean.argmax())
    return Fate(
        kind=None if contradicted[kind] else kind,
        probability=float(mean[kind]),
        by_rival=shares.argmax(axis=1).tolist(),
    )


def _shares(drawn: Floats, independent: int) -> Floats:
    """Return the share of each fate, shape (3,), with half a draw more for each, so that none is 0 or 1."""
    of_halves = [np.mean(half[:, None] == (HELPS, TURNS, HARMS), axis=0) for half in np.split(drawn, 2)]
    share = np.average(of_halves, axis=0, weights=(AS_DRAWN, 1 - AS_DRAWN))
    return (share * independent + 0.5) / (independent + 1.5)
