from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from veriloop.errors import ConfigError, ContractError
from veriloop.rules.acceptance import (
    AcceptAll,
    DensityRatio,
    Pointwise,
    Ranked,
    Selection,
    Threshold,
    TopFraction,
    TopOfCells,
)
from veriloop.samples import Samples
from veriloop.schema import Schema
from veriloop.testing import check_acceptance
from veriloop.verdicts import Decision, Verdicts

REAL = Samples(x=np.repeat([-5.0, 5.0], 50) + np.linspace(-1, 1, 100))
RULES = [
    Threshold(at=0.4),
    TopFraction(fraction=0.3),
    DensityRatio(bound=3),
    DensityRatio(fraction=0.2),
    TopOfCells(fraction=0.3, cells=2, column="x"),
]


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_contract(rule):
    check_acceptance(rule, REAL)


def decided_by(rule: Pointwise, verdicts: Verdicts, rng: np.random.Generator) -> Verdicts:
    return rule.decide(verdicts, Samples(x=np.zeros(len(verdicts))), rng)


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
    decided = decided_by(DensityRatio(bound=float(np.exp(2.5))), Verdicts(ratio / (1 + ratio)), rng)
    kept = x[decided.is_(Decision.ACCEPT)]
    grid = np.linspace(-8, 9, 200_001)
    weight = np.exp(-0.5 * grid**2) * np.minimum(np.exp(grid - 0.5), np.exp(2.5))
    mean = (grid * weight).sum() / weight.sum()
    assert abs(kept.mean() - mean) < 4 * kept.std() / np.sqrt(len(kept))
    rate = np.trapezoid(weight, grid) / np.sqrt(2 * np.pi) / np.exp(2.5)
    assert abs(len(kept) / len(x) - rate) < 4 * np.sqrt(rate / len(x))


def test_density_ratio_takes_certain_scores():
    decided = decided_by(DensityRatio(bound=10), Verdicts([0.0, 1.0]), np.random.default_rng(0))
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


def test_top_of_cells_finds_its_column():
    points = Schema({"mood": {"role": "number"}, "where": {"role": "vector", "p": 2}})
    assert TopOfCells().suited_to(points).column == "where"
    pictures = Schema({"scan": {"role": "image", "height": 8, "width": 8, "levels": 16}})
    assert TopOfCells().suited_to(pictures).column == "scan"
    assert TopOfCells(column="mood").suited_to(points).column == "mood"
    real = Samples(label=np.arange(100) % 3, where=np.random.default_rng(0).random((100, 2)))
    selection = TopOfCells(fraction=0.5, cells=4).open({0: 2}, real, None)
    selection.offer(
        Verdicts(np.arange(4.0)), real.select(slice(4)), np.zeros(4, int), np.random.default_rng(0)
    )
    assert selection.shortfall() == 0


@pytest.mark.parametrize(
    ("fields", "data", "match"),
    [
        ({}, {"text": {"role": "completion"}}, "one column of role image or vector: got 'none among text"),
        (
            {},
            {"a": {"role": "vector", "p": 1}, "b": {"role": "vector", "p": 1}},
            r"got 'a, b among .*Set column to the column's name",
        ),
        (
            {"column": "pixels"},
            {"x": {"role": "number"}},
            "column: got 'pixels', expected a column of the data",
        ),
        ({"column": "text"}, {"text": {"role": "completion"}}, "column 'text': got 'completion'"),
    ],
)
def test_top_of_cells_needs_its_column(fields, data, match):
    with pytest.raises(ConfigError, match=match):
        TopOfCells(**fields).suited_to(Schema(data))


def test_accept_all_keeps_what_the_verifier_has_decided():
    selection = opened(AcceptAll(), {0: 2})
    offer(
        selection, Verdicts(np.full(4, np.nan), [Decision.REJECT, *[Decision.ACCEPT] * 2, Decision.ABSTAIN])
    )
    assert selection.kept().tolist() == [1, 2]
    counts = selection.counts()
    assert (counts.accepted, counts.rejected, counts.abstained) == (2, 1, 1)


