"""Exact laws of toy chains: from a plan and one of its arms to the expected course of a quantity."""

from collections.abc import Callable, Mapping

import numpy as np

from ..datasets.linear import LinearModel
from ..datasets.points import Categories, Mixture
from ..errors import ConfigError
from ..learners.gaussian import Gaussian
from ..learners.kde import KDE
from ..learners.ols import OLS
from ..loop.plan import Plan
from ..rules.acceptance import TopFraction
from ..rules.choice import Choice
from ..rules.policy import Accumulate, AccumulateSubsample, Fresh, Mix, Replace
from ..theory import collapse
from ..theory.validation import Floats
from ..verifiers.base import Verifier
from ..verifiers.ensemble import Cutoff
from ..verifiers.known_truth import ScoreTable
from ..verifiers.noisy import Noisy

Law = Callable[[Plan, str], Floats]


def _sizes(plan: Plan, arm: str, start: int) -> list[int]:
    schedule = plan.arms[arm].schedule
    assert schedule is not None
    return [start, *(schedule.wanted(k) for k in range(1, plan.rounds + 1))]


def _moments(plan: Plan, arm: str) -> tuple[collapse.Moments, float]:
    """Return the policy's terms in units of the truth's variance, and that variance."""
    policy = plan.arms[arm].policy
    pools: dict[type, collapse.Pool] = {
        Replace: "replace",
        Accumulate: "accumulate",
        AccumulateSubsample: "subsample",
        Mix: "mix",
        Fresh: "fresh",
    }
    if type(policy) not in pools:
        raise _no_law("moments", f"policy {policy.kind!r}")
    match plan.learner, plan.dataset:
        case Gaussian() as learner, Mixture() as data if data.centers.shape == (1, 1) and learner.scale == 1:
            start, unit = data.start, data.spread**2
            refit = collapse.Refit(unbiased=learner.ddof == 1)
        case KDE() as learner, Mixture() as data if data.centers.shape == (1, 1) and not isinstance(
            learner.bandwidth, str
        ):
            start, unit = data.start, data.spread**2
            refit = collapse.Refit(extra=learner.scale * learner.bandwidth**2 / unit)
        case OLS() as learner, LinearModel() as data if learner.sigma == data.sigma:
            # Along each direction, the model is a mean of labels with known noise.
            p, unit = len(data.theta_star), data.sigma**2
            sizes = _sizes(plan, arm, data.n0)
            each = [data.n0, *(n // p for n in sizes[1:])]
            return collapse.pooled_moments(each, pools[type(policy)], collapse.Refit(0, 1)), p * unit
        case _:
            raise _no_law("moments", f"learner {plan.learner.kind!r} on data {plan.dataset.kind!r}")
    sizes, real = _sizes(plan, arm, start), None
    if isinstance(policy, Mix | Fresh):
        real = round(sizes[1] * policy.real_share / (1 - policy.real_share))
        if isinstance(policy, Mix) and real != start:
            raise _no_law("moments", f"{real} of {start} real samples mixed in", "all of them once")
    return collapse.pooled_moments(sizes, pools[type(policy)], refit, real), unit


def mean_error(plan: Plan, arm: str) -> Floats:
    """Return the expected squared error of the mean, or of a regression's parameters."""
    moments, unit = _moments(plan, arm)
    return unit * moments.mean_error


def variance(plan: Plan, arm: str) -> Floats:
    """Return the expected variance of the model."""
    moments, unit = _moments(plan, arm)
    return unit * moments.variance


def deviation(plan: Plan, arm: str) -> Floats:
    """Return the expected standard deviation of a Gaussian that is replaced each round."""
    data = plan.dataset
    if not (isinstance(data, Mixture) and isinstance(plan.arms[arm].policy, Replace)):
        raise _no_law("deviation", f"data {data.kind!r}, policy {plan.arms[arm].policy.kind!r}")
    return data.spread * collapse.expected_deviation(_sizes(plan, arm, data.start))


def wasserstein(plan: Plan, arm: str) -> Floats:
    """Return the expected squared Wasserstein-2 distance of a replaced Gaussian from the truth."""
    moments, unit = _moments(plan, arm)
    of_deviation = unit * (moments.variance + 1) - 2 * np.sqrt(unit) * deviation(plan, arm)
    return unit * moments.mean_error + of_deviation


def diversity(plan: Plan, arm: str) -> Floats:
    """Return the expectation of 1 minus the sum of squared shares, of categories or of separate modes."""
    data, policy = plan.dataset, plan.arms[arm].policy
    if not isinstance(data, Mixture | Categories) or not isinstance(policy, Replace):
        raise _no_law("diversity", f"data {data.kind!r}, policy {policy.kind!r}")
    modes = len(data.centers) if isinstance(data, Mixture) else len(data.shares)
    share = np.array(data.shares or (1 / modes,) * modes)
    share = share / share.sum()
    left = np.cumprod(1 - 1 / np.array(_sizes(plan, arm, data.start), float))
    return (1 - (share**2).sum()) * left


def share_0(plan: Plan, arm: str) -> Floats:
    """Return the expected share of the first of two categories, for a choice, a best fraction or a cutoff."""
    data, setting = plan.dataset, plan.arms[arm]
    if not (isinstance(data, Categories) and len(data.shares) == 2 and isinstance(setting.policy, Replace)):
        raise _no_law("share_0", f"data {data.kind!r}, policy {setting.policy.kind!r}")
    sizes = _sizes(plan, arm, data.start)
    if len(set(sizes[1:])) > 1:
        raise _no_law("share_0", "a schedule that changes")
    n, truth = sizes[1], data.shares[0] / sum(data.shares)
    kernel = _kernel(setting.verifier, setting.acceptance, n)
    return collapse.course_of_share(kernel, n, truth, plan.rounds, data.start)


def _kernel(verifier: Verifier | None, acceptance: object, n: int) -> Callable[[Floats], Floats]:
    noisy = verifier if isinstance(verifier, Noisy) else Noisy(verifier=verifier) if verifier else None
    match noisy.verifier if noisy else None, acceptance:
        case None, _:
            return collapse.independent(lambda share: share, n)
        case ScoreTable() as table, Choice() as choice if noisy and not noisy.blur:
            advantage = choice.strength * (table.scores[0] - table.scores[1])
            return collapse.independent(lambda s: collapse.chosen_share(s, advantage, choice.k), n)
        case ScoreTable() as table, TopFraction() as best if noisy and noisy.blur:
            advantage = (table.scores[0] - table.scores[1]) / noisy.blur
            return collapse.best_of_round(n, int(np.ceil(n / best.fraction - 1e-9)), advantage)
        case Cutoff(verifier=ScoreTable() as table) as cutoff, _ if noisy:
            first, second = (
                1 - noisy.false_reject if score >= cutoff.at else noisy.false_accept for score in table.scores
            )
            return collapse.independent(lambda s: s * first / (s * first + (1 - s) * second), n)
    raise _no_law("share_0", f"verifier {verifier.kind if verifier else None!r}")


def accepted_share(plan: Plan, arm: str) -> Floats:
    """Return the share of candidates that a noisy verifier accepts if a known share of labels is wrong.

    It is ``(1 - p) phi + p psi`` with phi = 1 - false_reject and psi = false_accept; 0 for the start model,
    which belongs to no round.
    """
    verifier, wrong = plan.arms[arm].verifier, getattr(plan.learner, "flips", None)
    if not isinstance(verifier, Noisy) or wrong is None:
        raise _no_law("accepted_share", "a verifier without known errors")
    rate = (1 - wrong) * (1 - verifier.false_reject) + wrong * verifier.false_accept
    return np.array([0.0] + [rate] * plan.rounds)


LAWS: Mapping[str, Law] = {
    law.__name__: law
    for law in (mean_error, variance, deviation, wasserstein, diversity, share_0, accepted_share)
}
"""Laws by the names that recipes use. Each returns the course of models 0, 1, ..., shape (rounds + 1,)."""


def _no_law(name: str, got: str, expected: str = "a plan that the law covers") -> ConfigError:
    return ConfigError(f"law {name!r}", got=got, expected=expected)
