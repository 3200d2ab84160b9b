# %% [markdown]
# # Which filter, how many seeds?
#
# You have a verifier. How strict should the filter after it be? One run per setting does not answer this, because another seed may reverse the
# order. `veriloop.compare` runs all settings with the same seeds and reports which differences are real.
#
# You need `pip install 'veriloop[report]'`. This page takes about a minute.
#
# ## A small case
#
# The data are points near two half circles. The model is a kernel density. The verifier scores a point by its distance to the nearest of
# 100 real points. Without a verifier, the points blur more with each round.

# %%
from pathlib import Path

import veriloop as vl

Path("nearness.py").write_text(
    """
import numpy as np

import veriloop as vl


class Near(vl.Judge):
    def __init__(self, points):
        self.points = points

    def verify(self, samples, rng):
        return vl.Verdicts(-np.linalg.norm(samples.array("x")[:, None] - self.points, axis=2).min(axis=1))

    def save(self, directory):
        vl.Samples(points=self.points).save(directory / "points.npz")

    @classmethod
    def load(cls, directory):
        return cls(vl.Samples.load(directory / "points.npz").array("points"))


class Nearness(vl.Verifier, frozen=True):
    judge_type = Near

    def fit(self, previous, generator, real, rng):
        return Near(real.select(rng.permutation(len(real))[:100]).array("x"))
""".lstrip()
)
from nearness import Nearness

plan = vl.Plan(
    dataset=vl.datasets.Toy(name="moons", labelled=False, start=100),
    learner=vl.learners.KDE(bandwidth=0.2),
    verifier=Nearness(),
    acceptance=vl.rules.TopFraction(fraction=0.2),
    schedule=vl.rules.Constant(n=200),
    metrics=[vl.metrics.Distances()],
    arms=["verified"],
    rounds=4,
)

# %% [markdown]
# ## How strict?
#
# Compare three shares of candidates to keep, with three seeds each. A lower energy distance is better.

# %%
shares = {"acceptance.fraction": [0.02, 0.2, 0.5]}
strict = vl.compare(plan, "runs/strict", seeds=3, vary=shares, executor=vl.executors.Serial())
print(*strict.sentences, sep="\n")

# %% [markdown]
# If two settings differ, the sentence gives the difference with its 95 % interval. The intervals are wide enough for all comparisons together, so
# testing many settings does not produce winners by luck. If these seeds cannot separate two settings, the sentence estimates how many
# seeds would.
#
# All numbers are in tables:

# %%
for row in strict.tables["energy_distance"].rows:
    if row.round == 4:
        print(f"{row.variation}: {row.mean:.3f} ({row.low:.3f} to {row.high:.3f}), {row.n} seeds")

# %% [markdown]
# ## More seeds
#
# Ask for more seeds in the same folder. Finished runs are read from it, and only the new ones are computed.

# %%
more = vl.compare(plan, "runs/strict", seeds=12, vary=shares, executor=vl.executors.Serial())
print(*more.sentences, sep="\n")

# %% [markdown]
# Twelve seeds still do not separate the three shares. So in this case it hardly matters how strict the filter is. The sentence estimates how many seeds
# would detect differences as small as the measured ones.
#
# ## Another kind of filter
#
# `top_fraction` keeps the points with the best scores, wherever they are. `top_of_cells` divides the real points into cells and keeps the best points of each cell, in
# the same shares as in the real data. So no region dies out.

# %%
kinds = [
    {"kind": "top_fraction", "fraction": 0.2},
    {"kind": "top_of_cells", "fraction": 0.2, "cells": 20, "column": "x"},
]
cells = vl.compare(plan, "runs/kinds", seeds=6, vary={"acceptance": kinds}, executor=vl.executors.Serial())
print(*cells.sentences, sep="\n")

# %% [markdown]
# Here six seeds are enough: where the filter looks for samples matters more than how strict it is.
#
# This result holds for this data, this model and these sizes. So repeat the comparison with your own.
#
# `runs/strict` and `runs/kinds` each hold a report with curves, and every run in them is an ordinary run folder. From a shell:
# `veriloop compare plan.yaml --seeds 12 --vary acceptance.fraction=0.02,0.2,0.5 --out runs/strict`.
#
# **Next:** [the filters](../guide/filters.md), or [comparisons in full](../guide/compare.md).
