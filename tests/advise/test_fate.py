"""From error rates to fate: intervals that cover, and the known signs."""

import math

import numpy as np
import pytest

from veriloop.advise.fate import fate
from veriloop.advise.intervals import wilson


def test_numbers_by_hand():
    found = fate(wilson(90, 100), wilson(30, 100))
    assert found.j.value == pytest.approx(0.6)
    assert found.odds_factor.value == pytest.approx(3.0)
    assert found.noise_limit.value == pytest.approx(1 / (1 + 0.3 / 0.9))
    for interval in (found.j, found.odds_factor, found.noise_limit):
        assert interval.low < interval.value < interval.high
    # Newcombe's distances, from Wilson's bounds.
    one, other = found.kept_good, found.kept_bad
    assert found.j.low == pytest.approx(0.6 - math.hypot(0.9 - one.low, other.high - 0.3))


@pytest.mark.parametrize(
    ("good", "bad", "phi", "psi"),
    [
        (50, 50, 0.9, 0.1),
        (600, 600, 0.987, 0.013),
        (30, 100, 0.5, 0.5),
        (100, 100, 0.3, 0.6),
        (50, 50, 1.0, 0.5),
    ],
)
def test_intervals_cover(good: int, bad: int, phi: float, psi: float):
    rng, trials, hits = np.random.default_rng(1), 1_000, np.zeros(3)
    for _ in range(trials):
        found = fate(wilson(int(rng.binomial(good, phi)), good), wilson(int(rng.binomial(bad, psi)), bad))
        truths = (phi - psi, found.j), (phi / psi, found.odds_factor), (phi / (phi + psi), found.noise_limit)
        hits += [interval.low <= truth <= interval.high for truth, interval in truths]
    assert np.all(hits / trials > 0.95 - 4 * math.sqrt(0.95 * 0.05 / trials))


def test_nothing_bad_kept_has_no_upper_bound():
    found = fate(wilson(10, 10), wilson(0, 10))
    assert math.isinf(found.odds_factor.value)
    assert math.isinf(found.odds_factor.high)
    assert found.odds_factor.low == pytest.approx(wilson(10, 10).low / wilson(0, 10).high)
    assert found.noise_limit.high == 1.0
    assert found.j.low > 0


def test_a_coin_is_at_0_and_a_liar_below():
    coin, liar = fate(wilson(50, 100), wilson(50, 100)), fate(wilson(10, 100), wilson(90, 100))
    assert coin.j.low < 0 < coin.j.high
    assert coin.odds_factor.low < 1 < coin.odds_factor.high
    assert liar.j.high < 0
    assert liar.noise_limit.high < 0.5


def test_nothing_kept_at_all():
    found = fate(wilson(0, 10), wilson(0, 10))
    assert math.isnan(found.odds_factor.value)
    assert found.j.low < 0 < found.j.high
