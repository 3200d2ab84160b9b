"""Positions of known samples in an annotator's sequence, drawn before anything is shown.

Each position in an annotator's sequence is drawn to be a known sample or not, with equal probability, using a
secret of the store. The number of samples left is the length of the sequence until the others end, so every
verdict reduces it by one, on either kind. Known samples drawn directly after the last of the others belong to
the sequence, too; otherwise the last sample could not be a known one.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Schedule:
    """The sequence of one annotator.

    Attributes:
        secret: Secret of the store; without it nobody can work out which positions are known samples.
        annotator: Name of the annotator.
    """

    secret: str
    annotator: str

    def is_known(self, place: int, share: float) -> bool:
        """Whether position ``place`` is a known sample when known samples have this share."""
        return bool(self._drawn(place, 1)[0] < share)

    def pick(self, place: int, among: int) -> int:
        """Return which of ``among`` known samples to show; 0 if there are none."""
        return int(self._drawn(place, 1, "pick")[0] * among) if among else 0

    def to_go(self, place: int, real: int, known: int, share: float) -> int:
        """Return how many samples are left.

        Args:
            place: Number judged so far.
            real: Number of other samples left.
            known: Number of known samples that this annotator has not judged.
            share: Share of known samples.
        """
        if place == 0 and real == 0:
            return 0
        is_known = self._drawn(place, real + known + 1) < share
        is_known &= np.cumsum(is_known) <= known
        return int(np.searchsorted(np.cumsum(~is_known), real + 1))

    def _drawn(self, first: int, n: int, what: str = "kind") -> NDArray[np.float64]:
        """Return uniform numbers for ``n`` positions from ``first`` on, by SplitMix64 from a secret start."""
        start = hashlib.sha256(f"{self.secret}/{what}/{self.annotator}".encode()).digest()
        z = np.arange(first, first + n, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z += np.frombuffer(start[:8], np.uint64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.ldexp(((z ^ (z >> np.uint64(31))) >> np.uint64(11)).astype(np.float64), -53)
