"""How each person judges: on known samples, compared with others, and over time."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from .agreement import Ratings, dawid_skene
from .calibrated import Annotator
from .intervals import Share, newcombe, wilson

Opinion = Literal["accept", "reject", "abstain"]
"""A person's verdict on a sample; ``abstain`` if they cannot decide."""

AS_NEWCOMER = (3, 4)
"""Prior correct answers and known samples of each person: three of four."""

FEWEST_JUDGES = 3
"""Least number of people for Dawid and Skene; of two who differ, either may be wrong."""


class Said(NamedTuple):
    """A verdict: on which sample, the correct answer if known, by whom, and after how many seconds."""

    key: str
    truth: Opinion | None
    annotator: str
    answer: Opinion
    seconds: float | None


def weight(right: int, known: int) -> float:
    """Return the weight of a person's verdict in a majority weighted by accuracy; 0 or more.

    It is ln(p / (1 - p)), where p is the share of correct answers on known samples, including the prior
    `AS_NEWCOMER`. For people who err independently, and equally often on good and on bad samples, the
    majority with these weights is correct most often; S. Nitzan, J. Paroush, Optimal decision rules in
    uncertain dichotomous choice situations, International Economic Review 23, 1982. No verdict counts as its
    opposite: if p is below one half, the weight is 0.

    Args:
        right: Number of known samples answered correctly.
        known: Number of known samples decided.
    """
    p = (right + AS_NEWCOMER[0]) / (known + AS_NEWCOMER[1])
    return max(0.0, float(np.log(p / (1 - p))))


def annotators(said: Sequence[Said]) -> dict[str, Annotator]:
    """Return how each person of a store judges, by name, those with the most verdicts first.

    Args:
        said: All their verdicts, in the order in which they were given.
    """
    of_person: dict[str, list[Said]] = defaultdict(list)
    for one in said:
        of_person[one.annotator].append(one)
    names = sorted(of_person, key=lambda name: (-len(of_person[name]), name))
    with_others, accuracy = _with_others(said), _accuracy(ratings(of_person))
    return {
        name: _annotator(of_person[name], with_others.get(name, []), accuracy.get(name, np.nan))
        for name in names
    }


def ratings(of_person: Mapping[str, Iterable[Said]]) -> dict[str, Ratings]:
    """Return each person's verdicts on all samples of the group: 1 accept, 0 reject, NaN for none."""
    row = {key: i for i, key in enumerate(dict.fromkeys(s.key for some in of_person.values() for s in some))}
    found = {name: np.full(len(row), np.nan) for name in of_person}
    for name, some in of_person.items():
        for s in some:
            if s.answer != "abstain":
                found[name][row[s.key]] = s.answer == "accept"
    return found


def _annotator(said: Sequence[Said], with_others: Sequence[bool], accuracy: float) -> Annotator:
    known = [s for s in said if s.truth is not None and s.answer != "abstain"]
    seconds = [s.seconds for s in said if s.seconds is not None]
    half = len(known) // 2
    early, late = _right(known[:half]), _right(known[half:])
    return Annotator(
        verdicts=len(said),
        seconds=float(np.median(seconds)) if seconds else float("nan"),
        sensitivity=_right([s for s in known if s.truth == "accept"]),
        specificity=_right([s for s in known if s.truth == "reject"]),
        early=early,
        late=late,
        drift=newcombe(late, early),
        with_others=wilson(sum(with_others), len(with_others)),
        accuracy=accuracy,
        weight=weight(sum(s.answer == s.truth for s in known), len(known)),
    )


def _right(said: Sequence[Said]) -> Share:
    return wilson(sum(s.answer == s.truth for s in said), len(said))


def _with_others(said: Sequence[Said]) -> dict[str, list[bool]]:
    """Return whether each person's verdicts agree with most others; samples with a tie are left out."""
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for s in said:
        votes[s.key][s.answer] += 1
    found: dict[str, list[bool]] = defaultdict(list)
    for s in said:
        if s.answer == "abstain":
            continue
        own, other = votes[s.key][s.answer] - 1, votes[s.key]["reject" if s.answer == "accept" else "accept"]
        if own != other:
            found[s.annotator].append(own > other)
    return found


def _accuracy(of_person: Mapping[str, Ratings]) -> dict[str, float]:
    """Return how often each person gives the joint label, by Dawid and Skene, on shared samples."""
    together = np.column_stack(list(of_person.values())) if of_person else np.empty((0, 0))
    together = together[np.isfinite(together).sum(axis=1) >= 2]
    judges = np.flatnonzero(np.isfinite(together).any(axis=0))
    if len(judges) < FEWEST_JUDGES:
        return {}
    _, confusion, prior = dawid_skene(together[:, judges])
    shares = np.einsum("acc,c->a", confusion, prior).tolist()
    names = list(of_person)
    return dict(zip([names[i] for i in judges], shares, strict=True))
