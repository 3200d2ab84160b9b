"""Addressed randomness: every random stream is looked up by where it is used, never passed along.

A stream's address is (name, round, stage, chunk) under the run's seed. Two consequences hold everywhere:
a run killed and resumed draws the same numbers, and it does not matter which process draws them.

All arms of a run draw under one name, `ARMS`: in a round they ask for the same conditions in the same order,
and their models are given the same noise. So equal settings give equal bits under whatever name, and the
difference of two arms is not blurred by luck that both could share (common random numbers).

This is the only module that seeds anything.
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
"""The name under which the shared start model is drawn; no arm may be called this."""

ARMS = "all arms"
"""The name under which the rounds of all arms are drawn. No arm's name has a space."""


class Stage(IntEnum):
    """What a stream is for. The numbers are part of every seed: never renumber, only append."""

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
    """A fixed 32-bit number for a name, equal in every process and version (CRC-32 of its UTF-8)."""
    return zlib.crc32(name.encode())


@cache
def _run_words(seed: int) -> tuple[int, ...]:
    """A seed in words of 32 bits, at least four, as `np.random.SeedSequence` has it before a spawn key."""
    words = [seed >> shift & 0xFFFFFFFF for shift in range(0, seed.bit_length(), 32)]
    return (*words, *[0] * (4 - len(words)))


class Address(NamedTuple):
    """Where in a run a random stream is used.

    Attributes:
        seed: The run's seed, at least 0.
        arm: `START`, `ARMS`, or any other name that keeps streams apart, such as that of one arm; it enters
            by :func:`name_key`.
        round: 0 for the start model, then 1, 2, ...
        stage: What the stream is for.
        chunk: Which piece of the stage, such as the index of a chunk of candidates.
    """

    seed: int
    arm: str = START
    round: int = 0
    stage: Stage = Stage.DATA
    chunk: int = 0

    def at(self, stage: Stage, chunk: int = 0) -> "Address":
        """The address of another stage or chunk of the same name and round."""
        return Address(self.seed, self.arm, self.round, stage, chunk)

    def rng(self) -> np.random.Generator:
        """A fresh NumPy generator at this address; calling twice gives two equal streams.

        It is seeded as by ``SeedSequence(seed, spawn_key=(arm, round, stage, chunk))``. The words that NumPy
        would make of these are made here: that halves the time, and each round has eight streams or more.
        """
        words = (*_run_words(self.seed), name_key(self.arm), self.round, self.stage, self.chunk)
        return np.random.default_rng(np.random.SeedSequence(np.array(words, np.uint32)))


def torch_generator(rng: np.random.Generator, device: str = "cpu") -> "torch.Generator":
    """A torch generator whose seed is drawn from ``rng``."""
    import torch

    return torch.Generator(device).manual_seed(int(rng.integers(2**63)))


@contextmanager
def global_torch(rng: np.random.Generator) -> Iterator[None]:
    """Inside, torch's global streams are seeded from ``rng``; afterwards they are what they were.

    For libraries that draw from nowhere else: dropout, or the first weights of an adapter.
    """
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(int(rng.integers(2**63)))
        yield
