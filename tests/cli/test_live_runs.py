"""What is said of one of many runs."""

import io
from pathlib import Path

from veriloop.cli.live_runs import FollowedRun, progress_of_runs
from veriloop.store.folder import RunFolder


def told(run: Path, *, old: bool) -> list[str]:
    file = io.StringIO()
    FollowedRun(RunFolder(run), file, old=old).look()
    return file.getvalue().splitlines()


def test_every_line_begins_with_the_runs_name(tiny_run: Path) -> None:
    lines = told(tiny_run, old=False)
    assert lines[0].startswith("tiny: start model done: gap ")
    assert lines[1].startswith("tiny: verified round 1/3 done: gap ")
    assert lines[-1] == "tiny: finished"
    assert all(line.startswith("tiny: ") for line in lines)


def test_what_was_there_before_is_no_news(tiny_run: Path) -> None:
    assert told(tiny_run, old=True) == []


def test_silence(tiny_run: Path, capsys) -> None:
    with progress_of_runs(tiny_run.parent, silent=True):
        pass
    with progress_of_runs(tiny_run.parent, silent=False):
        pass
    assert capsys.readouterr().err == ""


def test_a_folder_that_is_not_there_yet_is_waited_for(tmp_path: Path, tiny_run: Path, capsys) -> None:
    with progress_of_runs(tmp_path / "runs", silent=False):
        (tmp_path / "runs").mkdir()
        (tmp_path / "runs" / "tiny").symlink_to(tiny_run)
    assert capsys.readouterr().err.splitlines()[-1] == "tiny: finished"
