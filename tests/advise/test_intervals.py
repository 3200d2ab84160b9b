import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from veriloop.advise.intervals import bootstrap, wilson


@given(st.integers(1, 5_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_scipys(counts: tuple[int, int]) -> None:
    share, reference = wilson(*counts), binomtest(*counts).proportion_ci(method="wilson")
    assert share.value == counts[0] / counts[1]
    assert (share.low, share.high) == pytest.approx((reference.low, reference.high), abs=1e-9)
    assert 0 <= share.low <= share.value <= share.high <= 1


def test_nothing_has_no_share() -> None:
    share = wilson(0, 0)
    assert all(math.isnan(x) for x in (share.value, share.low, share.high))
    assert share.model_dump(mode="json")["value"] is None


def test_the_bootstrap_of_a_mean_is_as_wide_as_theory_says() -> None:
    x = np.random.default_rng(1).standard_normal(400)
    interval = bootstrap(lambda rows: float(x[rows].mean()), 400, np.random.default_rng(0), replicates=2_000)
    half = 1.96 * x.std() / 20
    # The Monte Carlo error of a 2.5 % quantile of m normal draws is sqrt(0.025 0.975 / m) / phi(1.96) = 0.06.
    assert interval.high - interval.value == pytest.approx(half, abs=4 * 0.06 * x.std() / 20)
    assert interval.value - interval.low == pytest.approx(half, abs=4 * 0.06 * x.std() / 20)
    again = bootstrap(lambda rows: float(x[rows].mean()), 400, np.random.default_rng(0), replicates=2_000)
    assert again == interval


@pytest.mark.parametrize(
    "statistic", [lambda rows: math.nan, lambda rows: 1.0 if len(set(rows)) == 5 else math.nan]
)
def test_a_statistic_that_is_not_there(statistic) -> None:
    interval = bootstrap(statistic, 5, np.random.default_rng(0), replicates=3)
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)
