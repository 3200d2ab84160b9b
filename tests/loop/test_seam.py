"""First mistakes of a plug-in's author: each ends in one line that names the part, and exit code 2."""

# Broken parts break their types as well.
# pyright: reportIncompatibleMethodOverride=false
import math
import sys
import textwrap
import time
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from veriloop.errors import ContractError, DataError
from veriloop.loop import seam
from veriloop.metrics.base import Evaluation
from veriloop.quantity import Quantity
from veriloop.records import Estimate
from veriloop.rng import Address
from veriloop.samples import Samples
from veriloop.testing.tiny import TinyData, TinyGenerator, TinyLearner, TinyMetric, TinyVerifier

HEAD = """
from typing import ClassVar
import numpy as np
from veriloop.datasets.base import Dataset, RealData
from veriloop.generator import Generator
from veriloop.judge import Judge
from veriloop.learners.base import Learner
from veriloop.metrics.base import Metric
from veriloop.quantity import Quantity
from veriloop.records import Estimate
from veriloop.rules.policy import DataPolicy
from veriloop.rules.schedule import Schedule
from veriloop.samples import Samples
from veriloop.testing.tiny import TinyData, TinyGenerator, TinyLearner, TinyMetric, TinyVerifier
from veriloop.verdicts import Verdicts
from veriloop.verifiers.base import Verifier
"""

CONFIG = """
rounds: 1
dataset: {kind: "veriloop.testing.tiny:TinyData"}
learner: {kind: "veriloop.testing.tiny:TinyLearner"}
verifier: {kind: "veriloop.testing.tiny:TinyVerifier"}
acceptance: {kind: top_fraction, fraction: 0.5}
schedule: {kind: constant, n: 12}
metrics: [{kind: "veriloop.testing.tiny:TinyMetric"}]
evaluation_samples: 30
arms: [verified]
"""

# By mistake: where the part stands in the configuration, its code, and what the line says, with gaps (...).
FIRST_MISTAKES = {
    "a metric without quantities": (
        "metrics",
        """
        class Mine(Metric, frozen=True):
            def measure(self, evaluation, rng):
                return {"quality": Estimate(0.5, 0.1)}
        """,
        "Mine does not declare its quantities: expected a class attribute quantities",
    ),
    "real data without a split": (
        "dataset",
        """
        class Mine(Dataset, frozen=True):
            def load(self, seed):
                data = TinyData().load(seed)
                return RealData(start=data.start, train=data.train, conditions=data.conditions)
        """,
        "Mine.load raised TypeError: RealData.__init__() missing 1 required positional argument: 'test'",
    ),
    "arrays in place of Samples": (
        "dataset",
        """
        class Mine(Dataset, frozen=True):
            def load(self, seed):
                x = np.zeros((90, 2))
                return RealData(start=x[:30], train=x[:60], test=x[60:])
        """,
        "Mine.load: start: got 'ndarray', expected Samples",
    ),
    "a generator without save and load": (
        "learner",
        """
        class Model(Generator):
            def sample(self, n, rng, condition=None):
                return condition.with_columns(x=rng.random((n, 2)))

        class Mine(Learner, frozen=True):
            generator_type: ClassVar = Model

            def fit(self, samples, init, rng):
                return Model()
        """,
        "Mine.generator_type: Model lacks load and save",
    ),
    "sample returns a dict": (
        "learner",
        """
        class Model(TinyGenerator):
            def sample(self, n, rng, condition=None):
                return {"x": rng.random((n, 2)), "label": condition["label"]}

        class Mine(Learner, frozen=True):
            generator_type: ClassVar = Model

            def fit(self, samples, init, rng):
                return Model(np.zeros((3, 2)), np.ones((3, 2)))
        """,
        "Model.sample: got 'dict', expected Samples",
    ),
    "measure returns a float": (
        "metrics",
        """
        class Mine(Metric, frozen=True):
            quantities: ClassVar = {"quality": Quantity(better="higher")}

            def measure(self, evaluation, rng):
                return 0.5
        """,
        "Mine.measure: got 'float', expected Mapping, such as {'quality': Estimate(value, se)}",
    ),
    "a learner without generator_type": (
        "learner",
        """
        class Mine(Learner, frozen=True):
            def fit(self, samples, init, rng):
                return TinyLearner().fit(samples, init, rng)
        """,
        "Mine does not declare what its fit returns: expected a class attribute generator_type",
    ),
}

