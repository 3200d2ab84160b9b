import math

import pytest

from veriloop.report.frames import counts_frame, metrics_frame, seconds_frame
from veriloop.store.folder import RunFolder


def test_every_measured_number_has_a_row(image_run: RunFolder) -> None:
    records = image_run.records()
    frame = metrics_frame(records)
    assert list(frame.columns) == ["arm", "round", "metric", "value", "se", "low", "high"]
    assert len(frame) == sum(len(r.metrics) for r in records)
    chosen = frame[(frame["arm"] == "verified") & (frame["round"] == 3) & (frame["metric"] == "frechet")]
    expected = next(r for r in records if (r.arm, r.round) == ("verified", 3)).metrics["frechet"]
    assert chosen[["value", "se"]].to_numpy().tolist() == [[expected.value, expected.se]]
    assert chosen[["low", "high"]].to_numpy().tolist() == [list(expected.band)]


def test_a_missing_number_stays_a_row_of_nan(image_run: RunFolder) -> None:
    frame = metrics_frame(image_run.records())
    recall = frame[(frame["metric"] == "recall") & (frame["round"] == 2)]
    assert len(recall) == 1
    assert math.isnan(recall["value"].iloc[0])


def test_counts_and_acceptance_rate(image_run: RunFolder) -> None:
    frame = counts_frame(image_run.records()).set_index(["arm", "round"])
    assert frame.loc[("verified", 1), "acceptance_rate"] == pytest.approx(0.05)
    assert frame.loc[("unverified", 1), "acceptance_rate"] == 1
    assert frame["acceptance_rate"].isna().tolist() == (frame["generated"] == 0).tolist()
    assert frame.loc[("verified", 1), "abstained"] == 100


def test_stages_come_in_the_order_in_which_they_run(image_run: RunFolder) -> None:
    frame = seconds_frame(image_run.records())
    stages = frame[(frame["arm"] == "verified") & (frame["round"] == 1)]["stage"].tolist()
    assert stages == ["update", "generate", "verify", "fit", "evaluate"]


def test_no_records_give_empty_frames_with_their_columns() -> None:
    for frame in (metrics_frame([]), counts_frame([]), seconds_frame([])):
        assert len(frame) == 0
        assert "arm" in frame.columns
