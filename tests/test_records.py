import json
import math

from veriloop.records import Counts, Estimate, RoundRecord


def _record(**metrics):
    return RoundRecord(
        arm="verified",
        round=3,
        counts=Counts(generated=40, accepted=4, rejected=35, abstained=1, kept=4, distinct=3),
        trained_on=4,
        metrics=metrics,
        seconds={"fit": 1.5},
    )


def test_a_line_reads_as_the_contract_says():
    line = json.loads(_record(frechet=Estimate(12.5, 0.25)).model_dump_json())
    assert line["arm"] == "verified"
    assert line["round"] == 3
    assert line["counts"] == {"generated": 40, "accepted": 4, "rejected": 35, "abstained": 1, "kept": 4} | {
        "distinct": 3,
        "truncated": 0,
        "kept_truncated": 0,
    }
    assert line["silent"] == []
    assert line["metrics"] == {"frechet": {"value": 12.5, "se": 0.25}}
    assert line["seconds"] == {"fit": 1.5}


def test_a_record_survives_its_line():
    record = _record(frechet=Estimate(0.1 + 0.2, 1e-300))
    assert RoundRecord.model_validate_json(record.model_dump_json()) == record


def test_an_interval_is_written_only_where_there_is_one():
    record = _record(rouge1=Estimate(0.2, 0.01, interval=(0.17, 0.24)), frechet=Estimate(4, 1))
    line = json.loads(record.model_dump_json())
    assert line["metrics"]["rouge1"] == {"value": 0.2, "se": 0.01, "interval": [0.17, 0.24]}
    assert "interval" not in line["metrics"]["frechet"]
    again = RoundRecord.model_validate(line)
    assert again == record
    assert (again.metrics["rouge1"].band, again.metrics["frechet"].band) == ((0.17, 0.24), (2, 6))


def test_what_is_no_number_is_null_in_json():
    line = _record(frechet=Estimate(math.inf, math.nan)).model_dump_json()
    assert json.loads(line)["metrics"]["frechet"] == {"value": None, "se": None}
    assert math.isnan(RoundRecord.model_validate_json(line).metrics["frechet"].value)
