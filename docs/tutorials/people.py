# %% [markdown]
# # People as verifiers
#
# People can be the verifier. A run puts its candidates before them and ends. When they have judged, the run goes on and trains
# on what they accepted.
#
# You need `pip install 'veriloop[torch,report,web]'`. This page takes about a minute.
#
# ## A run that waits

# %%
import numpy as np

import veriloop as vl

plan = vl.Plan(
    dataset=vl.datasets.Digits(start=100),
    learner=vl.learners.CVAE(
        latent_dim=3, channels=(8, 16), kernel=2, epochs=30, learning_rate=0.005, patience=None
    ),
    verifier=vl.verifiers.Human(
        store="sqlite:///verdicts.db",
        question="Is this the digit that it should be?",
        annotators_per_sample=2,
    ),
    schedule=vl.rules.Constant(n=50),
    max_candidates=100,
    on_exhausted="train_with_fewer",
    metrics=[vl.metrics.Accuracy()],
    rounds=1,
    arms=["verified", "unverified"],
)
run = vl.run(plan, "runs/people", progress=False)
print(run.status)

# %% [markdown]
# The status is `waiting`: the candidates lie in the store `verdicts.db`, and nothing of the round is lost. Now start the page:
#
# <!-- needs: people -->
# ```
# veriloop serve runs
# ```
#
# Open the address that it prints, choose the queue, and judge by keyboard: **Y** for yes, **N** for no, **S** to skip. Several
# people can judge at once.
#
# ## Somebody judges
#
# This script has to run without you, so two stand-ins judge through the same desk that serves the page. Ann looks at the shape. Bob
# accepts everything that has enough ink.

# %%
import io
from collections.abc import Callable

from PIL import Image

from veriloop.verifiers.human.desk import Desk

real = vl.datasets.Digits(start=100).load(seed=0).train
average = [real.array("pixels")[real.array("label") == digit].mean(axis=0) for digit in range(10)]


def ann(picture: np.ndarray, digit: int) -> bool:
    """Whether the picture is nearest to the average of its own digit."""
    return int(np.argmin([np.linalg.norm(picture - mean) for mean in average])) == digit


def bob(picture: np.ndarray, digit: int) -> bool:
    """Whether there is enough ink, whatever the digit."""
    return bool(picture.mean() > 4.5)


def sit_down(name: str, accepts: Callable[[np.ndarray, int], bool]) -> int:
    """Judge until nothing is left; how many samples that was."""
    desk, judged = Desk("sqlite:///verdicts.db"), 0
    while tasks := desk.take(name):
        key, shown = tasks[0]
        assert shown.picture is not None
        ink = np.asarray(Image.open(io.BytesIO(shown.picture)).convert("LA"))[..., 1] / 255 * 16
        desk.record(name, key, "accept" if accepts(ink, int(shown.words["label"])) else "reject")
        judged += 1
    return judged


print("Ann judged", sit_down("ann", ann))
print("Bob judged", sit_down("bob", bob))

# %% [markdown]
# Both judged more samples than the round has candidates. The others are *known samples*: real images, and real images under a wrong label. Nothing
# marks them, and they show how carefully people judge.
#
# ## The run goes on
#
# The round makes the same candidates again, finds their verdicts, and trains. With two people per sample, a sample is kept when both
# accept it; where they disagree, the verifier abstains. As too few are kept, the round puts more candidates before them, until its limit of 100.

# %%
while run.status == "waiting":
    sit_down("ann", ann)
    sit_down("bob", bob)
    run = vl.run(plan, "runs/people", resume="always", progress=False)
print(run.status)
for record in run.records():
    if record.round == 1:
        print(record.arm, record.counts.generated, "candidates,", record.counts.kept, "kept")
print(run.verdict)

# %% [markdown]
# So few kept images show no difference, and the verdict says so instead of guessing.
#
# ## Who judged well?
#
# `veriloop calibrate` reads the store and asks nobody. Look at the known samples that each person accepted.

# %%
import subprocess

print(
    subprocess.run(
        ["veriloop", "calibrate", "runs/people"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
)

# %% [markdown]
# Bob accepts real images under a wrong label as readily as under the right one. His verdicts say nothing about the label, and the numbers
# show it.
#
# For a team, `veriloop serve runs --resume` goes on with each run as soon as its samples are judged, and `notify` in the plan calls a program of yours when
# people are needed. Verdicts can also come from Label Studio.
#
# **Next:** [people as verifiers in full](../guide/human.md).
