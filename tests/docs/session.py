"""One page's blocks, tried in order in one folder.

The folder has the project's examples beside it, made small: what is tried here is that commands, code and
configurations are right, not the numbers that the pages print.
"""

import doctest
import importlib
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import typer
import yaml

from veriloop.cli.main import app, main
from veriloop.comparison.variations import check, requested
from veriloop.config import plan_from
from veriloop.errors import ConfigError
from veriloop.verifiers.base import Verifier
from veriloop.yaml_1_2 import read_yaml

from .blocks import ROOT, Block

SMALL = {"rounds": 3, "executor": "serial", "chunk_size": 1000, "evaluation_samples": 200} | {
    "schedule": {"kind": "constant", "n": 50},
    "verifier": {"kind": "discriminator", "epochs": 2, "hidden": [16]},
}
TEXTS: dict[str, Any] = {
    "dataset": {"kind": "text", "files": "prompts.jsonl", "columns": {"prompt": "question"}, "start": 0},
    "learner": {"kind": "causal_lm", "model": "./my-model", "decoding": {"temperature": 1.0}},
    "verifier": {"kind": "regex", "pattern": "."},
    "schedule": {"kind": "constant", "n": 10},
    "metrics": ["text_form"],
    "arms": ["verified", "unverified"],
}
POINTS = {**TEXTS, "dataset": {"kind": "mixture"}, "learner": {"kind": "gaussian"}, "metrics": ["distances"]}
POINTS |= {"verifier": "discriminator", "acceptance": {"kind": "top_fraction", "fraction": 0.5}}


def small_digits() -> dict[str, Any]:
    """The plan of examples/digits.yaml at a size that takes seconds."""
    plan = yaml.safe_load((ROOT / "examples" / "digits.yaml").read_text())
    return {**plan, **SMALL, "learner": {**plan["learner"], "epochs": 2, "min_steps": 20}}


