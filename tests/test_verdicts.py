from typing import Any

import numpy as np
import pytest

from veriloop.errors import ContractError
from veriloop.verdicts import Decision, Verdicts, all_logged

NAN = float("nan")


def test_rules_decide_open_verdicts_only():
    verdicts = Verdicts(
        [1.0, 2.0, NAN, 4.0], [Decision.OPEN, Decision.REJECT, Decision.ABSTAIN, Decision.OPEN]
    )
    decided = verdicts.decide(np.array([False, True, True, True]))
    assert decided.decision.tolist() == [Decision.REJECT, Decision.REJECT, Decision.ABSTAIN, Decision.ACCEPT]
    assert decided.count(Decision.ABSTAIN) == 1


@pytest.mark.parametrize(
    ("score", "decision", "reason", "message"),
    [
        ([1.0, 2.0], [1], None, "unequal length"),
        ([1.0], [1], ["a", "b"], "unequal length"),
        ([1.0], [3], None, "decision of a verdict"),
        ([1.0], [257], None, "decision of a verdict: got '257'"),
        ([1.0], [0.5], None, "decision of a verdict: got '0.5'"),
        ([1.0], [NAN], None, "decision of a verdict"),
        ([1.0], ["accept"], None, "decision of a verdict: got 'accept'"),
        ([1.0], [None], None, "decision of a verdict: got 'None'"),
        ([1.0], [1], [None], "reasons of verdicts: got 'NoneType', expected texts"),
        ([1j], None, None, "real numbers"),
        ([[1.0]], None, None, "one axis"),
        ([NAN], None, None, "Return ABSTAIN"),
        ([np.inf], None, None, "Return ABSTAIN"),
    ],
)
def test_broken_verdicts_are_refused(score, decision, reason, message):
    with pytest.raises(ContractError, match=message):
        Verdicts(score, decision, reason)


@pytest.mark.parametrize(
    ("accept", "got"),
    [
        (np.array([0.2, 0.9]), r"float64 of shape \(2,\)"),
        (np.array([True]), r"bool of shape \(1,\)"),
        (True, r"bool of shape \(\)"),
        (None, r"object of shape \(\)"),
    ],
)
def test_a_rule_says_true_or_false_of_each(accept, got):
    # A score is true where it is not 0: taken for a decision, it would accept everything.
    with pytest.raises(ContractError, match=f"{got}.*True or False for each of 2"):
        Verdicts([0.2, 0.9]).decide(accept)


def test_what_is_logged_goes_along_and_comes_together():
    first = Verdicts([0.2, 0.9], logged={"words": [3.0], "empty": []})
    assert first.logged == {"words": [3.0]}
    assert first.decide(np.array([True, False])).logged == {"words": [3.0]}
    assert all_logged([first, Verdicts([1.0]), Verdicts([1.0], logged={"words": [5.0], "n": [1.0]})]) == {
        "words": [3.0, 5.0],
        "n": [1.0],
    }


def test_what_is_logged_is_numbers():
    numbers: Any = {"length": [np.int64(3)], "right": [True]}
    assert Verdicts([1.0], logged=numbers).logged == {
        "length": [3.0],
        "right": [1.0],
    }
    text: Any = {"length": ["long"]}
    with pytest.raises(ContractError, match=r"what verdicts log as 'length': got .*, expected numbers"):
        Verdicts([1.0], logged=text)


def test_decisions_may_be_truth_values_and_whole_floats():
    assert Verdicts([1.0, 2.0], [True, False]).decision.tolist() == [Decision.ACCEPT, Decision.REJECT]
    assert Verdicts([1.0, 2.0], [1.0, -1.0]).decision.tolist() == [Decision.ACCEPT, Decision.OPEN]