NEIGHBOURS = {
    "samples of other classes than were asked for": (
        "learner",
        """
        class Model(TinyGenerator):
            def sample(self, n, rng, condition=None):
                return condition.with_columns(x=rng.random((n, 2)), label=(condition["label"] + 1) % 3)

        class Mine(TinyLearner, frozen=True):
            generator_type: ClassVar = Model

            def fit(self, samples, init, rng):
                return Model(np.zeros((3, 2)), np.ones((3, 2)))
        """,
        "Model.sample: got 'other conditions', expected label row for row as they were given",
    ),
    "a schema of other columns": (
        "dataset",
        """
        from veriloop.schema import Label, Schema, Vector

        class Mine(TinyData, frozen=True):
            def schema(self):
                return Schema({"y": Vector(p=2), "label": Label(classes=3)})
        """,
        "Mine.schema: got 'columns y, label', expected ... as in the data that it loads",
    ),
    "a role that there is not": (
        "verifier",
        """
        class Mine(TinyVerifier, frozen=True):
            needs: ClassVar = ("vectr",)
        """,
        "Mine.needs: no such role: got 'vectr', expected one of ... Did you mean 'vector'?",
    ),
    "a standard error below 0": (
        "metrics",
        """
        class Mine(Metric, frozen=True):
            quantities: ClassVar = {"quality": Quantity(better="higher")}

            def measure(self, evaluation, rng):
                return {"quality": Estimate(0.5, -0.1)}
        """,
        "Mine.measure: quality: standard error: got -0.1, expected 0 or more",
    ),
    "save opens a file that is not there": (
        "learner",
        """
        class Model(TinyGenerator):
            def save(self, directory):
                (directory / "sub" / "mean.npy").read_bytes()

        class Mine(TinyLearner, frozen=True):
            generator_type: ClassVar = Model

            def fit(self, samples, init, rng):
                return Model(np.zeros((3, 2)), np.ones((3, 2)))
        """,
        "Model.save raised FileNotFoundError",
    ),
    "sources is a list": (
        "verifier",
        """
        class Mine(TinyVerifier, frozen=True):
            def sources(self):
                return ["words.txt"]
        """,
        "Mine.sources: got 'list', expected Mapping, such as",
    ),
    "sources are names": (
        "verifier",
        """
        class Mine(TinyVerifier, frozen=True):
            def sources(self):
                return {"words.txt": "words.txt"}
        """,
        "Mine.sources: words.txt: got 'str', expected Path, such as",
    ),
    "a rule that hands on scores": (
        "acceptance",
        """
        from veriloop.rules.acceptance import Pointwise

        class Mine(Pointwise, frozen=True):
            def decide(self, verdicts, samples, rng):
                return verdicts.decide(verdicts.score)
        """,
        "Mine.decide: accept: got 'float64 of shape ... expected True or False for each of",
    ),
    "a rank that raises": (
        "acceptance",
        """
        from veriloop.rules.acceptance import Ranked

        class Mine(Ranked, frozen=True):
            def rank(self, verdicts, samples, rng):
                return verdicts.score / samples.nothing
        """,
        "Mine.rank failed: got ... AttributeError",
    ),
    "scores that are no numbers": (
        "verifier",
        """
        class Mine(Verifier, frozen=True):
            def verify(self, samples, rng):
                return Verdicts(np.full(len(samples), np.nan))
        """,
        "Mine.verify (PLUGIN, line ... open verdicts have no finite score",
    ),
    "an __init__ of its own": (
        "verifier",
        """
        class Mine(Verifier, frozen=True):
            def __init__(self, known=1):
                self.known = known

            def verify(self, samples, rng):
                return Verdicts(np.zeros(len(samples)))
        """,
        "known is not a field, and parts are frozen. Declare it in the class body, such as known: float",
    ),
    "a validator's own words": (
        "verifier",
        """
        from pydantic import model_validator

        class Mine(TinyVerifier, frozen=True):
            @model_validator(mode="after")
            def _enough(self):
                raise ValueError("known is too small")
        """,
        "arms.verified.verifier: known is too small",
    ),
    "fit returns nothing": (
        "learner",
        """
        class Mine(Learner, frozen=True):
            generator_type: ClassVar = TinyGenerator

            def fit(self, samples, init, rng):
                TinyLearner().fit(samples, init, rng)
        """,
        "Mine.fit: got 'NoneType', expected TinyGenerator, its generator_type",
    ),
    "fit raises": (
        "learner",
        """
        class Mine(Learner, frozen=True):
            generator_type: ClassVar = TinyGenerator

            def fit(self, samples, init, rng):
                return self.weights["mean"]
        """,
        "Mine.fit raised AttributeError: 'Mine' object has no attribute 'weights' (PLUGIN, line 22)",
    ),
    "generator_type is no class": (
        "learner",
        """
        class Mine(TinyLearner, frozen=True):
            generator_type: ClassVar = "TinyGenerator"
        """,
        "Mine does not declare what its fit returns: got \"generator_type 'TinyGenerator'\"",
    ),
    "a learner without fit": (
        "learner",
        """
        class Mine(Learner, frozen=True):
            generator_type: ClassVar = TinyGenerator
        """,
        "Mine' is incomplete ... no method fit",
    ),
    "load returns a tuple": (
        "dataset",
        """
        class Mine(Dataset, frozen=True):
            def load(self, seed):
                data = TinyData().load(seed)
                return data.start, data.train, data.test
        """,
        "Mine.load: got 'tuple', expected RealData",
    ),
    "load returns an empty test split": (
        "dataset",
        """
        class Mine(Dataset, frozen=True):
            def load(self, seed):
                data = TinyData().load(seed)
                return RealData(data.start, data.train, data.test.select(slice(0)), data.conditions)
        """,
        "test: got 'no samples', expected at least one",
    ),
    "splits of different columns": (
        "dataset",
        """
        class Mine(Dataset, frozen=True):
            def load(self, seed):
                data = TinyData().load(seed)
                return RealData(data.start, data.train, data.test.only(["x"]), data.conditions)
        """,
        "Mine.load: columns of test: got 'x', expected x, label, as train",
    ),
    "load raises": (
        "dataset",
        """
        class Mine(Dataset, frozen=True):
            def load(self, seed):
                return open("no such file").read()
        """,
        "Mine.load raised FileNotFoundError",
    ),
    "too few samples": (
        "learner",
        """
        class Model(TinyGenerator):
            def sample(self, n, rng, condition=None):
                return super().sample(n, rng, condition).select(slice(n // 2))

        class Mine(TinyLearner, frozen=True):
            generator_type: ClassVar = Model

            def fit(self, samples, init, rng):
                sound = super().fit(samples, init, rng)
                return Model(sound.mean, sound.spread)
        """,
        "Model.sample: got '15 samples', expected 30",
    ),
    "samples without their condition": (
        "learner",
        """
        class Model(TinyGenerator):
            def sample(self, n, rng, condition=None):
                return super().sample(n, rng, condition).only(["x"])

        class Mine(TinyLearner, frozen=True):
            generator_type: ClassVar = Model

            def fit(self, samples, init, rng):
                sound = super().fit(samples, init, rng)
                return Model(sound.mean, sound.spread)
        """,
        "Model.sample: got 'columns x', expected label as well",
    ),
    "verify returns an array": (
        "verifier",
        """
        class Mine(Verifier, frozen=True):
            def verify(self, samples, rng):
                return samples.array("x").sum(axis=1)
        """,
        "Mine.verify: got 'ndarray', expected Verdicts",
    ),
    "too many verdicts": (
        "verifier",
        """
        class Mine(Verifier, frozen=True):
            def verify(self, samples, rng):
                return Verdicts(np.zeros(len(samples) + 1))
        """,
        "Mine.verify: got '25 verdicts', expected 24",
    ),
    "verify raises": (
        "verifier",
        """
        class Mine(Verifier, frozen=True):
            def verify(self, samples, rng):
                return Verdicts({"score": 1}["scores"])
        """,
        "Mine.verify raised KeyError: 'scores' (PLUGIN, line 20)",
    ),
    "a judge that is not declared": (
        "verifier",
        """
        class Mine(Verifier, frozen=True):
            def fit(self, previous, generator, real, rng):
                return TinyVerifier().fit(previous, generator, real, rng)
        """,
        "Mine ... judge_type",
    ),
    "a verifier's fit returns nothing": (
        "verifier",
        """
        class Mine(TinyVerifier, frozen=True):
            def fit(self, previous, generator, real, rng):
                pass
        """,
        "Mine.fit: got 'NoneType', expected TinyJudge, its judge_type",
    ),
    "quantities are words": (
        "metrics",
        """
        class Mine(TinyMetric, frozen=True):
            quantities: ClassVar = {"gap": "lower"}
        """,
        "Mine does not declare its quantities: got \"{'gap': 'lower'}\"",
    ),
    "quantities are names": (
        "metrics",
        """
        class Mine(TinyMetric, frozen=True):
            quantities: ClassVar = ("gap",)
        """,
        "Mine does not declare its quantities: got \"('gap',)\"",
    ),
    "another quantity than declared": (
        "metrics",
        """
        class Mine(TinyMetric, frozen=True):
            quantities: ClassVar = {"quality": Quantity(better="higher")}
        """,
        "Mine.measure: got 'gap', expected its quantities quality",
    ),
    "numbers in place of estimates": (
        "metrics",
        """
        class Mine(TinyMetric, frozen=True):
            def measure(self, evaluation, rng):
                return {"gap": 0.5}
        """,
        "Mine.measure: gap: got 'float', expected Estimate",
    ),
    "a schedule that goes below zero": (
        "schedule",
        """
        class Mine(Schedule, frozen=True):
            def wanted(self, round_):
                return -round_
        """,
        "Mine.wanted(1): got '-1', expected a whole number of at least 1",
    ),
    "a schedule of halves": (
        "schedule",
        """
        class Mine(Schedule, frozen=True):
            def wanted(self, round_):
                return round_ / 2
        """,
        "Mine.wanted(1): got '0.5'",
    ),
    "a policy that trains on nothing": (
        "policy",
        """
        class Mine(DataPolicy, frozen=True):
            def training_set(self, start, kept, rng):
                return start.select(slice(0))
        """,
        "Mine.training_set: got 'no samples'",
    ),
    "a policy that gives a list": (
        "policy",
        """
        class Mine(DataPolicy, frozen=True):
            def training_set(self, start, kept, rng):
                return [start, *kept]
        """,
        "Mine.training_set: got 'list', expected Samples",
    ),
    "a module that cannot be imported": (
        "verifier",
        """
        class Mine(Verifier, frozen=True):
            rate: float = 1 / 0
        """,
        "Mine' ... ZeroDivisionError: division by zero",
    ),
    "a field of a type that pydantic does not know": (
        "verifier",
        """
        class Mine(Verifier, frozen=True):
            weights: np.random.Generator
        """,
        "Mine' ... PydanticSchemaGenerationError",
    ),
    "a validator that raises": (
        "verifier",
        """
        class Mine(TinyVerifier, frozen=True):
            def model_post_init(self, context):
                {}["x"]
        """,
        "Mine' cannot be built from its settings ... KeyError: 'x'",
    ),
    "a validator that exits": (
        "verifier",
        """
        class Mine(TinyVerifier, frozen=True):
            def model_post_init(self, context):
                raise SystemExit("no licence")
        """,
        "Mine' cannot be built from its settings ... SystemExit: no licence",
    ),
    "a look at the schema that exits": (
        "verifier",
        """
        class Mine(TinyVerifier, frozen=True):
            def suited_to(self, schema):
                raise SystemExit(0)
        """,
        "Mine.suited_to raised SystemExit: 0",
    ),
    "load exits": (
        "dataset",
        """
        class Mine(TinyData, frozen=True):
            def load(self, seed):
                raise SystemExit
        """,
        "Mine.load raised SystemExit",
    ),
    "fit exits": (
        "learner",
        """
        class Mine(TinyLearner, frozen=True):
            def fit(self, samples, init, rng):
                raise SystemExit("out of patience")
        """,
        "Mine.fit raised SystemExit: out of patience (PLUGIN, line 20)",
    ),
    "verify exits": (
        "verifier",
        """
        class Mine(Verifier, frozen=True):
            def verify(self, samples, rng):
                raise SystemExit(3)
        """,
        "Mine.verify raised SystemExit: 3 (PLUGIN, line 20)",
    ),
    "measure exits": (
        "metrics",
        """
        class Mine(TinyMetric, frozen=True):
            def measure(self, evaluation, rng):
                raise SystemExit(0)
        """,
        "Mine.measure raised SystemExit: 0",
    ),
    "samples of half the precision": (
        "learner",
        """
        class Model(TinyGenerator):
            def sample(self, n, rng, condition=None):
                return condition.with_columns(x=rng.random((n, 2), np.float32))

        class Mine(TinyLearner, frozen=True):
            generator_type: ClassVar = Model

            def fit(self, samples, init, rng):
                return Model(np.zeros((3, 2)), np.ones((3, 2)))
        """,
        "Model.sample: column 'x': got 'float32 of shape (2,)', expected float64 of shape (2,)",
    ),
    "samples of another kind of number": (
        "learner",
        """
        class Model(TinyGenerator):
            def sample(self, n, rng, condition=None):
                return condition.with_columns(x=rng.integers(3, size=(n, 2)))

        class Mine(TinyLearner, frozen=True):
            generator_type: ClassVar = Model

            def fit(self, samples, init, rng):
                return Model(np.zeros((3, 2)), np.ones((3, 2)))
        """,
        "Model.sample: column 'x': got 'int64 of shape (2,)', expected float64 of shape (2,)",
    ),
    "samples of another shape": (
        "learner",
        """
        class Model(TinyGenerator):
            def sample(self, n, rng, condition=None):
                return condition.with_columns(x=rng.random((n, 3)))

        class Mine(TinyLearner, frozen=True):
            generator_type: ClassVar = Model

            def fit(self, samples, init, rng):
                return Model(np.zeros((3, 2)), np.ones((3, 2)))
        """,
        "Model.sample: column 'x': got 'float64 of shape (3,)', expected float64 of shape (2,)",
    ),
    "text in place of numbers": (
        "learner",
        """
        class Model(TinyGenerator):
            def sample(self, n, rng, condition=None):
                return condition.with_columns(x=["0 0"] * n)

        class Mine(TinyLearner, frozen=True):
            generator_type: ClassVar = Model

            def fit(self, samples, init, rng):
                return Model(np.zeros((3, 2)), np.ones((3, 2)))
        """,
        "Model.sample: column 'x': got 'text', expected float64 of shape (2,)",
    ),
    "splits of different types": (
        "dataset",
        """
        class Mine(Dataset, frozen=True):
            def load(self, seed):
                data = TinyData().load(seed)
                test = data.test.with_columns(x=data.test.array("x").astype(np.float32))
                return RealData(data.start, data.train, test, data.conditions)
        """,
        "Mine.load: test: column 'x': got 'float32 of shape (2,)', expected float64 ... as in train",
    ),
    "a test split that is the training split": (
        "dataset",
        """
        class Mine(Dataset, frozen=True):
            def load(self, seed):
                data = TinyData().load(seed)
                return RealData(data.start, data.train, data.train, data.conditions)
        """,
        "Mine: test contains only training rows (by x, label): got '150 of 150'",
    ),
    "a validation split that was trained on": (
        "dataset",
        """
        class Mine(Dataset, frozen=True):
            def load(self, seed):
                data = TinyData().load(seed)
                backwards = data.train.select(np.arange(len(data.train))[::-1])
                return RealData(data.start, data.train, data.test, data.conditions, validation=backwards)
        """,
        "Mine: validation contains only training rows (by x, label): got '300 of 300'",
    ),
    "map exits": (
        "executor",
        """
        from veriloop.executors.base import Executor

        class Mine(Executor, frozen=True):
            def map(self, function, items, shared=None):
                raise SystemExit(1)
                yield
        """,
        "Mine.map raised SystemExit: 1 (PLUGIN, line 22)",
    ),
    "map raises": (
        "executor",
        """
        from veriloop.executors.base import Executor

        class Mine(Executor, frozen=True):
            def map(self, function, items, shared=None):
                return [function(item) for item in items]
        """,
        "Mine.map raised TypeError: ... missing 1 required positional argument",
    ),
    "too few results": (
        "executor",
        """
        from veriloop.executors.base import Executor

        class Mine(Executor, frozen=True):
            def map(self, function, items, shared=None):
                return [function(shared, item) for item in items][:-1]
        """,
        "Mine.map: got '0 results', expected 1",
    ),
    "too many results": (
        "executor",
        """
        from veriloop.executors.base import Executor

        class Mine(Executor, frozen=True):
            def map(self, function, items, shared=None):
                return [function(shared, item) for item in items] * 2
        """,
        "Mine.map: got 'more results', expected 1",
    ),
    "a number above its bound": (
        "metrics",
        """
        class Mine(Metric, frozen=True):
            quantities: ClassVar = {"share": Quantity(low=0, high=1)}

            def measure(self, evaluation, rng):
                return {"share": Estimate(43.7, 0.1)}
        """,
        "Mine.measure: share: got 43.7, expected a finite number from 0 to 1",
    ),
    "a number below its bound": (
        "metrics",
        """
        class Mine(Metric, frozen=True):
            quantities: ClassVar = {"distance": Quantity(low=0)}

            def measure(self, evaluation, rng):
                return {"distance": Estimate(-0.01, 0.1)}
        """,
        "Mine.measure: distance: got -0.01, expected a finite number from 0 to inf",
    ),
    "an infinite number": (
        "metrics",
        """
        class Mine(Metric, frozen=True):
            quantities: ClassVar = {"quality": Quantity()}

            def measure(self, evaluation, rng):
                return {"quality": Estimate(float("inf"), 0.1)}
        """,
        "Mine.measure: quality: got inf, expected a finite number from -inf to inf",
    ),
    "no number, with an error": (
        "metrics",
        """
        class Mine(Metric, frozen=True):
            quantities: ClassVar = {"quality": Quantity()}

            def measure(self, evaluation, rng):
                return {"quality": Estimate(float("nan"), 0.1)}
        """,
        "Mine.measure: quality: got nan, expected a finite number ... Estimate(nan, nan) where it cannot",
    ),
    "a schema with another size": (
        "dataset",
        """
        from veriloop.schema import Label, Schema, Vector

        class Mine(TinyData, frozen=True):
            def schema(self):
                return Schema({"x": Vector(p=3), "label": Label(classes=3)})
        """,
        "Mine.schema: column 'x' of start is no vector: got 'shape (2,)', expected 3 numbers",
    ),
    "a schema with too few classes": (
        "dataset",
        """
        from veriloop.schema import Label, Schema, Vector

        class Mine(TinyData, frozen=True):
            def schema(self):
                return Schema({"x": Vector(p=2), "label": Label(classes=2)})
        """,
        "Mine.schema: column 'label' of start is no label: got '0 to 2', expected 0 to 1",
    ),
    "words that no file can hold": (
        "metrics",
        """
        class Mine(TinyMetric, frozen=True):
            def measure(self, evaluation, rng):
                raise ValueError("half \\udcff of a pair")
        """,
        "Mine.measure raised ValueError: half ? of a pair",
    ),
    "a value that is an array": (
        "metrics",
        """
        class Mine(TinyMetric, frozen=True):
            def measure(self, evaluation, rng):
                return {"gap": Estimate(np.array([0.5, 0.6]), 0.1)}
        """,
        "Estimate.value: got '[0.5 0.6]', expected a valid number",
    ),
    "an interval the wrong way round": (
        "metrics",
        """
        class Mine(TinyMetric, frozen=True):
            def measure(self, evaluation, rng):
                return {"gap": Estimate(0.5, 0.1, interval=(2.0, 1.0))}
        """,
        "Mine.measure: gap: interval: got '2 to 1', expected the lower end first",
    ),
    "a direction that there is not": (
        "metrics",
        """
        class Mine(TinyMetric, frozen=True):
            quantities: ClassVar = {"gap": Quantity(better="up")}
        """,
        "Quantity.better: got ... expected 'higher' or 'lower'",
    ),
    "decisions that no byte can hold": (
        "verifier",
        """
        class Mine(Verifier, frozen=True):
            def verify(self, samples, rng):
                return Verdicts(np.zeros(len(samples)), np.full(len(samples), 257))
        """,
        "Mine.verify (PLUGIN, ... decision of a verdict: got '257', expected ACCEPT, REJECT, ABSTAIN or OPEN",
    ),
    "reasons that are no texts": (
        "verifier",
        """
        class Mine(Verifier, frozen=True):
            def verify(self, samples, rng):
                return Verdicts(np.zeros(len(samples)), np.full(len(samples), 2), [None] * len(samples))
        """,
        "Mine.verify (PLUGIN, ... reasons of verdicts: got 'NoneType', expected texts",
    ),
    "a log of words": (
        "verifier",
        """
        class Mine(Verifier, frozen=True):
            def verify(self, samples, rng):
                return Verdicts(np.zeros(len(samples)), logged={"length": ["long"]})
        """,
        "Mine.verify (PLUGIN, ... what verdicts log as 'length': got ... expected numbers",
    ),
    "a verifier that waits": (
        "verifier",
        """
        class Mine(Verifier, frozen=True):
            async def verify(self, samples, rng):
                return Verdicts(np.zeros(len(samples)))
        """,
        "Mine.verify: got 'coroutine', expected Verdicts",
    ),
    "a model that has diverged": (
        "learner",
        """
        class Broken(TinyGenerator):
            def sample(self, n, rng, condition=None):
                return super().sample(n, rng, condition).with_columns(x=np.full((n, 2), np.nan))

        class Mine(TinyLearner, frozen=True):
            generator_type: ClassVar = Broken

            def fit(self, samples, init, rng):
                fitted = super().fit(samples, init, rng)
                return Broken(fitted.mean, fitted.spread)
        """,
        "The samples contain numbers that are not finite: 24 of 24 rows of column 'x'",
    ),
    "a policy that gives other types": (
        "policy",
        """
        class Mine(DataPolicy, frozen=True):
            def training_set(self, start, kept, rng):
                return kept[-1].with_columns(x=kept[-1].array("x").astype(np.float32))
        """,
        "Mine.training_set: column 'x': got 'float32 of shape (2,)', expected float64 of shape (2,)",
    ),
    "a policy that reads what there is not": (
        "policy",
        """
        class Mine(DataPolicy, frozen=True):
            reads: ClassVar = "test"

            def training_set(self, start, kept, rng):
                return start
        """,
        "Mine.reads: got 'test', expected start or unseen",
    ),
    "an infinite error": (
        "metrics",
        """
        class Mine(Metric, frozen=True):
            quantities: ClassVar = {"quality": Quantity()}

            def measure(self, evaluation, rng):
                return {"quality": Estimate(0.5, float("inf"))}
        """,
        "Mine.measure: quality: standard error: got inf, expected 0 or more and finite",
    ),
}


