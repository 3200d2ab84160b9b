import numpy as np
import pytest

from veriloop.rules.choice import Choice
from veriloop.samples import Samples
from veriloop.testing import check_acceptance
from veriloop.theory.collapse import chosen_share
from veriloop.verdicts import Decision, Verdicts

REAL = Samples(x=np.linspace(0, 1, 100))


@pytest.mark.parametrize("rule", [Choice(), Choice(k=5, strength=3.0), Choice(strength=0)], ids=repr)
def test_contract(rule):
    check_acceptance(rule, REAL)


def chosen(rule, scores, n, chunk=1000, rng=0, decisions=None):
    """The numbers of the kept of a stream of candidates in one group."""
    selection, stream = rule.open({0: n}, REAL, None), np.random.default_rng(rng)
    for at in range(0, len(scores), chunk):
        some = scores[at : at + chunk]
        said = Verdicts(some, None if decisions is None else decisions[at : at + chunk])
        selection.offer(said, Samples(x=np.zeros(len(some))), np.zeros(len(some), int), stream)
    return selection.kept(), selection


@pytest.mark.parametrize("k", [2, 5])
def test_winners_follow_the_model(k):
    rng, n, share, advantage = np.random.default_rng(1), 40_000, 0.3, 1.5
    category = rng.random(n * k) < share
    kept, selection = chosen(Choice(k=k, strength=1.5), category.astype(float), n)
    wanted = float(chosen_share(np.array([share]), advantage, k)[0])
    assert len(kept) == n
    assert selection.shortfall() == 0
    assert abs(category[kept].mean() - wanted) < 4 * np.sqrt(wanted * (1 - wanted) / n)
    assert np.array_equal(kept // k, np.arange(n)), "one of every k"


def test_a_choice_goes_on_over_chunks():
    scores = np.random.default_rng(0).random(90)
    kept, selection = chosen(Choice(k=4), scores, 50, chunk=7)
    assert np.array_equal(kept // 4, np.arange(22))
    assert selection.shortfall() == (50 - 22) * 4 - 2
    assert set(kept) <= set(selection.retained())


def test_the_rejected_are_shown_to_nobody_and_the_accepted_win():
    decisions = np.array([Decision.REJECT, Decision.OPEN, Decision.ABSTAIN, Decision.ACCEPT] * 10)
    kept, selection = chosen(
        Choice(), np.where(decisions == Decision.ABSTAIN, np.nan, 0.5), 10, decisions=decisions
    )
    assert kept.tolist() == list(range(3, 40, 4))
    counts = selection.counts()
    assert (counts.generated, counts.accepted, counts.rejected, counts.abstained) == (40, 10, 20, 10)
