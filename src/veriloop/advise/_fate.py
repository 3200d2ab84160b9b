"""What becomes of the distance to the real mean over the rounds: one of three fates, and how sure it is."""

from typing import NamedTuple

import numpy as np

from ._rows import Floats

MATTERS = 0.05
"""A distance below this share of the first one is arrival."""

TURN = 1 / 3
"""Who loses less than this share of the gain again has not turned back."""

HELPS, TURNS, HARMS = 0, 1, 2

SURE = 0.6
"""Below this probability no regime is given. It is the share of draws as it is: on the tuning half of
``benchmarks/audit.py`` it needed no correction."""

DENIED = 0.3
"""A rival that gives the others' fate less than this contradicts them."""


class Fate(NamedTuple):
    """What the rivals' draws say together.

    Attributes:
        kind: `HELPS` and stays, `TURNS` back, or `HARMS` from the start; None where a rival denies it.
        probability: That it is so, with equal weights for the rivals.
        by_rival: The likeliest kind by each rival's own draws.
    """

    kind: int | None
    probability: float
    by_rival: list[int]


def fates(distances: Floats) -> Floats:
    """The fate of each curve.

    Args:
        distances: From the real mean after rounds 0, 1, ..., K, shape (K + 1, ...).

    Returns:
        Shape (...): `HARMS` when no round is nearer than the start; `TURNS` when some round is, and later
        ones lose at least the share `TURN` of what was gained; else `HELPS`.
    """
    start, later = distances[0], distances[1:]
    nearest = np.minimum.accumulate(distances, axis=0)
    turned = (distances - nearest).max(axis=0) >= TURN * (start - nearest[-1])
    harms = later.min(axis=0) >= start
    return np.where(harms, HARMS, np.where(turned, TURNS, HELPS))


def agreed(by_rival: list[Floats], independent: int) -> Fate:
    """The likeliest fate by all rivals' draws, unless one of them denies it.

    Args:
        by_rival: For each rival the fates of its draws, shape (draws,).
        independent: How many of them are.
    """
    shares = np.array([[np.mean(drawn == kind) for kind in (HELPS, TURNS, HARMS)] for drawn in by_rival])
    # No share is sure: half a draw more for each fate.
    shares = (shares * independent + 0.5) / (independent + 1.5)
    mean = shares.mean(axis=0)
    kind = int(mean.argmax())
    return Fate(
        kind=kind if shares[:, kind].min() >= DENIED else None,
        probability=float(mean[kind]),
        by_rival=shares.argmax(axis=1).tolist(),
    )
