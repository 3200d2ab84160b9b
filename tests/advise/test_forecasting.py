import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from veriloop.advise._curve import DRAWS, draw_curves
from veriloop.advise.forecasting import AHEAD, ALIVE, FEWEST, Forecast, chance_of_gain, regime_of
from veriloop.advise.forecasting import forecast as forecast_of
from veriloop.errors import DomainError
from veriloop.quantity import Near, Quantity
from veriloop.records import Counts, Estimate, RoundRecord
from veriloop.theory import LinearSystem, Regime, trajectory

QUANTITIES = {
    "fid": Quantity(better="lower", low=0),
    "parameter_error": Quantity(better="lower", low=0),
    "accuracy": Quantity(better="higher", low=0, high=1),
    "rouge1": Quantity(better="higher", low=0, high=1),
    "diversity": Quantity(better=Near(1.0), low=0),
    "gap": Quantity(better="lower"),
    "length": Quantity(),
}


def forecast(records: list[RoundRecord], name: str, ahead: int = AHEAD) -> Forecast:
    return forecast_of(records, name, QUANTITIES[name], ahead=ahead)


def chain(values: NDArray | list[float], metric: str = "fid", se: float = 0.0) -> list[RoundRecord]:
    """Records of an arm that a verifier judged: 1,000 candidates and 20 seconds a round."""
    counts = Counts(generated=1_000, accepted=100, rejected=900, kept=100)
    return [
        RoundRecord(
            arm="verified",
            round=k,
            counts=counts if k else Counts(),
            trained_on=100,
            metrics={metric: Estimate(float(value), se)},
            seconds={"generate": 5.0, "fit": 15.0},
        )
        for k, value in enumerate(values)
    ]


def exact(bias: float, n: float, rounds: int, half_width: float = 1.2) -> list[RoundRecord]:
    """The expected squared error of a linear system over rounds, from a start with a spread of 0.3."""
    star = np.array([bias, 0.0])
    system = LinearSystem(star, [0.0, 0.0], half_width, 1.0, 0.0, singular_values=1 / 0.3)
    return chain(trajectory(system, n, rounds).mse_star, "parameter_error")


def test_a_contraction_is_continued() -> None:
    k = np.arange(12)
    curve = 20 + 80 * 0.6**k
    found = forecast(chain(curve[:6], se=0.1), "fid", ahead=3)
    for coming in found.next:
        assert coming.low < curve[coming.round] < coming.high
        # What is left to go is 6 at round 5; a fit that does not know the shape would miss by that.
        assert coming.value == pytest.approx(curve[coming.round], abs=1.5)
    assert [coming.round for coming in found.next] == [6, 7, 8]
    assert found.plateau is not None
    assert found.plateau.low < 20 < found.plateau.high


@pytest.mark.parametrize(
    ("bias", "rounds", "regime"),
    [
        (0.0, 8, "gain_then_plateau"),
        (0.2, 8, "gain_then_reversal"),
        (1.0, 6, "harmful"),
    ],
)
def test_the_regimes_of_the_theory(bias: float, rounds: int, regime: str) -> None:
    records = exact(bias, math.inf, rounds)
    found = forecast(records, "parameter_error")
    assert found.regime == regime, found.verdict
    errors = [r.metrics["parameter_error"].value for r in records]
    assert found.best_round_so_far == int(np.argmin(errors))


def test_who_has_no_verifier_is_not_told_to_improve_it() -> None:
    records = chain(20.0 + 5 * np.arange(7), se=0.2)
    assert forecast(records, "fid").verdict.endswith("than it; improve the verifier, or stop.")
    unjudged = [r.model_copy(update={"counts": Counts(generated=100, accepted=100)}) for r in records]
    assert forecast(unjudged, "fid").verdict.endswith("better than it.")


def test_a_steady_fall_goes_on() -> None:
    found = forecast(chain(100 * 0.85 ** np.arange(6), se=0.5), "fid")  # 37.7 is next
    assert found.regime == "improving", found.verdict
    assert found.verdict.startswith("Still improving. Continue; to stop now, ship round 5")


def test_regimes_have_the_names_of_the_theory() -> None:
    losses = np.array([[4.0, 3, 2, 1], [4, 2, 1, 1], [4, 2, 1, 2], [4, 5, 6, 7], [4, 4, 4, 4]])
    final = np.array([0.0, 1, 3, 8, 4])
    assert regime_of(losses, final, 3, 0.1).tolist() == [*(r.value for r in Regime), "unclear"]


def test_a_forecast_stays_where_the_metric_can_be() -> None:
    values = [0.9, 0.5, 0.6, 0.2]
    inside = forecast(chain(values, "accuracy"), "accuracy").next
    assert all(0 <= coming.low <= coming.high <= 1 for coming in inside)
    assert forecast(chain(values, "gap"), "gap").next[-1].low < 0, "or else this test says nothing"