class Session:
    """Tries the blocks of one page.

    Args:
        folder: Empty; it becomes the working directory.
        monkeypatch: Undoes what the page sets.
        output: Gives what was printed since the last call.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, output: Callable[[], str]) -> None:
        self.folder, self.monkeypatch, self.output = folder, monkeypatch, output
        self.names: dict[str, Any] = {"__name__": "__page__"}
        monkeypatch.chdir(folder)
        monkeypatch.syspath_prepend(folder)
        monkeypatch.setenv("COLUMNS", "150")
        shutil.copytree(ROOT / "examples", folder / "examples")
        (folder / "examples" / "digits.yaml").write_text(yaml.safe_dump(small_digits()))
        for name in ("recipes", "tools", "benchmarks", "results"):
            (folder / name).symlink_to(ROOT / name)

    def close(self) -> None:
        """Forget the modules that the page has written."""
        for path in self.folder.glob("*.py"):
            sys.modules.pop(path.stem, None)

    def run(self, block: Block) -> None:
        """Try a block as its language asks for."""
        if block.file is not None:
            with (self.folder / block.file).open("a" if block.continues else "w") as file:
                file.write(block.code)
        tries = {"python": self._python, "yaml": self._yaml, "json": self._json, "toml": self._toml}
        tries |= {"xml": self._xml, "": self._commands, "console": self._commands}
        assert block.language in tries, f"{block}: no way to try {block.language!r}; mark it as output"
        tries[block.language](block)

    def _python(self, block: Block) -> None:
        if block.file is None:
            exec(compile(block.code, str(block), "exec"), self.names)
            return
        sys.modules.pop(Path(block.file).stem, None)
        importlib.invalidate_caches()
        module = importlib.import_module(Path(block.file).stem)
        for name, test in vars(module).items():
            if name.startswith("test_"):
                test()

    def _yaml(self, block: Block) -> None:
        for settings in alternatives(block.code):
            check_settings(settings)

    def _json(self, block: Block) -> None:
        json.loads(block.code)

    def _toml(self, block: Block) -> None:
        for parts in tomllib.loads(block.code)["project"].get("entry-points", {}).values():
            for target in parts.values():
                module, _, name = target.partition(":")
                assert hasattr(importlib.import_module(module), name)

    def _xml(self, block: Block) -> None:
        ElementTree.fromstring(block.code)

    def _commands(self, block: Block) -> None:
        assert block.commands(), f"{block} has no command; mark it as output"
        for command in block.commands():
            self._command(command, block)

    def _command(self, command: str, block: Block) -> None:
        program, *arguments = shlex.split(command, comments=True)
        if program == "veriloop":
            printed = self._veriloop(arguments, block)
            if arguments[0] in ("theory", "simulate"):
                compare(expected(block, command), printed, str(block))
        elif program == "python":
            subprocess.run([sys.executable, *arguments], check=True)
        else:
            check_command(command)

    def _veriloop(self, arguments: list[str], block: Block) -> str:
        self.monkeypatch.setattr(sys, "argv", ["veriloop", *arguments])
        self.output()
        code: object = 0
        try:
            main()
        except SystemExit as e:
            code = e.code
        printed = self.output()
        assert not code, f"{block}: veriloop {shlex.join(arguments)}: {printed[-2000:]}"
        return printed


def expected(block: Block, command: str) -> str:
    """What a console block shows under a command; nothing of other blocks."""
    shown = block.code.partition(f"$ {command}\n")[2]
    return re.split(r"^\$ ", shown, maxsplit=1, flags=re.MULTILINE)[0]


def compare(shown: str, printed: str, where: str) -> None:
    """What a page shows is what was printed; ``...`` stands for anything, and white space does not count."""
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    bare = re.sub(r"[─\s]+", " ", shown).strip()
    printed_bare = re.sub(r"[─\s]+", " ", printed).strip()
    if bare and not doctest.OutputChecker().check_output(bare, printed_bare, flags):
        raise AssertionError(f"{where} shows\n{shown}\nand the command prints\n{printed}")


def alternatives(code: str) -> Iterator[dict[str, Any]]:
    """The settings in a block: one configuration, or several where a key comes again."""
    keys = re.findall(r"^([A-Za-z_]+):", code, re.MULTILINE)
    pieces = [code]
    if len(keys) > len(set(keys)):
        pieces = re.split(rf"^(?={keys[0]}:)", code, flags=re.MULTILINE)[1:]
    for piece in pieces:
        yield read_yaml(piece, "a block")


def check_settings(settings: Mapping[str, Any]) -> None:
    """Whole plans, comparisons, verifiers, and pieces of plans are what the code takes."""
    if "vary" in settings or "seeds" in settings:
        check(requested(settings))
    elif "kind" in settings:
        Verifier.model_validate(settings)
    elif "dataset" in settings:
        plan_from(settings)
    else:
        bases = (small_digits(), TEXTS, POINTS)
        wrong = [error for base in bases if (error := _refusal({**base, **settings})) is not None]
        assert len(wrong) < len(bases), "\n".join(wrong)


def _refusal(settings: Mapping[str, Any]) -> str | None:
    try:
        plan_from(settings)
    except ConfigError as e:
        return str(e)
    return None


def check_command(command: str) -> None:
    """A command that is not carried out: its verbs, options, targets, files and extras are there."""
    program, *arguments = shlex.split(command, comments=True)
    if program == "veriloop":
        _parse(typer.main.get_command(app), arguments)
    elif program == "make":
        targets = re.findall(r"^([\w./-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert {a for a in arguments if "=" not in a} <= set(targets), command
    elif program == "pip":
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        for named in re.findall(r"veriloop\[([^\]]+)\]", command):
            assert set(named.split(",")) <= set(extras), command
    elif program == "python":
        assert arguments[0] == "-m" or (ROOT / arguments[0]).is_file(), command
    elif program in (".venv/bin/pytest", "pytest"):
        assert (ROOT / arguments[0]).exists(), command
    else:
        assert program in ("export", "git", "cd", "pre-commit"), f"no way to check {command!r}"


def _parse(command: Any, arguments: list[str], parent: Any = None) -> None:
    """Let the command line read ``arguments`` and do nothing; a wrong verb or option is an error."""
    context = command.make_context("veriloop", list(arguments), parent=parent)
    if hasattr(command, "resolve_command"):
        _, verb, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        _parse(verb, rest, context)
