"""Speed of the language model against plain baselines measured in the same run, on XSum's lengths.

    VERILOOP_DATA=... python benchmarks/language.py

Each line gives a measured figure, the target where there is one, and whether it is met; the exit status is 1
when one is missed. Seconds are of processor time, one thread, so that other work on the machine matters less.
The model is small and untrained: nothing stops early, which would help our generation further.

Baselines, as one would write them first:

- Training: batches padded to the longest length that may come, logits of every token.
- Generation: transformers' ``generate`` on left-padded batches of rows in the order in which they come.
"""

import gzip
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from veriloop.executors.threads import limit_threads
from veriloop.learners._language import models
from veriloop.learners._language.backends import Decoding
from veriloop.learners._language.decoding import write
from veriloop.learners._language.models import Language
from veriloop.learners._language.prompts import Formatter, Prompt
from veriloop.learners._language.recipe import Training
from veriloop.learners._language.training import Row, train
from veriloop.samples import Samples
from veriloop.testing.language import save_tiny_language

PROMPT = Prompt(template="Article: {document} Summary:", completion="summary", max_tokens=1024)
NEW = 48
LONGEST = PROMPT.max_tokens + NEW
PAIRS, AT_ONCE = 32, 8
"""Rows in all, and rows of a pass or a batch of the baselines; ours hold as many tokens."""


def xsum(n: int) -> Samples:
    """The first pairs, white space collapsed."""
    path = Path(os.environ.get("VERILOOP_DATA", ""), "xsum", "train.jsonl.gz")
    if not path.is_file():
        raise SystemExit("needs the texts of $VERILOOP_DATA/xsum/train.jsonl.gz")
    with gzip.open(path, "rt") as file:
        rows = [json.loads(line) for line in islice(file, n)]
    return Samples(
        **{name: [" ".join(row[name].split()) for row in rows] for name in ("document", "summary")}
    )


def seconds(function: Callable[[], object], repeats: int = 1) -> float:
    """Processor time, the best of ``repeats``."""
    best = np.inf
    for _ in range(repeats):
        began = time.process_time()
        function()
        best = min(best, time.process_time() - began)
    return best


def plain_training(language: Language, rows: list[Row]) -> None:
    """One pass over ``rows`` in padded batches; the loss of the completions only."""
    model = language.model.train().requires_grad_(True)
    optimizer = torch.optim.AdamW(model.parameters(), 5e-5)
    for start in range(0, len(rows), 32):
        for first in range(start, start + 32, AT_ONCE):
            some = rows[first : first + AT_ONCE]
            ids = torch.zeros(len(some), LONGEST, dtype=torch.long)
            mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
            for i, row in enumerate(some):
                both = torch.tensor(row.prompt + row.completion)
                ids[i, : len(both)], mask[i, : len(both)] = both, 1
                labels[i, len(row.prompt) : len(both)] = both[len(row.prompt) :]
            model(input_ids=ids, attention_mask=mask, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()


@torch.inference_mode()
def plain_generation(language: Language, prompts: list[list[int]]) -> list[list[int]]:
    """Greedy completions, batch after batch in the order of the rows."""
    written = []
    for start in range(0, len(prompts), AT_ONCE):
        some = prompts[start : start + AT_ONCE]
        longest = max(map(len, some))
        ids = torch.tensor([[0] * (longest - len(p)) + p for p in some])
        mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in some])
        model: Any = language.model  # the mixin that generates is untyped
        out = model.generate(ids, attention_mask=mask, max_new_tokens=NEW, do_sample=False, pad_token_id=0)
        written += [ids[longest:].tolist() for ids in out]  # pyright: ignore[reportGeneralTypeIssues]
    return written


def report(what: str, ours: float, plain: float, tokens: int, target: float) -> bool:
    """Print one comparison; whether it reached the target."""
    ratio = plain / ours
    met = ratio >= target
    print(
        f"{what:12} {tokens / ours:8.0f} tokens/s, plain {tokens / plain:8.0f} tokens/s: {ratio:5.2f} x "
        f"(target {target} x: {'met' if met else 'MISSED'})"
    )
    return met


def main() -> int:
    pairs = xsum(PAIRS)
    with tempfile.TemporaryDirectory() as scratch, limit_threads(1):
        save_tiny_language(Path(scratch), [*pairs["document"], *pairs["summary"]], 2048, hidden=128)
        load = lambda: models.find(scratch)  # noqa: E731
        language = load()
        formatter = Formatter(PROMPT, language.tokenizer)
        prompts = formatter.prompt_ids(formatter.prompts(pairs))
        rows = [Row(p, c) for p, c in zip(prompts, formatter.completion_ids(pairs, NEW), strict=True)]
        lengths = [len(row) for row in rows]
        print(f"{PAIRS} pairs of {np.mean(lengths):.0f} tokens on average, the longest {max(lengths)}")
        training = Training(tokens_per_pass=AT_ONCE * LONGEST)
        met = report(
            "training",
            seconds(lambda: train(load().model, rows, training, np.random.default_rng(0))),
            seconds(lambda: plain_training(load(), rows)),
            sum(lengths),
            2.0,
        )
        decoding, nothing = Decoding(max_new_tokens=NEW), frozenset[int]()
        ours = lambda: write(  # noqa: E731
            language.model, prompts, nothing, decoding, AT_ONCE * LONGEST, np.random.default_rng(0)
        )
        language.model.generation_config.eos_token_id = None
        met &= report(
            "generation",
            seconds(ours),
            seconds(lambda: plain_generation(language, prompts)),
            PAIRS * NEW,
            1.5,
        )
        same = sum(a == b for a, b in zip(ours(), plain_generation(language, prompts), strict=True))
        print(f"{same} of {PAIRS} completions equal, token for token")
    return int(not met)


if __name__ == "__main__":
    sys.exit(main())