def test_higher_may_be_better() -> None:
    k = np.arange(7)
    falling = chain(0.3 + 0.5 * 0.5**k, se=0.001)
    rising = chain(0.7 - 0.5 * 0.5**k, "rouge1", se=0.001)
    down, up = forecast(falling, "fid"), forecast(rising, "rouge1")
    assert (down.regime, down.better, up.better) == (up.regime, "lower", "higher")
    assert up.best_round_so_far == 6
    assert up.gain is not None
    assert down.gain is not None
    # Draws of a curve and of its mirror image differ: within Monte Carlo error, of which this is many.
    assert up.gain.value == pytest.approx(down.gain.value, abs=0.001)


def test_near_one_is_best_at_one() -> None:
    found = forecast(chain([0.6, 0.8, 0.98, 1.1, 1.2, 1.25], "diversity", se=0.005), "diversity")
    assert found.best_round_so_far == 2
    assert found.regime == "gain_then_reversal"


def test_noise_is_not_a_verdict() -> None:
    found = forecast(chain([50.0, 51.0, 49.3, 50.4], se=1.0), "fid")
    assert found.regime == "unclear"
    assert found.verdict.startswith("Cannot tell yet")


@pytest.mark.parametrize("rounds", range(FEWEST))
def test_too_few_rounds_forecast_nothing(rounds: int) -> None:
    found = forecast(chain([3.0, 2.0][:rounds]), "fid")
    assert (found.regime, found.next, found.plateau) == ("unclear", (), None)
    assert found.best_round_so_far == (rounds - 1 if rounds else None)


def test_rounds_without_the_metric_are_passed_over() -> None:
    values = [9.0, math.nan, 5.0, 4.0, 3.5]
    found = forecast([*chain(values), *chain([1.0], "nelbo")], "fid")
    assert found.best_round_so_far == 4
    assert found.next[0].round == 5


def test_gain_for_what_it_costs() -> None:
    found = forecast(chain([9.0, 6.0, 4.5, 3.8]), "fid")
    assert found.gain is not None
    assert found.gain_per_second is not None
    assert found.gain_per_verdict is not None
    assert found.gain_per_second.value == pytest.approx(found.gain.value / 20)
    assert found.gain_per_verdict.value == pytest.approx(found.gain.value / 1_000)
    unjudged = [r.model_copy(update={"counts": Counts()}) for r in chain([9.0, 6.0, 4.5, 3.8])]
    assert forecast(unjudged, "fid").gain_per_verdict is None


@pytest.mark.parametrize("rounds", [1, 3, 6])
def test_without_a_direction_there_are_numbers_and_no_judgement(rounds: int) -> None:
    """The numbers are those that a direction would have had."""
    records = chain((20 + 80 * 0.6 ** np.arange(6))[:rounds], "length", se=0.1)
    found, other = forecast(records, "length"), forecast_of(records, "length", QUANTITIES["gap"])
    assert (found.next, found.plateau) == (other.next, other.plateau)
    assert (found.regime, found.probabilities, found.better) == ("unclear", {}, None)
    assert (found.best_round, found.best_round_so_far, found.gain) == (None, None, None)
    for word in ("ship round", "the start model", "improv", "worse", "Go on"):
        assert word not in found.verdict


def test_a_strangers_rising_number_improves() -> None:
    records = chain([0.2, 0.3, 0.4, 0.5], "solved", se=0.002)
    up, down = (forecast_of(records, "solved", Quantity(better=way)) for way in ("higher", "lower"))
    assert (up.best_round_so_far, up.regime) == (3, "improving")
    assert "ship round 3" in up.verdict
    assert (down.best_round_so_far, down.regime) == (0, "harmful")
    assert "start model" in down.verdict


def test_the_validation_split_is_read_where_there_is_one() -> None:
    on_test, on_validation = [9.0, 8.0, 7.0, 6.0, 5.0], [9.0, 6.0, 4.5, 3.8, 3.5]
    records = [
        r.model_copy(update={"validation": {"fid": Estimate(value, 0.1)}})
        for r, value in zip(chain(on_test), on_validation, strict=True)
    ]
    found, expected = forecast(records, "fid"), forecast(chain(on_validation, se=0.1), "fid")
    assert (found.split, expected.split) == ("validation", "test")
    assert found.next == expected.next


def test_equal_rounds_give_equal_forecasts() -> None:
    records = chain([9.0, 6.0, 4.5, 3.8], se=0.2)
    assert forecast(records, "fid") == forecast(records, "fid")
    with pytest.raises(DomainError, match="at least 1"):
        forecast(records, "fid", ahead=0)
    with pytest.raises(DomainError, match="at most 100"):
        forecast(records, "fid", ahead=101)


