import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from veriloop.errors import ConfigError, DataError
from veriloop.rules.acceptance import AcceptAll, DensityRatio, Selection, Threshold, TopFraction, TopOfCells
from veriloop.samples import Samples
from veriloop.testing import check_acceptance
from veriloop.verdicts import Decision, Verdicts

REAL = Samples(x=np.repeat([-5.0, 5.0], 50) + np.linspace(-1, 1, 100))
RULES = [
    AcceptAll(),
    Threshold(at=0.4),
    TopFraction(fraction=0.3),
    DensityRatio(bound=3),
    DensityRatio(fraction=0.2),
    TopOfCells(fraction=0.3, cells=2, column="x"),
]


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_contract(rule):
    check_acceptance(rule, REAL)


def opened(rule, quota) -> Selection:
    return rule.open(quota, REAL, None)


def offer(selection, verdicts, *, groups=None, x=None, rng=0):
    n = len(verdicts)
    selection.offer(
        verdicts,
        Samples(x=np.zeros(n) if x is None else x),
        np.zeros(n, int) if groups is None else groups,
        np.random.default_rng(rng),
    )


@given(
    scores=st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), min_size=40, max_size=40),
    chunk=st.integers(1, 40),
    quota=st.integers(1, 6),
)
def test_top_fraction_in_chunks_is_one_stable_sort(scores, chunk, quota):
    score = np.array(scores)
    groups = np.arange(40) % 2
    selection = opened(TopFraction(fraction=quota / 20), {0: quota, 1: quota})
    for first in range(0, 40, chunk):
        offer(selection, Verdicts(score[first : first + chunk]), groups=groups[first : first + chunk])
    expected = [
        rows[np.argsort(-score[rows], kind="stable")[:quota]]
        for rows in (np.arange(0, 40, 2), np.arange(1, 40, 2))
    ]
    assert selection.kept().tolist() == sorted(np.concatenate(expected).tolist())
    assert selection.shortfall() == 0


def test_top_fraction_asks_for_n_over_fraction_candidates():
    assert opened(TopFraction(fraction=0.1), {0: 400, 1: 400}).shortfall() == 8000
    assert opened(TopFraction(fraction=0.3), {0: 1}).shortfall() == 4


def test_top_fraction_makes_up_for_abstentions():
    selection = opened(TopFraction(fraction=0.5), {0: 2})
    decision = [Decision.OPEN, Decision.OPEN, Decision.ABSTAIN, Decision.ABSTAIN]
    offer(selection, Verdicts([1, 2, 3, 4], decision))
    assert selection.shortfall() == 4  # two more judged ones, and half abstain


def test_top_fraction_prefers_what_a_verifier_accepted_itself():
    selection = opened(TopFraction(fraction=0.25), {0: 1})
    decision = [Decision.OPEN, Decision.ACCEPT, Decision.OPEN, Decision.REJECT]
    offer(selection, Verdicts([9, 0, 8, 99], decision))
    assert selection.kept().tolist() == [1]


def test_threshold_keeps_the_first_accepted_and_counts_all():
    selection = opened(Threshold(at=0.5), {0: 2})
    offer(selection, Verdicts([0.9, 0.1, 0.5, 0.7]))
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
    decided = DensityRatio(bound=10).decide(Verdicts([0.0, 1.0]), np.random.default_rng(0))
    assert decided.decision.tolist() == [Decision.REJECT, Decision.ACCEPT]


def test_a_round_cut_short_keeps_the_fraction_and_not_the_quota():
    selection = opened(TopFraction(fraction=0.2), {0: 60})
    offer(selection, Verdicts(np.arange(100.0)))
    assert selection.shortfall() == 200
    assert selection.kept().tolist() == list(range(80, 100))
    assert selection.counts().kept == selection.counts().accepted == 20


def test_density_ratio_by_fraction_has_the_bound_that_accepts_the_fraction():
    # As above, with a bound that the rule has to find: the one where a fifth is accepted, solved on a grid.
    rng = np.random.default_rng(1)
    x, wanted, fraction = rng.standard_normal(200_000), 40_000, 0.2
    ratio = np.exp(x - 0.5)
    selection = opened(DensityRatio(fraction=fraction), {0: wanted})
    for first in range(0, len(x), 50_000):
        r = ratio[first : first + 50_000]
        offer(selection, Verdicts(r / (1 + r)), rng=first)
    assert selection.shortfall() == 0
    kept = x[selection.kept()]
    assert len(kept) == wanted
    grid = np.linspace(-8, 9, 20_001)
    density = np.exp(-0.5 * grid**2)

    def accepted(log_bound):
        return density * np.minimum(1, np.exp(grid - 0.5 - log_bound))

    log_bound = brentq(lambda b: accepted(b).sum() / density.sum() - fraction, 0, 5)
    mean = (grid * accepted(log_bound)).sum() / accepted(log_bound).sum()
    assert abs(kept.mean() - mean) < 4 * kept.std() / np.sqrt(wanted)


