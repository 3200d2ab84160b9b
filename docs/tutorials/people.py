# %% [markdown]
# # People as verifiers
#
# People can be the verifier. A run puts its candidates into a queue and ends. When people have judged them, the run continues and trains
# on the accepted ones.
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
# The status is `waiting`. The candidates are in the store `verdicts.db`, and nothing of the round is lost. Now start the page:
#
# <!-- needs: people -->
# ```
# veriloop serve runs
# ```
#
# Open the address that the command prints, choose the queue, and judge with the keyboard: **Y** for yes, **N** for no, **S** to skip. Several
# people can judge at once.
#
# ## Two people judge
#
# This script has to run without you, so it simulates two people, Ann and Bob. They use the same desk object as the page. Ann looks at the shape. Bob
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


def judge_all(name: str, accepts: Callable[[np.ndarray, int], bool]) -> int:
    """Judge until nothing is left, and return the number of judged samples."""
    desk, judged = Desk("sqlite:///verdicts.db"), 0
    while tasks := desk.take(name):
        key, shown = tasks[0]
        assert shown.picture is not None
        ink = np.asarray(Image.open(io.BytesIO(shown.picture)).convert("LA"))[..., 1] / 255 * 16
        desk.record(name, key, "accept" if accepts(ink, int(shown.words["label"])) else "reject")
        judged += 1
    return judged


print("Ann judged", judge_all("ann", ann))
print("Bob judged", judge_all("bob", bob))

# %% [markdown]
# Both judged more samples than the round has candidates. The others are *known samples*: real images, and real images with a wrong label. Nothing
# marks them, and they show how carefully people judge.
#
# ## The run continues
#
# The round makes the same candidates again, finds their verdicts, and trains. With two people per sample, a sample is kept if both
# accept it. If they disagree, the verifier abstains. Because too few samples are kept, the round puts more candidates into the queue, up to its limit of 100.

# %%
while run.status == "waiting":
    judge_all("ann", ann)
    judge_all("bob", bob)
    run = vl.run(plan, "runs/people", resume="always", progress=False)
print(run.status)
for record in run.records():
    if record.round == 1:
        print(record.arm, record.counts.generated, "candidates,", record.counts.kept, "kept")
print(run.verdict)

# %% [markdown]
# With only a few kept images, no difference shows, and the verdict reports this instead of guessing.
#
# ## Who judged well?
#
# `veriloop calibrate` reads the store and asks nobody. Look at how many known samples each person accepted.

# %%
import subprocess

print(
    subprocess.run(
        ["veriloop", "calibrate", "runs/people"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
)

# %% [markdown]
# Bob accepts real images with a wrong label as readily as those with the right one. His verdicts do not depend on the label, and the numbers
# show this.
#
# For a team, `veriloop serve runs --resume` continues each run as soon as its samples are judged, and `notify` in the plan calls your own program when
# people are needed. You can also import verdicts from Label Studio.
#
# **Next:** [people as verifiers in full](../guide/human.md).
