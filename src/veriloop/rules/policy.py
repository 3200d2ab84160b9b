"""Data policies: the training set of a round, given what was kept so far."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field
from typing_extensions import override

from ..errors import ConfigError
from ..parts import Part
from ..samples import Samples, concat
from ..store.kept import together


class DataPolicy(Part, frozen=True):
    """Assembles a round's training set.

    Class attributes:
        looks_back: Whether it uses samples kept in earlier rounds. If not, a run in memory need not hold
            them.
        reads: Real samples passed as ``start``: the start set, or the training samples outside it
            (``unseen``).
    """

    family: ClassVar[str] = "veriloop.policies"
    looks_back: ClassVar[bool] = True
    reads: ClassVar[Literal["start", "unseen"]] = "start"

    @abstractmethod
    def training_set(self, start: Samples, kept: Sequence[Samples], rng: np.random.Generator) -> Samples:
        """Return the samples to train on.

        Args:
            start: Real samples that the start model was trained on, or as :attr:`reads` says.
            kept: Samples kept in rounds 1, 2, ..., this round's last. Rounds are loaded when used: use only
                those needed, and `veriloop.store.kept.together` for all of them.
            rng: Source of randomness, for random policies.
        """


class Replace(DataPolicy, frozen=True):
    """Trains on this round's kept samples only (the paper's loop)."""

    looks_back: ClassVar[bool] = False

    @override
    def training_set(self, start: Samples, kept: Sequence[Samples], rng: np.random.Generator) -> Samples:
        return kept[-1]


class Accumulate(DataPolicy, frozen=True):
    """Trains on the real start set and everything kept so far, so the training set grows with the rounds."""

    @override
    def training_set(self, start: Samples, kept: Sequence[Samples], rng: np.random.Generator) -> Samples:
        return together(start, kept)


class AccumulateSubsample(DataPolicy, frozen=True):
    """Trains on a uniform draw, without replacement, from the training set of `Accumulate`.

    Attributes:
        size: Number of samples to draw; as many as this round kept when None. All samples if there are fewer.
    """

    size: Annotated[int, Field(gt=0)] | None = None

    @override
    def training_set(self, start: Samples, kept: Sequence[Samples], rng: np.random.Generator) -> Samples:
        everything = together(start, kept)
        size = min(self.size or len(kept[-1]), len(everything))
        return everything.select(np.sort(rng.choice(len(everything), size, replace=False)))


class Mix(DataPolicy, frozen=True):
    """Trains on this round's kept samples, plus real ones up to a share of ``real_share``.

    The real samples come from the start set, each used about equally often; they repeat if there are too few.

    An empty start set is refused before the run.
    """

    looks_back: ClassVar[bool] = False

    real_share: Annotated[float, Field(gt=0, lt=1)] = 0.1

    @override
    def check_data(self, real: Samples) -> None:
        if not len(real):
            raise ConfigError(
                "policy 'mix' needs real samples",
                got="an empty start set",
                fix="set the data's start above 0",
            )

    @override
    def training_set(self, start: Samples, kept: Sequence[Samples], rng: np.random.Generator) -> Samples:
        wanted = round(len(kept[-1]) * self.real_share / (1 - self.real_share))
        passes = [rng.permutation(len(start)) for _ in range(-(-wanted // len(start)))]
        rows = np.concatenate([np.empty(0, np.int64), *passes])[:wanted]
        return concat([kept[-1], start.select(rows)])


class Fresh(DataPolicy, frozen=True):
    """Trains on this round's kept samples, plus new real ones up to a share of ``real_share``.

    The new samples are training samples outside the start set, and each round takes the next ones. When all
    have been used it starts over, so they are new to a chain as long as there are enough.

    Attributes:
        real_share: Share of real samples in the training set.
    """

    looks_back: ClassVar[bool] = False
    reads: ClassVar[Literal["start", "unseen"]] = "unseen"

    real_share: Annotated[float, Field(gt=0, lt=1)] = 0.1

    @override
    def check_data(self, real: Samples) -> None:
        if not len(real):
            raise ConfigError(
                "policy 'fresh' needs new real samples",
                got="a start set that contains all training samples",
                fix="lower the data's start, raise its train, or use the policy mix",
            )

    @override
    def training_set(self, start: Samples, kept: Sequence[Samples], rng: np.random.Generator) -> Samples:
        wanted = round(len(kept[-1]) * self.real_share / (1 - self.real_share))
        first = wanted * (len(kept) - 1)
        return concat([kept[-1], start.select(np.arange(first, first + wanted) % len(start))])