def test_accept_all_refuses_what_is_left_open():
    with pytest.raises(
        ConfigError, match=r"'accept_all'.* gave 1 of 2 .*Set acceptance, such as .*top_fraction"
    ):
        offer(opened(AcceptAll(), {0: 1}), Verdicts([0.5, 1.0], [Decision.OPEN, Decision.ACCEPT]))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(
    ("rule", "field"), [(Threshold, "at"), (DensityRatio, "bound"), (TopFraction, "fraction")]
)
def test_numbers_are_finite(rule, field, number):
    with pytest.raises(ValueError, match=r"finite|greater than 0|less than or equal to 1"):
        rule.model_validate({field: number})


# -- rules of a stranger ---------------------------------------------------------------------------------


class Near(Pointwise, frozen=True):
    """Accepts what lies within ``reach`` of 0, whatever its score."""

    reach: float = 1.0

    def decide(self, verdicts, samples, rng):
        return verdicts.decide(np.abs(samples.array("x")) <= self.reach)


class Nearest(Ranked, frozen=True):
    """Keeps what lies nearest to 0, whatever its score."""

    def rank(self, verdicts, samples, rng):
        return -np.abs(samples.array("x"))


@pytest.mark.parametrize("rule", [Near(reach=5.5), Nearest(fraction=0.25)], ids=repr)
def test_a_rule_of_ten_lines_keeps_the_contract(rule):
    check_acceptance(rule, REAL)


def test_rules_see_the_samples():
    x = np.array([3.0, 0.5, -0.1, 1.0])
    decision = [Decision.OPEN, Decision.OPEN, Decision.REJECT, Decision.OPEN]
    for rule, kept in ((Near(), [1, 3]), (Nearest(fraction=0.5), [1, 3])):
        selection = opened(rule, {0: 2})
        offer(selection, Verdicts(np.zeros(4), decision), x=x)
        assert selection.kept().tolist() == kept


class Returns(Pointwise, Ranked, frozen=True):
    """Answers with whatever it is told to."""

    answer: Any

    def decide(self, verdicts, samples, rng):
        return self.answer

    def rank(self, verdicts, samples, rng):
        return self.answer


OPEN_TWO = Verdicts([0.1, 0.2])
WRONG_DECISIONS = [
    (np.ones(2, bool), r"Returns\.decide: got 'ndarray', expected Verdicts"),
    (None, r"Returns\.decide: got 'NoneType'"),
    (Verdicts([0.1], [1]), r"Returns\.decide: got '1 verdicts', expected 2"),
    (Verdicts([0.1, 0.2], [1, -1]), r"Returns\.decide: got '1 decisions still OPEN'"),
]
WRONG_RANKS = [
    (np.ones(3), r"Returns\.rank: got 'shape \(3,\)', expected numbers of shape \(2,\)"),
    (np.ones((2, 1)), r"shape \(2, 1\)"),
    (1.0, r"shape \(\)"),
    (None, r"got 'shape \(\)'|NoneType"),
    (["a", "b"], r"Returns\.rank: got 'list'"),
    (np.array([0, np.nan]), "1 ranks that are not a number"),
]


@pytest.mark.parametrize(("answer", "match"), WRONG_DECISIONS)
def test_wrong_decisions_are_told_in_one_line(answer, match):
    with pytest.raises(ContractError, match=match):
        offer(Pointwise.open(Returns(answer=answer), {0: 1}, REAL, None), OPEN_TWO)


@pytest.mark.parametrize(("answer", "match"), WRONG_RANKS)
def test_wrong_ranks_are_told_in_one_line(answer, match):
    with pytest.raises(ContractError, match=match):
        offer(Ranked.open(Returns(answer=answer), {0: 1}, REAL, None), OPEN_TWO)


def test_what_is_decided_needs_no_rank():
    verdicts = Verdicts([np.nan, 0.2], [Decision.ABSTAIN, Decision.OPEN])
    selection = Ranked.open(Returns(answer=np.array([np.nan, 1]), fraction=1), {0: 1}, REAL, None)
    offer(selection, verdicts)
    assert selection.kept().tolist() == [1]
