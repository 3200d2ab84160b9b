"""Chains of counted categories: a training set is its counts, and all draws are draws of counts.

Samples of a category are identical, so a round is a multinomial draw, a verifier changes its shares, and a
draw from the pool of old samples is multivariate hypergeometric.
"""

from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from ..datasets.points import Categories
from ..errors import ExhaustedError
from ..laws import log_gamma, normal_cdf
from ..learners.discrete import Discrete, tempered
from ..rules.acceptance import AcceptAll, Acceptance, Threshold, TopFraction
from ..rules.choice import Choice
from ..rules.policy import Accumulate, AccumulateSubsample, DataPolicy, Fresh, Mix, Replace
from ..verifiers.base import Verifier
from ..verifiers.ensemble import Cutoff
from ..verifiers.known_truth import ScoreTable
from ..verifiers.noisy import Noisy

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


def why_not(policy: DataPolicy, verifier: Verifier | None, acceptance: Acceptance) -> str | None:
    """Return why these chains cannot be simulated here, in words; None if they can."""
    if isinstance(verifier, Noisy) and verifier.blur and isinstance(acceptance, Choice):
        return "a choice by blurred scores"
    if not isinstance(policy, Replace | Accumulate | AccumulateSubsample | Mix | Fresh):
        return f"policy {policy.kind!r}"
    inner = verifier.verifier if isinstance(verifier, Noisy) else verifier
    decides = inner.verifier if isinstance(inner, Cutoff) else inner
    if verifier is not None and not isinstance(decides, ScoreTable):
        return f"verifier {verifier.kind!r}"
    if isinstance(inner, Cutoff) != isinstance(acceptance, AcceptAll) and verifier is not None:
        return f"acceptance {acceptance.kind!r} after verifier {verifier.kind!r}"
    if not isinstance(acceptance, AcceptAll | Threshold | TopFraction | Choice):
        return f"acceptance {acceptance.kind!r}"
    return None


def courses(
    learner: Discrete,
    dataset: Categories,
    policy: DataPolicy,
    verifier: Verifier | None,
    acceptance: Acceptance,
    n: list[int],
    chains: int,
    rng: np.random.Generator,
) -> dict[str, Floats]:
    """Return ``share_K`` of each category, and ``diversity``: each of shape (chains, rounds + 1)."""
    truth = np.array(dataset.shares) / sum(dataset.shares)
    start = rng.multinomial(dataset.start, truth, size=chains)
    pool, training, found = start, start, list[Floats]()
    for size in [*n, 0]:
        share = tempered(training / training.sum(axis=1, keepdims=True), learner.temperature)
        found.append(share)
        if not size:
            break
        kept = _kept(share, size, verifier, acceptance, rng)
        pool = pool + kept
        if isinstance(policy, Accumulate):
            training = pool
        elif isinstance(policy, AccumulateSubsample):
            total = int(pool[0].sum())
            training = _without_replacement(pool, min(policy.size or size, total), rng)
        elif isinstance(policy, Mix | Fresh):
            wanted = round(size * policy.real_share / (1 - policy.real_share))
            training = kept + _real(policy, start, truth, wanted, rng)
        else:
            training = kept
    shares = np.stack(found, axis=1)
    each = {f"share_{k}": shares[:, :, k] for k in range(len(truth))}
    return {**each, "diversity": 1 - (shares**2).sum(axis=2)}


def _real(policy: DataPolicy, start: Counts, truth: Floats, wanted: int, rng: np.random.Generator) -> Counts:
    if isinstance(policy, Fresh):
        return rng.multinomial(wanted, truth, size=len(start))
    passes, rest = divmod(wanted, int(start[0].sum()))
    return passes * start + _without_replacement(start, rest, rng)