@pytest.fixture
def plug_in(tmp_path, monkeypatch, request):
    """Writes a plug-in's module, and the configuration that uses its class ``Mine``."""
    monkeypatch.syspath_prepend(tmp_path)
    names = []

    def write(where: str, code: str) -> Path:
        name = f"plug_in_{zlib.crc32(request.node.name.encode())}"
        (tmp_path / f"{name}.py").write_text(HEAD + textwrap.dedent(code))
        names.append(name)
        kind = f'{{kind: "{name}:Mine"}}'
        if where == "metrics":
            kind = f"[{kind}]"
        lines = [line for line in CONFIG.strip().splitlines() if not line.startswith(f"{where}:")]
        config = tmp_path / "config.yaml"
        config.write_text("\n".join([*lines, f"{where}: {kind}"]))
        return config

    yield write
    for name in names:
        sys.modules.pop(name, None)


@pytest.fixture
def veriloop(monkeypatch, capfd):
    from veriloop.cli.main import main

    def call(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["veriloop", *map(str, arguments)])
        capfd.readouterr()
        try:
            main()
        except SystemExit as e:
            return e.code if isinstance(e.code, int) else 1, capfd.readouterr().err
        return 0, capfd.readouterr().err

    return call


def test_the_configuration_without_a_plug_in_runs(veriloop, tmp_path):
    (tmp_path / "config.yaml").write_text(CONFIG)
    assert veriloop("run", tmp_path / "config.yaml", "--out", tmp_path / "run")[0] == 0


