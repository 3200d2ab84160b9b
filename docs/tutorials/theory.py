# %% [markdown]
# # The theory in twenty minutes
#
# Why does a model get worse when it trains on its own samples? When does a verifier help? And why does the gain end? A model of a few
# lines answers all three questions. It is the linear system of [arXiv 2510.16657](https://arxiv.org/abs/2510.16657), and
# `veriloop.theory` solves it without sampling. This page needs only `pip install veriloop`, and its code runs in seconds.
#
# ## The model
#
# Labels are `y = x · θ* + noise`, and the truth `θ*` has `p` numbers. The start model is least squares on `n0` real labels, so its
# squared error is `p / n0`. In a round, the model makes new labels, and a new model is fitted to them.

# %%
import numpy as np

from veriloop import theory

p, n0, n = 8, 100, 100
rng = np.random.default_rng(0)

# %% [markdown]
# ## Without a verifier, errors add up
#
# A fit to `n` labels in each direction has a noise variance of `1 / n` in that direction. The next model is fitted to labels of this one, so its
# noise is added to the first. Here are 2,000 chains:

# %%
error = rng.normal(size=(2000, p)) / np.sqrt(n0)  # of the start models
for round_ in range(6):
    print(f"round {round_}: {np.mean(np.sum(error**2, axis=1)):.3f}, expected {p / n0 + round_ * p / n:.3f}")
    error = error + rng.normal(size=error.shape) / np.sqrt(n)

# %% [markdown]
# The error grows in a straight line and never stops growing. This is collapse in its simplest form.
#
# ## A verifier that knows something
#
# Now a verifier checks each label. It does not know the truth. It knows a ball, with a center `θc` and a radius, and accepts
# a label if the label fits some model in the ball. Two numbers describe the verifier:
#
# - its **bias** is the distance from `θc` to the truth;
# - a small **radius** makes it strict.


# %%
def system(bias: float, radius: float) -> theory.LinearSystem:
    """A verifier whose center is ``bias`` away from the truth, evenly in all directions."""
    truth = np.zeros(p)
    return theory.LinearSystem(truth, truth + bias / np.sqrt(p), radius, singular_values=np.sqrt(n0))


mild = system(bias=0.2, radius=0.4)
gain = theory.one_round_mse(mild, n, method="exact")
print(f"before: {gain.baseline:.4f}   after one round: {gain.mse:.4f}   accepted: {gain.acceptance_rate:.0%}")

# %% [markdown]
# One round with this verifier reduces the error from 0.08 to less than 0.06, without any new real label. The
# new information is the verifier's knowledge.
#
# The error after the round has two parts. One is noise, which falls as you keep more samples. The other remains:

# %%
for many in (25, 100, 400, 1600):
    after = theory.one_round_mse(mild, many, method="exact")
    print(
        f"n = {many:4}: noise {after.synthetic_variance:.4f} + rest {after.verification_error:.4f} = {after.mse:.4f}"
    )

# %% [markdown]
# ## How good must the verifier be?
#
# It does not have to be perfect. For each radius, there is a range of biases that help in one round of 1,000 labels:

# %%
for radius in (0.2, 0.4, 0.6, 1.0):
    ranges = theory.helpful_biases(system(bias=0.1, radius=radius), n=1000)
    print(f"radius {radius}:", *(f"a bias between {low:.2f} and {high:.2f} helps" for low, high in ranges))

# %% [markdown]
# The start model is about 0.28 away from the truth (the square root of 0.08). So a verifier can be somewhat farther from the truth than
# the model and still help, because the new model is a compromise between the two.
#
# ## Many rounds: toward the verifier, not toward the truth
#
# Each round pulls the model toward the verifier's center. As long as the center is closer to the truth than the model is, this is a gain.
# Later it is a loss.

# %%
course = theory.trajectory(system(bias=0.2, radius=1.5), n=1000, rounds=40)
for round_ in (0, 1, 2, 4, 6, 10, 20, 40):
    print(
        f"round {round_:2}: from the truth {course.mse_star[round_]:.4f}, from the center {course.mse_center[round_]:.4f}"
    )
print("best round:", course.best_round, " regime:", course.regime.value)

# %% [markdown]
# The distance to the center falls in every round. The distance to the truth falls until round 6 and then rises again: gain, then reversal. So
# the practical question is not only *does it help?* but also *when do I stop?*
#
# With a strict verifier, the model takes the same path in fewer rounds. The radius sets the speed. The bias sets the end point, and noise adds to it:

# %%
for bias, radius in ((0.0, 0.4), (0.2, 0.4), (0.2, 1.5), (0.5, 0.6)):
    course = theory.trajectory(system(bias, radius), n=1000, rounds=40)
    print(
        f"bias {bias}, radius {radius}: best round {course.best_round:2}, ends at {course.floor:.4f}, {course.regime.value}"
    )

# %% [markdown]
# ## Is it true?
#
# To check, draw the labels of one round. In each direction, the verifier keeps the labels within a window around its center. (The half-width of the window
# is the radius plus an allowance for the noise.)

# %%
window = mild.radius + mild.sigma_c
center = 0.2 / np.sqrt(p)
measured = []
for _ in range(5000):
    model = rng.normal(size=p) / np.sqrt(n0)
    labels = model[:, None] + rng.normal(size=(p, 3 * n))
    accepted = [row[np.abs(row - center) <= window][:n] for row in labels]
    measured.append(sum(row.mean() ** 2 for row in accepted))
print(f"drawn: {np.mean(measured):.4f} ± {np.std(measured) / np.sqrt(5000):.4f}   solved: {gain.mse:.4f}")

# %% [markdown]
# ## Summary
#
# 1. Retraining without selection adds noise in every round.
# 2. A verifier adds its knowledge. It helps at first, unless it is much farther from the truth than the model.
# 3. Many rounds lead to the verifier's center. If the verifier is biased, they lead away from the truth.
# 4. So measure on data that the verifier never used, and stop when the gain is over.
#
# A real model is not linear, so veriloop does not apply these formulas to real models. It measures instead: [an audit](audit-a-judge.py) estimates the pull of a
# verifier from one round of verdicts, and [a forecast](../guide/when-do-i-stop.md) predicts the next rounds.
# `veriloop theory` prints the numbers above in a shell ([the linear system](../guide/linear.md)).
