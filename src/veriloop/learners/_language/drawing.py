"""Choose the next token of a text: repetitions, temperature, and the sampling limits.

Everything is computed per row, so no text depends on the others in its batch.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from .backends import Decoding

LIKELIEST = 512
"""Number of tokens to sort first. Sorting a vocabulary of 49,152 takes longer than reading a token."""


def choose(logits: Tensor, decoding: Decoding, uniform: Tensor) -> Tensor:
    """Return the next token of each row: the most likely one, or the quantile ``uniform`` of those allowed.

    What may be drawn is cut down as in transformers, in the same order: ``top_k``, ``top_p`` of what is left,
    ``min_p``. Where it can be told from the likeliest tokens alone which one is drawn, only they are sorted.
    The token is the one that a sort of all would give: rows in which a limit is nearer than rounding are
    sorted.

    Args:
        logits: Logits, shape (n, vocabulary).
        decoding: Settings with temperature, top_k, top_p and min_p.
        uniform: Uniform numbers in [0, 1), shape (n,).
    """
    if not decoding.temperature:
        return logits.argmax(1)
    probability = (logits.double() / decoding.temperature).softmax(1)
    most = max(LIKELIEST, 2 * (decoding.top_k or 0))
    if most >= probability.shape[1]:
        return _drawn(probability, decoding, uniform)
    token, sure = _drawn_early(probability, most, decoding, uniform)
    if not sure.all():
        token[~sure] = _drawn(probability[~sure], decoding, uniform[~sure])
    return token


def _drawn(probability: Tensor, decoding: Decoding, uniform: Tensor) -> Tensor:
    """Return the token of each row by a sort of all tokens, equal ones in their order."""
    probability, token = probability.sort(dim=1, descending=True, stable=True)
    probability, may = _may_be_drawn(probability, decoding)
    mass = torch.where(may, probability, 0).cumsum(1)
    place = torch.searchsorted(mass, (uniform * mass[:, -1])[:, None], right=True)
    # A uniform number just below 1 times the mass may round up to the whole mass, meaning the last token.
    last = (mass < mass[:, -1:]).sum(1, keepdim=True)
    return token.gather(1, place.clamp(max=last))[:, 0]


def _may_be_drawn(probability: Tensor, decoding: Decoding) -> tuple[Tensor, Tensor]:
    """Return the falling probabilities after ``top_k``, and which tokens may be drawn."""
    if decoding.top_k is not None and decoding.top_k < probability.shape[1]:
        # Ties with the last of them stay, as in transformers.
        least = probability[:, decoding.top_k - 1 : decoding.top_k]
        probability = torch.where(probability >= least, probability, 0)
        probability = probability / probability.sum(1, keepdim=True)
    # A token is allowed if those before it have less than top_p, so the most likely one always is.
    may = probability.cumsum(1) - probability < decoding.top_p
    if decoding.min_p:
        may &= probability >= decoding.min_p * probability[:, :1]
    return probability, may


def _drawn_early(everything: Tensor, most: int, decoding: Decoding, uniform: Tensor) -> tuple[Tensor, Tensor]:
    """Return the token of each row by its ``most`` likeliest ones, and whether it is certain."""
    # More than the rounding of a sum over the vocabulary, in whatever order.
    near = 4 * everything.shape[1] * torch.finfo(everything.dtype).eps
    token = everything.topk(most, dim=1, sorted=False).indices.sort(dim=1).values
    known, order = everything.gather(1, token).sort(dim=1, descending=True, stable=True)
    token = token.gather(1, order)
    # Of tokens as likely as the last of these, others may be missing.
    whole = known > known[:, -1:]
    probability, may = _may_be_drawn(known, decoding)
    mass = torch.where(may, probability, 0).cumsum(1)
    if decoding.top_k is None and decoding.top_p == 1 and not decoding.min_p:
        rest = everything.sum(1) - known.sum(1)
        sure = torch.ones_like(uniform, dtype=torch.bool)
    else:
        # What may be drawn ends among the known ones, and no limit lies where rounding could decide.
        rest = torch.zeros_like(uniform)
        sure = ~(may & (probability > 0) & ~whole).any(1)
        if decoding.top_p < 1:
            before = probability.cumsum(1) - probability
            sure &= ((before - decoding.top_p).abs() > near).all(1)
        if decoding.min_p:
            ratio = probability / probability[:, :1]
            sure &= ((ratio - decoding.min_p).abs() > near).all(1)
    target = uniform * (mass[:, -1] + rest)
    place = torch.searchsorted(mass, target[:, None], right=True).clamp(max=most - 1)
    sure &= ((mass - target[:, None]).abs() > near).all(1) & whole.gather(1, place)[:, 0]
    return token.gather(1, place)[:, 0], sure


class Repetitions:
    """Makes tokens that already occur in each row's prompt or completion less likely.

    A positive logit is divided by the penalty, a negative one multiplied by it (Keskar et al. 2019, arXiv
    1909.05858). The implementation of transformers would also count the padding of shorter prompts, which
    depends on the other rows.

    Args:
        penalty: The penalty; with 1 for none, nothing is stored.
        prompts: Token ids of each row's prompt.
    """

    def __init__(self, penalty: float, prompts: Sequence[Sequence[int]]) -> None:
        self._penalty, self._prompts = penalty, prompts
        self._seen: Tensor | None = None

    def damp(self, logits: Tensor, rows: Tensor) -> Tensor:
        """Return ``logits``, shape (n, vocabulary), of ``rows``, shape (n,), with the penalty applied."""
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
        """Record the next token of each of ``rows``, shape (n,) both."""
        if self._seen is not None:
            self._seen[rows, tokens] = True
