import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from veriloop.ask.audit_run import audit_run
from veriloop.ask.export import export
from veriloop.ask.known import calibrate_arm
from veriloop.config import plan_from
from veriloop.errors import ConfigError, CorruptFileError
from veriloop.loop import run
from veriloop.report.html import write_report
from veriloop.store.folder import RunFolder
from veriloop.store.verify import verify
from veriloop.testing.broken import cut

TINY = "veriloop.testing.tiny"
FORMAT_1 = Path(__file__).with_name("format_1")


def _plan(**changes):
    return plan_from(
        {
            "seed": 2,
            "rounds": 2,
            "dataset": f"{TINY}:TinyData",
            "learner": f"{TINY}:TinyLearner",
            "arms": ["verified", "unverified"],
            "verifier": {"kind": f"{TINY}:TinyVerifier", "mode": "decide"},
            "metrics": [f"{TINY}:TinyMetric"],
            "policy": "accumulate",
            "schedule": {"kind": "constant", "n": 300},
            "keep_rejected": True,
            **changes,
        }
    )


@pytest.fixture
def folder(tmp_path):
    folder = run(_plan(), tmp_path / "run")
    audit_run(_plan(), folder, "verified", None)
    calibrate_arm(_plan(), folder, "verified", None, "start", 100)
    return folder


KINDS = [
    "manifest.json",
    "records.jsonl",
    "records.sha256",
    "real.npz",
    "round_0/verified/generator/model.safetensors",
    "round_1/verified/generator/model.safetensors",
    "round_1/verified/verifier/means.npz",
    "round_1/verified/verifier/verifier.json",
    "round_1/verified/kept.npz",
    "round_1/verified/rejected.npz",
    "round_1/verified/preview.npz",
    "audits/verified-round_2.json",
    "calibration/verified-round_2-start.json",
]


