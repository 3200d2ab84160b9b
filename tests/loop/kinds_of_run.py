"""The kinds of run that `kill_and_resume.py` kills: each small, and each with something that others lack."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Kind(NamedTuple):
    """A configuration, in which ``FOLDER`` is the folder that ``prepare`` has filled.

    Attributes:
        config: YAML.
        prepare: Writes the files that it names.
        rows: For a function that leaves a byte in ``FOLDER/asked`` for each row: how many a chunk has.
    """

    config: str
    prepare: Callable[[Path], None] = lambda folder: None
    rows: int | None = None


DIGITS = """
seed: 3
rounds: 2
dataset: {kind: digits, start: 30}
learner: {kind: cvae, levels: 16, latent_dim: 4, channels: [4, 8], epochs: 4, patience: null}
verifier: {kind: discriminator, levels: 16, hidden: [32], epochs: 1}
acceptance: {kind: top_fraction, fraction: 0.2}
balance: label
schedule: {kind: constant, n: 200}
policy: {kind: accumulate_subsample, size: 300}
metrics: [nelbo]
evaluation_samples: 200
chunk_size: 200
"""

LINEAR = """
seed: 3
rounds: 12
dataset: {kind: linear, theta_star: [1, 1, 1], n0: 20}
learner: ols
verifier: {kind: knowledge_ball, center: [1.1, 1.1, 1.1], radius: 0.5}
balance: direction
schedule: {kind: linear, start: 30, step: 30}
metrics: [{kind: parameter_error, truth: [1, 1, 1]}]
stop: {when: plateau, quantity: parameter_error, patience: 9}
keep_rejected: true
chunk_size: 40
"""

# 20 chunks of 25 rows a round.
TEXT = """
seed: 3
rounds: 2
dataset:
  kind: text
  files: FOLDER/sums.jsonl
  columns: {id: name, prompt: question, completion: null, keep: [answer]}
  start: 0
  held_out: 20
learner: {kind: "guessing:Guessing"}
verifier: {kind: function, function: "sums:nearness", timeout: 3600}
acceptance: {kind: top_fraction, fraction: 0.2}
samples_per_prompt: 5
keep_per_prompt: 1
distinct: true
schedule: {kind: constant, n: 100}
metrics: [text_form]
arms: [verified]
chunk_size: 25
"""

SUMS = """
import os, time

def nearness(row):
    asked = os.open("FOLDER/asked", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(asked, b".")
    os.close(asked)
    time.sleep(0.005)
    return -abs(int(row["completion"]) - row["answer"])
"""

GUESSING = '''
"""Answers with a random number: its skill is the share of right answers beside."""
import json
import numpy as np
from veriloop.generator import Generator
from veriloop.learners.base import Learner

class GuessingGenerator(Generator):
    def __init__(self, skill):
        self.skill = skill

    def sample(self, n, rng, condition=None):
        guess = np.where(rng.random(n) < self.skill, condition["answer"], rng.integers(200, size=n))
        return condition.with_columns(completion=[str(g) for g in guess])

    def save(self, directory):
        (directory / "skill.json").write_text(json.dumps(self.skill))

    @classmethod
    def load(cls, directory):
        return cls(json.loads((directory / "skill.json").read_text()))

class Guessing(Learner, frozen=True):
    generator_type = GuessingGenerator

    def fit(self, samples, init, rng):
        right = [int(a) == b for a, b in zip(samples["completion"], samples["answer"])]
        return GuessingGenerator(0.9 * float(np.mean(right)) if right else 0.1)
'''

PEOPLE = """
seed: 3
rounds: 2
dataset: {kind: "veriloop.testing.tiny:TinyData"}
learner: {kind: "veriloop.testing.tiny:TinyLearner"}
verifier: {kind: human, store: "sqlite:///people.db", known: 2}
schedule: {kind: constant, n: 40}
max_candidates: 40
on_exhausted: train_with_fewer
metrics: [{kind: "veriloop.testing.tiny:TinyMetric"}]
chunk_size: 30
"""

# Two workers make the 20 chunks of a round.
PROCESS = """
seed: 3
rounds: 2
dataset: {kind: linear, theta_star: [1, 1], n0: 20}
learner: ols
verifier: {kind: function, function: "nearness:of", timeout: 3600}
acceptance: {kind: top_fraction, fraction: 0.1}
schedule: {kind: constant, n: 40}
metrics: [{kind: parameter_error, truth: [1, 1]}]
arms: [verified]
chunk_size: 20
parallel: chunks
executor: {kind: process, workers: 2}
"""

NEARNESS = """
import os, time

def of(row):
    asked = os.open("FOLDER/asked", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(asked, b".")
    os.close(asked)
    time.sleep(0.005)
    return -abs(row["y"] - sum(row["x"]))
"""

# Six chunks of 16 texts a round.
LANGUAGE = """
seed: 3
rounds: 2
dataset: {kind: text, files: FOLDER/pairs.jsonl, start: 24, held_out: 8}
learner:
  kind: causal_lm
  model: FOLDER/model
  prompt: {max_tokens: 32}
  decoding: {max_new_tokens: 12, temperature: 1.0}
  epochs: 3
  learning_rate: 0.003
verifier: {kind: function, function: "letters:likeness", timeout: 3600}
acceptance: {kind: top_fraction, fraction: 0.25}
schedule: {kind: constant, n: 24}
metrics: [rouge]
arms: [verified]
evaluation_samples: 8
chunk_size: 16
"""


LETTERS = """
import os

def likeness(row):
    asked = os.open("FOLDER/asked", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(asked, b".")
    os.close(asked)
    wrote, wanted = set(row["summary"]), set(row["reference"])
    return len(wrote & wanted) / len(wrote | wanted)
"""


def _sums(folder: Path) -> None:
    rows = [{"name": f"sum {i}", "question": f"{i} + {i} =", "answer": 2 * i} for i in range(120)]
    (folder / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "sums.py").write_text(SUMS.replace("FOLDER", str(folder)))
    (folder / "guessing.py").write_text(GUESSING)


def _nearness(folder: Path) -> None:
    (folder / "nearness.py").write_text(NEARNESS.replace("FOLDER", str(folder)))


def _language(folder: Path) -> None:
    from veriloop.testing.language import save_tiny_language

    words = ("cat", "cow", "dog", "duck", "frog", "goose", "hen", "horse")
    pairs = [
        {"document": f"A {a} sees a {b}. It is late.", "summary": f"{a} and {b}"}
        for a in words
        for b in words
    ]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    (folder / "letters.py").write_text(LETTERS.replace("FOLDER", str(folder)))
    save_tiny_language(folder / "model", [pair["document"] for pair in pairs])


KINDS = {
    "digits": Kind(DIGITS),
    "linear": Kind(LINEAR),
    "text": Kind(TEXT, _sums, rows=25),
    "people": Kind(PEOPLE),
    "process": Kind(PROCESS, _nearness, rows=20),
    "language": Kind(LANGUAGE, _language, rows=16),
}
