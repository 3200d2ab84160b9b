"""Run folders of format 1, as an earlier version left them, in front of people."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from veriloop.cards import PromptCard
from veriloop.cli.main import main
from veriloop.config import plan_of
from veriloop.errors import CorruptFileError, RunFolderError
from veriloop.loop import run
from veriloop.report.html import content
from veriloop.report.passages import passages
from veriloop.schema import Image, Label
from veriloop.store.folder import RunFolder
from veriloop.store.format_1 import migrated

OLD = Path(__file__).parent / "format_1"
NAMES = ("tiny", "digits", "text")


@pytest.fixture
def old(tmp_path: Path) -> Callable[[str], RunFolder]:
    """A copy of one of the folders."""
    return lambda name: RunFolder(Path(shutil.copytree(OLD / name, tmp_path / name)))


@pytest.fixture
def veriloop(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Calls the command line: exit code, stdout, stderr."""

    def call(*arguments: object) -> tuple[object, str, str]:
        monkeypatch.setattr("sys.argv", ["veriloop", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
            code: object = 0
        except SystemExit as e:
            code = e.code or 0
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


def test_looking_writes_nothing() -> None:
    before = {path: path.read_bytes() for path in OLD.rglob("*") if path.is_file()}
    for name in NAMES:
        content(RunFolder(OLD / name))
    assert {path: path.read_bytes() for path in OLD.rglob("*") if path.is_file()} == before


def test_images_know_what_they_are() -> None:
    manifest = RunFolder.open(OLD / "digits").manifest()
    cards = manifest.cards
    assert manifest.format == 1
    assert {arm: (card.role, card.verifier, card.last_round) for arm, card in cards.arms.items()} == {
        "verified": ("chain", "discriminator", 3),
        "unverified": ("chain", None, 3),
        "all_real": ("bound", None, 1),
    }
    assert cards.wholes(list(cards.quantities)) == [
        "nelbo", "reconstruction", "kl", "frechet", "accuracy",
    ]  # fmt: skip
    assert [cards.quantity(name).better for name in ("frechet", "accuracy_3", "kl")] == [
        "lower", "higher", None,
    ]  # fmt: skip
    assert cards.columns == {"pixels": Image(height=8, width=8, levels=16), "label": Label(classes=10)}


def test_text_knows_what_it_is() -> None:
    folder = RunFolder.open(OLD / "text")
    cards = folder.manifest().cards
    assert cards.prompt == PromptCard(template="Question: {document} Answer:")
    roles = {name: column.role for name, column in cards.columns.items()}
    assert roles == {
        "id": "id", "document": "prompt", "summary": "completion", "reference": "reference", "level": "extra",
    }  # fmt: skip
    first = passages(folder)[0]
    assert first.prompt.startswith("What is ")
    assert first.reference.startswith("It is ")
    assert [text.arm for text in first.texts] == ["start", *["verified"] * 3, *["unverified"] * 3]


def test_of_a_strangers_numbers_nobody_knows_the_direction() -> None:
    cards = RunFolder.open(OLD / "tiny").manifest().cards
    assert list(cards.quantities) == ["gap"], "as the records say"
    assert cards.quantity("gap").better is None
    assert cards.columns == {}


@pytest.mark.parametrize("name", NAMES)
def test_it_is_listed_reported_forecast_and_exported(
    name: str, old: Callable[[str], RunFolder], veriloop: Callable[..., Any], tmp_path: Path
) -> None:
    path = old(name).path
    code, out, err = veriloop("list", tmp_path, "--json")
    assert code == 0, err
    (listed,) = json.loads(out)["runs"]
    assert (listed["status"], listed["rounds"], listed["rounds_done"]["verified"]) == ("finished", 3, 3)
    assert veriloop("report", path)[0] == 0
    page = (path / "report.html").read_text()
    assert ('id="samples"' in page) == (name == "digits")
    assert ('id="texts"' in page) == (name == "text")
    code, out, err = veriloop("forecast", path, "--json")
    assert code == 0, err
    assert [coming["round"] for coming in json.loads(out)["next"]] == [4, 5, 6]
    assert ("cannot name a round to ship" in json.loads(out)["verdict"]) == (name == "tiny")
    kept = tmp_path / "kept.jsonl"
    code, _, err = veriloop("export", path, "--arm", "verified", "--round", 1, "--to", kept)
    assert code == 0, err
    rows = [json.loads(line) for line in kept.read_text().splitlines()]
    verifier = {"tiny": "veriloop.testing.tiny:TinyVerifier", "digits": "discriminator", "text": "reference"}
    assert {row["verifier"] for row in rows} == {verifier[name]}


def test_its_prompts_are_exported(
    old: Callable[[str], RunFolder], veriloop: Callable[..., Any], tmp_path: Path
) -> None:
    out = tmp_path / "kept.jsonl"
    options = ("--arm", "verified", "--round", 1, "--to", out, "--as", "prompt-completion")
    code, _, err = veriloop("export", old("text").path, *options)
    assert code == 0, err
    first = json.loads(out.read_text().splitlines()[0])
    assert first["prompt"].startswith("Question: What is ")
    assert "document" not in first


@pytest.mark.parametrize("name", NAMES)
def test_it_cannot_be_continued(
    name: str, old: Callable[[str], RunFolder], veriloop: Callable[..., Any], tiny_plan: Callable[..., Any]
) -> None:
    folder = old(name)
    code, _, err = veriloop("resume", folder.path)
    assert code == 2
    assert len(err.splitlines()) == 1
    assert "started by an earlier version" in err
    assert "another --out" in err
    for refused in (lambda: plan_of(folder), lambda: run(tiny_plan(), folder.path, resume="always")):
        with pytest.raises(RunFolderError, match="got 'format 1', expected format 2"):
            refused()
    assert "format" not in json.loads((folder.path / "manifest.json").read_text()), "it is as it was"


def test_people_in_an_ensemble_are_found() -> None:
    people = {"kind": "human", "store": "sqlite:///a.db"}
    arm = {"verifier": {"kind": "cascade", "members": [{"kind": "function"}, people, people]}}
    cards = migrated({"config": {"rounds": 2, "arms": {"verified": arm}}}, [])["cards"]
    assert cards.verdict_stores == ["sqlite:///a.db"]


def test_settings_of_another_time_are_no_mistake() -> None:
    metrics = [{"kind": "prdc", "k": 0}, {"kind": "frechet", "gone": 1}, {"kind": "other:Metric"}]
    cards = migrated({"config": {"metrics": metrics}}, ["recall", "frechet", "gap"])["cards"]
    assert {name: quantity.better for name, quantity in cards.quantities.items()} == {
        "frechet": "lower", "recall": None, "gap": None,
    }  # fmt: skip


def test_a_later_format_is_not_guessed_at(old: Callable[[str], RunFolder]) -> None:
    folder = old("tiny")
    content = json.loads((folder.path / "manifest.json").read_text())
    (folder.path / "manifest.json").write_text(json.dumps({**content, "format": 3}))
    with pytest.raises(CorruptFileError, match=r"later version: got 'format 3'\. Update veriloop"):
        folder.manifest()
