"""The suites of acceptance rules, policies and schedules, with rules that break them."""

# Broken parts break their types as well.
# pyright: reportIncompatibleMethodOverride=false, reportGeneralTypeIssues=false

import numpy as np
import pytest

from veriloop.rules.acceptance import DensityRatio, Ranked, Threshold, TopFraction, TopOfCells
from veriloop.rules.policy import Accumulate, AccumulateSubsample, DataPolicy, Mix, Replace
from veriloop.rules.schedule import Constant, Geometric, Linear, Listed, Schedule
from veriloop.samples import Samples, concat
from veriloop.testing import check_acceptance, check_policy, check_schedule
from veriloop.testing.tiny import TinyData
from veriloop.verdicts import Verdicts

DATA = TinyData().load(0)
KEPT = [DATA.train.select(slice(30 * k, 30 * k + 30)) for k in range(1, 4)]


@pytest.mark.parametrize(
    "rule",
    [
        Threshold(at=0.3),
        TopFraction(fraction=0.2),
        DensityRatio(bound=3.0),
        DensityRatio(fraction=0.2),
        TopOfCells(fraction=0.2, cells=3, column="x"),
    ],
    ids=repr,
)
def test_our_rules_keep_the_contract(rule):
    check_acceptance(rule, DATA.train)


class Tyrant(Threshold, frozen=True):
    def decide(self, verdicts, *others):
        return Verdicts(verdicts.score, np.ones(len(verdicts)))


class AboveMean(Threshold, frozen=True):
    """Depends on the chunk."""

    def decide(self, verdicts, *others):
        score = verdicts.score
        return verdicts.decide(score > np.nanmean(score) if np.isfinite(score).any() else score > 0)


class Scribbling(Threshold, frozen=True):
    def decide(self, verdicts, *others):
        verdicts.score[:] = 1.0
        return super().decide(verdicts, *others)


class NeedsOne(Threshold, frozen=True):
    def decide(self, verdicts, *others):
        return verdicts.decide(verdicts.score >= verdicts.score.min())


class Unlucky(Threshold, frozen=True):
    def decide(self, verdicts, *others):
        return verdicts.decide(np.random.default_rng().random(len(verdicts)) < 0.5)


class BestOfChunk(Ranked, frozen=True):
    """Ranks within the chunk, with a lot for ties."""

    fraction: float = 0.2

    def rank(self, verdicts, samples, rng):
        return verdicts.score.argsort().argsort() + 0.5 * rng.random(len(verdicts))


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (BestOfChunk(), "depend on the other candidates of its chunk"),
        (Tyrant(), "abstention"),
        (AboveMean(), "must not depend on the chunks"),
        (Scribbling(), "must not change the verdicts"),
        (NeedsOne(), r"NeedsOne\.decide failed: .*ValueError"),
        (Unlucky(), "equal streams must keep the same"),
    ],
    ids=lambda r: type(r).__name__,
)
def test_broken_rules_are_caught(rule, why):
    with pytest.raises(AssertionError, match=why):
        check_acceptance(rule, DATA.train)


@pytest.mark.parametrize(
    "policy", [Replace(), Accumulate(), AccumulateSubsample(size=20), Mix(real_share=0.3)], ids=repr
)
def test_our_policies_keep_the_contract(policy):
    check_policy(policy, DATA.start, KEPT)


def test_what_was_kept_is_a_sequence_of_rounds():
    with pytest.raises(AssertionError, match=r"kept is a sequence .*: \[samples\]"):
        check_policy(Replace(), DATA.start, KEPT[-1])  # pyright: ignore[reportArgumentType]


class Inventive(DataPolicy, frozen=True):
    def training_set(self, start, kept, rng):
        return kept[-1].with_columns(label=(kept[-1].array("label") + 1) % 3)


class Sorting(DataPolicy, frozen=True):
    def training_set(self, start, kept, rng):
        base = kept[-1].array("x").base
        assert isinstance(base, np.ndarray)
        base.sort(axis=0)
        return kept[-1]


class Restless(DataPolicy, frozen=True):
    def training_set(self, start, kept, rng):
        return kept[-1].select(np.random.default_rng().permutation(len(kept[-1])))


class Nothing(DataPolicy, frozen=True):
    def training_set(self, start, kept, rng):
        return start.select(slice(0))


class Bare(DataPolicy, frozen=True):
    def training_set(self, start, kept, rng):
        return kept[-1].array("x")


class Narrow(DataPolicy, frozen=True):
    def training_set(self, start, kept, rng):
        return kept[-1].only(["x"])


class NeedsTwo(DataPolicy, frozen=True):
    def training_set(self, start, kept, rng):
        return concat([kept[-1], kept[-2]])


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        (Inventive(), "an unknown sample"),
        (Sorting(), "training_set must not change its kept"),
        (Restless(), "equal streams, equal training sets"),
        (Nothing(), "one sample at least"),
        (Bare(), "gave ndarray, expected Samples"),
        (Narrow(), "columns .*'x'.*, expected"),
        (NeedsTwo(), "NeedsTwo raised IndexError"),
    ],
    ids=lambda p: type(p).__name__,
)
def test_broken_policies_are_caught(policy, why):
    kept = [Samples(x=k.array("x").copy(), label=k.array("label")) for k in KEPT]
    with pytest.raises(AssertionError, match=why):
        check_policy(policy, DATA.start, kept)


@pytest.mark.parametrize(
    "schedule", [Constant(n=3), Linear(start=1, step=0), Geometric(start=2, ratio=1.1), Listed(n=(1, 2))]
)
def test_our_schedules_keep_the_contract(schedule):
    check_schedule(schedule)


class Falling(Schedule, frozen=True):
    def wanted(self, round_):
        return 30 - round_


class Fractional(Schedule, frozen=True):
    def wanted(self, round_):
        return 2.0 * round_


class Truth(Schedule, frozen=True):
    def wanted(self, round_):
        return True


@pytest.mark.parametrize(
    ("schedule", "why"),
    [
        (Falling(), "round 40 wants -10"),
        (Fractional(), "wants 2.0, not a whole"),
        (Truth(), "wants True, not a whole number"),
    ],
)
def test_broken_schedules_are_caught(schedule, why):
    with pytest.raises(AssertionError, match=why):
        check_schedule(schedule)
