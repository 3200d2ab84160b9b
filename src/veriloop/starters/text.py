"""A plan for a language model that learns from its right answers: sums, a check, and a tiny model."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ..rng import Address
from ..testing.language import save_tiny_language
from .base import Written, heading

DATA, CHECK, MODEL = Path("text_data.jsonl"), Path("text_check.py"), Path("text_model")

LARGEST = 20
"""Largest number in a sum."""

_CHECK = '''\
"""The check of PLAN. Put your own in its place."""

import re


def is_right(row: dict) -> tuple[bool, str]:
    """Whether the answer is the sum of the numbers in the question, and in a few words why not.

    Return True or False to decide, a number as a score, or None where you cannot tell.
    """
    answer = row["answer"].strip()
    if not answer.isdecimal():
        return False, "no number"
    if int(answer) != sum(map(int, re.findall("[0-9]+", row["question"]))):
        return False, "another number"
    return True, ""
'''

_PLAN = """\
# Questions with answers, in DATA. Half of them teach the start model; the others need no answers.
dataset:
  kind: text
  files: DATA
  columns: {prompt: question, completion: answer}   # so a check reads row["question"], row["answer"]
  start: 0.5
  held_out: 0.4   # never trained on: the others are

# MODEL is tiny and untrained, so that this plan runs anywhere within a minute. Replace it with yours: a
# Hugging Face folder, or a name on the hub. A trained model needs fewer epochs and a smaller learning rate.
learner:
  kind: causal_lm
  model: MODEL
  epochs: 30
  learning_rate: 0.003
  decoding: {max_new_tokens: 4, temperature: 1.0}

# The share of right answers to questions that nothing was trained on, and whether the answers stay diverse.
metrics:
  - {kind: function, function: "text_check:is_right"}
  - text_diversity
  - loss

# Rounds after the start model, and the number of right answers that each round trains on, if it finds enough.
rounds: 2
schedule: {kind: constant, n: 200}
max_candidates: 4000
on_exhausted: train_with_fewer

# The function is asked about each answer, in processes that are ended when they take too long.
verifier: {kind: function, function: "text_check:is_right", timeout: 10}
acceptance: accept_all   # the function decides; no score needs a rule
arms: [verified, unverified]

chunk_size: 500
"""


def text(plan: Path) -> Written:
    """Return the plan of ``veriloop init text``, with questions, a check and a tiny model.

    Raises:
        MissingExtraError: transformers is not installed.
    """
    title = "A language model answers questions, and trains on the answers that a function finds right."
    written = f"{heading(title, 'veriloop init text', plan)}\n{_PLAN}"
    written = written.replace("DATA", str(DATA)).replace("MODEL", str(MODEL))
    rows = _sums()
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    check = _CHECK.replace("PLAN", str(plan))
    files = {
        DATA: lines.encode(),
        CHECK: check.encode(),
        **_model([f"{r['question']} {r['answer']}" for r in rows]),
    }
    note = f"{MODEL} is tiny and untrained: try the plan with it, then name your own model"
    return Written(written, (note,), files)


def _sums() -> list[dict[str, str]]:
    """Return all sums of two numbers up to `LARGEST`, in random order."""
    rows = [
        {"question": f"What is {a} + {b}?", "answer": str(a + b)}
        for a in range(LARGEST + 1)
        for b in range(LARGEST + 1)
    ]
    return [rows[i] for i in Address(0, arm="starter").rng().permutation(len(rows))]


def _model(texts: list[str]) -> Mapping[Path, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        save_tiny_language(Path(folder), texts, hidden=64)
        return {MODEL / p.name: p.read_bytes() for p in sorted(Path(folder).iterdir())}
