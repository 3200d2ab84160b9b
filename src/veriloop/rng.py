"""Addressed randomness: each random stream is looked up by where it is used, never passed along.

A stream's address is (name, round, stage, chunk) under the run's seed. As a result, a run that was killed and
resumed draws the same numbers, and it does not matter which process draws them.

All arms of a run draw under one name, `ARMS`: in each round they ask for the same conditions in the same
order, and their models get the same noise. So equal settings give equal bits under any arm name, and the
difference between two arms is less noisy (common random numbers).

No other module seeds a generator.
"""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import torch

START = "start"
"""Name under which the shared start model is drawn; no arm may have it."""

ARMS = "all arms"
"""Name under which the rounds of all arms are drawn. Arm names contain no spaces."""


class Stage(IntEnum):
    """The purpose of a stream. The numbers are part of every seed: never renumber, only append."""

    DATA = 0
    FIT = 1
    UPDATE = 2
    CONDITION = 3
    GENERATE = 4
    VERIFY = 5
    ACCEPT = 6
    POLICY = 7
    EVALUATE = 8
    VALIDATE = 9


@cache
def name_key(name: str) -> int:
    """Return a 32-bit number for a name, the same in every process and version (CRC-32 of its UTF-8)."""
    return zlib.crc32(name.encode())


@cache
def _run_words(seed: int) -> tuple[int, ...]:
    """Return a seed as at least four 32-bit words, as `np.random.SeedSequence` does before a spawn key."""
    words = [seed >> shift & 0xFFFFFFFF for shift in range(0, seed.bit_length(), 32)]
    return (*words, *[0] * (4 - len(words)))


class Address(NamedTuple):
    """The place in a run where a random stream is used.

    Attributes:
        seed: Seed of the run, at least 0.
        arm: `START`, `ARMS`, or any other name that keeps streams apart, such as that of an arm; it enters
            through :func:`name_key`.
        round: Round number; 0 for the start model.
        stage: Purpose of the stream.
        chunk: Piece of the stage, such as the index of a chunk of candidates.
    """

    seed: int
    arm: str = START
    round: int = 0
    stage: Stage = Stage.DATA
    chunk: int = 0

    def at(self, stage: Stage, chunk: int = 0) -> "Address":
        """Return the address of another stage or chunk with the same name and round."""
        return Address(self.seed, self.arm, self.round, stage, chunk)

    def rng(self) -> np.random.Generator:
        """Return a fresh NumPy generator for this address; two calls give two equal streams.

        The seed is that of ``SeedSequence(seed, spawn_key=(arm, round, stage, chunk))``. The words that NumPy
        would derive from these are computed here, which takes half the time; each round has eight or more
        streams.
        """
        words = (*_run_words(self.seed), name_key(self.arm), self.round, self.stage, self.chunk)
        return np.random.default_rng(np.random.SeedSequence(np.array(words, np.uint32)))


def torch_generator(rng: np.random.Generator, device: str = "cpu") -> "torch.Generator":
    """Return a torch generator with a seed drawn from ``rng``."""
    import torch

    return torch.Generator(device).manual_seed(int(rng.integers(2**63)))


@contextmanager
def global_torch(rng: np.random.Generator) -> Iterator[None]:
    """Seed torch's global streams from ``rng`` inside the block, and restore them afterwards.

    For libraries that use only the global streams, such as for dropout or the initial weights of an adapter.
    """
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(int(rng.integers(2**63)))
        yield
