"""The small inputs that went wrong once: each must end in the right value, or in one line and exit code 2.

They lie in the folder named by ``VERILOOP_CASES``, with a README that says what is wrong with each. Their
column names and settings are those of the first version; a copy is made with today's words. Elsewhere the
tests of each module cover the same kinds.
"""

import importlib
import importlib.util
import json
import os
import re
import runpy
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from .shared_project import (
    Called,
    Project,
    fine,
    refused,
    renamed,
    runs,
    runs_or_is_refused,
    validate_refuses,
)

CASES = os.environ.get("VERILOOP_CASES")

pytestmark = pytest.mark.skipif(CASES is None, reason="VERILOOP_CASES names no folder of cases")


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cases in today's words, and an empty project beside them."""
    assert CASES is not None
    root = tmp_path_factory.mktemp("cases")
    for path in Path(CASES).rglob("*"):
        to = root / "shared/cases" / path.relative_to(CASES)
        if path.is_dir() or "__pycache__" in path.parts:
            continue
        to.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in {".yaml", ".py", ".jsonl"}:
            # Byte by byte but for the words: a byte order mark and odd line breaks stay.
            to.write_bytes(renamed(path.read_bytes().decode(), path).encode())
        else:
            shutil.copyfile(path, to)
    (root / "project").mkdir()
    return root


@pytest.fixture
def project(
    tree: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture,
) -> Iterator[Project]:
    """The project, with the folder of the case's section where Python looks for modules."""
    section = request.node.callspec.params["case"].section if hasattr(request.node, "callspec") else ""
    folder = tree / "shared/cases" / section
    monkeypatch.chdir(tree / "project")
    monkeypatch.syspath_prepend(folder)
    inherited = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(inherited))
    known = set(sys.modules)
    yield Project(tree, monkeypatch, capfd)
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tree)):
            del sys.modules[name]


def arm_named_no(project: Project) -> None:
    called = project("validate", "C/yaml/arm_named_no.yaml")
    if called.code:
        refused(called, "quotes")
    else:
        assert "no, on" in called.out


def octal_seed(project: Project) -> None:
    called = project("validate", "C/yaml/octal_seed.yaml")
    if called.code:
        refused(called, "seed")
    else:
        assert "seed 10" in called.out


OLD_NAMES = 'names: ClassVar[tuple[str, ...]] = ("quality",)'
QUANTITIES = 'quantities: ClassVar = {"quality": Quantity(better="higher")}'


def rising(name: str) -> Callable[[Project], None]:
    """Without quantities it is refused; with them the arm goes on, and no direction is taken for granted."""

    def check(project: Project) -> None:
        parts = project.cases / "parts/my_parts.py"
        old = parts.read_text()
        assert OLD_NAMES in old
        refused(project("validate", f"C/parts/{name}.yaml"), "Quality", "quantities")
        parts.write_text(old.replace(OLD_NAMES, QUANTITIES) + "\n\nfrom veriloop.quantity import Quantity\n")
        try:
            moved = parts.read_text().replace("\n\nfrom veriloop.quantity import Quantity\n", "")
            parts.write_text("from veriloop.quantity import Quantity\n" + moved)
            sys.modules.pop("my_parts", None)
            importlib.invalidate_caches()
            shutil.rmtree(parts.parent / "__pycache__", ignore_errors=True)
            fine(project.run(f"C/parts/{name}.yaml"))
            values = [r["metrics"]["quality"]["value"] for r in project.records("verified")]
            assert len(values) == 7
            assert values[-1] > values[0] + 0.1
            said = fine(project("forecast", "runs/case")).out
            assert "better than the start model" not in said or "No round" not in said
            assert "a lower quality is better" not in said
        finally:
            parts.write_text(old)

    return check


def list_field(project: Project) -> None:
    fine(project("validate", "C/parts/list_field.yaml"))
    fine(project.run("C/parts/list_field.yaml"))


