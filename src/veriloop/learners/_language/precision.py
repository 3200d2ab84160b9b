"""Choose the number format in which a language model is fastest here, by timing the model itself."""

import copy
import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

from ...networks import device
from .recipe import Precision

SMALL = 50_000_000
"""Parameters below which a model is not timed: the format hardly matters, and float32 is exact."""

CLEAR = 1.25
"""Factor by which bfloat16 must be faster; a closer result might differ when measured again."""

TURNS = 3
"""Counted turns of each format."""

ROWS, TOKENS = 4, 32
"""Tokens read and trained on for the timing: some seconds for 135 million parameters."""


class Speed(NamedTuple):
    """Seconds for the same number of tokens in each format."""

    reading: dict[Precision, float]
    training: dict[Precision, float]

    @property
    def faster(self) -> Precision:
        """bfloat16 if reading and training together are clearly faster in it."""
        total = {p: self.reading[p] + self.training[p] for p in self.reading}
        return "bfloat16" if total["float32"] > CLEAR * total["bfloat16"] else "float32"

    def described(self) -> str:
        """Description in one line."""
        ratio = lambda t: f"{t['float32'] / t['bfloat16']:.1f}"  # noqa: E731
        return f"reads {ratio(self.reading)} and trains {ratio(self.training)} times as fast in bfloat16"


def settled(precision: Precision, model: PreTrainedModel) -> tuple[Precision, str]:
    """Return what ``auto`` means for this model on this machine, and why; "" if no timing was needed."""
    if precision != "auto":
        return precision, ""
    if device().type != "cpu":
        able = device().type == "cuda" and torch.cuda.is_bf16_supported()
        return (
            ("bfloat16", "the GPU supports it") if able else ("float32", "the GPU does not support bfloat16")
        )
    if model.num_parameters() < SMALL:
        return "float32", ""  # too small to gain anything from a trial
    speed = measured(model)
    return speed.faster, f"this model {speed.described()} here"


_measured: dict[str, Speed] = {}
"""By the model's shape and thread count; measured once per process."""


def measured(model: PreTrainedModel) -> Speed:
    """Time the model in both formats; its weights are left unchanged."""
    key = json.dumps([model.config.to_dict(), torch.get_num_threads()], sort_keys=True, default=str)
    if key not in _measured:
        _measured[key] = _measure(model)
    return _measured[key]


def _measure(model: PreTrainedModel) -> Speed:
    vocabulary: Any = model.get_input_embeddings().num_embeddings
    ids = (torch.arange(ROWS * TOKENS) * 7919 % vocabulary).view(ROWS, TOKENS)
    needs = [p.requires_grad for p in model.parameters()]
    weights = [p for p in model.parameters() if p.is_floating_point()]

    rounded: Any = copy.deepcopy(model)
    readers = {"float32": model, "bfloat16": rounded.to(dtype=torch.bfloat16)}

    def read(precision: Precision) -> None:
        """Read the token ids once."""
        with torch.inference_mode():
            readers[precision](input_ids=ids, use_cache=False, logits_to_keep=1)

    def train(precision: Precision) -> None:
        """Compute one gradient on them."""
        with _arithmetic(precision):
            logits: Tensor = model(input_ids=ids, use_cache=False, logits_to_keep=1).logits
        torch.autograd.grad(logits.float().logsumexp(-1).sum(), weights, allow_unused=True)

    try:
        reading = _seconds(read)
        for weight in weights:
            weight.requires_grad_(True)
        return Speed(reading, _seconds(train))
    finally:
        for weight, needed in zip(model.parameters(), needs, strict=True):
            weight.requires_grad_(needed)


def _arithmetic(precision: Precision) -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16", cache_enabled=False)


def _seconds(work: Callable[[Precision], None]) -> dict[Precision, float]:
    """Return the least processor time of each precision, after an uncounted turn of each.

    Other programs on the same cores can only add to a time: the least is nearest to that of a quiet machine.
    """
    both: tuple[Precision, Precision] = ("float32", "bfloat16")
    for precision in both:
        work(precision)
    spent: dict[Precision, float] = {}
    for precision in both * TURNS:
        began = time.process_time()
        work(precision)
        took = time.process_time() - began
        spent[precision] = min(took, spent.get(precision, took))
    return spent
