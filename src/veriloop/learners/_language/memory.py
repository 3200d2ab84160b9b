"""Keys and values of texts under way: of prompts that are read joined, then of one new token a text.

Transformers' own cache takes padded prompts, and its attention copies keys and values for each head that
shares them: on a CPU that was much of the time of a new token.
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

    A text's prompt stands at the left of its row. Between it and its new tokens is what fills up, which no
    token looks at.

    Args:
        lengths: Tokens of each prompt.
        new: The most tokens that are written after a prompt.
        device: Where the model computes.
    """

    def __init__(self, lengths: Sequence[int], new: int, device: torch.device) -> None:
        self._longest, self._new, self._written = max(lengths), new, 0
        self._lengths = torch.tensor(lengths, device=device)
        self._layers: dict[int, tuple[Tensor, Tensor]] = {}
        self._reading: tuple[Rows, int] | None = None
        self._seen: Tensor | None = None

    def read(self, rows: Rows, first: int) -> None:
        """The next pass holds whole prompts, joined: those from ``first`` on."""
        self._reading = (rows, first)

    def spread(self, texts: Sequence[int]) -> None:
        """From now on text i goes on from prompt ``texts[i]``, and a pass holds one new token of each."""
        self._reading = None
        if list(texts) != list(range(len(self._lengths))):
            self.select(torch.tensor(texts, device=self._lengths.device))

    def select(self, texts: Tensor) -> None:
        """Go on with these texts only."""
        self._lengths = self._lengths[texts]
        for layer, both in self._layers.items():
            keys, values = (kept.index_select(0, texts) for kept in both)
            self._layers[layer] = (keys, values)

    def step(self) -> Tensor:
        """Make room for one token of each text; gives their places in the texts, shape (n, 1)."""
        places = self._lengths[:, None] + self._written
        self._written += 1
        column = torch.arange(self._longest + self._written, device=places.device)
        seen = (column < self._lengths[:, None]) | (column >= self._longest)
        self._seen = seen[:, None, None]
        return places

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float | None) -> Tensor:
        """What the tokens of a pass see, shape (1, tokens, heads, dim) or (n, 1, heads, dim)."""
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
        # Heads that share keys stand side by side, as if they were tokens: so nothing is copied for each.
        asking = query.reshape(n, keys.shape[1], -1, dim)
        found = F.scaled_dot_product_attention(asking, keys, values, attn_mask=self._seen, scale=scale)
        return found.reshape(n, 1, heads, -1)


def remembers(model: PreTrainedModel) -> bool:
    """Whether texts of this model can be held in a `Memory`; otherwise transformers' own cache holds them."""
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
    """In the form in which transformers calls attention functions."""
    layer: Any = module.layer_idx
    return memory.attend(layer, query, key, value, scaling), None


AttentionInterface.register(ATTENTION, _attention)