def test_intervals_cover_curves_of_their_own_prior() -> None:
    rng = np.random.default_rng(1)
    inside, trials = 0, 300
    for _ in range(trials):
        rho, k = 0.5 ** (1 / rng.uniform(0.5, 6)), np.arange(7)
        noise = 0.1 * rng.standard_normal(7)
        values = rng.normal() + rng.choice([-1, 1]) * rho**k + noise
        curves = draw_curves(k[:5], values[:5], np.zeros(5), 6)
        low, high = np.quantile(curves.measured[:, 1], [0.025, 0.975])
        inside += low <= values[6] <= high
    # 95 % at least, up to three standard errors of 300 trials: the prior is wider than what was drawn here.
    assert inside / trials > 0.95 - 3 * math.sqrt(0.95 * 0.05 / trials)


@pytest.mark.parametrize(
    ("shape", "family"),
    [
        (lambda k: 0.6**k, "exponential"),
        (lambda k: 1 / (k + 1), "power"),
        (lambda k: np.log(k + 1), "logarithm"),
        (lambda k: 1.0 * k, "line"),
        (lambda k: np.cumsum(np.random.default_rng(4).standard_normal(len(k))), "walk"),
    ],
)
def test_the_evidence_finds_the_family(shape: Callable[[NDArray], NDArray], family: str) -> None:
    """From 20 rounds almost without noise, and the next ten are in the intervals."""
    curve = 5 - 3 * shape(np.arange(30))
    found = forecast(chain(curve[:20], "gap"), "gap", ahead=10)
    # A walk is a drift, too.
    assert found.families[family] + (found.families["drift"] if family == "walk" else 0) > 0.6
    assert sum(found.families.values()) == pytest.approx(1)
    assert np.mean([c.low <= curve[c.round] <= c.high for c in found.next]) >= 0.9
    # A plateau is given where there is one, and holds it.
    assert (found.plateau is not None) == (family in ("exponential", "power"))
    if found.plateau is not None:
        assert found.plateau.low <= 5 <= found.plateau.high


@pytest.mark.parametrize("rounds", [6, 10, 20])
def test_a_gain_without_end_is_not_called_over(rounds: int) -> None:
    """The exact theory at n_k = 50 k, and a logarithm: the truth goes on improving."""
    sizes = 50 * np.arange(1, rounds + 1)
    system = LinearSystem([0.0, 0.0], [0.0, 0.0], 1.2, 1.0, 0.0, singular_values=1 / 0.3)
    exact_mse = trajectory(system, sizes, rounds).mse_star
    growing = [
        r.model_copy(update={"counts": Counts(kept=int(sizes[r.round - 1]) if r.round else 0)})
        for r in chain(exact_mse, "parameter_error")
    ]
    for records, name in (
        (growing, "parameter_error"),
        (chain(-np.log(1 + np.arange(rounds)), "gap"), "gap"),
    ):
        found = forecast(records, name)
        assert found.regime in ("improving", "unclear"), found.verdict
    assert "noise_floor" in forecast(growing, "parameter_error").families
    assert "noise_floor" not in forecast(chain(exact_mse), "fid").families


def test_few_rounds_give_no_plateau() -> None:
    """Four rounds of an exponential are four rounds of many things."""
    found = forecast(chain(20 + 80 * 0.6 ** np.arange(4), se=1.0), "fid")
    assert found.plateau is None
    assert len([p for p in found.families.values() if p > ALIVE]) > 3


def test_the_chance_of_a_gain() -> None:
    def chance(values: NDArray, min_gain: float = 0.0) -> float:
        found = chance_of_gain(chain(values, "gap"), "gap", QUANTITIES["gap"], ahead=2, min_gain=min_gain)
        assert found is not None
        return found

    k = np.arange(12)
    over, on, turned = 5 + 4 * 0.4**k, 10 - 0.5 * k, 5 - np.sin(k / 3)
    assert chance(over) < 0.1
    assert chance(on) > 0.9
    assert chance(on, min_gain=2.0) < 0.1, "two rounds bring 1"
    assert chance(turned) < 0.1, "the best round is long over"
    assert chance_of_gain(chain(over[:2], "gap"), "gap", QUANTITIES["gap"], ahead=2) is None


@settings(max_examples=25, deadline=None)
@given(
    values=st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=12),
    se=st.sampled_from([0.0, 1.0, math.nan]),
    metric=st.sampled_from(["fid", "rouge1", "diversity"]),
)
def test_any_numbers_get_an_answer(values: list[float], se: float, metric: str) -> None:
    found = forecast(chain(values, metric, se), metric)
    assert all(coming.low <= coming.value <= coming.high for coming in found.next)
    assert sum(found.probabilities.values()) == pytest.approx(1)
    assert Forecast.model_validate_json(found.model_dump_json()) == found


def test_units_do_not_matter() -> None:
    values = np.array([9.0, 6.0, 4.5, 3.8])
    small, large = forecast(chain(values, "gap"), "gap"), forecast(chain(1e4 * values + 7e4, "gap"), "gap")
    assert small.probabilities == pytest.approx(large.probabilities, abs=3 * math.sqrt(0.25 / DRAWS))
    assert 1e4 * small.next[0].value + 7e4 == pytest.approx(large.next[0].value)
