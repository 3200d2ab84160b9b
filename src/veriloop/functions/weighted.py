"""Combine the scores of several functions into their weighted sum, as TRL does."""

import math
from collections.abc import Mapping, Sequence

from ._row_worker.said import ABSTAIN, NONE, NOT_FOR_THIS, OPEN, Answer, short


def weighted_sum(said: Mapping[str, Sequence[Answer]], weights: Sequence[float]) -> list[Answer]:
    """Return the sum of ``weights`` times scores, left open; True counts as 1 and False as 0.

    A function that returns None is left out of a row's sum; if all do, the row is an abstention. A function
    that fails makes the row an abstention, because its sum would not be comparable with other rows.

    Args:
        said: Answers of each function, by name.
        weights: Weight of each function.
    """
    return [_sum(dict(zip(said, row, strict=True)), weights) for row in zip(*said.values(), strict=True)]


def _sum(row: Mapping[str, Answer], weights: Sequence[float]) -> Answer:
    for name, (_, decision, reason) in row.items():
        if decision == ABSTAIN:
            return NONE, ABSTAIN, f"{name}: {reason}"
    terms = [w * score for w, (score, d, _) in zip(weights, row.values(), strict=True) if d != NOT_FOR_THIS]
    reason = short("; ".join(_word(name, answer) for name, answer in row.items()))
    total = math.fsum(terms)
    if not terms or not math.isfinite(total):
        return NONE, NOT_FOR_THIS if not terms else ABSTAIN, reason
    return total, OPEN, reason


def _word(name: str, answer: Answer) -> str:
    score, decision, reason = answer
    if decision == NOT_FOR_THIS:
        return f"{name}: none"
    return f"{name}: {score:.4g}" + (f" ({reason})" if reason else "")
