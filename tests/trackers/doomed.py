"""A learner that ends its process, as ``kill -9`` does, in the middle of a run: once."""

import os
import signal
from pathlib import Path

import numpy as np
from typing_extensions import override

from veriloop.generator import Generator
from veriloop.learners.ols import OLS, LinearGenerator
from veriloop.samples import Samples


class Doomed(OLS, frozen=True):
    """Ordinary least squares, until the sixth fit.

    Attributes:
        count: A file that holds a byte for each fit.
    """

    count: str

    @override
    def fit(self, samples: Samples, init: Generator | None, rng: np.random.Generator) -> LinearGenerator:
        with Path(self.count).open("ab") as file:
            file.write(b".")
        if Path(self.count).stat().st_size == 6:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fit(samples, init, rng)
