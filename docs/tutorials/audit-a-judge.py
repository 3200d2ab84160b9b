# %% [markdown]
# # Audit a judge from a table
#
# You have a table of answers that a model wrote, and whether a judge accepted each answer. You also have some answers by
# people. Should you train on the answers that the judge accepts, and for how many rounds? An audit predicts this from the table. Nothing is trained.
#
# You need `pip install veriloop`. This page takes a few seconds.
#
# ## A table
#
# Two numbers describe each answer here: how *useful* it is and how much it *flatters*. People's answers are more useful than the model's
# and flatter a little more.

# %%
import numpy as np

import veriloop as vl

rng = np.random.default_rng(0)
generated = rng.normal([0.0, 0.0], 1.0, size=(5000, 2))
people = rng.normal([1.0, 0.3], 1.0, size=(1000, 2))

# %% [markdown]
# The first judge likes useful answers, but it likes flattery more than people do. Near its threshold it decides by chance, as most judges do.


# %%
def judged(useful: float, flattering: float, at: float) -> np.ndarray:
    """Whether a judge with these tastes accepts each generated answer."""
    likes = 5 * (generated @ [useful, flattering] - at)
    return rng.random(len(generated)) < 1 / (1 + np.exp(-likes))


accepted = judged(useful=0.8, flattering=0.8, at=0.8)
print(f"accepted: {accepted.mean():.0%}")

# %% [markdown]
# ## The audit

# %%
found = vl.audit(generated, accepted, people, names=["useful", "flattering"])
print(found.verdict)

# %% [markdown]
# Distances are in *spreads*: 1 is one standard deviation of the model's own answers. These are the distances after each round, with 95 % intervals:

# %%
rounds = zip(found.distances, found.distances_low, found.distances_high, strict=True)
for round_, (distance, low, high) in enumerate(rounds):
    if round_ <= 6:
        print(f"round {round_}: {distance:.2f} from people ({low:.2f} to {high:.2f})")

# %% [markdown]
# Round 1 is measured, because the accepted answers are in the table. Later rounds are predicted, and the interval holds however
# you refit your model. It soon becomes wide, because one round of verdicts cannot show more.
#
# In which direction does the judge pull the model? For each feature, `pull` is the mean of the accepted answers minus the mean of all answers:

# %%
for name, pull in zip(["useful", "flattering"], found.pull, strict=True):
    print(f"{name}: {pull:+.2f}")

# %% [markdown]
# The judge pulls toward flattery as strongly as toward usefulness. But people differ from the model mostly in usefulness, so the gain ends.
#
# ## A better judge, a bad judge, and a coin

# %%
judges = {
    "knows people": np.linalg.norm(generated - [1.0, 0.3], axis=1) < 1.0,
    "only flattery": judged(useful=-0.5, flattering=1.0, at=1.0),
    "a coin": rng.random(len(generated)) < 0.3,
}
for name, says in judges.items():
    audit = vl.audit(generated, says, people, names=["useful", "flattering"])
    print(f"{name}: {audit.regime.value}\n  {audit.verdict}\n")

# %% [markdown]
# The first judge on this page always wants more of both features, so the model overshoots. The judge that knows people stops at their answers.
#
# The audit gives an answer only if the table supports one. For the coin it does not guess: it reports that these verdicts could be
# those of a coin.
#
# ## How often is the judge wrong?
#
# For 400 answers, we also know the truth. `calibrate` compares the verdicts with it and gives error rates with intervals, and their consequences.

# %%
truth = generated[:400, 0] > 0.5
decisions = np.where(accepted[:400], vl.Decision.ACCEPT, vl.Decision.REJECT)
checked = vl.calibrate(vl.Verdicts(np.full(400, np.nan), decisions), truth)
print(f"accepts {checked.false_accept.value:.0%} of the bad answers")
print(f"rejects {checked.false_reject.value:.0%} of the good answers")

# %% [markdown]
# ## From files
#
# You can do the same from a shell, with tables in JSON lines, CSV or Parquet:
#
# <!-- long -->
# ```
# python tools/audit_example.py example
# veriloop audit example/generated.jsonl --real example/real.jsonl --accepted judge_said_yes --text answer
# ```
#
# With `--text`, the audit makes its own features from the texts and shows the words that the judge rewards.
#
# **Next:** [what an audit can know](../guide/will-my-verifier-help.md), or [which verifier to use](../guide/choose-a-verifier.md).
