"""The audit against theory: the linear system, and Gaussian models under judges of many kinds."""

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from veriloop.advise.auditing import Audit, audit
from veriloop.errors import ConfigError, DataError, VeriloopError
from veriloop.theory import contraction_rate, transfer_map

N = 8_000
Judge = Callable[[NDArray, np.random.Generator], NDArray]
CENTER = np.array([0.8, -0.3])


def box(x: NDArray, half: float) -> NDArray[np.bool_]:
    """The paper's verifier on a label along each direction, accepted when all are near 0."""
    return np.asarray((np.abs(x) <= half).all(axis=1))


def best(score: NDArray, share: float) -> NDArray[np.bool_]:
    accepted = np.zeros(len(score), bool)
    accepted[np.argsort(-score)[: round(share * len(score))]] = True
    return accepted


def away(x: NDArray) -> NDArray:
    return np.square(x - CENTER).sum(axis=1)


def errors_in_se(found: Audit, true: NDArray) -> NDArray:
    assert found.center is not None
    se = (found.center.high - found.center.low) / (2 * 1.96)
    return (found.center.value - true) / se


def test_the_linear_systems_map_rounds_and_center() -> None:
    rng, half, start = np.random.default_rng(0), 1.2, np.array([0.9, -0.4])
    x = start + rng.standard_normal((N, 2))
    found = audit(x, box(x, half), rng.standard_normal((1_000, 2)))
    accepted = x[box(x, half)]
    assert found.acceptance_rate == len(accepted) / N
    np.testing.assert_allclose(found.trajectory[0].mean, accepted.mean(axis=0), rtol=1e-12)
    # R is S' S^-1, and near the theory's k2 in each direction, whose error is at most sqrt(2 / accepted).
    direct = np.cov(accepted.T) @ np.linalg.inv(np.cov(x.T))
    np.testing.assert_allclose(
        np.sort(found.eigenvalues), np.sort(np.linalg.eigvals(direct).real), rtol=2 / len(accepted)
    )
    assert (found.eigenvalues < contraction_rate(half) + 4 * math.sqrt(2 / len(accepted))).all()
    np.testing.assert_allclose(0.5, found.eigenvalues**found.half_lives)
    true = start
    for predicted in found.trajectory:
        true = transfer_map(true, half)
        se = (predicted.high - predicted.low) / (2 * 1.96)
        assert (np.abs(predicted.mean - true) < 4.5 * se).all()
    assert (np.abs(errors_in_se(found, np.zeros(2))) < 4.5).all()


def test_intervals_of_the_center_hold_as_often_as_they_say() -> None:
    systems, hits, cases = 16, 0, 0
    for seed in range(systems):
        rng = np.random.default_rng(seed)
        p, half = 1 + seed % 3, rng.uniform(0.9, 1.5)
        x = rng.uniform(-1, 1, p) + rng.standard_normal((N, p))
        z = errors_in_se(audit(x, box(x, half), rng.standard_normal((200, p)), rounds=4), np.zeros(p))
        hits, cases = hits + int(np.count_nonzero(np.abs(z) <= 1.96)), cases + p
    # A binomial share of 95 %: 3.5 standard errors below it. The benchmark looks closer.
    assert hits / cases >= 0.95 - 3.5 * math.sqrt(0.95 * 0.05 / cases)


@pytest.mark.parametrize(
    ("real", "regime", "best_round"),
    [
        ([0.0, 0.0], "improving", None),
        ([-0.4, 0.0], "gain_then_plateau", None),
        ([0.5, 0.0], "gain_then_reversal", 1),
        ([1.4, 0.0], "harmful", 0),
    ],
)
def test_regimes_of_a_verifier_centred_on_0(real: list[float], regime: str, best_round: int | None) -> None:
    rng = np.random.default_rng(4)
    x = np.array([1.1, 0.0]) + rng.standard_normal((N, 2))
    found = audit(x, box(x, 1.1), np.array(real) + rng.standard_normal((N, 2)), generator="location")
    assert found.regime.value == regime
    assert found.regime.probability is not None
    assert found.regime.probability > 0.9
    assert list(found.models) == ["location"]
    if best_round is not None:
        assert found.best_round.value == best_round
    assert found.best_round.low <= found.best_round.value <= found.best_round.high
    assert found.bias_norm is not None
    se = (found.bias_norm.high - found.bias_norm.low) / (2 * 1.96)
    assert abs(found.bias_norm.value - math.hypot(*real)) < 4.5 * se
    assert (found.gain_one_round.value > 0) == (regime != "harmful")


