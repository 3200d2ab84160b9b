import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from veriloop.rules.acceptance import AcceptAll, DensityRatio, Threshold, TopFraction
from veriloop.testing import check_acceptance
from veriloop.verdicts import Decision, Verdicts

RULES = [AcceptAll(), Threshold(at=0.4), TopFraction(fraction=0.3), DensityRatio(bound=3)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind)
def test_contract(rule):
    check_acceptance(rule)


@given(
    scores=st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), min_size=40, max_size=40),
    chunk=st.integers(1, 40),
    quota=st.integers(1, 6),
)
def test_top_fraction_in_chunks_is_one_stable_sort(scores, chunk, quota):
    score = np.array(scores)
    groups = np.arange(40) % 2
    selection = TopFraction(fraction=quota / 20).open({0: quota, 1: quota})
    for first in range(0, 40, chunk):
        selection.offer(
            Verdicts(score[first : first + chunk]), groups[first : first + chunk], np.random.default_rng()
        )
    expected = [
        rows[np.argsort(-score[rows], kind="stable")[:quota]]
        for rows in (np.arange(0, 40, 2), np.arange(1, 40, 2))
    ]
    assert selection.kept().tolist() == sorted(np.concatenate(expected).tolist())
    assert selection.shortfall() == 0


def test_top_fraction_asks_for_n_over_fraction_candidates():
    assert TopFraction(fraction=0.1).open({0: 400, 1: 400}).shortfall() == 8000
    assert TopFraction(fraction=0.3).open({0: 1}).shortfall() == 4


def test_top_fraction_makes_up_for_abstentions():
    selection = TopFraction(fraction=0.5).open({0: 2})
    decision = [Decision.OPEN, Decision.OPEN, Decision.ABSTAIN, Decision.ABSTAIN]
    selection.offer(Verdicts([1, 2, 3, 4], decision), np.zeros(4, int), np.random.default_rng())
    assert selection.shortfall() == 4  # two more judged ones, and half abstain


def test_top_fraction_prefers_what_a_verifier_accepted_itself():
    selection = TopFraction(fraction=0.25).open({0: 1})
    decision = [Decision.OPEN, Decision.ACCEPT, Decision.OPEN, Decision.REJECT]
    selection.offer(Verdicts([9, 0, 8, 99], decision), np.zeros(4, int), np.random.default_rng())
    assert selection.kept().tolist() == [1]


def test_threshold_keeps_the_first_accepted_and_counts_all():
    selection = Threshold(at=0.5).open({0: 2})
    selection.offer(Verdicts([0.9, 0.1, 0.5, 0.7]), np.zeros(4, int), np.random.default_rng())
    counts = selection.counts()
    assert selection.kept().tolist() == [0, 2]
    assert (counts.generated, counts.accepted, counts.rejected, counts.kept) == (4, 3, 1, 2)


def test_density_ratio_samples_the_real_density():
    # Generated N(0, 1), real N(1, 1): the ideal score D has D / (1 - D) = exp(x - 1/2), below the bound
    # exp(2.5) for x < 3. What is accepted must have mean 1, less what the bound cuts off beyond 3.
    rng = np.random.default_rng(0)
    x = rng.standard_normal(400_000)
    ratio = np.exp(x - 0.5)
    decided = DensityRatio(bound=float(np.exp(2.5))).decide(Verdicts(ratio / (1 + ratio)), rng)
    kept = x[decided.is_(Decision.ACCEPT)]
    grid = np.linspace(-8, 9, 200_001)
    weight = np.exp(-0.5 * grid**2) * np.minimum(np.exp(grid - 0.5), np.exp(2.5))
    mean = (grid * weight).sum() / weight.sum()
    assert abs(kept.mean() - mean) < 4 * kept.std() / np.sqrt(len(kept))
    rate = np.trapezoid(weight, grid) / np.sqrt(2 * np.pi) / np.exp(2.5)
    assert abs(len(kept) / len(x) - rate) < 4 * np.sqrt(rate / len(x))


def test_density_ratio_takes_certain_scores():
    decided = DensityRatio().decide(Verdicts([0.0, 1.0]), np.random.default_rng(0))
    assert decided.decision.tolist() == [Decision.REJECT, Decision.ACCEPT]


def test_a_round_cut_short_keeps_the_fraction_and_not_the_quota():
    selection = TopFraction(fraction=0.2).open({0: 60})
    selection.offer(Verdicts(np.arange(100.0)), np.zeros(100, int), np.random.default_rng())
    assert selection.shortfall() == 200
    assert selection.kept().tolist() == list(range(80, 100))
    assert selection.counts().kept == selection.counts().accepted == 20