@pytest.mark.parametrize("rule", [DensityRatio(bound=2), DensityRatio(fraction=0.5)], ids=repr)
def test_density_ratio_refuses_scores_that_are_no_probabilities(rule):
    with pytest.raises(ConfigError, match=r"got 'scores from -3 to 0\.5', expected 0 to 1"):
        offer(opened(rule, {0: 1}), Verdicts([0.5, -3.0]))


@pytest.mark.parametrize(("fields", "got"), [({}, "neither"), ({"bound": 2, "fraction": 0.1}, "both")])
def test_density_ratio_needs_a_bound_or_a_fraction(fields, got):
    with pytest.raises(ValueError, match=f"got '{got}', expected either bound"):
        DensityRatio(**fields)


def two_kinds(n, share, seed):
    """Samples of the two kinds in REAL; the rarer one, at 5, has the lower scores."""
    rng = np.random.default_rng(seed)
    rare = rng.random(n) < share
    return np.where(rare, 5.0, -5.0) + rng.uniform(-1, 1, n), rng.random(n) - rare


def test_top_of_cells_keeps_each_kind_in_its_real_share_and_the_best_of_each():
    x, score = two_kinds(1000, 0.2, seed=0)
    selections = [opened(rule, {0: 100}) for rule in (TopOfCells(cells=2, column="x"), TopFraction())]
    for selection in selections:
        offer(selection, Verdicts(score), x=x)
        assert selection.shortfall() == 0
    of_cells, of_round = (selection.kept() for selection in selections)
    assert np.all(x[of_round] < 0), "the rarer kind dies out"
    for kind in (x < 0, x > 0):
        rows = np.flatnonzero(kind)
        best = rows[np.argsort(-score[rows])[:50]]
        assert sorted(best) == of_cells[kind[of_cells]].tolist()


def test_places_that_a_cell_cannot_fill_go_to_the_best_of_the_group():
    x, score = two_kinds(1000, 0.01, seed=1)
    selection = opened(TopOfCells(cells=2, column="x"), {0: 100})
    offer(selection, Verdicts(score), x=x)
    rare, common = np.flatnonzero(x > 0), np.flatnonzero(x < 0)
    best = common[np.argsort(-score[common])[: 100 - len(rare)]]
    assert selection.kept().tolist() == sorted([*rare, *best])


@given(chunk=st.integers(1, 60), cells=st.integers(1, 4))
def test_top_of_cells_does_not_depend_on_the_chunks_and_remembers_twice_the_quota(chunk, cells):
    x, score = two_kinds(60, 0.3, seed=2)
    score, groups = np.round(score, 1), np.arange(60) % 2
    rule = TopOfCells(fraction=0.2, cells=cells, column="x")
    whole, parts = (opened(rule, {0: 6, 1: 6}) for _ in range(2))
    offer(whole, Verdicts(score), groups=groups, x=x)
    for first in range(0, 60, chunk):
        rows = slice(first, first + chunk)
        offer(parts, Verdicts(score[rows]), groups=groups[rows], x=x[rows])
        assert len(parts.retained()) <= 24
        assert set(parts.kept()) <= set(parts.retained())
        assert parts.counts().kept == len(parts.kept())
    assert parts.kept().tolist() == whole.kept().tolist()


def test_one_cell_is_top_fraction():
    x, score = two_kinds(200, 0.3, seed=3)
    kept = []
    for rule in (TopOfCells(fraction=0.2, cells=1, column="x"), TopFraction(fraction=0.2)):
        selection = opened(rule, {0: 40})
        offer(selection, Verdicts(score), x=x)
        kept.append(selection.kept().tolist())
    assert kept[0] == kept[1]


def test_top_of_cells_needs_its_column():
    with pytest.raises(DataError, match="pixels"):
        opened(TopOfCells(), {0: 1})