JUDGES: dict[str, tuple[Judge, bool]] = {
    "hard ball": (lambda x, _: (away(x) < 2).astype(float), False),
    "soft": (lambda x, rng: (rng.random(len(x)) < np.exp(-away(x))).astype(float), False),
    "logistic in the distance": (
        lambda x, rng: (rng.random(len(x)) < 1 / (1 + np.exp(3 * (away(x) - 1.5)))).astype(float),
        False,
    ),
    "majority of three": (
        lambda x, rng: (rng.random((3, len(x))) < np.exp(-away(x) / 2)).sum(axis=0).__ge__(2).astype(float),
        False,
    ),
    "abstains at random": (
        lambda x, rng: np.where(rng.random(len(x)) < 0.3, np.nan, away(x) < 2),
        False,
    ),
    "best fifth": (lambda x, _: best(-away(x), 0.2).astype(float), True),
}


@pytest.mark.parametrize("name", JUDGES)
def test_predicted_rounds_are_the_simulated_ones(name: str) -> None:
    judge, by_score = JUDGES[name]
    rng = np.random.default_rng(7)
    x = rng.standard_normal((N, 2))
    found = audit(
        x,
        judge(x, rng),
        rng.standard_normal((500, 2)),
        scores=-away(x) if by_score else None,
        rule="top_fraction" if by_score else "fixed",
    )
    mean = found.trajectory[0].mean
    for predicted in found.trajectory[1:4]:
        # The simulation starts from this audit's round 1, so its error there is shared; it is far larger than
        # the audit in samples, and all that is left is the audit's own error.
        y = mean + rng.standard_normal((20 * N, 2))
        mean = y[judge(y, rng) == 1].mean(axis=0)
        se = (predicted.high - predicted.low) / (2 * 1.96)
        assert (np.abs(predicted.mean - mean) < 4.5 * (se + 1 / math.sqrt(predicted.ess))).all(), name
    assert (np.abs(errors_in_se(found, CENTER)) < 4.5).all(), name


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_a_judge_that_only_wants_more_has_no_center(share: float) -> None:
    rng = np.random.default_rng(5)
    x = rng.standard_normal((N, 2))
    score = x @ np.array([1.0, 0.5])
    found = audit(x, best(score, share), x, scores=score, rule="top_fraction", generator="location")
    assert found.regime.value == "divergent"
    assert found.center is None
    assert found.to_json()["knowledge_center"] is None
    assert "no center" in found.verdict
    # The breeder's equation: R = I, where the fixed rule's S' S^-1 would say that it contracts.
    np.testing.assert_allclose(found.eigenvalues, 1, atol=0.2)
    assert audit(x, best(score, share), x).eigenvalues.min() < 0.6


def test_directions_that_the_verifier_does_not_see_stay_where_they_are() -> None:
    rng = np.random.default_rng(6)
    x = rng.standard_normal((N, 2)) + [0.5, 0.0]
    found = audit(x, np.abs(x[:, 0]) < 1, x)
    assert found.neutral == 1
    assert found.center is not None
    assert abs(found.center.value[1] - found.trajectory[0].mean[1]) < 0.02
    assert abs(errors_in_se(found, np.zeros(2))[0]) < 4.5


def test_units_do_not_matter() -> None:
    rng = np.random.default_rng(8)
    x, real = rng.standard_normal((N, 2)), rng.standard_normal((500, 2)) + 0.5
    turn = np.array([[30.0, 2.0], [-5.0, 0.01]])
    plain, turned = audit(x, away(x) < 2, real), audit(x @ turn + 7, away(x) < 2, real @ turn + 7)
    assert plain.center is not None
    assert turned.center is not None
    np.testing.assert_allclose(turned.center.value, plain.center.value @ turn + 7, rtol=1e-5)
    np.testing.assert_allclose(turned.distances[:2], plain.distances[:2], rtol=1e-5)
    # Later rounds are simulated, in other directions: a small part of the interval.
    width = plain.distances_high - plain.distances_low
    assert (np.abs(turned.distances - plain.distances)[2:] < width[2:] / 4).all()
    assert turned.regime.value == plain.regime.value


def test_the_answer_does_not_depend_on_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(9)
    x = rng.standard_normal((2_000, 2))
    whole = audit(x, away(x) < 2, x, rounds=3).to_json()
    monkeypatch.setattr("veriloop.advise._rows._CHUNK", 200)
    in_chunks = audit(x, away(x) < 2, x, rounds=3).to_json()
    np.testing.assert_allclose(
        in_chunks["knowledge_center"]["high"], whole["knowledge_center"]["high"], rtol=1e-9
    )
    assert audit(x, away(x) < 2, x, rounds=3).to_json() == in_chunks


