# %% [markdown]
# # A part of your own
#
# Data sets, learners, verifiers, acceptance rules and metrics are *parts*. A part is a small frozen class whose fields are its settings. On this page you
# write a verifier and a metric, test them against their contracts, and run them together with built-in parts.
#
# You need `pip install 'veriloop[report]'`. This page takes less than a minute.
#
# ## Two parts
#
# The data are points near two half circles, the *moons*. The verifier accepts a point that is close to a real one. It learns
# from real points, so it needs two classes: `NearReal` holds the settings, and its method `fit` returns a *judge* that holds what was learned.
#
# Put parts into a module, because worker processes and later sessions import them by name. The first cell writes the module `my_parts.py`.

# %%
from pathlib import Path

Path("my_parts.py").write_text(
    '''
from typing import ClassVar

import numpy as np

import veriloop as vl


class NearestPoint(vl.Judge):
    """Knows some real points, and decides by the distance to the nearest one."""

    def __init__(self, points, reach):
        self.points, self.reach = points, reach

    def verify(self, samples, rng):
        distance = np.linalg.norm(samples.array("x")[:, None] - self.points, axis=2).min(axis=1)
        decision = np.where(distance <= self.reach, vl.Decision.ACCEPT, vl.Decision.REJECT)
        return vl.Verdicts(-distance, decision)

    def save(self, directory):
        vl.Samples(points=self.points, reach=np.full(len(self.points), self.reach)).save(directory / "known.npz")

    @classmethod
    def load(cls, directory):
        known = vl.Samples.load(directory / "known.npz")
        return cls(known.array("points"), float(known.array("reach")[0]))


class NearReal(vl.Verifier, frozen=True):
    """Accepts points within `reach` of one of `known` real points."""

    known: int = 200
    reach: float = 0.1
    judge_type: ClassVar = NearestPoint

    def fit(self, previous, generator, real, rng):
        chosen = rng.permutation(len(real))[: self.known]
        return NearestPoint(real.select(chosen).array("x"), self.reach)


class OffMoons(vl.Metric, frozen=True):
    """Average distance of generated points to held-out real ones."""

    quantities: ClassVar = {"off_moons": vl.Quantity("Distance to the moons", better="lower", low=0)}

    def measure(self, evaluation, rng):
        made, real = evaluation.generated.array("x"), evaluation.real.array("x")
        distance = np.linalg.norm(made[:, None] - real, axis=2).min(axis=1)
        return {"off_moons": vl.Estimate(distance.mean(), distance.std() / np.sqrt(len(distance)))}
'''.lstrip()
)

# %% [markdown]
# Three things to notice:
#
# - All randomness comes from `rng`. Equal seeds then give equal bits, in any process.
# - A verdict depends only on its own sample, never on the others in the batch.
# - The metric *declares* what it measures: a title, which direction is better, and bounds. Reports, stop rules and verdicts use this declaration.
#
# ## Test them
#
# `veriloop.testing` has a suite for each family. It looks for mistakes that ruin experiments: hidden state, verdicts that
# depend on the batch, and judges that lose something when they are saved.

# %%
import veriloop as vl
from my_parts import NearReal, OffMoons

data = vl.datasets.Toy(name="moons", labelled=False)
real = data.load(seed=0)
learner = vl.learners.KDE(bandwidth=0.2)
generator = learner.fit(real.start, None, vl.Address(0).rng())
vl.testing.check_verifier(NearReal(), generator, real.train, real.conditions)


def measured(width: float) -> vl.Evaluation:
    """What a metric is given about a model. The smaller ``width`` is, the better the model."""
    model = vl.learners.KDE(bandwidth=width).fit(real.train, None, vl.Address(0).rng())
    return vl.Evaluation(model, model.sample(300, vl.Address(1).rng()), real.test)


vl.testing.check_metric(OffMoons(), measured(0.05), worse=measured(1.0))
print("both keep their contracts")

# %% [markdown]
# If a part breaks its contract, the error shows where. This verifier ranks samples within the batch:

# %%
Path("my_mistake.py").write_text(
    """
import veriloop as vl


class Ranks(vl.Verifier, frozen=True):
    def verify(self, samples, rng):
        return vl.Verdicts(samples.array("x")[:, 0].argsort().argsort().astype(float))
""".lstrip()
)

from my_mistake import Ranks

try:
    vl.testing.check_verifier(Ranks(), generator, real.train, real.conditions)
except AssertionError as error:
    print(error)

# %% [markdown]
# ## Run them
#
# Use your parts in a plan like any others. A verifier that decides by itself needs no acceptance rule.

# %%
plan = vl.Plan(
    dataset=data,
    learner=learner,
    verifier=NearReal(reach=0.1),
    schedule=vl.rules.Constant(n=500),
    metrics=[OffMoons()],
    arms=["verified", "unverified"],
    rounds=6,
)
run = vl.run(plan, "runs/moons", progress=False)
print(run.verdict)

# %%
print(run.frame()[["arm", "round", "value"]].pivot(index="round", columns="arm").round(3))

# %% [markdown]
# In a configuration file, a part is named by its module and class:
#
# <!-- needs: the parts above -->
# ```yaml
# verifier: {kind: "my_parts:NearReal", reach: 0.1}
# metrics: [{kind: "my_parts:OffMoons"}]
# ```
#
# A package can register its parts as entry points. They then have short names in every configuration.
#
# **Next:** [all families and what each must do](../guide/plugins.md), including your own data sets, learners and acceptance rules.
