from veriloop.records import Estimate
from veriloop.report.forecasts import forecasts
from veriloop.report.names import whole
from veriloop.report.summary import summarise
from veriloop.store.folder import RunFolder


def shown(folder: RunFolder, rounds: int):
    records = [r for r in folder.records() if r.round <= rounds]
    # A metric that is neither better nor worse by itself.
    records = [r.model_copy(update={"metrics": {"kl": Estimate(20.0, 0.1), **r.metrics}}) for r in records]
    return forecasts(records, summarise(folder), whole(list(records[0].metrics)))


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
