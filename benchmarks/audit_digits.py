"""A real refit as the truth of an audit: a small CVAE on the digits, trained again on what was accepted."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from veriloop.datasets.digits import Digits
from veriloop.learners.cvae import CVAE
from veriloop.samples import Samples

Floats = NDArray[np.floating]

LEARNER = CVAE(
    latent_dim=3,
    levels=16,
    classes=10,
    channels=(8, 16),
    kernel=2,
    epochs=1,
    min_steps=300,
    batch_size=64,
    learning_rate=0.005,
    schedule="cosine",
    patience=None,
)
START, ROWS, DIRECTIONS = 200, 2_000, 3
MEASURED = 10_000
"""Candidates that a round's accepted mean is measured on; the first `ROWS` of them make the next round."""


@dataclass(frozen=True, eq=False)
class Trained:
    """One round of verdicts on a CVAE, and what its next rounds came to.

    Attributes:
        generated: Features of the candidates of round 1, principal components of the real images.
        accepted: Their verdicts.
        real: Features of the real images.
        means: Of the rows accepted in rounds 1, 2, ..., shape (K, d).
    """

    generated: Floats
    accepted: NDArray[np.bool_]
    real: Floats
    means: Floats


def trained(seed: int, rounds: int) -> Trained:
    """Train, judge by distance from a random point in feature space, hard or soft, and train again."""
    rng = np.random.default_rng([seed, 9])
    images = Digits().load(0).train
    pixels = images.array("pixels").reshape(len(images), -1).astype(float)
    middle = pixels.mean(axis=0)
    directions = np.linalg.eigh(np.cov(pixels.T))[1][:, ::-1][:, :DIRECTIONS]

    def seen(samples: Samples) -> Floats:
        return (samples.array("pixels").reshape(len(samples), -1) - middle) @ directions

    kept = images.select(np.sort(rng.permutation(len(images))[:START]))
    means, first = [], None
    center = scale = level = np.zeros(0)
    soft, share, toward = rng.random() < 0.5, rng.choice([0.2, 0.4]), rng.standard_normal(DIRECTIONS)
    while len(means) < rounds:
        model = LEARNER.fit(kept, None, rng)
        made = model.sample(MEASURED, rng, Samples(label=rng.choice(kept.array("label"), MEASURED)))
        z = seen(made)
        if first is None:
            scale = z.std(axis=0)
            center = z.mean(axis=0) + rng.uniform(0.3, 1) * scale * toward / np.linalg.norm(toward)
            level = np.quantile(np.square((z - center) / scale).sum(axis=1), share)
        away = np.square((z - center) / scale).sum(axis=1) - level
        chance = expit(-2 * away) if soft else (away < 0).astype(float)
        means.append(chance @ z / chance.sum())
        yes = rng.random(ROWS) < chance[:ROWS]
        first = first or (z[:ROWS], yes)
        kept = made.select(np.flatnonzero(yes))
    assert first is not None
    return Trained(first[0], first[1], seen(images), np.array(means))
