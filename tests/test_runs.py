"""`Run`: what a run found, from its folder or from memory."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import veriloop as vl
from veriloop.errors import ConfigError, DomainError, RunFolderError
from veriloop.events import RoundFinished, StageStarted, TrainingProgress
from veriloop.loop import load_state
from veriloop.loop.memory import MemoryRun
from veriloop.progress import Line
from veriloop.report.frames import metrics_frame
from veriloop.store.folder import RunFolder
from veriloop.testing.tiny import TinyData, TinyLearner, TinyMetric, TinyVerifier

METRIC = next(iter(TinyMetric.quantities))


def tiny(**settings: object) -> vl.Plan:
    """A plan of objects that takes a few milliseconds."""
    usual: dict[str, object] = {
        "dataset": TinyData(),
        "learner": TinyLearner(),
        "verifier": TinyVerifier(),
        "acceptance": vl.rules.TopFraction(fraction=0.1),
        "schedule": vl.rules.Constant(n=60),
        "metrics": [TinyMetric()],
        "evaluation_samples": 300,
        "chunk_size": 100,
        "rounds": 3,
    }
    return vl.Plan(**(usual | settings))


@pytest.fixture(scope="module")
def in_folder(tmp_path_factory: pytest.TempPathFactory) -> vl.Run:
    return vl.run(tiny(), tmp_path_factory.mktemp("runs") / "one")


@pytest.fixture(scope="module")
def in_memory() -> vl.Run:
    return vl.run(tiny())


@pytest.fixture(params=["in_folder", "in_memory"])
def run(request: pytest.FixtureRequest) -> vl.Run:
    return request.getfixturevalue(request.param)


def test_a_run_is_what_its_folder_holds(in_folder: vl.Run):
    assert in_folder.folder is not None
    again = vl.Run(str(in_folder.folder))
    assert again.plan == in_folder.plan == tiny()
    assert again.records() == in_folder.records()
    assert (again.verdict, again.ship, again.status) == (in_folder.verdict, in_folder.ship, "finished")


def test_a_folder_without_a_run_is_refused(tmp_path: Path):
    with pytest.raises(RunFolderError, match="this folder does not contain a run"):
        vl.Run(tmp_path)


def test_memory_and_folder_find_the_same(in_folder: vl.Run, in_memory: vl.Run):
    assert in_memory.folder is None
    assert in_memory.verdict == in_folder.verdict
    assert in_memory.ship == in_folder.ship
    assert in_memory.frame().equals(in_folder.frame())
    for arm, round_ in (("verified", 1), ("unverified", 3)):
        assert in_memory.samples(arm, round_).same_as(in_folder.samples(arm, round_))
        assert in_memory.model(arm, round_).digest() == in_folder.model(arm, round_).digest()


def test_the_frame_is_that_of_the_records(run: vl.Run):
    assert run.frame().equals(metrics_frame(run.records()))
    assert set(run.frame()["arm"]) == set(run.arms) == {"verified", "unverified", "all_real"}


def test_a_model_is_that_of_its_round(in_folder: vl.Run):
    assert in_folder.folder is not None
    state = load_state(in_folder.plan, RunFolder(in_folder.folder), "verified", 2)
    assert in_folder.model("verified", 2).digest() == state.generator.digest()


def test_without_a_round_it_is_the_model_to_ship_or_the_last(run: vl.Run):
    shipped = run.ship
    assert shipped is not None
    meant = shipped.round or 3
    assert run.model().digest() == run.model("verified", meant).digest()
    assert run.model("all_real").digest() == run.model("all_real", 1).digest()


@pytest.mark.parametrize(
    ("arm", "round_", "message"),
    [
        ("verfied", 1, "arm: got 'verfied', expected one of verified, unverified, all_real"),
        ("verified", 9, "arm 'verified' has no such finished round: got 9, expected one of 0, 1, 2, 3"),
    ],
)
def test_what_is_not_there_is_one_line(run: vl.Run, arm: str, round_: int, message: str):
    for look in (run.model, run.samples):
        with pytest.raises(ConfigError) as caught:
            look(arm, round_)
        assert message in str(caught.value)


def test_the_start_model_has_kept_no_samples(run: vl.Run):
    with pytest.raises(
        ConfigError, match="round 0 of arm 'verified' kept no samples: expected one of 1, 2, 3"
    ):
        run.samples("verified", 0)
    assert run.samples().same_as(run.samples("verified", 3))


def test_a_plot_shows_each_arm_and_what_is_not_measured_is_refused(run: vl.Run):
    traces: Any = run.plot(METRIC).data
    drawn = {trace.name: trace for trace in traces}
    chain = [r.metrics[METRIC].value for r in run.records() if r.arm == "verified"]
    assert list(drawn["verified"].y) == chain
    assert {name for name, trace in drawn.items() if trace.showlegend} == set(run.arms)
    with pytest.raises(ConfigError, match=f"quantity: got 'fid', expected one of {METRIC}"):
        run.plot("fid")


def test_in_a_notebook_it_shows_its_verdict_a_table_and_a_curve(run: vl.Run):
    page = run._repr_html_() or ""
    assert run.verdict in page
    assert page.count("<tr>") == 1 + len(run.arms)
    assert "<script" not in page
    assert "data:image/png;base64," in page


def test_its_line_is_short_and_names_no_address(run: vl.Run):
    assert len(repr(run)) < 300
    assert " at 0x" not in repr(run) + repr(run.source) + repr(run.model())
    assert run.verdict[:40] in repr(run)


def test_a_run_without_metrics_has_numbers_of_nothing():
    run = vl.run(tiny(metrics=[], rounds=1))
    assert run.frame().empty
    assert run.ship is None
    assert "Nothing is measured" in run.verdict
    assert "<img" not in str(run._repr_html_())
    assert run.model("verified").digest() == run.model("verified", 1).digest()
    with pytest.raises(ConfigError, match="none measured"):
        run.plot()


def test_what_needs_a_folder_says_so(in_memory: vl.Run, in_folder: vl.Run):
    for needs in (in_memory.report, in_memory.audit):
        with pytest.raises(ConfigError, match="needs a run folder"):
            needs()
    assert in_folder.report().read_text().startswith("<!doctype html>")


def test_keep_models_holds_for_memory_as_well():
    run = vl.run(tiny(keep_models="last"))
    assert run.model("verified", 3).digest()
    with pytest.raises(ConfigError, match="round 1 of arm 'verified' is not in memory"):
        run.model("verified", 1)


def test_a_run_that_has_not_begun_is_one_line():
    with pytest.raises(RunFolderError, match="has not started"):
        _ = vl.Run(MemoryRun()).verdict


def test_listeners_hear_of_a_run_with_and_without_progress(tmp_path: Path):
    heard: list[object] = []
    vl.run(tiny(rounds=1), tmp_path / "a", listen=heard.append, progress=False)
    quiet = sum(isinstance(event, RoundFinished) for event in heard)
    heard.clear()
    vl.run(tiny(rounds=1), tmp_path / "b", listen=heard.append)
    assert sum(isinstance(event, RoundFinished) for event in heard) == quiet > 0


def test_nothing_is_printed_where_nobody_looks(capfd: pytest.CaptureFixture[str]):
    vl.run(tiny(rounds=1))
    assert capfd.readouterr() == ("", "")


def test_progress_says_what_is_done_and_what_is_under_way():
    lines: list[str] = []

    class Display:
        @staticmethod
        def update(line: str) -> None:
            lines.append(line)

    line = Line(tiny(), Display())
    line(StageStarted(arm="verified", round=2, stage="generate"))
    assert lines == ["0 of 7 rounds done, 0:00 | verified, round 2 of 3: generate"]
    line(RoundFinished(arm="verified", round=2, peak_memory_mb=1.0))
    line(
        TrainingProgress(
            arm="start",
            round=0,
            stage="fit",
            done=3,
            of=12,
            loss=None,
            gradient_norm=None,
            tokens=0,
            seconds=1.0,
        )
    )
    assert line.text(75) == "2 of 7 rounds done, 1:15 | start model: fit 25%"


def test_a_forecast_reads_a_run_or_its_folder(in_folder: vl.Run, in_memory: vl.Run):
    found = vl.forecast(in_folder, METRIC, rounds=2)
    assert found.model_dump_json() == vl.forecast(in_folder.folder or "", METRIC, rounds=2).model_dump_json()
    assert found.next == vl.forecast(in_memory, METRIC, rounds=2).next
    assert [k.round for k in found.next] == [4, 5]
    assert len(repr(found)) < 300
    assert found.verdict in str(found._repr_html_())
    assert list(found.plot().data[1].y) == [k.value for k in found.next]
    with pytest.raises(ConfigError, match="arm: got 'other'"):
        vl.forecast(in_memory, arm="other")
    with pytest.raises(DomainError):
        vl.forecast(in_memory, rounds=0)


def test_audits_and_calibrations_show_themselves():
    rng = np.random.default_rng(0)
    generated = rng.standard_normal((2000, 2))
    accepted = rng.uniform(size=2000) < 1 / (1 + np.exp(-2 * generated[:, 0]))
    audit = vl.audit(generated, accepted, rng.standard_normal((500, 2)) + 0.5)
    assert len(repr(audit)) < 300
    assert "2,000 accepted" in repr(audit)
    assert audit.plot().data[1].y[0] == audit.distances[0]
    assert "best round" in str(audit._repr_html_())
    known = vl.calibrate(vl.Verdicts(score=generated[:, 0].astype(np.float32)), accepted)
    assert len(repr(known)) < 300
    assert f"{known.accuracy.value:.1%} right" in repr(known)
    assert "area under the ROC curve" in str(known._repr_html_())
    assert list(known.plot().data[1].x) == [point.false_accept for point in known.curve]


def test_previews_and_comparisons_show_themselves(tmp_path: Path):
    plan = tiny(rounds=1)
    assert repr(vl.preview(plan)).startswith("<Preview: verified, unverified, all_real; ")
    vary = {"acceptance.fraction": [0.1, 0.5]}
    found = vl.compare(plan, tmp_path, seeds=2, vary=vary, executor=vl.executors.Serial())
    assert len(repr(found)) < 300
    assert found.sentences[0][:60] in str(found._repr_html_())
    assert str(found.plot()._repr_html_()).startswith("<img")


def test_the_guides_code_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    page = (Path(__file__).parent.parent / "docs" / "guide" / "python.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    code = "\n".join(blocks)
    for long, short in (
        ("epochs=10", "epochs=1"),
        ("epochs=5", "epochs=1"),
        ("n=100", "n=40"),
        ("rounds=2", "rounds=1"),
    ):
        assert long in code
        code = code.replace(long, short)
    exec(compile(code, "python.md", "exec"), {})
    said = capsys.readouterr().out
    assert "<Preview: verified, unverified; " in said
    assert (tmp_path / "runs/first/manifest.json").is_file()
