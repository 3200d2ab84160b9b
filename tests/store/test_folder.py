import json
import os
import subprocess
import sys

import numpy as np
import pytest

from veriloop.errors import CorruptFileError, RunFolderError, RunLockedError, StorageError
from veriloop.events import EVENT, RoundFinished
from veriloop.records import Counts, Estimate, RoundRecord
from veriloop.samples import Samples
from veriloop.store import atomic
from veriloop.store.folder import RunFolder
from veriloop.store.manifest import Manifest, config_difference, find_run_folders


def _record(round_, arm="verified"):
    return RoundRecord(
        arm=arm,
        round=round_,
        counts=Counts(),
        trained_on=1,
        metrics={"gap": Estimate(1.0, 0.1)},
        seconds={"fit": 0.1},
    )


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.write_manifest(Manifest(config={"seed": 1, "rounds": 2, "executor": {"kind": "serial"}}, seed=1))
    return folder


def _commit(folder, round_, value=0.0):
    work = folder.work_directory(round_, "verified")
    Samples(x=np.full(3, value), _chunk=np.zeros(3), _row=np.zeros(3), _score=np.zeros(3)).save(
        work / "kept.npz"
    )
    folder.commit(_record(round_), work)


def test_a_commit_puts_files_and_line_in_place(folder):
    _commit(folder, 1, 5.0)
    assert [r.round for r in folder.records()] == [1]
    assert folder.kept(1, "verified").same_as(Samples(x=np.full(3, 5.0)))


def test_a_torn_last_line_does_not_count_and_is_dropped_by_the_next_writer(folder):
    _commit(folder, 1)
    path = folder.path / "records.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:30])
    assert len(folder.records()) == 1
    with folder.lock():
        assert path.read_bytes() == whole


def test_a_changed_line_is_called_corrupt(folder):
    _commit(folder, 1)
    path = folder.path / "records.jsonl"
    path.write_text("{}\n" + path.read_text())
    with pytest.raises(CorruptFileError, match="line 1"):
        folder.records()


def test_an_unreadable_manifest_is_called_corrupt(folder):
    (folder.path / "manifest.json").write_text('{"config":')
    with pytest.raises(CorruptFileError, match=r"manifest\.json cannot be read"):
        RunFolder.open(folder.path)


def test_a_second_process_is_told_who_holds_the_folder(folder):
    code = (
        "import sys; from veriloop.store.folder import RunFolder\n"
        f"with RunFolder({str(folder.path)!r}).lock(): pass"
    )
    with folder.lock():
        second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert f"process {os.getpid()} on" in second.stderr
    assert "RunLockedError" in second.stderr
    with folder.lock(), pytest.raises(RunLockedError), folder.lock():
        pass


def test_a_different_config_is_refused_with_the_difference(folder):
    folder.check_same_config({"seed": 1, "rounds": 2, "executor": {"kind": "process"}})
    with pytest.raises(RunFolderError, match=r"rounds: 2 -> 3"):
        folder.check_same_config({"seed": 1, "rounds": 3})


def test_config_difference_names_paths():
    assert config_difference({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3], "c": 4}}) == [
        "a.b.1: 2 -> 3",
        "a.c: null -> 4",
    ]


def test_events_can_be_followed(folder):
    folder.emit(RoundFinished(arm="verified", round=1, peak_memory_mb=1.0))
    first, position = folder.events()
    folder.emit(RoundFinished(arm="verified", round=2, peak_memory_mb=1.0))
    second, _ = folder.events(position)
    assert [e.round for e in [*first, *second] if isinstance(e, RoundFinished)] == [1, 2]
    assert EVENT.validate_json(EVENT.dump_json(first[0])) == first[0]


def test_run_folders_are_found(folder, tmp_path):
    (tmp_path / "other").mkdir()
    assert find_run_folders(tmp_path) == [folder.path]
    assert find_run_folders(folder.path) == [folder.path]
    assert find_run_folders(tmp_path / "nothing") == []


LIMITED = """
import resource, signal, sys
from pathlib import Path
from veriloop.errors import StorageError
from veriloop.store import atomic
path, action = Path(sys.argv[1]), sys.argv[2]
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    if action == "write":
        atomic.write_file(path, b"x" * 5000)
    else:
        atomic.append_line(path, "y" * 5000)
except StorageError as e:
    print("refused:", e)
"""


@pytest.mark.parametrize("action", ["write", "append"])
def test_a_write_that_does_not_fit_leaves_what_was_there(tmp_path, action):
    path = tmp_path / "file"
    path.write_text("before\n")
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, path, action], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(f"refused: cannot write {path}: File too large")
    assert path.read_text() == "before\n"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_read_only_place_is_a_storage_error(tmp_path):
    with pytest.raises(StorageError, match="cannot write"):
        atomic.write_file(tmp_path / "no" / "such" / "folder" / "file", b"")


def test_the_manifest_reads_as_the_contract_says(folder):
    content = json.loads((folder.path / "manifest.json").read_text())
    assert {"config", "seed", "versions", "git_revision", "status"} <= set(content)
    folder.set_status("failed", "why")
    assert json.loads((folder.path / "manifest.json").read_text())["status"] == "failed"


def test_files_that_an_editor_has_saved_are_read(folder):
    _commit(folder, 0)
    before = folder.manifest(), folder.records()
    for name in ("manifest.json", "records.jsonl"):
        path = folder.path / name
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert (folder.manifest(), folder.records()) == before
    assert len(folder.records()) == 1