def mutants(project: Project) -> None:
    done = project.python("parts/my_mutants.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("caught: ") == 6


def changed_between(what: str, *words: str) -> Callable[[Project], None]:
    def check(project: Project) -> None:
        project.models()
        done = project.python("resume/stop_and_change.py", f"runs/changed_{what}", *([what] if what else []))
        assert "Traceback" not in done.stdout
        assert "resumed: exit code 2" in done.stdout, done.stdout
        assert all(word in done.stdout for word in words), done.stdout

    return check


def png_folder(project: Project) -> None:
    settings = ("--set", "dataset.path=../shared/cases/images/rgb")
    refused(project("validate", "C/images/idx.yaml", *settings), "PNG")


def idx(name: str) -> Callable[[Project], None]:
    return runs_or_is_refused("C/images/idx.yaml", f"dataset.path=../shared/cases/images/{name}")


def audit_na(project: Project) -> None:
    table, real = "C/tables/na.csv", "C/tables/na_real.csv"
    fine(project("audit", table, "--real", real, "--accepted", "ok", "--text", "answer"))


def calibrate_na(project: Project) -> None:
    said = fine(
        project(
            "calibrate",
            "--table",
            "C/tables/na.csv",
            "--score",
            "score",
            "--known",
            "good",
            "--text",
            "answer",
            "--json",
        )
    ).out
    found = json.loads(said)
    assert found["preferences"]["length of answer"]["samples"] == 60
    assert found["left_out"] == {}


def bom(project: Project) -> None:
    def told(name: str) -> Any:
        return json.loads(
            fine(
                project(
                    "calibrate",
                    "--table",
                    f"C/tables/{name}",
                    "--score",
                    "score",
                    "--known",
                    "good",
                    "--json",
                )
            ).out
        )

    with_mark, without = told("bom.jsonl"), told("no_bom.jsonl")
    for answer in (with_mark, without):
        answer.pop("subject")
    assert with_mark == without


def infinite(project: Project) -> None:
    called = project("calibrate", "--table", "C/tables/inf.jsonl", "--score", "score", "--known", "good")
    if called.code:
        refused(called, "row")
    else:
        assert "abstain" not in called.out


def audit_mixed(project: Project) -> None:
    table, real = "C/tables/mixed.csv", "C/tables/mixed_real.csv"
    fine(
        project(
            "audit", table, "--real", real, "--accepted", "ok", "--features", "age,income,hours,city,member"
        )
    )


def mixed_as_data(project: Project) -> None:
    """The table as a data set, from a plan of three lines to a report with quality and diversity."""
    pytest.importorskip("torch")
    fine(project("init", "table", "--path", "C/tables/mixed.csv", "--out", "runs/mixed.yaml"))
    small = ("rounds=1", "schedule.n=30", "evaluation_samples=40", "executor=serial", "verifier.epochs=1")
    fine(project.run("runs/mixed.yaml", *small))
    last = project.records("verified")[-1]["metrics"]
    assert all(np.isfinite(last[name]["value"]) for name in ("frechet", "precision", "recall", "diversity"))


def judge(mode: str) -> Callable[[Project], None]:
    def check(project: Project) -> None:
        pytest.importorskip("httpx")
        with project.server(mode) as url:
            fine(project.run("C/judge/judge.yaml", f"verifier.url={url}"))
        assert project.records("verified")[-1]["counts"]["kept"] == 3

    return check


def generator(mode: str, config: str = "generator") -> Callable[[Project], Called]:
    def check(project: Project) -> Called:
        pytest.importorskip("httpx")
        project.models()
        with project.server(mode) as url:
            return project.run(f"C/generator/{config}.yaml", f"learner.decoding.backend.url={url}")

    return check


def filtered(project: Project) -> None:
    fine(generator("filtered")(project))


def no_message(project: Project) -> None:
    refused(generator("no-message")(project), "content_filter")


def cut(project: Project) -> None:
    fine(generator("cut")(project))
    record = project.records("unverified")[-1]
    assert record["counts"]["truncated"] == record["counts"]["generated"] == 8
    assert "8 of 8 texts were cut at the length limit" in record["silent"]


def indent(project: Project) -> None:
    fine(generator("indent", "indent")(project))
    counts = project.records("verified")[-1]["counts"]
    assert counts["accepted"] == counts["generated"] > 0


def script(path: str, *arguments: str, models: bool = False) -> Callable[[Project], None]:
    def check(project: Project) -> None:
        if models:
            project.models()
        done = project.python(path, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr

    return check


def separators(project: Project) -> None:
    project.models()
    fine(project.run("C/text/separators.yaml"))
    fine(project("export", "runs/case", "--round", 1, "--arm", "unverified", "--to", "runs/s.jsonl"))
    assert len((project.root / "runs/s.jsonl").read_text(encoding="utf-8").splitlines()) == 8


def reward(name: str) -> Callable[[Project], None]:
    def check(project: Project) -> None:
        project.models()
        fine(project.run("C/rewards/reward.yaml", f"verifier.function=reward_functions:{name}"))
        assert project.records("verified")[-1]["counts"]["kept"] == 4

    return check


def label_studio(name: str) -> Callable[[Project], None]:
    def check(project: Project) -> None:
        pytest.importorskip("sqlalchemy")
        for old in ("people", "exports"):
            shutil.rmtree(project.root / "runs" / old, ignore_errors=True)
        (project.root / "runs").mkdir(exist_ok=True)
        for old in project.root.glob("runs/people.db*"):
            old.unlink()
        fine(project("run", "C/label-studio/people.yaml", "--out", "runs/people", "--plain"))
        fine(project("verdicts", "export", "runs/people", "--to", "runs/tasks.json"))
        tasks, exports = str(project.root / "runs/tasks.json"), str(project.root / "runs/exports")
        project.monkeypatch.setattr(sys, "argv", ["make_exports.py", tasks, exports])
        runpy.run_path(str(project.cases / "label-studio/make_exports.py"), run_name="__main__")
        said = fine(project("verdicts", "import", "runs/people", f"runs/exports/{name}.json"))
        assert re.search(r"\b(6|six)\b", said.out), said

    return check


def rouge_without_tokens(project: Project) -> None:
    project.models()
    for script in ("chinese", "japanese", "arabic", "thai", "greek"):
        files = f"dataset.files=../shared/cases/scripts-and-rouge/{script}.jsonl"
        # The published tokenizer finds nothing, and says so ahead of training; by default there are words.
        published = "verifier={kind: reference, tokenizer: published}"
        refused(project.run("C/scripts-and-rouge/rouge.yaml", files, published), "no tokens", "unicode")
        assert not (project.root / "runs/case").exists()
    fine(project.run("C/scripts-and-rouge/rouge.yaml", files))


def equal_scores(project: Project) -> None:
    project.models()
    called = fine(project.run("C/silent-verifier/equal_scores.yaml"))
    said = re.compile(r"all 200 scores are equal \(0.5\).*; (\d+) of the 100 kept samples are copies")
    assert said.search(called.err), called
    assert said.search(called.out), called
    record = project.records("verified")[-1]
    copies = said.search(record["silent"][0])
    assert copies is not None
    assert int(copies[1]) == 100 - record["counts"]["distinct"]
    assert said.search((project.root / "runs/case/report.html").read_text())


def accepts_nothing(project: Project) -> None:
    project.models()
    called = fine(project.run("C/silent-verifier/accepts_nothing.yaml"))
    assert "verified round 1: none of 100 candidates was accepted" in called.err
    assert called.err.count("prompt 'What is") >= 3, called.err
    assert project.records("unverified")[-1]["round"] == 1
    report = (project.root / "runs/case/report.html").read_text()
    assert report.count("none of 100 candidates was accepted") >= 1
    assert "verified ended early: " in report


def read_only(verb: str) -> Callable[[Project], None]:
    def check(project: Project) -> None:
        if os.geteuid() == 0:
            pytest.skip("root may write anywhere")
        fine(project.run("C/silent-verifier/no_acceptance.yaml", "acceptance={kind: top_fraction}"))
        folder = project.root / "runs/case"
        try:
            for path in (folder, *folder.rglob("*")):
                path.chmod(0o555 if path.is_dir() else 0o444)
            said = fine(project(verb, "runs/case"))
            assert ("finished" if verb == "resume" else "nothing was written") in said.out + said.err
        finally:
            for path in (folder, *folder.rglob("*")):
                path.chmod(0o755 if path.is_dir() else 0o644)

    return check


class Case(NamedTuple):
    """A row of the README: its section, its name, the issue that owes it, and what it should come to."""

    section: str
    name: str
    issue: str
    check: Callable[[Project], Any]


TABLE = [
    Case(
        "yaml", "same_key_twice", "G", validate_refuses("C/yaml/same_key_twice.yaml", "acceptance", "6", "8")
    ),
    Case(
        "yaml",
        "same_key_twice_nested",
        "G",
        validate_refuses("C/yaml/same_key_twice_nested.yaml", "fraction"),
    ),
    Case("yaml", "arm_named_no", "G", arm_named_no),
    Case("yaml", "octal_seed", "G", octal_seed),
    Case("yaml", "true_seed", "G", validate_refuses("C/yaml/true_seed.yaml", "seed")),
    Case("yaml", "base_sixty", "G", validate_refuses("C/yaml/base_sixty.yaml", "max_candidates")),
    Case("yaml", "nan_threshold", "G", validate_refuses("C/yaml/nan_threshold.yaml", "acceptance")),
    Case("yaml", "inf_threshold", "G", validate_refuses("C/yaml/inf_threshold.yaml", "acceptance")),
    Case("yaml", "arms_list_of_mappings", "G", validate_refuses("C/yaml/arms_list_of_mappings.yaml", "arms")),
    Case("yaml", "dot_kind", "G", validate_refuses("C/yaml/dot_kind.yaml", ".x:y")),
    Case("linear", "short_center", "G", validate_refuses("C/linear/short_center.yaml", "3", "4")),
    Case("linear", "short_truth", "G", validate_refuses("C/linear/short_truth.yaml", "3", "4")),
    Case("linear", "nan_theta", "G", validate_refuses("C/linear/nan_theta.yaml", "finite")),
    Case("parts", "rising_plateau", "G", rising("rising_plateau")),
    Case("parts", "rising_reversal", "G", rising("rising_reversal")),
    Case("parts", "list_field", "G", list_field),
    Case("parts", "my_mutants", "G", mutants),
    Case("resume", "prompts", "G", changed_between("", "changed")),
    Case("resume", "length_check", "G", changed_between("check")),
    Case("images", "rgb as idx", "G", png_folder),
    Case("images", "idx_uint16", "G", idx("idx_uint16")),
    Case("images", "idx_float", "G", idx("idx_float")),
    Case("images", "idx_rgb", "G", idx("idx_rgb")),
    Case("images", "idx_13x7", "G", idx("idx_13x7")),
    Case("images", "idx_twelve_classes", "G", idx("idx_twelve_classes")),
    Case(
        "images",
        "idx_dot_names",
        "J",
        runs("C/images/idx.yaml", "dataset.path=../shared/cases/images/idx_dot_names"),
    ),
    Case("images", "folder", "J", runs("C/images/folder.yaml")),
    *(
        Case("chat", f"{name}, before a run", "G", runs_or_is_refused(f"C/chat/{name}.yaml", models=True))
        for name in ("messages", "multi_turn", "prompt_lists", "sharegpt")
    ),
    *(
        Case("chat", name, "I", runs(f"C/chat/{name}.yaml", models=True))
        for name in ("messages", "multi_turn", "prompt_lists", "sharegpt")
    ),
    Case("tables", "na, audit", "L", audit_na),
    Case("tables", "na, calibrate", "L", calibrate_na),
    Case("tables", "bom", "L", bom),
    Case("tables", "inf", "L", infinite),
    Case("tables", "mixed, audit", "J", audit_mixed),
    Case("tables", "mixed, array", "J", mixed_as_data),
    Case("judge", "no-schema", "L", judge("no-schema")),
    Case("judge", "think", "L", judge("think")),
    Case("judge", "after", "L", judge("after")),
    Case("generator", "filtered", "L", filtered),
    Case("generator", "no-message", "L", no_message),
    Case("generator", "cut", "I", cut),
    Case("generator", "indent", "I", indent),
    Case("text", "round_trip", "I", script("text/round_trip.py", "runs/models/ok", models=True)),
    Case("text", "separators", "I", separators),
    Case("text", "adapter", "I", runs("C/text/adapter.yaml", models=True)),
    *(Case("rewards", name, "I", reward(name)) for name in ("right_sum", "short", "only_sums")),
    *(
        Case("label-studio", name, "L", label_studio(name))
        for name in ("cancelled_null", "meta_null", "user_without_email", "bom")
    ),
    Case("scripts-and-rouge", "scores", "L", script("scripts-and-rouge/scores.py")),
    Case("scripts-and-rouge", "rouge", "L", rouge_without_tokens),
    Case(
        "silent-verifier",
        "no_acceptance",
        "G",
        validate_refuses("C/silent-verifier/no_acceptance.yaml", "acceptance"),
    ),
    Case("silent-verifier", "equal_scores", "L", equal_scores),
    Case("silent-verifier", "accepts_nothing", "L", accepts_nothing),
    *(
        Case("", f"read-only, {verb}", "L", read_only(verb))
        for verb in ("report", "audit", "calibrate", "resume")
    ),
]


def test_the_inputs_that_others_are_compared_with_are_sound(project: Project) -> None:
    pytest.importorskip("httpx")
    with project.server("good") as url:
        fine(project.run("C/judge/judge.yaml", f"verifier.url={url}"))
    assert project.records("verified")[-1]["counts"]["kept"] == 3


@pytest.mark.parametrize(
    "case", [pytest.param(c, id=f"{c.issue}-{c.section or 'any'}-{c.name}") for c in TABLE]
)
def test_case(case: Case, project: Project) -> None:
    case.check(project)
