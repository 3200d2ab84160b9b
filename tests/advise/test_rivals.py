"""The rival generators against brute force, and what the audit says where nothing can be told."""

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from veriloop.advise import audit
from veriloop.advise._bracket import MISS
from veriloop.advise._coin import coin_p
from veriloop.advise._fate import HARMS, HELPS, TURNS, agreed, fates
from veriloop.advise._prognosis import CONFIDENT
from veriloop.advise._rivals import GENERATORS, Generator
from veriloop.advise._surface import Terms, learn
from veriloop.advise.auditing import Audit
from veriloop.theory import Ball, SoftQuadratic, refit_rounds

N, CENTER = 4_000, np.array([0.8, -0.3, 0.2])


def ball(x: NDArray) -> NDArray[np.bool_]:
    return np.asarray(np.square(x - CENTER).sum(axis=1) < 2)


def simulated(generator: Generator, rounds: int, accepted: int) -> NDArray:
    """Means of the rows accepted in rounds 1 to K; 200,000 rows a round, so its own error is below 0.004."""
    rng = np.random.default_rng(0)
    x = base = rng.standard_normal((200_000, 3))
    means = []
    for _ in range(rounds):
        kept = x[ball(x)]
        mean, scatter = kept.mean(axis=0), np.cov(kept.T)
        means.append(mean)
        noise = rng.standard_normal(x.shape) @ np.linalg.cholesky(scatter).T
        if generator == "location":
            x = base + mean
        elif generator == "refit":
            x = mean + noise
        else:
            # scipy's gaussian_kde draws a row and moves it by this, with Scott's factor.
            x = kept[rng.integers(len(kept), size=len(x))] + accepted ** (-1 / 7) * noise
    return np.array(means)


@pytest.fixture(scope="module")
def found() -> Audit:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((N, 3))
    return audit(x, ball(x), CENTER + rng.standard_normal((N, 3)), rounds=5)


@pytest.mark.parametrize("generator", GENERATORS)
def test_each_rival_is_its_generator(found: Audit, generator: Generator) -> None:
    for predicted, true in zip(
        found.models[generator], simulated(generator, 5, found.n_accepted), strict=True
    ):
        # Half an interval is two standard errors; of 45 means none may be four away.
        half = (predicted.high - predicted.low) / 2
        assert (np.abs(predicted.mean - true) < 2 * half + 0.004).all()
        assert (half < 0.12).all()


OBLIQUE = np.array([[0.6, 0.2, 0.0], [0.2, 0.5, 0.1], [0.0, 0.1, 0.3]])


@pytest.mark.parametrize("hard", [True, False])
def test_the_refitted_rival_is_the_theorys_refit_map(hard: bool) -> None:
    rng = np.random.default_rng(9)
    x = rng.standard_normal((N, 3))
    acceptance = Ball(CENTER, np.sqrt(2)) if hard else SoftQuadratic(CENTER, OBLIQUE)
    soft = np.exp(-np.einsum("ni,ij,nj->n", x - CENTER, OBLIQUE, x - CENTER) / 2)
    accepted = ball(x) if hard else rng.random(N) < soft
    found = audit(x, accepted, CENTER + x, rounds=5, generator="refit")
    true = refit_rounds(np.zeros(3), np.eye(3), acceptance, 5)
    for predicted in found.models["refit"]:
        half = (predicted.high - predicted.low) / 2
        assert (np.abs(predicted.mean - true.mean[predicted.round]) < 2 * half).all()
        # A standard deviation from m rows has the error 1 / sqrt(2 m), and each round adds the surface's.
        spread = np.sqrt(np.diagonal(true.covariance[predicted.round]))
        np.testing.assert_allclose(
            predicted.spread, spread, rtol=2 * predicted.round / np.sqrt(2 * found.n_accepted)
        )


def test_the_bracket_is_the_hull_of_the_rivals_and_what_training_misses(found: Audit) -> None:
    for k, predicted in enumerate(found.trajectory):
        assert predicted.round == k + 1
        each = [found.models[g][k] for g in GENERATORS]
        miss = MISS * np.sqrt(k) * found.models["location"][0].spread
        np.testing.assert_allclose(predicted.low, np.min([p.low for p in each], axis=0) - miss)
        np.testing.assert_allclose(predicted.high, np.max([p.high for p in each], axis=0) + miss)
    assert found.agree_until < 5, "the generator that keeps its spread moves on, and the others stop"
    spreads = {g: [p.spread.mean() for p in found.models[g]] for g in GENERATORS}
    np.testing.assert_allclose(spreads["location"], 1, atol=0.05)
    assert (np.diff(spreads["refit"]) < 0).all()
    assert spreads["refit"][-1] < spreads["resample"][-1] < spreads["location"][-1]


