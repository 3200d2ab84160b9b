"""A working directory beside the shared cases, and the command line in it: for `test_shared_cases`."""

import importlib.util
import json
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest


def _hear_interrupts() -> None:
    # A shell's background jobs ignore SIGINT, and so would what they start: these tests may be one.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Called(NamedTuple):
    """How a call of the command line ended."""

    code: int
    out: str
    err: str


def renamed(text: str, path: Path) -> str:
    """A case's text in today's words."""
    if path.suffix == ".yaml":
        asked = re.search(r"columns: \{document: (\w+)", text)
        text = text.replace("{document}", f"{{{asked[1] if asked else 'prompt'}}}")
        text = re.sub(
            r"columns: \{document: (\w+), summary: (\w+)\}", r"columns: {prompt: \1, completion: \2}", text
        )
        text = re.sub(r"(stop: \{.*)\bmetric:", r"\1quantity:", text)
        if path.parent.name == "yaml" and "acceptance:" not in text:
            # A verifier that only scores needs a rule; these cases are about other things.
            text += "acceptance: {kind: top_fraction, fraction: 0.5}\n"
        return text.replace("gold: 2", "known: 2")
    if path.suffix == ".py":
        answer = "answer" if path.parent.name == "resume" else "completion"
        text = text.replace('["summary"]', f'["{answer}"]').replace('["document"]', '["prompt"]')
        return text.replace("{document}", "{prompt}").replace("Samples(summary=", "Samples(completion=")
    if path.suffix == ".jsonl":
        return re.sub(r'"document": ?', '"prompt": ', re.sub(r'"summary": ?', '"completion": ', text))
    return text


class Project:
    """A working directory with the cases next to it, as their README wants it, and the command line."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture) -> None:
        self.root, self.cases = root / "project", root / "shared" / "cases"
        self.monkeypatch, self._capfd = monkeypatch, capfd

    def __call__(self, *arguments: object) -> Called:
        """``veriloop`` in this process; ``C/`` is the folder of the cases."""
        from veriloop.cli.main import main

        given = [re.sub(r"\bC/", "../shared/cases/", str(a)) for a in arguments]
        self.monkeypatch.setattr(sys, "argv", ["veriloop", *given])
        self._capfd.readouterr()
        code = 0
        try:
            main()
        except SystemExit as e:
            code = e.code if isinstance(e.code, int) else 1
        out, err = self._capfd.readouterr()
        return Called(code, str(out), str(err))

    def run(self, config: str, *settings: str) -> Called:
        shutil.rmtree(self.root / "runs/case", ignore_errors=True)
        return self(
            "run", config, "--out", "runs/case", "--plain", *(x for s in settings for x in ("--set", s))
        )

    def records(self, arm: str | None = None) -> list[dict[str, Any]]:
        lines = (self.root / "runs/case/records.jsonl").read_text().splitlines()
        return [r for r in map(json.loads, lines) if arm is None or r["arm"] == arm]

    def python(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a script of the cases in a separate process."""
        found = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        given = [sys.executable, str(self.cases / script), *arguments]
        env = {**os.environ, "PATH": found}
        return subprocess.run(
            given,
            cwd=self.root,
            env=env,
            capture_output=True,
            text=True,
            preexec_fn=_hear_interrupts,
        )

    def models(self) -> None:
        """Make the tiny models that some cases need."""
        pytest.importorskip("transformers")
        if not (self.root / "runs/models/ok").is_dir():
            self.monkeypatch.setattr(sys, "argv", ["make_models.py", "runs/models"])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of libraries about one another
                runpy.run_path(str(self.cases / "make_models.py"), run_name="__main__")

    @contextmanager
    def server(self, mode: str) -> Iterator[str]:
        """The faulty server in ``mode``; its address."""
        spec = importlib.util.spec_from_file_location("fake_server", self.cases / "fake_server.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        server = module.serve(0, mode)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def refused(called: Called, *words: str) -> None:
    """One line that holds ``words``, and exit code 2."""
    assert called.code == 2, called
    assert called.err.count("\n") == 1, called.err
    assert called.err.startswith("error: ")
    for word in words:
        assert word in called.err, called.err


def fine(called: Called) -> Called:
    assert called.code == 0, called.err
    return called


def validate_refuses(path: str, *words: str, settings: tuple[str, ...] = ()) -> Callable[[Project], None]:
    def check(project: Project) -> None:
        refused(project("validate", path, *(x for s in settings for x in ("--set", s))), *words)

    return check


def runs(path: str, *settings: str, models: bool = False) -> Callable[[Project], None]:
    def check(project: Project) -> None:
        if models:
            project.models()
        fine(project.run(path, *settings))

    return check


def runs_or_is_refused(path: str, *settings: str, models: bool = False) -> Callable[[Project], None]:
    """Usable, or refused by ``validate`` before anything is computed."""

    def check(project: Project) -> None:
        if models:
            project.models()
        sets = [x for s in settings for x in ("--set", s)]
        called = project("validate", path, *sets)
        if called.code:
            refused(called)
        else:
            fine(project.run(path, *settings))

    return check
