"""Our tiny parts keep the contracts, and each contract catches a part that breaks it."""

import re
from pathlib import Path

import numpy as np
import pytest

from veriloop.metrics.base import Evaluation
from veriloop.records import Estimate
from veriloop.rng import Address
from veriloop.rules.acceptance import Threshold
from veriloop.samples import Samples
from veriloop.testing import (
    check_acceptance,
    check_dataset,
    check_generator,
    check_learner,
    check_metric,
    check_verifier,
)
from veriloop.testing.tiny import TinyData, TinyGenerator, TinyLearner, TinyMetric, TinyVerifier
from veriloop.verdicts import Verdicts

DATA = TinyData().load(0)
CONDITIONS = DATA.conditions
GENERATOR = TinyLearner().fit(DATA.start, None, Address(0).rng())
EVALUATION = Evaluation(
    GENERATOR, GENERATOR.sample(90, Address(1).rng(), Samples(label=np.arange(90) % 3)), DATA.test
)


def test_tiny_parts_keep_their_contracts():
    check_dataset(TinyData())
    check_learner(TinyLearner(), DATA.start, CONDITIONS)
    for verifier in (TinyVerifier(), TinyVerifier(mode="decide", abstain=0.3)):
        check_verifier(verifier, GENERATOR, DATA.train, CONDITIONS)
    check_metric(TinyMetric(), EVALUATION)


class Forgetful(TinyVerifier, frozen=True):
    def load(self, directory):
        return self


class Impulsive(TinyVerifier, frozen=True):
    def verify(self, samples, rng):
        return Verdicts(np.random.default_rng().random(len(samples)))


class Lazy(TinyVerifier, frozen=True):
    def verify(self, samples, rng):
        return Verdicts(np.zeros(max(len(samples) - 1, 0)))


@pytest.mark.parametrize(
    ("verifier", "why"),
    [
        (Forgetful(bias=1), "saved and loaded"),
        (Impulsive(), "equal streams"),
        (Lazy(), "24 samples, 23 verdicts"),
    ],
)
def test_broken_verifiers_are_caught(verifier, why):
    with pytest.raises(AssertionError, match=why):
        check_verifier(verifier, GENERATOR, DATA.train, CONDITIONS)


class Hasty(TinyLearner, frozen=True):
    def fit(self, samples, init, rng):
        return super().fit(samples, init, np.random.default_rng())


class Greedy(TinyLearner, frozen=True):
    def fit(self, samples, init, rng):
        if isinstance(init, TinyGenerator):
            init.mean += 1
        return super().fit(samples, init, rng)


@pytest.mark.parametrize(("learner", "why"), [(Hasty(), "train equal models"), (Greedy(), "warm start")])
def test_broken_learners_are_caught(learner, why):
    with pytest.raises(AssertionError, match=why):
        check_learner(learner, DATA.start, CONDITIONS)


class Deaf(TinyGenerator):
    def sample(self, n, rng, condition=None):
        return super().sample(n, np.random.default_rng(0), condition)


def test_a_generator_that_ignores_its_stream_is_caught():
    with pytest.raises(AssertionError, match="other streams"):
        check_generator(Deaf(GENERATOR.mean, GENERATOR.spread), CONDITIONS)


class Silent(TinyMetric, frozen=True):
    def measure(self, evaluation, rng):
        return {}


class Certain(TinyMetric, frozen=True):
    def measure(self, evaluation, rng):
        return {"gap": Estimate(1.0, float("nan"))}


@pytest.mark.parametrize(("metric", "why"), [(Silent(), "promised"), (Certain(), "standard error")])
def test_broken_metrics_are_caught(metric, why):
    with pytest.raises(AssertionError, match=why):
        check_metric(metric, EVALUATION)


class Tyrant(Threshold, frozen=True):
    def decide(self, verdicts, rng):
        return Verdicts(verdicts.score, np.ones(len(verdicts)))


def test_a_rule_that_overrules_the_verifier_is_caught():
    with pytest.raises(AssertionError, match="abstention"):
        check_acceptance(Tyrant(), DATA.train)


class Fickle(TinyData, frozen=True):
    def load(self, seed):
        return super().load(int(np.random.default_rng().integers(2**31)))


def test_data_that_ignore_the_seed_are_caught():
    with pytest.raises(AssertionError, match="equal seeds"):
        check_dataset(Fickle())


def test_the_guides_example_keeps_its_contract():
    guide = Path(__file__).parents[2] / "docs" / "guide" / "plugins.md"
    code = re.search(r"```python\n# my_parts.py\n(.*?)```", guide.read_text(), re.DOTALL)
    assert code is not None
    defined: dict = {"__name__": "my_parts"}
    exec(code[1], defined)
    dim = TinyLearner().fit(DATA.start, None, Address(0).rng())

    class Pictures(TinyGenerator):
        def sample(self, n, rng, condition=None):
            points = super().sample(n, rng, condition)
            return points.with_columns(pixels=points.array("x")[:, :, None] ** 2)

    generator = Pictures(dim.mean, dim.spread)
    verdicts = defined["Brightness"](power=2.0).verify(
        generator.sample(3, Address(0).rng(), CONDITIONS), None
    )
    assert len(verdicts) == 3