def test_one_generator_is_narrower_than_all() -> None:
    rng = np.random.default_rng(2)
    x, real = rng.standard_normal((N, 3)), CENTER + rng.standard_normal((N, 3))
    every, one = audit(x, ball(x), real, rounds=4), audit(x, ball(x), real, rounds=4, generator="refit")
    assert one.models.keys() == {"refit"}
    for wide, narrow in zip(every.trajectory[1:], one.trajectory[1:], strict=True):
        assert ((narrow.high - narrow.low) < (wide.high - wide.low)).all()
    np.testing.assert_array_equal(every.trajectory[0].high, one.trajectory[0].high)


def test_terms_and_their_odds_are_the_same() -> None:
    rng = np.random.default_rng(3)
    for r, k in ((3, 3), (15, 4), (20, 0)):
        terms = Terms.of(np.eye(r)[:, :k], rng)
        points, weights = rng.standard_normal((2, 50, r)), rng.standard_normal((2, len(terms.groups)))
        np.testing.assert_allclose(
            terms.odds(points, weights), np.einsum("bmp,bp->bm", terms(points), weights), atol=1e-4
        )


@pytest.mark.parametrize("rate", [0.01, 0.99])
def test_a_threshold_that_hardly_or_nearly_always_accepts_is_seen(rate: float) -> None:
    # Whole steps of Newton's method went further and further from it, for some waves and not for others.
    for seed in range(4):
        rng = np.random.default_rng(seed)
        z = rng.standard_normal((20_000, 3))
        above = z @ np.array([0.6, -0.64, 0.48])
        accepted = (above > np.quantile(above, 1 - rate)).astype(float)
        assert learn(z, accepted, np.eye(3), rng.exponential(size=(2, len(z))), rng).explained > 0.9


def test_a_coin_is_a_coin_as_often_as_its_p_value_says() -> None:
    p = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        p.append(coin_p(rng.standard_normal((300, 4)), (rng.random(300) < 0.3).astype(float), rng))
    # A binomial share: 3.5 standard errors.
    for level in (0.05, 0.5):
        error = np.sqrt(level * (1 - level) / len(p))
        assert abs(np.mean(np.array(p) <= level) - level) < 3.5 * error


@pytest.mark.parametrize("d", [3, 60])
def test_of_a_coin_nothing_is_said(d: int) -> None:
    rng = np.random.default_rng(4)
    x = rng.standard_normal((2_000, d))
    found = audit(x, rng.random(2_000) < 0.3, x + 0.3).to_json()
    assert found["regime"]["value"] == "cannot_tell"
    assert "coin" in found["regime"]["reason"]
    assert found["told_from_coin"]["p_value"] > 0.01
    assert found["best_round"]["value"] is None
    assert found["knowledge_center"] is None
    assert found["agree_until"] <= len(found["trajectory"]) == 1, "of what is not predicted nobody agrees"


def test_a_verdict_on_a_feature_that_is_not_given() -> None:
    """It settles when that feature does, and the bracket holds it."""
    rng = np.random.default_rng(5)
    x = rng.standard_normal((N, 3))
    unseen = 0.6 * x[:, 0] + 0.8 * rng.standard_normal(N)
    found = audit(x, np.abs(unseen - 1) < 0.6, x + 0.5)
    assert any("A missing feature may decide" in warning for warning in found.warnings)
    for predicted in found.trajectory:
        # What is not given arrives at 1, and takes 0.6 of that along.
        assert predicted.low[0] < 0.6 < predicted.high[0] or predicted.round == 1


def test_weak_pulls_are_wide_and_not_over() -> None:
    """A soft verifier that draws 60 features a little towards 0.3 each, for ten rounds and more."""
    rng = np.random.default_rng(6)
    center = np.full(60, 0.3)
    x = rng.standard_normal((2_000, 60))
    chance = np.exp(-0.05 * np.square(x - center).sum(axis=1) / 2)
    real = center + rng.standard_normal((2_000, 60))
    found = audit(x, rng.random(2_000) < chance / chance.max(), real, rounds=10)
    assert found.regime.value in {"improving", "cannot_tell"}
    # A location model's mean goes to the center by the share 1 / 1.05 a round.
    for predicted in found.trajectory:
        true = center * (1 - 1.05**-predicted.round)
        inside = np.mean((predicted.low <= true) & (true <= predicted.high))
        assert inside >= 0.95 - 3.5 * np.sqrt(0.95 * 0.05 / 60)


GOOD = np.random.default_rng(7).standard_normal((N, 3))


