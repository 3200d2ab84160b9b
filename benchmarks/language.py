"""Language models against what people run, on SmolLM2 and XSum's lengths: writing, training, a whole round.

    make smollm2
    VERILOOP_DATA=... python benchmarks/language.py
    VERILOOP_DATA=... python benchmarks/language.py --only writing,several --rows 16 --turns 1

Both sides work on the same rows in turns, in bfloat16, with all cores. A line gives each side's seconds by
the clock, the best of the turns, and the ratio of both; then the same in processor time, which other programs
on the machine disturb less. An operation on several cores waits for each of them, and on a busy machine it
mostly waits, which counts as processor time too: there, compare with one core (``taskset -c 0``). The exit
status is 1 when a ratio by the clock misses its target.

- writing: greedy texts, against transformers' ``generate`` on rows in order of their length, in the batch
  that is the fastest of those tried.
- several: four drawn texts for each prompt, against ``generate`` with ``num_return_sequences``.
- training: all weights, one step on 8 rows, against TRL's ``SFTTrainer`` with its own collator, in the
  fastest of its batches of 8, 4, 2 and 1. A step takes seconds on both sides, so 8 rows are enough.
- round: 400 candidates, the best 50 kept, both arms, 100 held-out articles, in a separate process; its time
  and its peak memory.
"""

import argparse
import gc
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from veriloop.datasets.xsum import XSum
from veriloop.executors.threads import limit_threads
from veriloop.learners._language import models
from veriloop.learners._language.backends import Decoding
from veriloop.learners._language.decoding import write
from veriloop.learners._language.lanes import lanes
from veriloop.learners._language.prompts import Formatter
from veriloop.learners._language.recipe import Training
from veriloop.learners._language.rules import Prompt
from veriloop.learners._language.training import Row, train
from veriloop.peak_memory import peak_memory

PROMPT = Prompt(
    template="Article: {document} Summary:", completion="summary", shorten="document", max_tokens=330
)
NEW, SEVERAL = 48, 4
PARTS = ("writing", "several", "training", "round")
ROUND_SECONDS, ROUND_GIGABYTES = 360, 6.0
NOTHING_STOPS = frozenset[int]()


class Spent(NamedTuple):
    """Seconds by the clock and of the processor."""

    clock: float
    processor: float


def spent(work: Callable[[], object]) -> Spent:
    """What ``work`` takes."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return Spent(time.perf_counter() - clock, time.process_time() - processor)


def race(
    name: str,
    ours: Callable[[], object],
    theirs: dict[str, Callable[[], Callable[[], object]]],
    target: float,
    turns: int,
) -> bool:
    """Print how much faster we are than the fastest of ``theirs``; whether the target is met.

    Each of theirs is made ready first, which is not timed.
    """
    found: dict[str, list[Spent]] = {"": [], **{label: [] for label in theirs}}
    for turn in range(turns):
        with limit_threads(1):
            found[""].append(spent(ours))
        for label, ready in theirs.items():
            with limit_threads(cores()):
                found[label].append(spent(ready()))
            gc.collect()  # a trainer holds its model and refers to itself
        for label, all_ in found.items():
            clock, processor = all_[-1]
            print(
                f"  turn {turn + 1}: {label or 'ours'} {clock:.1f} s, processor {processor:.1f} s", flush=True
            )
    best = {
        label: Spent(*(min(column) for column in zip(*all_, strict=True))) for label, all_ in found.items()
    }
    mine = best.pop("")
    label = min(best, key=lambda label: best[label].clock)
    ratio = best[label].clock / mine.clock
    by_processor = min(b.processor for b in best.values()) / mine.processor
    met = ratio >= target
    print(
        f"{name:9} {mine.clock:7.1f} s, {label} {best[label].clock:7.1f} s: {ratio:.2f} x "
        f"(target {target} x: {'met' if met else 'MISSED'}); processor {mine.processor:.1f} s, "
        f"{by_processor:.2f} x",
        flush=True,
    )
    return met


def cores() -> int:
    """Those of this process."""
    return len(os.sched_getaffinity(0))


def rounded(folder: str) -> Any:
    """The model in bfloat16, which never stops: so all texts are equally long."""
    model: Any = models.find(folder).model
    model.generation_config.eos_token_id = None
    return model.to(torch.bfloat16)


@torch.inference_mode()
def generate(model: Any, prompts: Sequence[list[int]], batch: int, several: int) -> None:
    """Transformers' ``generate``, from long prompts to short ones."""
    order = sorted(prompts, key=len, reverse=True)
    drawn = {"do_sample": True, "top_k": 0, "num_return_sequences": several} if several > 1 else {}
    for start in range(0, len(order), batch):
        some = order[start : start + batch]
        longest = max(map(len, some))
        ids = torch.tensor([[0] * (longest - len(p)) + p for p in some])
        mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in some])
        options = {"do_sample": False, **drawn}
        model.generate(ids, attention_mask=mask, max_new_tokens=NEW, pad_token_id=0, **options)


