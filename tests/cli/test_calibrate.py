import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TABLE = "score,known,a,b\n" + "".join(
    f"{i % 7},{'yes' if i % 3 else 'no'},{i % 2},{i % 2}\n" for i in range(40)
)


@pytest.fixture
def run_folder(tiny_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


def test_a_runs_verifier(veriloop: Callable[..., Any], run_folder: Path) -> None:
    called = veriloop("calibrate", run_folder, "--bad", "mislabelled", "--samples", 100)
    assert called.code == 0, called.err
    assert "area under the ROC curve" in called.out
    assert "with the conditions of other samples" in called.out
    assert "stops helping at label noise p*" in called.out
    assert "J is above 0" in called.out
    report = (run_folder / "report.html").read_text()
    assert "ROC curve" in report
    assert 'id="calibration-0"' in report


def test_as_json(veriloop: Callable[..., Any], run_folder: Path) -> None:
    called = veriloop("calibrate", run_folder, "--round", 1, "--json")
    found = json.loads(called.out)
    assert found["report"] == str(run_folder / "report.html")
    assert found["calibration"]["good"] == 600, "both held-out splits"
    assert found["calibration"]["decided_by"] == "chosen"
    fate = found["calibration"]["fate"]
    assert fate["j"]["value"] == pytest.approx(fate["kept_good"]["value"] - fate["kept_bad"]["value"])
    assert fate["odds_factor"]["low"] > 1
    assert fate["noise_limit"]["low"] > 0.5


def test_a_table(veriloop: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "judged.csv"
    path.write_text(TABLE)
    called = veriloop(
        "calibrate", "--table", path, "--score", "score", "--known", "known", "--annotators", "a,b"
    )
    assert called.code == 0, called.err
    assert "Krippendorff's alpha" in called.out
    assert "1.000" in called.out
    called = veriloop("calibrate", "--table", path, "--annotators", "a,b", "--json")
    assert json.loads(called.out)["agreement"]["kappa"]["a / b"]["value"] == 1.0


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        ((), "either a run folder or --table FILE"),
        (("RUN", "--table", "x.csv"), "either a run folder or --table FILE"),
        (("RUN", "--arm", "unverified"), "has no verifier"),
        (("RUN", "--round", "9"), "got 9"),
        (("nowhere",), "no such run folder"),
        (("--table", "nothing.csv", "--score", "a", "--known", "b"), "nothing.csv"),
        (("--table", "x.csv"), "--score with --known"),
        (("--table", "x.csv", "--score", "a", "--gold", "b"), "Write --known b"),
    ],
)
def test_mistakes_end_in_one_line(
    arguments: tuple[str, ...], fragment: str, veriloop: Callable[..., Any], run_folder: Path
) -> None:
    called = veriloop("calibrate", *(str(run_folder) if a == "RUN" else a for a in arguments))
    assert called.code == 2
    assert called.err.startswith("error: ")
    assert len(called.err.strip().splitlines()) == 1
    assert fragment in called.err


def test_a_damaged_finding(veriloop: Callable[..., Any], run_folder: Path) -> None:
    veriloop("calibrate", run_folder)
    (path,) = (run_folder / "calibration").iterdir()
    path.write_bytes(path.read_bytes()[:100])
    called = veriloop("report", run_folder)
    assert called.code == 2
    assert path.name in called.err