def test_few_rows_for_many_features_are_said_to_be_few() -> None:
    rng = np.random.default_rng(10)
    x = rng.standard_normal((60, 80))
    found = audit(x, x[:, 0] > 0, rng.standard_normal((60, 80)))
    assert any("shrunk" in warning for warning in found.warnings)
    assert np.isfinite(found.eigenvalues).all()
    json.dumps(found.to_json(), allow_nan=False)


def test_copies_are_noticed() -> None:
    rng = np.random.default_rng(11)
    x = rng.standard_normal((500, 2))
    assert not audit(x, away(x) < 2, x).warnings
    (warning,) = audit(np.tile(x, (2, 1)), np.tile(away(x) < 2, 2), x).warnings
    assert "50% of the generated rows repeat another one" in warning


def test_accepted_rows_that_spread_wider_than_all_are_a_warning() -> None:
    """A model that mostly repeats itself, and a verifier that wants the other samples."""
    rng = np.random.default_rng(13)
    dull = rng.random(4_000) < 0.9
    x = rng.standard_normal((4_000, 2)) * np.where(dull, 0.2, 1.0)[:, None]
    found = audit(x, ~dull & (rng.random(4_000) < 0.8), x)
    (warning,) = [w for w in found.warnings if "far from Gaussian" in w]
    wide = np.linalg.eigvals(np.cov(x[~dull].T) @ np.linalg.inv(np.cov(x.T))).real.max()
    assert abs(float(warning.split(" times")[0].split()[-1]) - wide) < 0.15 * wide


def test_rows_that_show_the_pull() -> None:
    rng = np.random.default_rng(12)
    x = rng.standard_normal((2_000, 2))
    found = audit(x, x[:, 0] > 0.5, x, rounds=2)
    assert (x[found.wanted, 0] > x[x[:, 0] > 0.5, 0].mean()).all()
    assert (x[found.unwanted, 0] < 0).all()
    assert found.pull[0] > 4 * abs(found.pull[1])


GOOD = np.random.default_rng(0).standard_normal((200, 2))
YES = GOOD[:, 0] > 0


def with_(x: NDArray, at: tuple[int, int], value: float) -> NDArray:
    y = x.copy()
    y[at] = value
    return y


BAD: dict[str, tuple[type[VeriloopError], str, dict[str, Any]]] = {
    "none accepted": (DataError, "too few accepted", {"accepted": np.zeros(200)}),
    "all accepted": (DataError, "every judged row was accepted", {"accepted": np.ones(200)}),
    "a constant feature": (DataError, "the same in all", {"generated": GOOD * [1, 0]}),
    "a missing number": (DataError, "generated row 4, feature 1", {"generated": with_(GOOD, (3, 1), np.nan)}),
    "infinity in the real": (DataError, "real row 1, feature 0", {"real": with_(GOOD, (0, 0), np.inf)}),
    "another width": (DataError, "a different number of features", {"real": GOOD[:, :1]}),
    "no rows": (DataError, "rows x features", {"generated": GOOD[:0]}),
    "one axis": (DataError, "rows x features", {"generated": GOOD[:, 0]}),
    "words": (DataError, "expected numbers", {"generated": GOOD.astype(str)}),
    "another length": (DataError, "one per generated row", {"accepted": YES[:-1]}),
    "not yes or no": (DataError, "accepted, row 1: got '0.5'", {"accepted": np.full(200, 0.5)}),
    "a word": (DataError, "accepted, row 1: got 'maybe'", {"accepted": ["maybe"] * 200}),
    "no scores": (ConfigError, "no scores", {"rule": "top_fraction"}),
    "other scores": (
        DataError,
        "rejected rows score higher",
        {"rule": "top_fraction", "scores": -GOOD[:, 0]},
    ),
    "one round": (ConfigError, "at least 2", {"rounds": 1}),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_answered_is_refused(name: str) -> None:
    kind, message, changed = BAD[name]
    arguments = {"generated": GOOD, "accepted": YES, "real": GOOD, **changed}
    rest = {k: v for k, v in arguments.items() if k in {"scores", "rule", "rounds"}}
    with pytest.raises(kind, match=message):
        audit(arguments["generated"], arguments["accepted"], arguments["real"], **rest)
