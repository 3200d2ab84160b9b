# %% [markdown]
# # Your first run
#
# A small model of handwritten digits learns from 25 real images. Then it learns from its own samples for three
# rounds, in two ways: once from samples that a verifier accepted, and once from samples that nothing has checked. At the end
# you know whether the verifier helped, and how certain this is. This page takes about a minute.
#
# You need `pip install 'veriloop[torch,report]'`.

# %%
import numpy as np

import veriloop as vl

plan = vl.Plan(
    dataset=vl.datasets.Digits(start=25),
    learner=vl.learners.CVAE(
        latent_dim=3,
        channels=(16, 32),
        kernel=2,
        epochs=80,
        min_steps=400,
        batch_size=64,
        learning_rate=0.005,
        schedule="cosine",
        patience=None,
    ),
    verifier=vl.verifiers.Discriminator(),
    acceptance=vl.rules.TopFraction(fraction=0.05),
    balance="label",
    schedule=vl.rules.Constant(n=1000),
    metrics=[vl.metrics.Frechet()],
    arms=["verified", "unverified"],
    rounds=3,
)

# %% [markdown]
# Read the plan from top to bottom:
#
# - The **data set** provides 25 real images to start with. Held-out images are used only to measure.
# - The **learner** trains a generator: here a variational autoencoder that draws a digit for a given label.
# - The **verifier** scores each sample. This one is a discriminator: it learns to tell real images from generated ones.
# - The **acceptance** rule keeps the best 5 % by score, and `balance` keeps equal numbers of each digit.
# - Each **arm** is one chain of rounds. Both arms start from the same model and draw the same random numbers, so they
#   differ only in the verifier.
#
# A preview judges a few candidates and estimates how long the run will take.

# %%
print(vl.preview(plan))

# %% [markdown]
# Now run the plan. Everything is written to the folder `runs/first`. If the process is killed, the same call with
# `resume="if-possible"` continues, and the result has the same bits.

# %%
run = vl.run(plan, "runs/first", progress=False)
print(run.verdict)

# %% [markdown]
# The verdict compares the two arms on held-out images. The Fréchet distance measures how far samples are from real images, so lower is
# better. The interval covers other held-out images, but not other seeds (see [which filter, how many seeds](filters-and-seeds.py)).

# %%
print(run.frame()[["arm", "round", "value", "se"]].round(1).to_string(index=False))

# %% [markdown]
# Which round should you use? The round that looks best may only be lucky. `run.ship` names a round only if it is shown to be better
# than the start model.

# %%
assert run.ship is not None  # there are metrics
print(run.ship.verdict)

# %% [markdown]
# `run.model()` returns the model of that round, and `run.samples()` returns the samples that a round kept. The run folder stores where each
# kept sample came from.

# %%
digits = run.model("verified").sample(3, vl.Address(1).rng(), vl.Samples(label=np.array([3, 3, 8])))
print(digits.array("pixels").shape)
kept = run.samples("verified", 3)
print(len(kept), "kept:", list(kept))

# %% [markdown]
# The report is one HTML file with curves and pictures. It opens without a network.

# %%
print(run.report())

# %% [markdown]
# The same from a shell, with the plan as a file: `veriloop init digits`, then `veriloop run digits.yaml --out runs/first`.
#
# **Next:** [your own images](own-images.py), or [your own check on a language model](own-check.py).
