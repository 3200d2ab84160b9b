"""The next token of a text: repetitions, temperature, and what may be drawn.

All of it is a matter of one row alone, so that no text depends on those beside it.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from .backends import Decoding


def choose(logits: Tensor, decoding: Decoding, uniform: Tensor) -> Tensor:
    """The next token of each row: the likeliest, or the quantile ``uniform`` of what may be drawn.

    What may be drawn is cut down as in transformers, in the same order: ``top_k``, ``top_p`` of what is left,
    ``min_p``. Theirs would sort the vocabulary once more.

    Args:
        logits: Shape (n, vocabulary).
        decoding: Temperature, top_k, top_p and min_p.
        uniform: In [0, 1), shape (n,).
    """
    if not decoding.temperature:
        return logits.argmax(1)
    probability, token = (
        (logits.double() / decoding.temperature).softmax(1).sort(dim=1, descending=True, stable=True)
    )
    if decoding.top_k is not None and decoding.top_k < probability.shape[1]:
        # Equals of the last of them stay, as with transformers.
        least = probability[:, decoding.top_k - 1 : decoding.top_k]
        probability = torch.where(probability >= least, probability, 0)
        probability /= probability.sum(1, keepdim=True)
    total = probability.cumsum(1)
    # A token may be drawn if those before it have less than top_p; so the likeliest always may.
    may = total - probability < decoding.top_p
    if decoding.min_p:
        may &= probability >= decoding.min_p * probability[:, :1]
    mass = torch.where(may, probability, 0).cumsum(1)
    place = torch.searchsorted(mass, (uniform * mass[:, -1])[:, None], right=True)
    # Just below 1, a uniform number times the mass may round up to all of it: the last of them is meant.
    last = (mass < mass[:, -1:]).sum(1, keepdim=True)
    return token.gather(1, place.clamp(max=last))[:, 0]


class Repetitions:
    """Which tokens stand in each row's prompt or in what was written: these get less likely.

    A logit above 0 is divided by the penalty, one below is multiplied by it (Keskar et al. 2019, arXiv
    1909.05858). The library's own would also count the padding of shorter prompts, which depends on the rows
    beside.

    Args:
        penalty: 1 for none: then nothing is kept in mind.
        prompts: Token ids of each row's prompt.
    """

    def __init__(self, penalty: float, prompts: Sequence[Sequence[int]]) -> None:
        self._penalty, self._prompts = penalty, prompts
        self._seen: Tensor | None = None

    def damp(self, logits: Tensor, rows: Tensor) -> Tensor:
        """``logits``, shape (n, vocabulary), of the ``rows``, shape (n,), with repetitions less likely."""
        if self._penalty == 1:
            return logits
        if self._seen is None:
            seen = torch.zeros(len(self._prompts), logits.shape[1], dtype=torch.bool)
            for row, ids in enumerate(self._prompts):
                seen[row, list(ids)] = True
            self._seen = seen.to(logits.device)
        damped = torch.where(logits < 0, logits * self._penalty, logits / self._penalty)
        return torch.where(self._seen[rows], damped, logits)

    def add(self, rows: Tensor, tokens: Tensor) -> None:
        """Keep in mind the next token of each of ``rows``, shape (n,) both."""
        if self._seen is not None:
            self._seen[rows, tokens] = True
