"""Data policies: what a round's model is trained on, given what was kept so far."""

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
    """Puts together a round's training set.

    Class attributes:
        looks_back: Whether it looks at what earlier rounds kept. If not, a run in memory need not hold it.
        reads: Which real samples it is given as ``start``: the start set, or the training samples that are
            not in it (``unseen``).
    """

    family: ClassVar[str] = "veriloop.policies"
    looks_back: ClassVar[bool] = True
    reads: ClassVar[Literal["start", "unseen"]] = "start"

    @abstractmethod
    def training_set(self, start: Samples, kept: Sequence[Samples], rng: np.random.Generator) -> Samples:
        """The samples to train on.

        Args:
            start: The real samples that the start model was trained on, or what else :attr:`reads` says.
            kept: What rounds 1, 2, ... kept, this round's last. It loads what is looked at: look only at what
                is needed, and use `veriloop.store.kept.together` for all of it.
            rng: For policies that draw.
        """


class Replace(DataPolicy, frozen=True):
    """This round's kept samples alone (the paper's loop)."""

    looks_back: ClassVar[bool] = False

    @override
    def training_set(self, start: Samples, kept: Sequence[Samples], rng: np.random.Generator) -> Samples:
        return kept[-1]


class Accumulate(DataPolicy, frozen=True):
    """The real start set and everything kept so far: the training set grows with the rounds."""

    @override
    def training_set(self, start: Samples, kept: Sequence[Samples], rng: np.random.Generator) -> Samples:
        return together(start, kept)


class AccumulateSubsample(DataPolicy, frozen=True):
    """A uniform draw, without replacement, from what `Accumulate` would train on.

    Attributes:
        size: How many to draw; as many as this round kept when None. All, when there are fewer.
    """

    size: Annotated[int, Field(gt=0)] | None = None

    @override
    def training_set(self, start: Samples, kept: Sequence[Samples], rng: np.random.Generator) -> Samples:
        everything = together(start, kept)
        size = min(self.size or len(kept[-1]), len(everything))
        return everything.select(np.sort(rng.choice(len(everything), size, replace=False)))


class Mix(DataPolicy, frozen=True):
    """This round's kept samples, with real ones mixed in until they are ``real_share`` of the whole.

    The real ones come from the start set, each about equally often; they repeat when it is too small.

    An empty start set is refused ahead.
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
    """This round's kept samples, with new real ones mixed in until they are ``real_share`` of the whole.

    The new ones are training samples outside the start set, and each round takes the next ones. When all have
    been taken it begins again, so they are new to a chain as long as there are enough.

    Attributes:
        real_share: The share of real samples in the training set.
    """

    looks_back: ClassVar[bool] = False
    reads: ClassVar[Literal["start", "unseen"]] = "unseen"

    real_share: Annotated[float, Field(gt=0, lt=1)] = 0.1

    @override
    def check_data(self, real: Samples) -> None:
        if not len(real):
            raise ConfigError(
                "policy 'fresh' needs new real samples",
                got="a start set that holds all training samples",
                fix="lower the data's start, raise its train, or use the policy mix",
            )

    @override
    def training_set(self, start: Samples, kept: Sequence[Samples], rng: np.random.Generator) -> Samples:
        wanted = round(len(kept[-1]) * self.real_share / (1 - self.real_share))
        first = wanted * (len(kept) - 1)
        return concat([kept[-1], start.select(np.arange(first, first + wanted) % len(start))])
