"""Verdicts: a verifier's output, a score and a decision for each sample."""

from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import ContractError


class Decision(IntEnum):
    """The decision on a sample.

    OPEN: the verifier gives a score and leaves the decision to the acceptance rule.
    ABSTAIN: the verifier cannot decide. The sample is not trained on and is counted separately: an
    abstention is neither a rejection nor a score of zero.
    """

    OPEN = -1
    REJECT = 0
    ACCEPT = 1
    ABSTAIN = 2


_LOWEST, _HIGHEST = int(min(Decision)), int(max(Decision))


class Verdicts:
    """A score and a decision for each of ``n`` samples.

    Args:
        score: Scores, shape (n,), higher is better. NaN without a score (an abstention, or no verifier).
        decision: Decisions, shape (n,), values of :class:`Decision`; all OPEN when None.
        reason: Reason for each verdict, "" for none; n texts, or None.
        logged: Numbers that the verifier logs, by name; their mean becomes an event of the run.

    Raises:
        ContractError: Lengths differ, a decision is not one of the four, or an OPEN sample has no finite
            score, so that no rule can decide on it.
    """

    __slots__ = ("decision", "logged", "reason", "score")

    def __init__(
        self,
        score: ArrayLike,
        decision: ArrayLike | None = None,
        reason: Sequence[str] | None = None,
        logged: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        scores = np.asarray(score)
        if scores.dtype.kind == "c" or scores.ndim != 1:
            raise ContractError(
                "scores of verdicts",
                got=f"{scores.dtype} of shape {scores.shape}",
                expected="real numbers, with one axis",
            )
        self.score: NDArray[np.float64] = scores.astype(np.float64, copy=False)
        if decision is None:
            self.decision: NDArray[np.int8] = np.full(len(self.score), Decision.OPEN, np.int8)
        else:
            self.decision = _decisions(np.asarray(decision))
        self.reason: list[str] | None = None if reason is None else list(reason)
        if others := {type(why).__name__ for why in self.reason or () if not isinstance(why, str)}:
            raise ContractError(
                "reasons of verdicts", got=", ".join(sorted(others)), expected='texts, "" where there is none'
            )
        self.logged: dict[str, list[float]] = {}
        for name, values in (logged or {}).items():
            try:
                numbers = [float(value) for value in values]
            except (TypeError, ValueError) as e:
                raise ContractError(f"what verdicts log as {name!r}", got=str(e), expected="numbers") from e
            if numbers:
                self.logged[name] = numbers
        lengths = {len(self.score), len(self.decision)} | ({len(self.reason)} if self.reason else set())
        if len(lengths) > 1:
            raise ContractError("verdicts of unequal length", got=str(sorted(lengths)), expected="equal")
        blind = int(np.count_nonzero(self.is_(Decision.OPEN) & ~np.isfinite(self.score)))
        if blind:
            raise ContractError(
                f"{blind} open verdicts have no finite score",
                fix="return ABSTAIN for a sample that the verifier cannot judge",
            )

    def __len__(self) -> int:
        return len(self.score)

    def is_(self, decision: Decision) -> NDArray[np.bool_]:
        """Return a mask of the samples with this decision."""
        return self.decision == int(decision)

    def count(self, decision: Decision) -> int:
        """Return the number of samples with this decision."""
        return int(np.count_nonzero(self.is_(decision)))

    def decide(self, accept: NDArray[np.bool_]) -> "Verdicts":
        """Return these verdicts with the OPEN ones decided by ``accept``, shape (n,); others are unchanged.

        Raises:
            ContractError: ``accept`` is not one boolean for each verdict.
        """
        accept = np.asarray(accept)
        if accept.dtype != np.bool_ or accept.shape != self.score.shape:
            raise ContractError(
                "accept",
                got=f"{accept.dtype} of shape {accept.shape}",
                expected=f"True or False for each of {len(self)}",
            )
        ruled = np.where(accept, Decision.ACCEPT, Decision.REJECT)
        decision = np.where(self.is_(Decision.OPEN), ruled, self.decision)
        return Verdicts(self.score, decision, self.reason, self.logged)


def _decisions(given: NDArray[Any]) -> NDArray[np.int8]:
    """Return the given decisions as int8; refuse values that are not one of the four."""
    if given.dtype.kind in "biuf":
        low, high = given.min(initial=_LOWEST), given.max(initial=_HIGHEST)
        if low >= _LOWEST and high <= _HIGHEST and (given.dtype.kind != "f" or (given % 1 == 0).all()):
            return given.astype(np.int8)
    got = ", ".join(sorted(set(map(str, given.ravel().tolist())))[:5])
    raise ContractError("decision of a verdict", got=got, expected="ACCEPT, REJECT, ABSTAIN or OPEN")


def all_logged(verdicts: Iterable[Verdicts]) -> dict[str, list[float]]:
    """Collect what several verdicts logged, by name."""
    together: dict[str, list[float]] = {}
    for one in verdicts:
        for name, values in one.logged.items():
            together.setdefault(name, []).extend(values)
    return together
