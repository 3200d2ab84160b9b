"""What a run depends on outside its configuration: found, digested, and compared when the run is resumed."""

import sys
from pathlib import Path

import pytest

from veriloop.ask.replay import replayed
from veriloop.config import plan_from, plan_of
from veriloop.errors import RunFolderError
from veriloop.fitted import digest_of
from veriloop.loop import run
from veriloop.loop.sources import digests_of, sources_of
from veriloop.store.folder import RunFolder
from veriloop.testing.broken import cut

TINY = "veriloop.testing.tiny"

MINE = '''
from collections.abc import Mapping
from pathlib import Path
from veriloop.datasets.base import RealData
from veriloop.testing.tiny import TinyData, TinyVerifier

class Filed(TinyData, frozen=True):
    """Tiny data, moved by the number that is in a file."""

    file: str = "shift.txt"

    def load(self, seed: int) -> RealData:
        float(Path(self.file).read_text())
        return super().load(seed)

    def sources(self) -> Mapping[str, Path]:
        return {self.file: Path(self.file)}
'''


@pytest.fixture
def plan(tmp_path, tiny_config, monkeypatch):
    """A plan with a data file, a part of one's own and a function, all in the working directory."""
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "check.py").write_text("def score(row):\n    return row['x'][0]\n")
    (tmp_path / "shift.txt").write_text("1.5")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    verifier = {"kind": "function", "function": "check:score"}
    return plan_from({**tiny_config, "rounds": 2, "dataset": "mine:Filed", "verifier": verifier})


@pytest.fixture
def unfinished(plan):
    """The folder of a run whose last round is to be done again."""
    folder = run(plan, "run")
    cut(folder.path, len(folder.records()) - 1)
    folder.set_status("stopped")
    return folder


def test_all_that_a_run_depends_on_is_found(plan, tiny_config, tmp_path):
    here = {name: path.resolve() for name, path in sources_of(plan).items()}
    assert here == {
        "shift.txt": tmp_path / "shift.txt",
        "module mine": tmp_path / "mine.py",
        "function check:score": tmp_path / "check.py",
    }
    assert sources_of(plan_from(tiny_config)) == {}, "what is in an installed package belongs to its version"


def test_parts_of_parts_are_found(tiny_config, plan):
    inner = {"kind": "function", "function": "check:score"}
    both = {"kind": "unanimous", "members": [inner, {"kind": f"{TINY}:TinyVerifier", "mode": "decide"}]}
    nested = plan_from({**tiny_config, "verifier": both, "acceptance": "accept_all"})
    assert list(sources_of(nested)) == ["function check:score"]


def test_the_manifest_holds_the_digests(plan):
    folder = run(plan, "run")
    digests = folder.manifest().digests
    assert digests == digests_of(plan)
    assert digests["shift.txt"] == digest_of(Path("shift.txt"))


CHANGES = {
    "data": ("shift.txt", "2.5"),
    "part": ("mine.py", f"{MINE}\n"),
    "function": ("check.py", "def score(row):\n    return 1.0\n"),
}


@pytest.mark.parametrize("case", CHANGES)
@pytest.mark.parametrize("resume", ["always", "if-possible"])
def test_a_resume_that_meets_others_is_refused(case, resume, plan, unfinished):
    name, content = CHANGES[case]
    Path(name).write_text(content)
    shown = {"shift.txt": "shift.txt", "mine.py": "module mine", "check.py": "function check:score"}[name]
    before = unfinished.manifest()
    with pytest.raises(RunFolderError, match=f"^{shown} has changed since the run started.*--accept-changes"):
        run(plan, "run", resume=resume)
    assert unfinished.manifest() == before


@pytest.mark.parametrize("name", ["shift.txt", "check.py"])
def test_what_is_gone_is_told(name, plan, unfinished):
    Path(name).unlink()
    with pytest.raises(RunFolderError, match="no longer exists"):
        run(plan, "run", resume="always")


def test_an_accepted_change_is_noted_with_its_round(plan, unfinished):
    old = unfinished.manifest().digests["function check:score"]
    Path("check.py").write_text("def score(row):\n    return row['x'][1]\n")
    folder = run(plan, "run", resume="always", accept_changes=True)
    assert folder.manifest().status == "finished"
    (change,) = folder.manifest().changes
    assert (change.round, change.name, change.old) == (2, "function check:score", old)
    assert folder.manifest().digests["function check:score"] == change.new == digest_of(Path("check.py"))
    run(plan, "run", resume="always")
    assert len(folder.manifest().changes) == 1


def test_an_unchanged_run_goes_on(plan, unfinished):
    assert run(plan, "run", resume="always").manifest().changes == ()


def test_a_part_that_has_gained_a_setting_is_told_as_a_change_and_can_go_on(plan, unfinished, monkeypatch):
    old = plan.config()["dataset"]
    Path("mine.py").write_text(MINE.replace("    file: str", "    factor: float = 2.0\n    file: str"))
    monkeypatch.delitem(sys.modules, "mine")
    again = plan_of(unfinished)
    assert again.config()["dataset"] == {**old, "factor": 2.0}
    with pytest.raises(RunFolderError, match=r"^module mine has changed since the run started"):
        run(again, "run", resume="always")
    folder = run(again, "run", resume="always", accept_changes=True)
    assert [change.name for change in folder.manifest().changes] == ["module mine"]
    with pytest.raises(RunFolderError, match=r"another configuration \(dataset.factor: 2.0 -> 3.0\)"):
        run(
            plan_from({**again.config(), "dataset": {"kind": "mine:Filed", "factor": 3.0}}),
            "run",
            resume="always",
        )


def test_a_finished_run_and_one_without_digests_are_left_in_peace(plan, unfinished):
    Path("shift.txt").write_text("2.5")
    manifest = unfinished.manifest()
    unfinished.write_manifest(manifest.model_copy(update={"digests": {}}))
    assert run(plan, "run", resume="always").manifest().status == "finished"
    unfinished.write_manifest(unfinished.manifest().model_copy(update={"digests": {"shift.txt": "0" * 64}}))
    run(plan, "run", resume="always")


@pytest.mark.parametrize("case", CHANGES)
def test_candidates_are_not_made_again_of_others(case, plan):
    folder = run(plan, "run")
    made = replayed(plan, folder, "verified", 1).samples
    name, content = CHANGES[case]
    before = Path(name).read_text()
    Path(name).write_text(content)
    with pytest.raises(RunFolderError, match=r"round 1 in run cannot be reproduced.* Restore it"):
        replayed(plan, folder, "verified", 1)
    Path(name).write_text(before)
    assert replayed(plan, folder, "verified", 1).samples.same_as(made)


def test_candidates_of_rounds_after_an_accepted_change_are_made_again(plan, unfinished):
    Path("check.py").write_text("def score(row):\n    return row['x'][1]\n")
    folder = run(plan, "run", resume="always", accept_changes=True)
    assert len(replayed(plan, folder, "verified", 2).samples)
    with pytest.raises(RunFolderError, match="function check:score changed"):
        replayed(plan, folder, "verified", 1)


def test_looking_does_not_compare(plan, unfinished):
    Path("shift.txt").unlink()
    assert plan_of(RunFolder.open(Path("run"))) == plan
    assert len(unfinished.records()) > 0


def test_a_folder_is_its_visible_files(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_text("1")
    before = digest_of(tmp_path)
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "y").write_text("1")
    (tmp_path / "a" / ".hidden").write_text("1")
    assert digest_of(tmp_path) == before
    (tmp_path / "a" / "x").rename(tmp_path / "a" / "z")
    assert digest_of(tmp_path) != before
