"""The suites of learners and generators, each with parts that break it."""

# Broken parts break their types as well.
# pyright: reportIncompatibleMethodOverride=false, reportGeneralTypeIssues=false

import pickle
from typing import ClassVar

import numpy as np
import pytest

from veriloop.generator import Generator
from veriloop.rng import Address
from veriloop.samples import Samples
from veriloop.testing import check_generator, check_learner
from veriloop.testing.tiny import TinyData, TinyGenerator, TinyLearner

DATA = TinyData().load(0)
SOUND = TinyLearner().fit(DATA.start, None, Address(0).rng())


def test_tiny_parts_keep_the_contract():
    generator = check_learner(TinyLearner(), DATA.start, DATA.conditions)
    check_generator(generator, DATA.conditions, like=DATA.train)


class Deaf(TinyGenerator):
    def sample(self, n, rng, condition=None):
        return super().sample(n, np.random.default_rng(0), condition)


class Restless(TinyGenerator):
    def sample(self, n, rng, condition=None):
        return super().sample(n, np.random.default_rng(), condition)


class Moving(TinyGenerator):
    def sample(self, n, rng, condition=None):
        self.mean = self.mean + 1
        return super().sample(n, rng, condition)


class NoneWanted(TinyGenerator):
    def sample(self, n, rng, condition=None):
        if n == 0:
            raise RuntimeError("n is 0")
        return super().sample(n, rng, condition)


class OneMore(TinyGenerator):
    def sample(self, n, rng, condition=None):
        drawn = super().sample(n, rng, condition)
        return drawn.select(np.r_[np.arange(n), 0]) if n == 1 else drawn


class Plain(TinyGenerator):
    def sample(self, n, rng, condition=None):
        return dict(super().sample(n, rng, condition))


class Ownway(TinyGenerator):
    def sample(self, n, rng, condition=None):
        drawn = super().sample(n, rng, condition)
        return drawn.with_columns(label=(drawn.array("label") + 1) % 3)


class Unconditional(TinyGenerator):
    def sample(self, n, rng, condition=None):
        return super().sample(n, rng, condition).only(["x"])


class Overflowing(TinyGenerator):
    def sample(self, n, rng, condition=None):
        drawn = super().sample(n, rng, condition)
        return drawn.with_columns(x=np.where(np.arange(n)[:, None] == 3, np.inf, drawn.array("x")))


class EmptyIsFloat32(TinyGenerator):
    def sample(self, n, rng, condition=None):
        drawn = super().sample(n, rng, condition)
        return drawn if n else drawn.with_columns(x=drawn.array("x").astype(np.float32))


class Pickling(TinyGenerator):
    def save(self, directory):
        (directory / "model.safetensors").write_bytes(pickle.dumps((self.mean, self.spread)))


class Unsaved(TinyGenerator):
    def save(self, directory):
        pass


class Dated(TinyGenerator):
    saves = 0

    def save(self, directory):
        super().save(directory)
        Dated.saves += 1
        (directory / "number.json").write_text(str(self.saves))


class HalfSaved(TinyGenerator):
    @classmethod
    def load(cls, directory):
        loaded = super().load(directory)
        return cls(loaded.mean, np.ones((3, 2)))


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (Deaf, "other streams must give other samples"),
        (Restless, "equal streams must give equal samples"),
        (Moving, "equal streams must give equal samples"),
        (NoneWanted, "NoneWanted raised RuntimeError: n is 0"),
        (OneMore, "asked for 1 samples, got 2"),
        (Plain, "sample gave dict, expected Samples"),
        (Ownway, "samples must carry their conditions"),
        (Unconditional, "and lack label"),
        (Overflowing, "column 'x' holds numbers that are not finite"),
        (EmptyIsFloat32, "0 samples: column 'x' is float32"),
        (Pickling, "wrote the pickle model.safetensors"),
        (Unsaved, "save wrote nothing"),
        (Dated, "save must write equal bytes each time, and number.json differs"),
        (HalfSaved, "a loaded generator must sample the same"),
    ],
)
def test_broken_generators_are_caught(kind, why):
    with pytest.raises(AssertionError, match=why):
        check_generator(kind(SOUND.mean, SOUND.spread), DATA.conditions)


class SinglePrecision(TinyGenerator):
    def sample(self, n, rng, condition=None):
        drawn = super().sample(n, rng, condition)
        return drawn.with_columns(x=drawn.array("x").astype(np.float32))


class Flat(TinyGenerator):
    def sample(self, n, rng, condition=None):
        drawn = super().sample(n, rng, condition)
        return drawn.with_columns(x=drawn.array("x")[:, :1])


class Chatty(TinyGenerator):
    def sample(self, n, rng, condition=None):
        return super().sample(n, rng, condition).with_columns(more=np.zeros(n))


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (SinglePrecision, "column 'x' is float32 of shape .2,., expected float64"),
        (Flat, "column 'x' is float64 of shape .1,., expected float64 of shape .2,."),
        (Chatty, "trained on columns .*, generates .*'more'"),
    ],
)
def test_samples_unlike_the_data_are_caught(kind, why):
    with pytest.raises(AssertionError, match=why):
        check_generator(kind(SOUND.mean, SOUND.spread), DATA.conditions, like=DATA.train)


class Hasty(TinyLearner, frozen=True):
    def fit(self, samples, init, rng):
        return super().fit(samples, init, np.random.default_rng())


class Greedy(TinyLearner, frozen=True):
    def fit(self, samples, init, rng):
        if isinstance(init, TinyGenerator):
            init.mean += 1
        return super().fit(samples, init, rng)


class Mislabelled(TinyLearner, frozen=True):
    generator_type: ClassVar[type[Generator]] = Deaf


class Abstract(Generator):
    def sample(self, n, rng, condition=None):
        raise NotImplementedError


class OfAbstract(TinyLearner, frozen=True):
    generator_type: ClassVar[type[Generator]] = Abstract


SEEN: list[Samples] = []


class Remembering(TinyLearner, frozen=True):
    """Trains on what it has seen before as well."""

    def fit(self, samples, init, rng):
        SEEN.append(samples)
        return super().fit(samples.select(slice(len(SEEN) - 1, None)), init, rng)


class Sorting(TinyLearner, frozen=True):
    def fit(self, samples, init, rng):
        base = samples.array("x").base
        assert isinstance(base, np.ndarray)
        base.sort(axis=0)
        return super().fit(samples, init, rng)


@pytest.mark.parametrize(
    ("learner", "why"),
    [
        (Hasty(), "train equal models"),
        (Greedy(), "warm start must not change its init"),
        (Mislabelled(), "TinyGenerator is not a Deaf"),
        (OfAbstract(), "Abstract lacks load and save"),
        (Remembering(), "train equal models"),
        (Sorting(), "fit must not change its samples"),
    ],
)
def test_broken_learners_are_caught(learner, why):
    samples = Samples(x=DATA.start.array("x").copy(), label=DATA.start.array("label"))
    with pytest.raises(AssertionError, match=why):
        check_learner(learner, samples, DATA.conditions)
