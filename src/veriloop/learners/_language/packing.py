"""Rows of tokens end to end in one sequence, without padding, each attending to itself only.

All layers but attention look at one token at a time, so they run on the joined rows. Attention takes the
rows apart again; rows of unequal length meet there in one batch, filled up at the right, which a causal
mask never looks at.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedModel

ATTENTION = "veriloop_packed"


class Rows:
    """Where each row lies in the joined sequence.

    Args:
        lengths: Tokens of each of n rows.
        device: Where the model computes.
    """

    def __init__(self, lengths: Sequence[int], device: torch.device) -> None:
        sizes = torch.tensor(lengths)
        starts = sizes.cumsum(0) - sizes
        column = torch.arange(int(sizes.max()))
        real = column < sizes[:, None]
        self.longest = len(column)
        self.positions = column.expand_as(real)[real][None].to(device)
        """Each token's place in its row, shape (1, tokens)."""
        self._source = torch.where(real, starts[:, None] + column, 0).flatten().to(device)
        self._target = real.flatten().nonzero()[:, 0].to(device)

    def apart(self, x: Tensor) -> Tensor:
        """From (1, heads, tokens, dim) to (n, heads, longest, dim); what fills up is arbitrary."""
        _, heads, _, dim = x.shape
        rows = x[0].transpose(0, 1).index_select(0, self._source)
        return rows.view(-1, self.longest, heads, dim).transpose(1, 2)

    def joined(self, x: Tensor) -> Tensor:
        """From (n, heads, longest, dim) to (1, tokens, heads, dim)."""
        return x.transpose(1, 2).flatten(0, 1).index_select(0, self._target)[None]


def packs(model: PreTrainedModel) -> bool:
    """Whether rows of this model can be joined; otherwise each must come alone."""
    config = model.config.get_text_config()
    plain = not any(getattr(config, name, None) for name in ("attn_logit_softcapping", "sliding_window"))
    return plain and bool(model._supports_attention_backend) and not model._is_stateful


def packed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    rows: Rows,
    scaling: float | None = None,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[Tensor, None]:
    """Causal attention inside each row, in the form in which transformers calls attention functions.

    A CPU takes the gradient of attention faster in float32 than in bfloat16: with it a training step of 2,000
    tokens in bfloat16 takes a tenth less time.
    """
    query, key, value, precision = *(rows.apart(x) for x in (query, key, value)), value.dtype
    exact = precision == torch.bfloat16 and value.device.type == "cpu" and value.requires_grad
    if exact:
        query, key, value = query.float(), key.float(), value.float()
    with torch.autocast(value.device.type, enabled=False) if exact else nullcontext():
        attended = F.scaled_dot_product_attention(
            query,
            key,
            value,
            is_causal=True,
            scale=scaling,
            dropout_p=dropout,
            enable_gqa=query.shape[1] != key.shape[1],
        )
    return rows.joined(attended.to(precision)), None


AttentionInterface.register(ATTENTION, packed_attention)
