from veriloop.cards import RunCard
from veriloop.quantity import Quantity
from veriloop.records import Estimate
from veriloop.report.forecasts import forecasts
from veriloop.store.folder import RunFolder


def shown(folder: RunFolder, rounds: int):
    records = [r for r in folder.records() if r.round <= rounds]
    # A metric that is neither better nor worse by itself.
    records = [r.model_copy(update={"metrics": {"kl": Estimate(20.0, 0.1), **r.metrics}}) for r in records]
    cards = folder.manifest().cards
    return forecasts(records, cards, cards.wholes(list(records[0].metrics)))


def test_the_main_metric_comes_first_and_then_those_that_are_better_or_worse(image_run: RunFolder) -> None:
    found = shown(image_run, 6)
    assert list(found) == ["frechet", "nelbo", "accuracy", "coverage", "diversity", "recall"]
    assert list(found["nelbo"]) == ["verified", "unverified"], "a bound has no rounds to come"
    assert list(found["recall"]) == ["verified"]
    verified = found["frechet"]["verified"]
    assert verified.found.next[0].round == 7
    low, high = verified.next.interval.split(" to ")
    assert float(low) < float(verified.next.value) < float(high)


def test_two_rounds_are_too_few(image_run: RunFolder) -> None:
    assert shown(image_run, 1) == {}
    assert list(shown(image_run, 2)) == ["frechet", "nelbo", "accuracy", "coverage", "diversity"]


def test_the_forecast_goes_on_from_the_numbers_that_it_read(image_run: RunFolder) -> None:
    cards, records = image_run.manifest().cards, image_run.records()
    read = [
        r.model_copy(update={"validation": {"frechet": Estimate(r.metrics["frechet"].value + 9, 0.3)}})
        for r in records
    ]
    test, validation = (forecasts(of, cards, ["frechet"])["frechet"]["verified"] for of in (records, read))
    assert (test.found.split, validation.found.split) == ("test", "validation")
    assert validation.last == test.last + 9
    assert validation.found.next[0].value > test.found.next[0].value + 5


def test_a_headline_without_a_direction_is_shown_without_advice(image_run: RunFolder) -> None:
    cards = RunCard(arms=image_run.manifest().cards.arms, quantities={"frechet": Quantity("Distance")})
    found = forecasts(image_run.records(), cards, ["frechet", "nelbo"])
    assert list(found) == ["frechet"]
    assert "cannot name a round to ship" in found["frechet"]["verified"].found.verdict
