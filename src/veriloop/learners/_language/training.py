"""Train a causal language model to write completions."""

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel

from ...advance import Rows as RowsSoFar
from ...advance import StepDone, report
from ...errors import VeriloopError
from ...networks import one_cycle
from .gradients import GradientSums
from .lanes import in_lanes
from .packing import ATTENTION, Rows, packs
from .recipe import Training

WARM_UP = 0.05
"""Share of all steps over which the learning rate rises."""


class Row(NamedTuple):
    """Token ids of a prompt and of its completion, at least one each."""

    prompt: list[int]
    completion: list[int]

    def __len__(self) -> int:
        # The last token is predicted, but nothing is predicted from it.
        return len(self.prompt) + len(self.completion) - 1


def train(model: PreTrainedModel, rows: Sequence[Row], training: Training, rng: np.random.Generator) -> None:
    """Minimise the mean loss of the completions' tokens with AdamW, in place.

    Each step uses the gradient of all tokens of a batch, computed pass by pass. The learning rate rises over
    the first twentieth of all steps, then falls along half a cosine to zero. Each step is reported, see
    :mod:`veriloop.advance`.

    Raises:
        VeriloopError: The loss became NaN or infinite.
    """
    steps = training.epochs * math.ceil(len(rows) / training.batch_size)
    steps = min(steps, training.max_steps or steps)
    with trainable(model, training), packed(model) as most:
        parameters = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(
            parameters, training.learning_rate, weight_decay=training.weight_decay, fused=True
        )
        sums = GradientSums(parameters)
        seen = 0
        report(StepDone(0, steps))
        for step, batch in zip(range(steps), _batches(len(rows), training.batch_size, rng), strict=False):
            optimizer.param_groups[0]["lr"] = training.learning_rate * one_cycle(
                (step + 0.5) / steps, WARM_UP
            )
            total = _gradient(model, rows, batch, training, most, sums)
            if not math.isfinite(total):
                raise VeriloopError("training diverged", got=total, fix="lower learning_rate")
            norm = torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            optimizer.zero_grad()
            seen += sum(len(rows[i]) for i in batch)
            if report(StepDone(step + 1, steps, total, float(norm), seen)):
                break


def _gradient(
    model: PreTrainedModel,
    rows: Sequence[Row],
    batch: Sequence[int],
    training: Training,
    most: int,
    sums: GradientSums,
) -> float:
    """Compute a step's gradient in ``sums``, summed over its passes in order; return the loss."""
    tokens = sum(len(rows[i].completion) for i in batch)
    bfloat16 = training.precision == "bfloat16"

    def of_pass(numbered: tuple[int, list[int]]) -> float:
        """Return the loss of one pass; its gradients are added to the sums."""
        number, one_pass = numbered
        # Each weight is cast once per pass, so a cache of casts would only be shared with other passes.
        with torch.autocast(model.device.type, torch.bfloat16, enabled=bfloat16, cache_enabled=False):
            nll = completion_losses(model, [rows[i] for i in one_pass]).sum() / tokens
        sums.add(number, nll)
        return nll.item()

    some = enumerate(passes(rows, batch, min(training.tokens_per_pass, most)))
    with sums.of_step():
        return sum(in_lanes(of_pass, some, most=1 if _draws(model) else 64))


def _draws(model: PreTrainedModel) -> bool:
    """Whether a pass uses the global random stream, in which case passes must run one after the other."""
    dropout = any(isinstance(module, nn.Dropout) and module.p for module in model.modules())
    return dropout or bool(getattr(model.config.get_text_config(), "attention_dropout", 0.0))


@contextmanager
def trainable(model: PreTrainedModel, training: Training) -> Iterator[None]:
    """Inside, the model can be trained: all of its weights, or the adapters that it has."""
    model.train()
    if training.lora is None:
        model.requires_grad_(True)
    if training.gradient_checkpointing:
        model.activation_checkpointing_enable()
        model.enable_input_require_grads()
    yield
    if training.gradient_checkpointing:
        model.activation_checkpointing_disable()
        model.disable_input_require_grads()


def losses(
    model: PreTrainedModel, rows: Sequence[Row], tokens_per_pass: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return each completion's negative log-likelihood in nats, summed over its tokens, and their number."""
    total = np.zeros(len(rows))
    counts = np.array([len(row.completion) for row in rows], np.int64)
    so_far = RowsSoFar(len(rows))

    @torch.inference_mode()
    def of_pass(one_pass: list[int]) -> NDArray[np.float64]:
        """Return the loss of each row of one pass, in nats, shape (rows,)."""
        nll = completion_losses(model, [rows[i] for i in one_pass]).double().cpu().numpy()
        return np.add.reduceat(nll, np.cumsum(counts[one_pass]) - counts[one_pass])

    with packed(model) as most:
        groups = passes(rows, range(len(rows)), min(tokens_per_pass, most))
        for one_pass, summed in zip(groups, in_lanes(of_pass, groups), strict=True):
            total[one_pass] = summed
            so_far.add(len(one_pass))
    return total, counts


def completion_losses(model: PreTrainedModel, rows: Sequence[Row]) -> Tensor:
    """Return the loss of each completion token of ``rows``, in order, from one pass without padding."""
    device = model.device
    layout = Rows([len(row) for row in rows], device)
    ids = torch.tensor([t for row in rows for t in (row.prompt + row.completion)[:-1]], device=device)[None]
    targets = torch.tensor([t for row in rows for t in row.completion], device=device)
    ends = np.cumsum([len(row) for row in rows])
    keep = np.concatenate([np.arange(e - len(r.completion), e) for e, r in zip(ends, rows, strict=True)])
    options = {"rows": layout} if model.config._attn_implementation == ATTENTION else {}
    # Compute logits only for the tokens that count, since with a large vocabulary they are most of the work.
    logits = model(
        input_ids=ids,
        position_ids=layout.positions,
        use_cache=False,
        logits_to_keep=torch.from_numpy(keep).to(device),
        **options,
    ).logits[0]
    return F.cross_entropy(logits.float(), targets, reduction="none")


def passes(rows: Sequence[Row], batch: Sequence[int], most: int) -> list[list[int]]:
    """Divide the batch into groups of similar length with at most ``most`` tokens, or of one longer row.

    Their number is even where the rows allow it, and their sizes differ little, so that two or four cores
    that share them end at the same time.
    """
    order = sorted(batch, key=lambda i: (len(rows[i]), i))

    def filled(limit: int) -> list[list[int]]:
        """Groups that are filled one after the other, each up to ``limit`` tokens."""
        groups: list[list[int]] = []
        size = limit
        for i in order:
            size += len(rows[i])
            if size > limit:
                groups.append([])
                size = len(rows[i])
            groups[-1].append(i)
        return groups

    fewest = len(filled(most))
    number = fewest + fewest % 2
    # A higher limit never needs more groups: look for the lowest that needs no more than `number`.
    lowest = bisect_left(range(1, most), True, key=lambda limit: len(filled(limit)) <= number)
    return filled(1 + lowest)


@contextmanager
def packed(model: PreTrainedModel) -> Iterator[int]:
    """Let the model take joined rows inside the block if it can; yields the most tokens per joined pass."""
    if not packs(model):
        yield 1
        return
    before: Any = model.config._attn_implementation
    model.set_attn_implementation(ATTENTION)
    try:
        yield 2**62
    finally:
        model.set_attn_implementation(before)


def _batches(n: int, size: int, rng: np.random.Generator) -> Iterator[list[int]]:
    while True:
        order = rng.permutation(n)
        for start in range(0, n, size):
            yield order[start : start + size].tolist()
