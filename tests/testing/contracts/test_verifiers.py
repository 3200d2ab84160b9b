"""The suite of verifiers, with parts that break it in the ways that ruin an experiment."""

# Broken parts break their types as well.
# pyright: reportIncompatibleMethodOverride=false, reportGeneralTypeIssues=false

from typing import Any

import numpy as np
import pytest

from veriloop.judge import Judge
from veriloop.rng import Address
from veriloop.testing import check_verifier
from veriloop.testing.tiny import TinyData, TinyGenerator, TinyJudge, TinyLearner, TinyVerifier
from veriloop.verdicts import Decision, Verdicts
from veriloop.verifiers.base import Verifier

DATA = TinyData().load(0)
GENERATOR = TinyLearner().fit(DATA.start, None, Address(0).rng())


class Scoring(Verifier, frozen=True):
    """A stranger's: learns nothing, and sums by a matrix product, which rounds by the size of the batch."""

    def verify(self, samples, rng):
        return Verdicts(samples.array("x") @ np.array([0.1, 0.7]))


class DrawsLots(Verifier, frozen=True):
    def verify(self, samples, rng):
        return Verdicts(samples.array("x").sum(axis=1) + rng.random(len(samples)))


class DrawsLotsOfItsOwn(Scoring, frozen=True):
    """As an ensemble does for its members."""

    def verify(self, samples, rng):
        return DrawsLots().verify(samples, rng.spawn(1)[0])


@pytest.mark.parametrize(
    "verifier",
    [TinyVerifier(), TinyVerifier(mode="decide", abstain=0.3), Scoring(), DrawsLots(), DrawsLotsOfItsOwn()],
    ids=lambda v: type(v).__name__,
)
def test_sound_verifiers_pass(verifier):
    assert isinstance(check_verifier(verifier, GENERATOR, DATA.train, DATA.conditions), Judge)


class Standardising(Scoring, frozen=True):
    def verify(self, samples, rng):
        s = super().verify(samples, rng).score
        return Verdicts((s - s.mean()) / (s.std() + 1e-9) if len(s) else s)


class Ranking(Scoring, frozen=True):
    def verify(self, samples, rng):
        s = super().verify(samples, rng).score
        return Verdicts(s.argsort().argsort() / max(len(s), 1))


class RanksAndDraws(DrawsLots, frozen=True):
    def verify(self, samples, rng):
        s = super().verify(samples, rng).score
        return Verdicts(s.argsort().argsort() / max(len(s), 1))


class AboveMedian(Scoring, frozen=True):
    def verify(self, samples, rng):
        s = super().verify(samples, rng).score
        return Verdicts(s, s > np.median(s) if len(s) else None)


class Numbering(Scoring, frozen=True):
    """Blind to the company, but not to the place."""

    def verify(self, samples, rng):
        return Verdicts(super().verify(samples, rng).score + 0.01 * np.arange(len(samples)))


class Squeezing(Scoring, frozen=True):
    def verify(self, samples, rng):
        return Verdicts(np.atleast_1d(np.squeeze(samples.array("x") @ np.ones((2, 1)))) * (len(samples) > 1))


class Impulsive(Scoring, frozen=True):
    def verify(self, samples, rng):
        return Verdicts(np.random.default_rng().random(len(samples)))


class Lazy(Scoring, frozen=True):
    def verify(self, samples, rng):
        return Verdicts(np.zeros(max(len(samples) - 1, 0)))


class Bare(Scoring, frozen=True):
    def verify(self, samples, rng):
        return samples.array("x").sum(axis=1)


class NeedsOne(Scoring, frozen=True):
    def verify(self, samples, rng):
        return Verdicts(samples.array("x").sum(axis=1) - samples.array("x")[0, 0] * 0)


class Placed(Scoring, frozen=True):
    def verify(self, samples, rng):
        return Verdicts(super().verify(samples, rng).score + ("_arm" in samples))


class Scribbling(Scoring, frozen=True):
    def verify(self, samples, rng):
        base = samples.array("x").base
        if isinstance(base, np.ndarray):
            base[:] = 0
        return super().verify(samples, rng)


class Updating(Scoring, frozen=True):
    def update(self, generator, real, rng):
        return self