@pytest.mark.parametrize("mistake", [*FIRST_MISTAKES, *NEIGHBOURS])
def test_a_mistake_of_a_plug_in_is_one_line(mistake, plug_in, veriloop, tmp_path):
    where, code, expected = {**FIRST_MISTAKES, **NEIGHBOURS}[mistake]
    config = plug_in(where, code)
    code_, said = veriloop("validate", config)
    if code_ == 0:
        code_, said = veriloop("run", config, "--out", tmp_path / "run", "--plain")
    assert code_ == 2, said
    *progress, line = said.strip().splitlines()
    # Of a mistake that shows after the start model, its progress line comes before.
    assert all("done" in told for told in progress), f"more than one line: {said}"
    assert line.startswith("error: ")
    assert "Traceback" not in said
    assert "internal" not in said
    for fragment in expected.replace("PLUGIN", f"{config_module(config)}.py").split(" ... "):
        assert fragment in line


def config_module(config: Path) -> str:
    return next(path.stem for path in config.parent.glob("plug_in_*.py"))


EARLY = [
    "a metric without quantities",
    "a generator without save and load",
    "a learner without generator_type",
    "a learner without fit",
    "generator_type is no class",
    "quantities are words",
    "a module that cannot be imported",
    "a test split that is the training split",
    "a validation split that was trained on",
]


