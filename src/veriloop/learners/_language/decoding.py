"""Writing completions with a model of our own process."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import Cache, DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

from ...advance import Rows
from ...errors import VeriloopError
from .backends import Decoding
from .drawing import Repetitions, choose

STAYING = 0.75
"""When no more than this share of a batch is still being written, the rest leaves it."""


def write(
    model: PreTrainedModel,
    prompts: Sequence[list[int]],
    stop: frozenset[int],
    decoding: Decoding,
    batch_tokens: int,
    rng: np.random.Generator,
    ends: Callable[[list[int]], bool] | None = None,
) -> list[list[int]]:
    """A completion of each prompt, without its stop token. Where ``ends`` says so of one, it ends as well.

    Prompts of like length share a batch, padded at the left. Row i draws with its own numbers, ``rng``'s
    i-th row of uniforms, so that it does not matter which rows it shares a batch with, but for the rounding
    of the model's arithmetic. Rows and tokens are reported as they come, see :mod:`veriloop.advance`.

    Raises:
        VeriloopError: The model's weights make no numbers.
    """
    shape = (len(prompts), decoding.max_new_tokens)
    uniforms = rng.random(shape) if decoding.temperature else np.zeros(shape)
    written: list[list[int]] = [[] for _ in prompts]
    so_far = Rows(len(prompts))
    order = sorted(range(len(prompts)), key=lambda i: (-len(prompts[i]), i))
    while order:
        longest = len(prompts[order[0]]) + decoding.max_new_tokens
        rows = max(1, batch_tokens // longest)
        batch, order = order[:rows], order[rows:]
        for i, ids in zip(
            batch,
            _write_batch(model, [prompts[i] for i in batch], stop, decoding, uniforms[batch], ends, so_far),
            strict=True,
        ):
            written[i] = ids
    return written


@torch.inference_mode()
def _write_batch(
    model: PreTrainedModel,
    prompts: list[list[int]],
    stop: frozenset[int],
    decoding: Decoding,
    uniforms: NDArray[np.float64],
    ends: Callable[[list[int]], bool] | None,
    so_far: Rows,
) -> list[list[int]]:
    longest, device = max(map(len, prompts)), model.device
    padded = any(len(p) < longest for p in prompts)
    ids = torch.tensor([[0] * (longest - len(p)) + p for p in prompts], device=device)
    mask = torch.zeros(len(prompts), longest + decoding.max_new_tokens, dtype=torch.long, device=device)
    for i, p in enumerate(prompts):
        mask[i, longest - len(p) :] = 1
    positions = (mask[:, :longest].cumsum(1) - 1).clamp(min=0)
    chance, stops = torch.from_numpy(uniforms).to(device), torch.tensor(sorted(stop), device=device)
    cache = _cache(model, mask.shape[1])
    direct = isinstance(cache.layers[0], _Reserved) and model.config._attn_implementation == "sdpa"
    written: list[list[int]] = [[] for _ in prompts]
    rows = torch.arange(len(prompts), device=device)
    going, left = torch.ones(len(prompts), dtype=torch.bool, device=device), len(prompts)
    repetitions = Repetitions(decoding.repetition_penalty, prompts)
    for step in range(decoding.max_new_tokens):
        logits = model(
            input_ids=ids,
            attention_mask=_seen(mask[:, : longest + step], one_token=step > 0 and direct)
            if padded
            else None,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        if step == 0 and logits.isnan().any():
            raise VeriloopError(
                "the language model gives no numbers (NaN)",
                fix="check its weights; a model that was trained here may need a lower learning_rate",
            )
        tokens = choose(repetitions.damp(logits, rows), decoding, chance[rows, step])
        going &= ~torch.isin(tokens, stops)
        repetitions.add(rows[going], tokens[going])
        for row, token in zip(rows[going].tolist(), tokens[going].tolist(), strict=True):
            written[row].append(token)
        if ends is not None:
            going &= torch.tensor([not ends(written[row]) for row in rows.tolist()], device=device)
        before, left = left, int(going.sum())
        so_far.add(before - left, tokens=left)
        if not left:
            break
        if left <= STAYING * len(going):
            cache.batch_select_indices(going.nonzero()[:, 0])
            rows, tokens, mask, positions = rows[going], tokens[going], mask[going], positions[going]
            going = going[going]
        ids, positions = tokens[:, None], positions[:, -1:] + 1
    so_far.add(left)
    return written


def _seen(mask: Tensor, one_token: bool) -> Tensor:
    """The mask in the form that attention takes for one new token, which models make anew at each step."""
    return mask[:, None, None].bool() if one_token else mask


class _Reserved(DynamicLayer):
    """Keys and values of one layer in memory reserved at once; the library's own copies all at each token."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self._room, self._used = room, 0

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        self.dtype, self.device = key_states.dtype, key_states.device
        self._all = [x.new_empty(*x.shape[:2], self._room, x.shape[3]) for x in (key_states, value_states)]
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        before, self._used = self._used, self._used + key_states.shape[2]
        for kept, new in zip(self._all, (key_states, value_states), strict=True):
            kept[:, :, before : self._used] = new
        return self._show()

    def batch_select_indices(self, indices: Tensor) -> None:
        self._all = [kept.index_select(0, indices) for kept in self._all]
        self._show()

    def _show(self) -> tuple[Tensor, Tensor]:
        self.keys, self.values = (kept[:, :, : self._used] for kept in self._all)
        return self.keys, self.values


def _cache(model: PreTrainedModel, room: int) -> Cache:
    cache = DynamicCache(config=model.config)
    if all(type(layer) is DynamicLayer for layer in cache.layers):
        return Cache(layers=[_Reserved(room) for _ in cache.layers])
    return cache  # layers with a window or a state of their own