@pytest.mark.parametrize(
    ("verifier", "why"),
    [
        (Standardising(), "depend on the other samples of its chunk"),
        (Ranking(), "depend on the other samples of its chunk"),
        (RanksAndDraws(), "depend on the other samples of its chunk"),
        (AboveMedian(), "depend on the other samples of its chunk"),
        (Numbering(), "judged in another order"),
        (Squeezing(), "judged alone"),
        (Impulsive(), "depend|equal streams"),
        (Lazy(), "24 samples, 23 verdicts"),
        (Bare(), "verify gave ndarray, expected Verdicts"),
        (NeedsOne(), "NeedsOne raised IndexError"),
        (Placed(), "where a sample was made"),
        (Scribbling(), "verify must not change its samples"),
        (Updating(), "a verifier has no update"),
    ],
    ids=lambda v: type(v).__name__,
)
def test_broken_verifiers_are_caught(verifier, why):
    with pytest.raises(AssertionError, match=why):
        check_verifier(verifier, GENERATOR, DATA.train, DATA.conditions)


class Forgetful(TinyJudge):
    """Saves what it was made from, and not what it has learned."""

    @classmethod
    def load(cls, directory):
        return cls(TinyJudge.load(directory).verifier, np.zeros((3, 2)))


class Shared(TinyJudge):
    """Keeps what it has learned with its class; a later fit overwrites it."""

    learned: Any = np.zeros((3, 2))

    def __init__(self, verifier, means):
        type(self).learned = means
        self.verifier = verifier

    means: Any = property(lambda self: type(self).learned)


class Drifting(TinyJudge):
    def verify(self, samples, rng):
        self.means = self.means + 1
        return super().verify(samples, rng)


class Pickled(TinyJudge):
    def save(self, directory):
        import pickle

        (directory / "judge.json").write_bytes(pickle.dumps(self.means))


class Careless(TinyJudge):
    def save(self, directory):
        pass


class Impatient(TinyJudge):
    def verify(self, samples, rng):
        verdicts = super().verify(samples, rng)
        return Verdicts(verdicts.score, np.full(len(samples), Decision.OPEN), ["slow"] * len(samples))


def learner_of(kind: type[TinyJudge], name: str) -> TinyVerifier:
    """A verifier whose judges are of ``kind``; it stands in this module, as pickle wants it."""

    def fit(self, previous, generator, real, rng):
        sound = TinyVerifier.fit(self, previous, generator, real, rng)
        return kind(self, sound.means)

    made = type(name, (TinyVerifier,), {"fit": fit, "judge_type": kind, "__module__": __name__}, frozen=True)
    globals()[name] = made
    return made()


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (Forgetful, "saved and loaded judge must judge the same"),
        (Shared, "later fit must not change"),
        (Drifting, "depend|equal streams"),
        (Pickled, "wrote the pickle judge.json"),
        (Careless, "save of the judge wrote nothing"),
    ],
)
def test_broken_judges_are_caught(kind, why):
    with pytest.raises(AssertionError, match=why):
        check_verifier(learner_of(kind, f"Makes{kind.__name__}"), GENERATOR, DATA.train, DATA.conditions)


def test_reasons_are_no_part_of_a_verdicts_equality():
    check_verifier(learner_of(Impatient, "MakesImpatient"), GENERATOR, DATA.train, DATA.conditions)


class Undeclared(TinyVerifier, frozen=True):
    def fit(self, previous, generator, real, rng):
        return Scoring().fit(previous, generator, real, rng)


class Harmful(TinyVerifier, frozen=True):
    def fit(self, previous, generator, real, rng):
        assert isinstance(generator, TinyGenerator)
        generator.mean += 0.5
        return super().fit(previous, generator, real, rng)


class TrainsOnWhatWasSeen(TinyVerifier, frozen=True):
    def fit(self, previous, generator, real, rng):
        if isinstance(previous, TinyJudge):
            previous.means += 1
        return super().fit(previous, generator, real, rng)


class Moody(TinyVerifier, frozen=True):
    def fit(self, previous, generator, real, rng):
        return super().fit(
            previous, generator, real.select(np.random.default_rng().permutation(len(real))[:50]), rng
        )


@pytest.mark.parametrize(
    ("verifier", "why"),
    [
        (Undeclared(), "AsConfigured is not a TinyJudge"),
        (Harmful(), "fit must not change the generator"),
        (TrainsOnWhatWasSeen(), "must not change its previous judge"),
        (Moody(), "equal streams must train equal judges"),
    ],
    ids=lambda v: type(v).__name__,
)
def test_broken_fits_are_caught(verifier, why):
    generator = TinyGenerator(GENERATOR.mean.copy(), GENERATOR.spread.copy())
    with pytest.raises(AssertionError, match=why):
        check_verifier(verifier, generator, DATA.train, DATA.conditions)
