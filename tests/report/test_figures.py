import numpy as np
import pytest

from veriloop.advise.forecasting import NextRound
from veriloop.report.figures import acceptance_figure, metric_figure, seconds_figure
from veriloop.report.frames import counts_frame, metrics_frame, seconds_frame
from veriloop.report.palette import arm_styles
from veriloop.store.folder import RunFolder

STYLES = arm_styles(["verified", "unverified", "all_real"])


def traces(figure) -> dict:
    return {trace.name: trace for trace in figure.data}


def test_the_band_is_two_standard_errors_either_side(image_run: RunFolder) -> None:
    figure = metric_figure(metrics_frame(image_run.records()), "frechet", styles=STYLES, bounds={"all_real"})
    drawn = traces(figure)
    curve, band = drawn["verified"], drawn["verified, uncertainty of measurement"]
    n = len(curve.y)
    high, low = np.array(band.y[:n]), np.array(band.y[n:][::-1])
    assert list(band.x[:n]) == list(curve.x) == list(range(7))
    assert high - low == pytest.approx(4 * 0.35)
    assert (high + low) / 2 == pytest.approx(np.array(curve.y))


def test_the_bound_is_a_level_at_its_last_value(image_run: RunFolder) -> None:
    records = image_run.records()
    figure = metric_figure(metrics_frame(records), "frechet", styles=STYLES, bounds={"all_real"})
    level = traces(figure)["all_real"]
    last = next(r for r in records if (r.arm, r.round) == ("all_real", 1)).metrics["frechet"].value
    assert set(level.y) == {last}
    assert (min(level.x), max(level.x)) == (0, 6)


def test_a_missing_number_is_a_gap_and_a_missing_error_no_band(image_run: RunFolder) -> None:
    drawn = traces(metric_figure(metrics_frame(image_run.records()), "recall", styles=STYLES))
    assert list(drawn) == ["verified"]
    assert np.isnan(drawn["verified"].y[2])
    assert not np.isnan(drawn["verified"].y[3])


def test_rounds_to_come_go_on_from_the_last_one(image_run: RunFolder) -> None:
    frame = metrics_frame(image_run.records())
    coming = [NextRound(round=k, value=14.0, low=14.0 - 2 * k, high=14.0 + 500 * k) for k in (7, 8)]
    figure = metric_figure(frame, "frechet", styles=STYLES, bounds={"all_real"}, coming={"verified": coming})
    drawn = traces(figure)
    band, line = drawn["verified, 95 % interval of the forecast"], drawn["verified, forecast"]
    last = drawn["verified"].y[-1]
    assert (list(line.x), list(line.y)) == ([7, 8], [14.0, 14.0])
    assert list(band.x) == [6, 7, 8, 8, 7, 6]
    assert list(band.y) == [last, 3514.0, 4014.0, -2.0, 0.0, last]
    assert figure.layout.xaxis.range[1] > 8
    low, high = figure.layout.yaxis.range
    known = frame[frame["metric"] == "frechet"]
    assert low < known["value"].min() - 2 * 0.35
    assert known["value"].max() + 2 * 0.35 < high < 2 * known["value"].max(), "the curves can be read"


def test_an_arm_has_its_colour_in_every_figure(image_run: RunFolder) -> None:
    records = image_run.records()
    curves = metric_figure(metrics_frame(records), "nelbo", styles=STYLES)
    rates = acceptance_figure(counts_frame(records), styles=STYLES)
    for figure in (curves, rates):
        assert traces(figure)["verified"].line.color == STYLES["verified"].colour


def test_the_acceptance_rate_leaves_out_rounds_that_generated_nothing(image_run: RunFolder) -> None:
    drawn = traces(acceptance_figure(counts_frame(image_run.records()), styles=STYLES))
    assert set(drawn) == {"verified", "unverified"}
    assert list(drawn["verified"].x) == [1, 2, 3, 4, 5, 6]


def test_stage_seconds_are_summed_over_rounds(image_run: RunFolder) -> None:
    drawn = traces(seconds_figure(seconds_frame(image_run.records())))
    assert list(drawn) == ["update", "generate", "verify", "fit", "evaluate"]
    fit = dict(zip(drawn["fit"].y, drawn["fit"].x, strict=True))
    assert fit["verified"] == pytest.approx(0.8 + 6 * 3.1)
