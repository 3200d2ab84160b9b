"""Plans for a first try with digits, judged by a discriminator or by people."""

from pathlib import Path

from .base import Written, heading, quoted, run_folder

_LEARNER = """\
# 1,797 real images of 8x8 pixels, of which the start model sees 25: it is not good, and a verifier can help.
dataset: {kind: digits, start: 25}

# A small convolutional variational autoencoder.
learner:
  kind: cvae
  latent_dim: 3
  channels: [16, 32]
  kernel: 2
  epochs: 80
  min_steps: 400
  batch_size: 64
  learning_rate: 0.005
  schedule: cosine
  patience: null

# Quality: frechet, precision, accuracy. Diversity: recall, coverage, diversity.
metrics: [frechet, prdc, diversity, accuracy, nelbo]
"""

_JUDGED = """\

# Rounds after the start model, and how many samples each round keeps and trains on.
rounds: 3
schedule: {kind: constant, n: 1000}

# In each round the verifier learns to tell real from generated; the best 5 % of each digit are kept.
verifier: {kind: discriminator, epochs: 20}
acceptance: {kind: top_fraction, fraction: 0.05}
balance: label

# With the verifier, without one, and one model of all real data to compare with.
arms: [verified, unverified, all_real]

evaluation_samples: 1000
chunk_size: 4000
executor: {kind: process, workers: 2}
"""

_BY_PEOPLE = """\

# One round after the start model. It trains on the images that people accepted.
rounds: 1
schedule: {kind: constant, n: 30}

# The verdicts are stored in this file; use a URL of PostgreSQL for people on several machines.
verifier:
  kind: human
  store: "sqlite:///STORE"
  question: "Is this a well-written digit, and the one that it should be?"
  annotators_per_sample: 1
  known: 6   # images with a known answer, mixed in unmarked: how careful is each person?
acceptance: accept_all   # people decide; no score needs a rule

# The round waits for people; the arm without a verifier does not.
arms: [verified, unverified]

evaluation_samples: 1000
"""


def digits(plan: Path) -> Written:
    """Return the plan of ``veriloop init digits``."""
    title = "Retrain a small image model on its own digits, with and without a verifier."
    return Written(f"{heading(title, 'veriloop init digits', plan)}\n{_LEARNER}{_JUDGED}")


def human(plan: Path) -> Written:
    """Return the plan of ``veriloop init human``; its store is named after it."""
    title = "People judge the digits that a model makes, and the model trains on those that they accept."
    file, folder = quoted(plan), quoted(run_folder(plan))
    steps = (
        f"veriloop run {file} --out {folder}, which ends when it needs people;"
        " then veriloop serve runs --resume, and judge in the browser: the run goes on when all is judged"
    )
    text = f"{heading(title, 'veriloop init human', plan)}\n{_LEARNER}{_BY_PEOPLE}"
    return Written(text.replace("STORE", f"{plan.stem}.db"), next=steps)
