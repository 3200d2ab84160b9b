"""Every verb that writes, under smaller and smaller limits on the size of a file: one line, or success.

    python tests/faults/full_disk.py

The system refuses a write beyond the limit, as it does on a full disk, in any program: Python, a library in
Rust, or SQLite. A temporary folder's own limit would need to be mounted, which only root can do.
"""

import io
import resource
import shutil
import signal
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

LIMITS = (0, 100, 700, 1_500, 3_000, 10_000, 40_000, 200_000)
"""Bytes: each kind of file of a tiny run is larger than one of them."""

LINEAR = """\
rounds: 2
dataset: {kind: linear, theta_star: [1, 1], n0: 20}
learner: ols
verifier: {kind: knowledge_ball, center: [1, 1], radius: 2}
schedule: {kind: constant, n: 40}
metrics: [{kind: parameter_error, truth: [1, 1]}]
arms: [verified]
keep_rejected: true
"""
TINY = """\
rounds: 1
dataset: {kind: "veriloop.testing.tiny:TinyData"}
learner: {kind: "veriloop.testing.tiny:TinyLearner"}
verifier: VERIFIER
acceptance: {kind: top_fraction, fraction: 0.5}
schedule: {kind: constant, n: 20}
arms: [verified]
"""


def called(limit: int, *arguments: object) -> tuple[int, str]:
    """The command line under ``limit``: its exit code, and what it said of mistakes."""
    from veriloop.cli.main import main

    out, err = io.StringIO(), io.StringIO()
    before, sys.argv = sys.argv, ["veriloop", *map(str, arguments)]
    code = 0
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main()
    except SystemExit as e:
        code = e.code if isinstance(e.code, int) else 0
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        sys.argv = before
    return code, err.getvalue()


def main(root: Path) -> None:
    """Try every verb at every limit."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that the write is refused, not the process ended
    plans = {
        "linear": LINEAR,
        "tiny": TINY.replace("VERIFIER", '{kind: "veriloop.testing.tiny:TinyVerifier"}'),
        "people": TINY.replace("VERIFIER", f"{{kind: human, store: 'sqlite:///{root}/NAME.db'}}").replace(
            "acceptance: {kind: top_fraction, fraction: 0.5}\n", ""
        ),
    }
    for name, text in plans.items():
        (root / f"{name}.yaml").write_text(text.replace("NAME", "whole"))
        code, said = called(-1, "run", root / f"{name}.yaml", "--out", root / name, "--json")
        assert code == 0, said
    refused = tried = 0
    for limit in LIMITS:
        for name, text in plans.items():
            (root / "now.yaml").write_text(text.replace("NAME", f"at{limit}"))
            verbs: list[tuple[object, ...]] = [("run", root / "now.yaml", "--out", root / "now", "--json")]
            if name == "people":
                verbs.append(("verdicts", "export", root / name, "--to", root / "tasks.json"))
            else:
                place = ("--round", 1, "--arm", "verified")
                verbs.append(("report", root / name))
                for kind in ("jsonl", "parquet"):
                    verbs.append(("export", root / name, *place, "--to", root / f"x.{kind}"))
            if name == "tiny":
                verbs += [("calibrate", root / name), ("audit", root / name), ("resume", root / "now")]
            for verb in verbs:
                code, said = called(limit, *verb)
                fine = code == 0 or (code == 2 and said.startswith("error: ") and said.count("\n") == 1)
                assert fine, f"{name}, {limit} bytes, {verb[0]}: exit code {code}\n{said}"
                refused, tried = refused + (code == 2), tried + 1
            shutil.rmtree(root / "now", ignore_errors=True)
    print(f"{refused} of {tried} calls refused in one line, the others unharmed")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        main(Path(scratch))