@pytest.mark.parametrize("mistake", EARLY)
def test_what_a_class_lacks_is_seen_by_validate(mistake, plug_in, veriloop):
    where, code, _ = {**FIRST_MISTAKES, **NEIGHBOURS}[mistake]
    assert veriloop("validate", plug_in(where, code))[0] == 2


def test_a_whole_number_of_numpy_is_one(plug_in, veriloop, tmp_path):
    code = """
    class Mine(Schedule, frozen=True):
        def wanted(self, round_):
            return np.int64(12)
    """
    assert veriloop("run", plug_in("schedule", code), "--out", tmp_path / "run", "--plain")[0] == 0


def test_a_list_may_be_a_field_of_a_data_set(plug_in, veriloop, tmp_path):
    code = """
    class Mine(TinyData, frozen=True):
        classes: list[int] = [0, 1, 2]
    """
    config = plug_in("dataset", code)
    assert veriloop("validate", config) == (0, "")
    assert veriloop("run", config, "--out", tmp_path / "run", "--plain")[0] == 0


def test_what_our_code_refuses_names_whose_it_was(plug_in, veriloop):
    """The user's own words stay as they are; what ours refused gets the class, the method and the place."""
    config = plug_in(
        "dataset",
        """
        class Mine(Dataset, frozen=True):
            def load(self, seed):
                return Samples(x=np.zeros(3)).array("y")
        """,
    )
    place = f"({config_module(config)}.py, line {line_of(config, '.array')})"
    assert f"Mine.load {place}: no such column: got 'y', expected one of x" in veriloop("validate", config)[1]


