import numpy as np
import pytest

from veriloop.datasets.points import Categories, Mixture
from veriloop.errors import ConfigError
from veriloop.learners.discrete import Discrete
from veriloop.learners.logistic import Logistic
from veriloop.samples import Samples
from veriloop.testing import check_verifier
from veriloop.verdicts import Decision
from veriloop.verifiers.base import AsConfigured
from veriloop.verifiers.ensemble import Cutoff
from veriloop.verifiers.known_truth import HalfSpace, ScoreTable
from veriloop.verifiers.noisy import Noisy

LABELLED = Mixture(means=((-1.0, 0.0), (1.0, 0.0)), label="made")
CATEGORIES = Categories(shares=(3, 2))
PLANE = HalfSpace(weights=(1.0, 0.0))
TABLE = ScoreTable(scores=(0.0, 1.0))


@pytest.mark.parametrize(
    "verifier",
    [PLANE, Noisy(verifier=PLANE), Noisy(verifier=PLANE, false_accept=0.2, false_reject=0.1)],
    ids=repr,
)
def test_contract_on_labels(verifier):
    data = LABELLED.load(0)
    model = Logistic().suited_to(LABELLED.schema()).fit(data.start, None, np.random.default_rng(0))
    check_verifier(verifier.suited_to(LABELLED.schema()), model, data.train, data.conditions)


@pytest.mark.parametrize(
    "verifier",
    [TABLE, Noisy(verifier=TABLE, blur=0.5), Noisy(verifier=Cutoff(verifier=TABLE, at=0.5))],
    ids=repr,
)
def test_contract_on_categories(verifier):
    data = CATEGORIES.load(0)
    model = Discrete().fit(data.start, None, np.random.default_rng(0))
    check_verifier(verifier.suited_to(CATEGORIES.schema()), model, data.train, None)


def test_rates_are_those_that_were_asked_for():
    n = 20_000
    right = np.arange(n) % 2
    samples = Samples(point=np.tile([[1.0, 0.0]], (n, 1)), label=right)
    noisy = Noisy(verifier=PLANE, false_accept=0.3, false_reject=0.1)
    accepted = noisy.verify(samples, np.random.default_rng(0)).is_(Decision.ACCEPT)
    for mask, rate in ((right == 1, 0.9), (right == 0, 0.3)):
        assert abs(accepted[mask].mean() - rate) < 4 * np.sqrt(rate * (1 - rate) / (n / 2))


def test_blur_leaves_decisions_alone_and_widens_scores():
    samples = Samples(category=np.zeros(20_000, int))
    said = (
        Noisy(verifier=TABLE, blur=0.5)
        .suited_to(CATEGORIES.schema())
        .verify(samples, np.random.default_rng(0))
    )
    assert said.count(Decision.OPEN) == len(samples)
    assert said.score.std() == pytest.approx(0.5, rel=0.03)


def test_an_unknown_category_is_an_abstention():
    said = TABLE.suited_to(CATEGORIES.schema()).verify(
        Samples(category=np.array([0, 7])), np.random.default_rng(0)
    )
    assert said.decision.tolist() == [Decision.OPEN, Decision.ABSTAIN]
    assert said.reason == ["", "no score for this value"]
    noisy = Noisy(verifier=TABLE, blur=1.0).suited_to(CATEGORIES.schema())
    assert (
        noisy.verify(Samples(category=np.array([7])), np.random.default_rng(0)).count(Decision.ABSTAIN) == 1
    )


@pytest.mark.parametrize(
    ("verifier", "schema", "message"),
    [
        (HalfSpace(weights=(1.0,)), LABELLED.schema(), "weights"),
        (HalfSpace(weights=(1.0, 0.0)), Mixture(ring=3, label="made").schema(), "3 labels"),
        (HalfSpace(weights=(1.0, 0.0)), CATEGORIES.schema(), "needs one column of role vector"),
        (ScoreTable(scores=(1.0,)), CATEGORIES.schema(), "one for each value of 'category': 0, 1"),
        (ScoreTable(scores=(1.0,)), Mixture().schema(), "category or label"),
        (Noisy(verifier=TABLE, false_accept=0.1), CATEGORIES.schema(), "gives scores but no decisions"),
        (Noisy(verifier=PLANE), CATEGORIES.schema(), "needs one column of role vector"),
    ],
)
def test_misfits_are_refused_ahead(verifier, schema, message):
    with pytest.raises(ConfigError, match=message):
        verifier.suited_to(schema)


@pytest.mark.parametrize("slow", [True, False])
def test_a_slow_verifier_inside_is_still_asked_in_pieces(slow: bool) -> None:
    class Inside(HalfSpace, frozen=True):
        """One that may be slow."""

        @property
        def in_pieces(self) -> bool:
            return slow

    inside = AsConfigured(Inside(weights=(1.0, 0.0)))
    assert inside.in_pieces == slow
    for wrapper in (Noisy(verifier=PLANE), Cutoff(verifier=TABLE, at=0.5)):
        assert wrapper.around(inside).in_pieces == slow