def _flip(path: Path, byte: int, bit: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[byte] ^= 1 << bit
    path.write_bytes(bytes(content))


def test_a_run_is_what_it_wrote(folder):
    write_report(folder)
    found = verify(folder)
    assert (found.differ, found.left, found.others) == ({}, [], [])
    files = [p for p in folder.path.rglob("*") if p.is_file()]
    assert found.checked == len([p for p in files if p.name not in {"report.html", "events.jsonl", "lock"}])


@pytest.mark.parametrize("name", KINDS)
def test_a_flipped_bit_is_found_in_each_kind_of_file(folder, name):
    path = folder.path / name
    whole = path.read_bytes()
    for byte in (0, 1, len(whole) // 3, len(whole) // 2, len(whole) - 2, len(whole) - 1):
        _flip(path, byte, byte % 8)
        found = verify(folder)
        same = ["round_0/unverified" + name[len("round_0/verified") :]] if name.startswith("round_0") else []
        assert set(found.differ) - set(same) == {name}, byte
        path.write_bytes(whole)
    assert verify(folder).differ == {}


def test_a_manifest_with_any_flipped_bit_is_refused(folder):
    path = folder.path / "manifest.json"
    whole = path.read_bytes()
    for byte in range(0, len(whole), 7):
        _flip(path, byte, byte % 8)
        with pytest.raises(CorruptFileError, match=r"manifest\.json"):
            folder.manifest()
        path.write_bytes(whole)


@pytest.mark.parametrize("name", ["records.jsonl", "records.sha256"])
def test_a_lost_line_is_found(folder, name):
    path = folder.path / name
    lines = path.read_bytes().splitlines(keepends=True)
    for lost in range(len(lines)):
        path.write_bytes(b"".join(lines[:lost] + lines[lost + 1 :]))
        assert set(verify(folder).differ) & {"records.jsonl", "records.sha256"}, lost
    path.write_bytes(b"".join(lines[:-1]))
    assert set(verify(folder).differ) == {name}


@pytest.mark.parametrize(
    "name", ["round_1/verified/kept.npz", "round_0/verified/generator/model.safetensors"]
)
def test_a_lost_or_added_file_is_found(folder, name):
    (folder.path / name).unlink()
    assert set(verify(folder).differ) == {name}
    stray = folder.path / "round_1" / "verified" / "extra"
    stray.write_text("x")
    assert set(verify(folder).differ) == {name, "round_1/verified/extra"}


def test_the_loop_refuses_a_flipped_bit_in_weights(folder):
    cut(folder.path, 4)
    _flip(folder.path / "round_1/verified/generator/model.safetensors", -1)
    with pytest.raises(
        CorruptFileError,
        match=r"round_1/verified/generator/model\.safetensors differs from what the run wrote",
    ):
        run(_plan(), folder.path, resume="always")


READERS = {
    "round_1/verified/kept.npz": lambda f: export(f, 1, "verified", f.path.parent / "x.jsonl"),
    "round_1/verified/preview.npz": lambda f: f.preview(1, "verified"),
    "round_1/verified/verifier/means.npz": lambda f: audit_run(_plan(), f, "verified", 1),
    "real.npz": RunFolder.real,
    "records.jsonl": write_report,
    "records.sha256": write_report,
    "manifest.json": write_report,
    "audits/verified-round_2.json": write_report,
    "calibration/verified-round_2-start.json": write_report,
}


@pytest.mark.parametrize("name", READERS)
def test_whoever_reads_a_flipped_bit_is_told(folder, name):
    path = folder.path / name
    _flip(path, path.stat().st_size // 2)
    with pytest.raises(CorruptFileError, match=Path(name).name):
        READERS[name](folder)


def test_lines_lost_from_a_finished_run_are_not_made_up_for(folder):
    path = folder.path / "records.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(CorruptFileError, match=r"records\.jsonl is missing lines"):
        run(_plan(), folder.path, resume="always")


def test_a_digest_without_its_record_is_what_a_kill_leaves(folder):
    whole = (folder.path / "records.jsonl").read_bytes()
    cut(folder.path, 5)
    lines = whole.splitlines(keepends=True)
    (folder.path / "records.jsonl").write_bytes(b"".join(lines[:4]))
    assert verify(folder).differ == {}
    run(_plan(), folder.path, resume="always")
    assert verify(folder).differ == {}
    assert len(folder.records()) == len(lines)


def test_of_format_1_nothing_is_known():
    assert not verify(RunFolder(FORMAT_1 / "tiny")).has_digests


def test_the_verb_names_the_file_and_exits_with_2(folder):
    veriloop = Path(sys.executable).with_name("veriloop")
    done = subprocess.run([veriloop, "verify", folder.path], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "files are unchanged" in done.stdout
    _flip(folder.path / "round_1/verified/kept.npz", 100)
    done = subprocess.run([veriloop, "verify", folder.path], capture_output=True, text=True)
    assert done.returncode == 2
    assert "round_1/verified/kept.npz differs from what the run wrote" in done.stdout
    assert done.stderr.startswith("error: 1 of ")


# -- leftovers, permissions, links -----------------------------------------------------------------------


def test_a_kill_during_the_first_write_leaves_a_folder_to_run_in(tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    (path / "lock").touch()
    (path / ".manifest.json.99999999").write_text('{"for')
    run(_plan(), path)
    assert not list(path.glob(".*"))


def test_what_a_killed_write_left_is_removed_by_the_next_run(folder):
    cut(folder.path, 5)
    left = [".manifest.json.99999999", "audits/.verified-round_2.json.99999999", ".work/round_2-x/kept.npz"]
    for name in left:
        (folder.path / name).parent.mkdir(parents=True, exist_ok=True)
        (folder.path / name).write_text("x")
    found = verify(folder)
    assert (set(found.left) >= set(left), found.differ) == (True, {})
    run(_plan(), folder.path, resume="always")
    assert not list(folder.path.rglob(".*"))


def test_files_have_the_permissions_that_the_umask_leaves(tmp_path):
    before = os.umask(0o002)
    try:
        folder = run(_plan(), tmp_path / "run")
        write_report(folder)
        export(folder, 1, "verified", tmp_path / "kept.parquet")
    finally:
        os.umask(before)
    modes = {p: p.stat().st_mode & 0o777 for p in tmp_path.rglob("*")}
    assert {mode for p, mode in modes.items() if p.is_file()} == {0o664}
    assert {mode for p, mode in modes.items() if p.is_dir()} == {0o775}


@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe", "directory"])
def test_export_writes_to_files_only(folder, tmp_path, kind):
    target, path = tmp_path / "target.jsonl", tmp_path / "to.jsonl"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    else:
        if kind == "link":
            target.write_text("mine")
        path.symlink_to(target)
    with pytest.raises(ConfigError, match="expected a new file, or a regular one to replace"):
        export(folder, 1, "verified", path)
    assert kind != "link" or target.read_text() == "mine"
    assert export(folder, 1, "verified", tmp_path / "new.jsonl").rows == 300
    assert export(folder, 1, "verified", tmp_path / "new.jsonl").rows == 300


LOOKS = """
import os, sys
from veriloop.cli.main import main
copy, folder = sys.argv[1:]

def call(*arguments):
    sys.argv = ["veriloop", *arguments]
    print("::", arguments[0], flush=True)
    try:
        code = main()
    except SystemExit as e:
        code = e.code
    print("exit", code or 0, flush=True)

verbs = [["report"], ["audit"], ["calibrate"], ["resume", "--plain"], ["verify"]]
for verb, *options in verbs:  # so that everything is imported that another user may not read
    call(verb, copy, *options)
os.seteuid(65534)
print("read-only", flush=True)
for verb, *options in verbs:
    call(verb, folder, *options)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="becomes another user")
def test_a_read_only_folder_can_be_looked_at(folder, tmp_path):
    shutil.copytree(folder.path, tmp_path / "copy")
    for path in (tmp_path, *tmp_path.parents[:-2]):
        path.chmod(path.stat().st_mode | 0o011)
    for path in (folder.path, *folder.path.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = {p: p.read_bytes() for p in folder.path.rglob("*") if p.is_file()}
    done = subprocess.run(
        [sys.executable, "-c", LOOKS, tmp_path / "copy", folder.path], capture_output=True, text=True, cwd="/"
    )
    _, _, seen = done.stdout.partition("read-only\n")
    report, audit, calibrate, resume, verified = seen.split(":: ")[1:]
    for said in (report, audit, calibrate, resume):
        assert "the folder is read-only: nothing was written" in said
        assert len(said.splitlines()) > 4
    assert [said.splitlines()[-1] for said in seen.split(":: ")[1:]] == ["exit 0"] * 5, done.stderr
    assert "finished" in resume
    assert "are unchanged" in verified
    assert {p: p.read_bytes() for p in folder.path.rglob("*") if p.is_file()} == before
