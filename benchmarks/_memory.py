"""Peak memory of a round that keeps many images, without the time that making good ones would take.

    python benchmarks/_memory.py 1000000

A stand-in generator draws random bits and a stand-in verifier random scores; gathering, the training set and
the fit (of a tiny CVAE, for one epoch) are the real ones. Prints one line of JSON. Linux only.
"""

import json
import sys
from pathlib import Path

import numpy as np

from veriloop.executors.serial import Serial
from veriloop.executors.threads import limit_threads
from veriloop.generator import Generator
from veriloop.learners.cvae import CVAE
from veriloop.loop.gather import Candidates, gather, quota
from veriloop.peak_memory import peak_memory
from veriloop.rng import Address
from veriloop.rules.acceptance import TopFraction
from veriloop.rules.policy import Replace
from veriloop.samples import Samples
from veriloop.verdicts import Verdicts
from veriloop.verifiers.base import AsConfigured, Verifier

SIDE = 28
TINY = CVAE(levels=1, classes=10, latent_dim=1, channels=(1, 1), kernel=2, epochs=1, batch_size=1000)


class Noise(Generator):
    """Images of fair bits."""

    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        bits = np.unpackbits(np.frombuffer(rng.bytes(n * SIDE * SIDE // 8), np.uint8))
        assert condition is not None
        return Samples(pixels=bits.reshape(n, SIDE, SIDE), label=condition["label"])

    def save(self, directory: Path) -> None:
        raise NotImplementedError

    @classmethod
    def load(cls, directory: Path) -> "Noise":
        raise NotImplementedError


class Dice(Verifier, frozen=True):
    """Scores by chance."""

    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        return Verdicts(rng.random(len(samples)))


def round_of(kept: int) -> None:
    """Keep the better half of twice as many candidates, and train on them."""
    conditions = Samples(label=np.arange(1000) % 10)
    gathered = gather(
        Candidates("verified", Noise(), AsConfigured(Dice()), conditions, Address(0), threads=1),
        TopFraction(fraction=0.5).open(quota(kept, conditions, "label"), conditions, "label"),
        balance="label",
        chunk_size=5000,
        limit=10 * kept,
        keep_rejected=False,
        executor=Serial(),
        report=lambda counts: None,
    )
    assert len(gathered.kept) == kept
    training = Replace().training_set(conditions, [gathered.kept], Address(0).rng())
    TINY.fit(training, None, Address(0).rng())


if __name__ == "__main__":
    count = int(sys.argv[1])
    with limit_threads(1):
        round_of(10_000)  # what libraries allocate once is not counted as the images'
        before = peak_memory()
        round_of(count)
    print(json.dumps({"kept": count, "before": before, "peak": peak_memory()}))
