"""Keys and values of texts in progress: prompts are read joined, then one new token is added per text.

Transformers' cache needs padded prompts, and its attention copies keys and values for each head that shares
them; on a CPU this was a large part of the time per token.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AttentionInterface, DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

from .packing import Rows, packs

ATTENTION = "veriloop_writing"


class Memory:
    """Keys and values of n texts in all layers, with room for new tokens.

    A text's prompt is at the left of its row. The padding between it and the new tokens is masked.

    Args:
        lengths: Number of tokens in each prompt.
        new: Largest number of new tokens after a prompt.
        device: Device of the model.
    """

    def __init__(self, lengths: Sequence[int], new: int, device: torch.device) -> None:
        self._longest, self._new, self._written = max(lengths), new, 0
        self._lengths = torch.tensor(lengths, device=device)
        self._layers: dict[int, tuple[Tensor, Tensor]] = {}
        self._reading: tuple[Rows, int] | None = None
        self._seen: Tensor | None = None

    def read(self, rows: Rows, first: int) -> None:
        """Make the next pass read whole prompts, joined, starting with prompt ``first``."""
        self._reading = (rows, first)

    def spread(self, texts: Sequence[int]) -> None:
        """Let text i continue prompt ``texts[i]`` from now on, with one new token of each text per pass."""
        self._reading = None
        if list(texts) != list(range(len(self._lengths))):
            self.select(torch.tensor(texts, device=self._lengths.device))

    def select(self, texts: Tensor) -> None:
        """Continue with these texts only."""
        self._lengths = self._lengths[texts]
        for layer, both in self._layers.items():
            keys, values = (kept.index_select(0, texts) for kept in both)
            self._layers[layer] = (keys, values)

    def step(self) -> Tensor:
        """Add room for one token per text; return the tokens' positions in the texts, shape (n, 1)."""
        places = self._lengths[:, None] + self._written
        self._written += 1
        column = torch.arange(self._longest + self._written, device=places.device)
        seen = (column < self._lengths[:, None]) | (column >= self._longest)
        self._seen = seen[:, None, None]
        return places

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float | None) -> Tensor:
        """Return the attention output for a pass, shape (1, tokens, heads, dim) or (n, 1, heads, dim)."""
        if self._reading is None:
            return self._of_new(layer, query, key, value, scale)
        rows, first = self._reading
        query, key, value = (rows.apart(x) for x in (query, key, value))
        if layer not in self._layers:
            room = len(self._lengths), self._longest + self._new
            keys, values = (x.new_zeros(room[0], x.shape[1], room[1], x.shape[3]) for x in (key, value))
            self._layers[layer] = (keys, values)
        for kept, new in zip(self._layers[layer], (key, value), strict=True):
            kept[first : first + len(new), :, : new.shape[2]] = new
        grouped = query.shape[1] != key.shape[1]
        return rows.joined(
            F.scaled_dot_product_attention(query, key, value, is_causal=True, scale=scale, enable_gqa=grouped)
        )

    def _of_new(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float | None) -> Tensor:
        end = self._longest + self._written
        for kept, new in zip(self._layers[layer], (key, value), strict=True):
            kept[:, :, end - 1 : end] = new
        keys, values = (kept[:, :, :end] for kept in self._layers[layer])
        n, heads, _, dim = query.shape
        # Heads that share keys are placed next to each other like tokens, so nothing is copied per head.
        asking = query.reshape(n, keys.shape[1], -1, dim)
        found = F.scaled_dot_product_attention(asking, keys, values, attn_mask=self._seen, scale=scale)
        return found.reshape(n, 1, heads, -1)


def remembers(model: PreTrainedModel) -> bool:
    """Whether texts of this model can be held in a `Memory`; otherwise transformers' cache is used."""
    if not packs(model) or getattr(model.config.get_text_config(), "num_kv_shared_layers", None):
        return False
    return all(type(layer) is DynamicLayer for layer in DynamicCache(config=model.config).layers)


def _attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    memory: Memory,
    scaling: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Implement the interface that transformers expects of attention functions."""
    layer: Any = module.layer_idx
    return memory.attend(layer, query, key, value, scaling), None


AttentionInterface.register(ATTENTION, _attention)
