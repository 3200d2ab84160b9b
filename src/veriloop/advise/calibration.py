"""Compare a verifier with known answers: how often it accepts bad, rejects good, or abstains."""

import math
from collections import Counter
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, computed_field

from ..errors import DataError
from ..laws import ranks as ranks_of
from ..records import Number
from ..showing import Showing, in_short
from ..verdicts import Decision, Verdicts
from .fate import Fate, fate
from .intervals import Interval, Share, Z, wilson

FOLDS = 5
CURVE = 200
"""Largest number of points kept of a ROC curve."""


class CurvePoint(BaseModel):
    """One point of a ROC curve: the result of accepting scores from ``threshold`` on."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    threshold: Number
    false_accept: float
    true_accept: float


class Calibration(Showing, BaseModel):
    """Performance of a verifier on samples that are known to be good or bad.

    Attributes:
        good: Number of known good samples.
        bad: Number of known bad samples.
        abstained_good: Share of the good samples that it did not judge.
        abstained_bad: Share of the bad samples that it did not judge.
        abstentions: Most frequent reasons for abstentions, with their counts.
        accuracy: Share of correct decisions, among those judged.
        false_accept: Share of the judged bad samples that it accepts.
        false_reject: Share of the judged good samples that it rejects.
        threshold: Lowest accepted score if the verifier leaves decisions open; NaN if it decides.
        decided_by: ``verifier``; a ``given`` threshold; or one ``chosen`` to maximise true_accept -
            false_accept (W. J. Youden, 1950). In that case the three shares above are cross-fitted: each
            fifth of the samples is decided with a threshold chosen on the others, so that the choice does not
            bias them.
        auc: Probability that a good sample scores higher than a bad one, with ties counting half.
        curve: The ROC curve, from accepting nothing to accepting everything.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    good: int
    bad: int
    abstained_good: Share
    abstained_bad: Share
    abstentions: dict[str, int]
    accuracy: Share
    false_accept: Share
    false_reject: Share
    threshold: Number
    decided_by: Literal["verifier", "given", "chosen"]
    auc: Interval
    curve: list[CurvePoint]

    def __repr__(self) -> str:
        return in_short(
            "Calibration",
            f"{self.good:,} known good and {self.bad:,} known bad samples; {self.accuracy.value:.1%} right,",
            f"{self.false_accept.value:.1%} of the bad accepted,",
            f"{self.false_reject.value:.1%} of the good rejected",
        )

    __str__ = __repr__

    @computed_field
    @property
    def fate(self) -> Fate:
        """What repeated retraining on the kept samples does to the odds of good to bad."""
        judged_good = self.good - self.abstained_good.count
        return fate(
            wilson(judged_good - self.false_reject.count, self.good),
            wilson(self.false_accept.count, self.bad),
        )


class _Decided(NamedTuple):
    accepts: NDArray[np.bool_]
    threshold: float
    by: Literal["verifier", "given", "chosen"]


def calibrate(verdicts: Verdicts, good: NDArray[np.bool_], at: float | None = None) -> Calibration:
    """Compare ``verdicts`` with the truth.

    Args:
        verdicts: Verdicts on n samples.
        good: Whether each is good, shape (n,).
        at: Lowest accepted score for open verdicts; None to choose one.

    Raises:
        DataError: Lengths differ, or there are no good or no bad samples.
    """
    if len(good) != len(verdicts):
        raise DataError("known labels", got=len(good), expected=f"{len(verdicts)}, one per verdict")
    if good.all() or not good.any():
        raise DataError(
            "both good and bad samples are needed",
            got=f"{np.count_nonzero(good)} good of {len(good)}",
        )
    silent = verdicts.is_(Decision.ABSTAIN)
    reasons = Counter(r for r, s in zip(verdicts.reason or [], silent, strict=False) if s)
    judged = ~silent
    decided = _decide(verdicts, good, at)
    right = decided.accepts == good
    scored = judged & np.isfinite(verdicts.score)
    score, scored_good = verdicts.score[scored], good[scored]
    return Calibration(
        good=int(good.sum()),
        bad=int((~good).sum()),
        abstained_good=_share(silent, good),
        abstained_bad=_share(silent, ~good),
        abstentions=dict(reasons.most_common(10)),
        accuracy=_share(right, judged),
        false_accept=_share(~right, judged & ~good),
        false_reject=_share(~right, judged & good),
        threshold=decided.threshold,
        decided_by=decided.by,
        auc=auc(score, scored_good),
        curve=curve(score, scored_good),
    )