def line_of(config: Path, text: str) -> int:
    lines = (config.parent / f"{config_module(config)}.py").read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


class Raising(TinyGenerator):
    error: BaseException

    def sample(self, n, rng, condition=None):
        raise self.error


@pytest.mark.parametrize("error", [DataError("of ours"), KeyboardInterrupt(), MemoryError()])
def test_some_errors_go_through_as_they_are(error):
    generator = Raising(np.zeros((3, 2)), np.ones((3, 2)))
    generator.error = error
    with pytest.raises(type(error)) as raised:
        seam.sample(generator, 1, Address(0).rng(), None, None)
    assert raised.value is error


def test_the_error_itself_is_the_cause():
    generator = Raising(np.zeros((3, 2)), np.ones((3, 2)))
    generator.error = ZeroDivisionError("many\nlines " * 100)
    with pytest.raises(
        ContractError, match=r"^Raising\.sample raised ZeroDivisionError: many lines "
    ) as raised:
        seam.sample(generator, 1, Address(0).rng(), None, None)
    assert raised.value.__cause__ is generator.error
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 400


class Says(TinyMetric, frozen=True):
    value: float = 0.0

    quantities: ClassVar[Mapping[str, Quantity]] = {"share": Quantity(low=0, high=1)}

    def measure(self, evaluation, rng):
        value = math.nan if self.value < 0 else self.value
        return {"share": Estimate(value, math.nan)}


