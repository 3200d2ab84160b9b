# %% [markdown]
# # Which filter, how many seeds?
#
# You have a verifier. How strict should the filter behind it be? One run with each setting does not answer that: another seed may turn the
# order around. `veriloop.compare` runs all settings under the same seeds and says which differences are real.
#
# You need `pip install 'veriloop[torch,report]'`. This page takes about two minutes.
#
# ## A small case
#
# Points on two half circles, a kernel density as the model, and a discriminator as the verifier. Without a verifier the points
# blur more with each round.

# %%
import veriloop as vl

settings = {
    "dataset": vl.datasets.Toy(name="moons", labelled=False, start=100),
    "learner": vl.learners.KDE(bandwidth=0.2),
    "verifier": vl.verifiers.Discriminator(hidden=(32, 32), epochs=10),
    "acceptance": vl.rules.TopFraction(fraction=0.5),
    "schedule": vl.rules.Constant(n=200),
    "metrics": [vl.metrics.Distances()],
    "arms": ["verified"],
    "rounds": 3,
}
plan = vl.Plan(**settings)

# %% [markdown]
# ## How strict?
#
# Three shares of candidates to keep, three seeds each:

# %%
strict = vl.compare(plan, "runs/strict", seeds=3, vary={"acceptance.fraction": [0.05, 0.2, 0.5]})
for sentence in strict.sentences:
    print(sentence)

# %% [markdown]
# Each difference comes with its 95 % interval. The intervals are wide enough for all comparisons on the page together, so that
# testing many settings does not produce winners by luck. Where the seeds cannot separate two settings, the sentence says how many
# seeds would.
#
# All numbers stand in tables:

# %%
table = strict.tables[strict.headline]
for row in table.rows:
    if row.round == 3:
        print(f"{row.variation}: {row.mean:.4f} ({row.low:.4f} to {row.high:.4f}), {row.n} seeds")

# %% [markdown]
# ## More seeds
#
# Ask for more seeds in the same folder. Finished runs are read, and only the new ones are made.

# %%
more = vl.compare(plan, "runs/strict", seeds=6, vary={"acceptance.fraction": [0.05, 0.2, 0.5]})
for sentence in more.sentences:
    print(sentence)

# %% [markdown]
# ## Another kind of filter
#
# `top_fraction` keeps the best by score. `density_ratio` keeps each sample with a chance in proportion to how much too rare its kind is, so that
# the kept samples follow the real distribution. It needs calibrated scores.

# %%
calibrated = vl.verifiers.Discriminator(hidden=(32, 32), epochs=10, calibration=0.2)
kinds = vl.compare(
    vl.Plan(**{**settings, "verifier": calibrated}),
    "runs/kinds",
    seeds=3,
    vary={
        "arms.verified.acceptance": [
            {"kind": "top_fraction", "fraction": 0.2},
            {"kind": "density_ratio", "fraction": 0.2},
        ]
    },
)
for sentence in kinds.sentences:
    print(sentence)

# %% [markdown]
# The answer holds for this data, this model and these sizes. That is why it is worth asking for your own.
#
# The folders `runs/strict` and `runs/kinds` hold a report with curves, and each run in them is an ordinary run folder.
#
# **Next:** [the filters](../guide/filters.md), or [comparisons in full](../guide/compare.md).