def _without_replacement(counts: Counts, size: int, rng: np.random.Generator) -> Counts:
    """Draw ``size`` of each chain's samples, category by category from what is left."""
    taken, left = np.zeros_like(counts), np.full(len(counts), size)
    others = counts.sum(axis=1)
    for k in range(counts.shape[1]):
        others = others - counts[:, k]
        taken[:, k] = rng.hypergeometric(counts[:, k], others, left)
        left = left - taken[:, k]
    return taken


def _kept(
    share: Floats, n: int, verifier: Verifier | None, acceptance: Acceptance, rng: np.random.Generator
) -> Counts:
    """Return the counts of what a round keeps, given the shares of its model; shape as ``share``."""
    if verifier is None:
        return _multinomial(n, share, rng)
    noisy = verifier if isinstance(verifier, Noisy) else None
    inner = noisy.verifier if noisy else verifier
    table = inner.verifier if isinstance(inner, Cutoff) else inner
    assert isinstance(table, ScoreTable)
    scores, blur = np.array(table.scores), noisy.blur if noisy else 0.0
    if isinstance(acceptance, TopFraction):
        return _best(share, n, acceptance.fraction, scores, blur, rng)
    if isinstance(acceptance, Choice):
        return _multinomial(n, _winners(share, acceptance.strength * scores, acceptance.k), rng)
    if isinstance(inner, Cutoff):
        yes = scores >= inner.at
        chance = np.where(yes, 1 - noisy.false_reject, noisy.false_accept) if noisy else yes.astype(float)
    else:
        assert isinstance(acceptance, Threshold)
        yes = (scores >= acceptance.at).astype(float)
        chance = normal_cdf((scores - acceptance.at) / blur) if blur else yes
    accepted = share * chance
    if not accepted.sum(axis=1).all():
        raise ExhaustedError("a chain whose verifier accepts no candidate", expected="some to train on")
    return _multinomial(n, accepted / accepted.sum(axis=1, keepdims=True), rng)


def _multinomial(n: int, share: Floats, rng: np.random.Generator) -> Counts:
    # Rounding may leave a sum just above 1, which the library refuses.
    return rng.multinomial(n, share / share.sum(axis=1, keepdims=True).clip(min=1))


def _winners(share: Floats, score: Floats, k: int) -> Floats:
    """Return the probability that the winner among k candidates is of each category."""
    weight, found = np.exp(score - score.max()), np.zeros_like(share)
    for shown in combinations_with_replacement(range(len(score)), k):
        count = np.bincount(shown, minlength=len(score))
        ways = np.exp(log_gamma(k + 1) - log_gamma(count + 1).sum())
        chance = ways * np.prod(share**count, axis=1)
        wins = count * weight / (count * weight).sum()
        found += chance[:, None] * wins
    return found


def _best(
    share: Floats, n: int, fraction: float, score: Floats, blur: float, rng: np.random.Generator
) -> Counts:
    """Return counts among the n best of n / fraction candidates; ties go to the earlier, so are random."""
    candidates = int(np.ceil(n / fraction - 1e-9))
    count = rng.multinomial(candidates, share / share.sum(axis=1, keepdims=True).clip(min=1))
    kept = np.zeros_like(count)
    if not blur:
        left = np.full(len(count), n)
        for level in np.unique(score)[::-1]:
            alike = np.flatnonzero(score == level)
            own = np.minimum(count[:, alike].sum(axis=1), left)
            for row, size in enumerate(own):
                kept[row, alike] = rng.multivariate_hypergeometric(count[row, alike], size)
            left = left - own
        return kept
    ends = np.cumsum(count, axis=1)
    category = (np.arange(candidates) >= ends[:, :, None]).sum(axis=1)
    rank = score[category] + blur * rng.standard_normal(category.shape)
    rows = rank.argpartition(-n, axis=1)[:, -n:] if n < candidates else np.argsort(rank, axis=1)
    best = np.take_along_axis(category, rows, axis=1)
    for k in range(len(score)):
        kept[:, k] = (best == k).sum(axis=1)
    return kept