def test_a_verdict_is_as_sure_as_its_regime() -> None:
    few = GOOD[:300]
    sure = audit(GOOD, ball(GOOD), GOOD + CENTER + 2, rounds=3)
    unsure = audit(few, ball(few), few + 0.6 * CENTER, rounds=3)
    for found in (sure, unsure):
        assert found.regime.probability is not None
        assert found.verdict.startswith("Probably ") == (found.regime.probability < CONFIDENT)
    assert sure.verdict.startswith("Helps")
    assert unsure.verdict.startswith("Probably ")


def test_few_real_rows() -> None:
    found = audit(GOOD, ball(GOOD), GOOD[:19] + 0.5)
    assert found.regime.value == "cannot_tell"
    assert "19 real rows" in str(found.regime.reason)


def test_a_foreign_reference() -> None:
    assert not any("real" in w for w in audit(GOOD, ball(GOOD), GOOD + 0.5).warnings)
    far = audit(GOOD, ball(GOOD), GOOD + 10)
    assert any("real mean is" in w for w in far.warnings)
    assert far.regime.value == "cannot_tell"
    assert "same units" in str(far.regime.reason)


def test_a_repeated_feature_changes_nothing() -> None:
    plain = audit(GOOD, ball(GOOD), GOOD + 0.5, rounds=3)
    twice, real = np.column_stack([GOOD, GOOD[:, :1]]), np.column_stack([GOOD, GOOD[:, :1]]) + 0.5
    found = audit(twice, ball(GOOD), real, rounds=3)
    assert any("repeat or combine" in w for w in found.warnings)
    np.testing.assert_allclose(found.distances[:2], plain.distances[:2], rtol=1e-6)
    assert len(found.eigenvalues) == 3
    assert any("differ" in w for w in audit(twice, ball(GOOD), real + [0, 0, 0, 3]).warnings)


def test_long_tails_are_a_warning() -> None:
    rng = np.random.default_rng(8)
    x = rng.standard_t(3, (N, 3))
    assert any("long tails" in w for w in audit(x, ball(x), x + 0.5).warnings)


def test_copies_can_be_counted_by_who_knows_them() -> None:
    assert not any("repeat another" in w for w in audit(GOOD, ball(GOOD), GOOD).warnings)
    assert any("25% of" in w for w in audit(GOOD, ball(GOOD), GOOD, copies=N // 4).warnings)


@pytest.mark.parametrize(
    ("distances", "fate"),
    [
        ([1, 0.5, 0.3, 0.2], HELPS),
        ([1, 0.5, 0.5, 0.66], HELPS),  # loses 32 % of the gain again
        ([1, 0.5, 0.5, 0.67], TURNS),
        ([1, 0.5, 1.2, 0.3], TURNS),
        ([1, 1.0, 1.1, 1.2], HARMS),
    ],
)
def test_fates(distances: list[float], fate: int) -> None:
    assert fates(np.array(distances)[:, None]).tolist() == [fate]


def test_rivals_that_differ_do_not_agree() -> None:
    helps, turns = np.full(20, HELPS), np.full(20, TURNS)
    assert agreed([helps, helps, turns], 20).kind is None
    assert agreed([helps, helps, turns], 20).by_rival == [HELPS, HELPS, TURNS]
    mixed = np.tile([HELPS, TURNS], 10)
    sure, less = agreed([helps, helps, helps], 20), agreed([helps, helps, mixed], 20)
    assert sure.kind == less.kind == HELPS
    assert 0.5 < less.probability < sure.probability < 1


def test_curves_without_the_errors_count_nine_times_as_much_as_those_with_them() -> None:
    as_drawn, corrected = np.full(10, HARMS), np.full(10, HELPS)
    found = agreed([np.r_[as_drawn, corrected]], 24)
    assert found.kind == HELPS
    assert found.probability == pytest.approx((0.9 * 24 + 0.5) / 25.5)


def test_a_hidden_feature_weighs_more_than_all_rivals_and_is_not_contradicted() -> None:
    helps, turns = np.full(20, HELPS), np.full(20, TURNS)
    found = agreed([turns, turns, turns], 24, hidden=helps)
    assert found.kind == HELPS
    sure = (24 + 0.5) / 25.5
    assert found.probability == pytest.approx(0.65 * sure + 0.35 * 0.5 / 25.5)
    assert found.by_rival == [TURNS, TURNS, TURNS]
    assert agreed([helps, helps, turns], 24, hidden=helps).kind == HELPS


def test_json_is_what_scripts_read(found: Audit) -> None:
    plain: dict[str, Any] = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert plain["models"].keys() == set(GENERATORS)
    for model in plain["models"].values():
        assert {"round", "mean", "low", "high", "spread", "ess"} <= model["trajectory"][0].keys()
    assert 0 <= plain["told_from_coin"]["p_value"] < 0.01
    assert 0.9 < plain["explained"] < 1
    assert plain["agree_until"] == found.agree_until
    assert plain["regime"].keys() in ({"value", "probability"}, {"value", "reason"})
