"""Which of the samples that an annotator meets are known ones: drawn by place, before anything is shown.

The samples of an annotator stand in a row: the first, the second and so on. Each place is drawn to be a
known sample or not, alike for all places, by a secret of the store. How many are to go is the length of the
row up to where the others end, so every verdict takes one off, whichever kind it is on. Known samples that
are drawn right behind the last one of the others belong to the row too: else the last could not be known.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Schedule:
    """The row of samples of one annotator.

    Attributes:
        secret: Of the store; without it nobody can work out which places are known samples.
        annotator: Whose it is.
    """

    secret: str
    annotator: str

    def is_known(self, place: int, share: float) -> bool:
        """Whether a known sample stands at ``place`` when known samples have this share of all."""
        return bool(self._drawn(place, 1)[0] < share)

    def pick(self, place: int, among: int) -> int:
        """Which of ``among`` known samples it is; 0 when there are none."""
        return int(self._drawn(place, 1, "pick")[0] * among) if among else 0

    def to_go(self, place: int, real: int, known: int, share: float) -> int:
        """How many samples are to go.

        Args:
            place: How many are judged.
            real: How many real ones are left.
            known: How many known ones this annotator has not judged.
            share: Of known samples among all.
        """
        if place == 0 and real == 0:
            return 0
        is_known = self._drawn(place, real + known + 1) < share
        is_known &= np.cumsum(is_known) <= known
        return int(np.searchsorted(np.cumsum(~is_known), real + 1))

    def _drawn(self, first: int, n: int, what: str = "kind") -> NDArray[np.float64]:
        """Uniform numbers for ``n`` places from ``first`` on, by SplitMix64 from a start that is secret."""
        start = hashlib.sha256(f"{self.secret}/{what}/{self.annotator}".encode()).digest()
        z = np.arange(first, first + n, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z += np.frombuffer(start[:8], np.uint64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.ldexp(((z ^ (z >> np.uint64(31))) >> np.uint64(11)).astype(np.float64), -53)