def auc(score: NDArray[np.floating], good: NDArray[np.bool_]) -> Interval:
    """Return the area under the ROC curve, with DeLong's interval on the logit scale.

    E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson, Biometrics 44, 1988. If no pair is out of order, the
    interval has no width; the far bound is then Wilson's for as many trials as the smaller class has samples.

    Returns:
        The area; NaN if there are no good or no bad scores.
    """
    m, n = int(good.sum()), int((~good).sum())
    if not (m and n):
        return Interval(value=math.nan, low=math.nan, high=math.nan)
    ranks = ranks_of(score)
    # How much of the other class each sample is ahead of.
    ahead = (ranks[good] - ranks_of(score[good])) / n
    behind = (ranks[~good] - ranks_of(score[~good])) / m
    value = float(ahead.mean())
    if value in {0.0, 1.0}:
        sure = wilson(round(value) * min(m, n), min(m, n))
        return Interval(value=value, low=sure.low, high=sure.high)
    if min(m, n) < 2:
        return Interval(value=value, low=math.nan, high=math.nan)
    error = math.sqrt(ahead.var(ddof=1) / m + behind.var(ddof=1) / n)
    logit, half = math.log(value / (1 - value)), Z * error / (value * (1 - value))
    low, high = (1 / (1 + math.exp(-x)) for x in (logit - half, logit + half))
    return Interval(value=value, low=low, high=high)


def curve(score: NDArray[np.floating], good: NDArray[np.bool_], points: int = CURVE) -> list[CurvePoint]:
    """Return the ROC curve, thinned to about ``points`` points; empty without good or without bad scores."""
    if good.all() or not good.any():
        return []
    threshold, false_accept, true_accept = _roc(score, good)
    rows = np.unique(np.linspace(0, len(threshold) - 1, points).round().astype(int))
    return [
        CurvePoint(threshold=float(t), false_accept=float(f), true_accept=float(a))
        for t, f, a in zip(threshold[rows], false_accept[rows], true_accept[rows], strict=True)
    ]


def best_threshold(score: NDArray[np.floating], good: NDArray[np.bool_]) -> float:
    """Return the threshold that maximises true accepts - false accepts, halfway to the next score below.

    Halfway, because the next sample's score falls on either side of an observed one.
    """
    threshold, false_accept, true_accept = _roc(score, good)
    best = int(np.argmax(true_accept - false_accept))
    if best in {0, len(threshold) - 1}:
        return float(threshold[best])
    return float((threshold[best] + threshold[best + 1]) / 2)


def _roc(
    score: NDArray[np.floating], good: NDArray[np.bool_]
) -> tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating]]:
    """Return falling thresholds, from above all scores, and the shares of bad and good that each accepts."""
    order = np.argsort(-score, kind="stable")
    falling, hits = score[order], good[order]
    last_of_value = np.flatnonzero(np.append(np.diff(falling) != 0, True))
    accepted = np.append(0, last_of_value + 1)
    right = np.append(0, np.cumsum(hits)[last_of_value])
    threshold = np.append(np.nextafter(falling[0], np.inf), falling[last_of_value])
    return threshold, (accepted - right) / (~good).sum(), right / good.sum()


def _decide(verdicts: Verdicts, good: NDArray[np.bool_], at: float | None) -> _Decided:
    accepts, is_open = verdicts.is_(Decision.ACCEPT), verdicts.is_(Decision.OPEN)
    if not is_open.any():
        return _Decided(accepts, math.nan, "verifier")
    if at is not None:
        return _Decided(verdicts.decide(verdicts.score >= at).is_(Decision.ACCEPT), at, "given")
    score, known = verdicts.score[is_open], good[is_open]
    if known.all() or not known.any():
        raise DataError(
            "no threshold can be chosen: the open verdicts are all on samples of one kind",
            fix="set one with --at",
        )
    threshold = best_threshold(score, known)
    accepts[is_open] = _cross_fitted(score, known, threshold)
    return _Decided(accepts, threshold, "chosen")


def _cross_fitted(
    score: NDArray[np.floating], good: NDArray[np.bool_], otherwise: float
) -> NDArray[np.bool_]:
    """Return decisions on each fold by the threshold chosen on the others; classes are spread evenly."""
    fold = np.empty(len(good), np.int64)
    for known in (good, ~good):
        fold[known] = np.arange(known.sum()) % FOLDS
    accepts = np.empty(len(good), bool)
    for number in range(FOLDS):
        mine = fold == number
        others = good[~mine]
        usable = others.any() and not others.all()
        at = best_threshold(score[~mine], others) if usable else otherwise
        accepts[mine] = score[mine] >= at
    return accepts


def _share(hits: NDArray[np.bool_], of: NDArray[np.bool_]) -> Share:
    return wilson(int(np.count_nonzero(hits & of)), int(np.count_nonzero(of)))