def writing(folder: str, prompts: list[list[int]], batches: Sequence[int], turns: int, several: int) -> bool:
    """The race of one or of ``several`` texts for each prompt."""
    model = rounded(folder)
    prompts = prompts[: len(prompts) // several]
    repeated = [ids for ids in prompts for _ in range(several)]
    decoding = Decoding(max_new_tokens=NEW, temperature=1.0 if several > 1 else 0.0)
    return race(
        "writing" if several == 1 else "several",
        lambda: write(model, repeated, NOTHING_STOPS, decoding, 16_384, np.random.default_rng(0)),
        {
            f"generate in batches of {batch}": lambda b=batch: partial(
                generate, model, prompts, b // several, several
            )
            for batch in batches
            if batch >= several
        },
        1.3 if several == 1 else 2.0,
        turns,
    )


def trainer(folder: str, rows: list[Row], batch: int, scratch: str) -> Callable[[], object]:
    """TRL's trainer on these rows, ready to train."""
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    from datasets import Dataset

    language = models.find(folder)
    columns = {
        "input_ids": [row.prompt + row.completion for row in rows],
        "completion_mask": [[0] * len(row.prompt) + [1] * len(row.completion) for row in rows],
    }
    arguments = SFTConfig(
        output_dir=scratch,
        max_length=None,
        completion_only_loss=True,
        per_device_train_batch_size=batch,
        gradient_accumulation_steps=math.ceil(min(32, len(rows)) / batch),
        learning_rate=5e-5,
        num_train_epochs=1,
        bf16=True,
        gradient_checkpointing=False,
        use_cpu=True,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        logging_strategy="no",
    )
    language.tokenizer.pad_token = language.tokenizer.eos_token
    model: Any = language.model.float().requires_grad_(True)
    return SFTTrainer(
        model, arguments, train_dataset=Dataset.from_dict(columns), processing_class=language.tokenizer
    ).train


def training(folder: str, rows: list[Row], batches: Sequence[int], turns: int) -> bool:
    """The race of one pass over ``rows``, which are one step."""
    settings = Training(precision="bfloat16")
    mine = models.find(folder).model.float()
    with tempfile.TemporaryDirectory() as scratch:
        theirs = {
            f"TRL in batches of {batch}": partial(trainer, folder, rows, batch, scratch)
            for batch in sorted(set(batches), reverse=True)
        }
        return race(
            "training", lambda: train(mine, rows, settings, np.random.default_rng(0)), theirs, 1.8, turns
        )


def one_round(folder: str) -> None:
    """Make a round of both arms in this process; prints what it took as JSON."""
    from veriloop.config import load_plan
    from veriloop.loop.rounds import run

    recipe = Path(__file__).parents[1] / "recipes" / "xsum" / "cpu-given.yaml"
    plan = load_plan(recipe, [f"learner.model={json.dumps(folder)}"])
    few = plan.dataset.model_copy(update={"start": 16})
    prompt = {"prompt": PROMPT.model_copy(update={"completion": None})}
    learner = plan.learner.model_copy(update={**prompt, "precision": "bfloat16"})
    plan = plan.model_copy(update={"rounds": 1, "dataset": few, "learner": learner})
    began = time.process_time()
    with tempfile.TemporaryDirectory() as out:
        records = run(plan, Path(out) / "run").records()
    print(
        json.dumps(
            {
                "seconds": sum(sum(r.seconds.values()) for r in records if r.round == 1),
                "processor": time.process_time() - began,
                "gigabytes": peak_memory() / 2**30,
            }
        )
    )


def whole_round(folder: str) -> bool:
    """A round in a separate process, with separate memory."""
    command = [sys.executable, __file__, "--model", folder, "--in-this-process"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    met = found["seconds"] <= ROUND_SECONDS and found["gigabytes"] < ROUND_GIGABYTES
    print(
        f"round     {found['seconds']:7.1f} s (target {ROUND_SECONDS} s), {found['gigabytes']:.1f} GB "
        f"(target {ROUND_GIGABYTES:g} GB): {'met' if met else 'MISSED'}; processor, with the start model, "
        f"{found['processor']:.1f} s",
        flush=True,
    )
    return met


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", default="runs/models/smollm2", help="a folder")
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--training-rows", type=int, default=8, help="at most 32, which are one step")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--batches", type=int, nargs="+", default=[8, 16, 32], help="of generate")
    parser.add_argument("--only", default=",".join(PARTS), help="some of " + ",".join(PARTS))
    parser.add_argument("--in-this-process", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.in_this_process:
        one_round(asked.model)
        return 0
    language = models.find(asked.model)
    data = XSum()
    pairs = data.pairs(data.roles()).train.select(slice(asked.rows))
    formatter = Formatter(PROMPT, language.tokenizer)
    prompts = formatter.prompt_ids(formatter.prompts(pairs))
    rows = [Row(p, c) for p, c in zip(prompts, formatter.completion_ids(pairs, NEW), strict=True)]
    with limit_threads(1):
        print(f"{len(rows)} pairs, prompts of {np.mean([*map(len, prompts)]):.0f} tokens, {lanes()} lanes")
    few = rows[: asked.training_rows]
    parts: dict[str, Callable[[], bool]] = {
        "writing": lambda: writing(asked.model, prompts, asked.batches, asked.turns, 1),
        "several": lambda: writing(asked.model, prompts, asked.batches, asked.turns, SEVERAL),
        "training": lambda: training(
            asked.model, few, [max(1, len(few) // k) for k in (1, 2, 4, 8)], asked.turns
        ),
        "round": lambda: whole_round(asked.model),
    }
    met = [parts[name]() for name in asked.only.split(",")]
    return int(not all(met))


if __name__ == "__main__":
    sys.exit(main())