@pytest.mark.parametrize("value", [0.0, 1 + 1e-7, -1.0])
def test_a_bound_may_be_missed_by_rounding_and_a_number_be_unmeasurable(value):
    data = TinyData().load(0)
    generator = TinyGenerator(np.zeros((3, 2)), np.ones((3, 2)))
    measured = seam.measure(Says(value=value), Evaluation(generator, data.test, data.test), Address(0).rng())[
        "share"
    ].value
    assert math.isnan(measured) if value < 0 else measured == value


def test_what_cannot_be_measured_is_said(plug_in, monkeypatch, capfd, tmp_path):
    from veriloop.cli.main import main

    config = plug_in(
        "metrics",
        """
        class Mine(Metric, frozen=True):
            quantities: ClassVar = {"quality": Quantity(), "one": Quantity(part_of="quality")}

            def measure(self, evaluation, rng):
                return dict.fromkeys(self.quantities, Estimate(float("nan"), float("nan")))
        """,
    )
    monkeypatch.setattr(
        sys, "argv", ["veriloop", "run", str(config), "--out", str(tmp_path / "run"), "--plain"]
    )
    main()
    assert "verified, round 1: could not be measured: quality\n" in capfd.readouterr().out


def test_checks_cost_microseconds():
    data = TinyData().load(0)
    rng = Address(0).rng()
    generator = TinyLearner().fit(data.start, None, rng)
    condition = Samples(label=np.arange(30) % 3)
    judge = TinyVerifier().fit(None, generator, data.train, rng)
    evaluation = Evaluation(generator, generator.sample(30, rng, condition), data.test)

    def seconds(call, times=300) -> float:
        began = time.process_time()
        for _ in range(times):
            call()
        return (time.process_time() - began) / times

    pairs = [
        (
            lambda: seam.sample(generator, 30, rng, condition, None),
            lambda: generator.sample(30, rng, condition),
        ),
        (
            lambda: seam.verify(judge, evaluation.generated, rng),
            lambda: judge.verify(evaluation.generated, rng),
        ),
        (
            lambda: seam.measure(TinyMetric(), evaluation, rng),
            lambda: TinyMetric().measure(evaluation, rng),
        ),
    ]
    for checked, plain in pairs:
        # In turns, and the least of each: others use the machine as well.
        both = [(seconds(checked), seconds(plain)) for _ in range(7)]
        assert min(c for c, _ in both) < min(p for _, p in both) + 50e-6
