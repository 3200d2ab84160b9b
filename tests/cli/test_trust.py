"""Looking at somebody else's folder runs nothing of theirs."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from veriloop.store.folder import RunFolder

EVIL = "from pathlib import Path\nPath('was_here').write_text('')\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with a module that tells when it is imported."""
    (tmp_path / "theirs.py").write_text(EVIL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p not in ("", str(tmp_path))])
    yield tmp_path
    sys.modules.pop("theirs", None)


def _names(run: Path, here: Path, **settings: Any) -> Path:
    """A copy of ``run`` whose manifest has other settings of its parts."""
    copy = Path(shutil.copytree(run, here / "foreign"))
    folder = RunFolder(copy)
    manifest = folder.manifest()
    config = json.loads(json.dumps(manifest.config))
    for path, value in settings.items():
        inner = config
        *keys, last = path.split("__")
        for key in keys:
            inner = inner[key]
        inner[last] = value
    folder.write_manifest(manifest.model_copy(update={"config": config}))
    return copy


@pytest.mark.parametrize(
    "verb",
    [
        ("report",),
        ("list",),
        ("forecast",),
        ("export", "--round", "1", "--arm", "verified", "--to", "x.jsonl"),
    ],
    ids=lambda verb: verb[0],
)
def test_verbs_that_read_import_nothing(veriloop, tiny_run: Path, here: Path, verb: tuple[str, ...]) -> None:
    folder = _names(
        tiny_run, here, dataset__kind="theirs:Data", arms__verified__verifier__kind="theirs:Judge"
    )
    veriloop(verb[0], folder, *verb[1:])
    assert "theirs" not in sys.modules
    assert not (here / "was_here").exists()
    assert str(here) not in sys.path


FOREIGN = [
    {"dataset__kind": "theirs:Data"},
    {"arms__verified__verifier": {"kind": "function", "function": "theirs:check"}},
    {"arms__verified__verifier": {"kind": "command", "command": ["touch", "was_here"]}},
    {"arms__verified__verifier": {"kind": "python_tests", "tests": "tests"}},
    {"learner__decoding": {"backend": {"kind": "vllm", "command": ["touch", "was_here"]}}},
    {"arms__verified__verifier": {"kind": "majority", "members": [{"kind": "theirs:Judge"}]}},
    {"arms__verified__verifier": {"kind": "http", "url": "http://127.0.0.1:9/"}},
    {"metrics": [{"kind": "theirs:Metric"}]},
]


@pytest.mark.parametrize("settings", FOREIGN, ids=lambda settings: str(*settings.values())[:40])
@pytest.mark.parametrize("verb", ["audit", "calibrate"])
def test_what_a_folder_names_needs_trust(
    veriloop, tiny_run: Path, here: Path, verb: str, settings: dict[str, Any]
) -> None:
    called = veriloop(verb, _names(tiny_run, here, **settings))
    assert called.code == 2
    assert called.err.count("\n") == 1
    assert "names code or services" in called.err
    assert "--trust" in called.err
    assert not (here / "was_here").exists()


def test_with_trust_it_is_imported(veriloop, tiny_run: Path, here: Path) -> None:
    veriloop("calibrate", _names(tiny_run, here, dataset__kind="theirs:Data"), "--trust")
    assert (here / "was_here").exists()


@pytest.mark.parametrize("verb", ["audit", "calibrate"])
def test_our_own_parts_need_none(veriloop, tiny_run: Path, here: Path, verb: str) -> None:
    called = veriloop(verb, _names(tiny_run, here))
    assert called.code == 0, called.err


def test_a_folder_of_format_1_resolves_our_own_metrics_only(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from veriloop.store.format_1 import migrated

    monkeypatch.syspath_prepend(str(here))
    config = {"dataset": {"kind": "theirs:Data"}, "metrics": [{"kind": "theirs:Metric"}], "arms": {}}
    migrated({"config": config}, ["quality"])
    assert "theirs" not in sys.modules
