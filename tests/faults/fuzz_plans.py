"""Plans that are broken in some way: each must be refused in one line, or run.

    python tests/faults/fuzz_plans.py --plans 2000

Sound plans are mutated: keys go, types are swapped, numbers become huge, negative or no numbers, texts odd,
kinds wrong, values nested, lines of the YAML doubled. Each goes through ``validate`` in this process.
One that it accepts is cut to a tiny size, checked again, and run if it still stands. A traceback, an error of
more than one line, or a plan that takes too long is a failure; the exit code is then 1. Equal numbers give
equal plans.
"""

import argparse
import copy
import faulthandler
import io
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, NamedTuple

import yaml

os.environ["HF_HUB_OFFLINE"] = "1"  # read when its library is imported

SECONDS = 60
"""So much processor time a plan may take; most take milliseconds. A slow machine does not change it."""

HOUR = 3600
"""So long may pass without an end: what sleeps for ever takes no processor time."""

MEMORY = 8 * 2**30
"""So much address space this process has: a plan that asks for more is told so, and the machine lives on."""

FAMILIES = (
    "datasets",
    "learners",
    "verifiers",
    "acceptance",
    "policies",
    "schedules",
    "metrics",
    "executors",
)

TINY_DATA = {"kind": "veriloop.testing.tiny:TinyData", "start": 12, "train": 30, "test": 30, "validation": 12}

SOUND: tuple[dict[str, Any], ...] = (
    {
        "rounds": 2,
        "dataset": TINY_DATA,
        "learner": "veriloop.testing.tiny:TinyLearner",
        "verifier": "veriloop.testing.tiny:TinyVerifier",
        "acceptance": {"kind": "top_fraction", "fraction": 0.5},
        "schedule": {"kind": "constant", "n": 12},
        "balance": "label",
        "policy": {"kind": "accumulate_subsample", "size": 20},
        "metrics": ["veriloop.testing.tiny:TinyMetric"],
        "arms": ["verified", "unverified", "all_real"],
        "evaluation_samples": 20,
        "chunk_size": 16,
    },
    {
        "seed": 3,
        "rounds": 2,
        "dataset": TINY_DATA,
        "learner": {"kind": "veriloop.testing.tiny:TinyLearner"},
        "schedule": {"kind": "list", "n": [12, 20]},
        "metrics": ["veriloop.testing.tiny:TinyMetric"],
        "arms": {
            "strict": {
                "verifier": "veriloop.testing.tiny:TinyVerifier",
                "acceptance": {"kind": "threshold", "at": -2.0},
                "max_candidates": 400,
                "on_exhausted": "train_with_fewer",
            },
            "mixed": {"policy": {"kind": "mix", "real_share": 0.5}, "warm_start": True},
        },
        "keep_rejected": True,
        "common_random_numbers": False,
    },
    {
        "rounds": 2,
        "dataset": {"kind": "linear", "theta_star": [1, 1, 1], "n0": 20},
        "learner": {"kind": "ols"},
        "verifier": {"kind": "knowledge_ball", "center": [1.1, 1.1, 1.1], "radius": 0.5},
        "balance": "direction",
        "schedule": {"kind": "linear", "start": 12, "step": 6},
        "metrics": [{"kind": "parameter_error", "truth": [1, 1, 1]}],
        "arms": ["verified", "unverified"],
        "evaluation_samples": 20,
        "stop": {"when": "plateau", "quantity": "parameter_error", "patience": 1},
    },
    {
        "rounds": 1,
        "dataset": {"kind": "linear", "theta_star": [1, -1], "n0": 30, "sigma": 0.5},
        "learner": "ols",
        "schedule": {"kind": "geometric", "start": 10, "ratio": 1.5},
        "arms": {
            "all_of_them": {
                "verifier": {
                    "kind": "majority",
                    "members": [
                        {"kind": "knowledge_ball", "center": [1, -1], "radius": 1},
                        {"kind": "knowledge_ball", "center": [0.9, -1], "radius": 2},
                        {"kind": "knowledge_ball", "center": [1, -0.8], "radius": 2},
                    ],
                }
            },
            "unverified": None,
        },
    },
    {
        "rounds": 1,
        "dataset": {"kind": "digits", "start": 40, "train": 60, "test": 40},
        "learner": {
            "kind": "cvae",
            "latent_dim": 2,
            "channels": [4, 4],
            "kernel": 2,
            "epochs": 1,
            "batch_size": 32,
            "learning_rate": 0.005,
            "patience": None,
        },
        "verifier": {"kind": "discriminator", "epochs": 1, "calibration": 0.2},
        "acceptance": {"kind": "density_ratio", "fraction": 0.3},
        "balance": "label",
        "schedule": {"kind": "constant", "n": 20},
        "metrics": ["frechet", "nelbo", "accuracy", "prdc", "diversity"],
        "arms": ["verified", "unverified"],
        "evaluation_samples": 40,
        "chunk_size": 64,
    },
    {
        "rounds": 1,
        "dataset": {
            "kind": "text",
            "files": "pairs.jsonl",
            "columns": {"id": "n", "prompt": "question", "completion": "answer", "keep": ["hint"]},
            "start": 0.5,
            "held_out": 0.25,
        },
        "learner": {
            "kind": "causal_lm",
            "model": "model",
            "prompt": {"template": "{question} Answer:", "max_tokens": 12},
            "decoding": {"max_new_tokens": 4, "temperature": 1.0},
            "epochs": 1,
            "batch_size": 4,
        },
        "verifier": {"kind": "reference", "measure": "rouge1"},
        "acceptance": {"kind": "top_fraction", "fraction": 0.5},
        "schedule": {"kind": "constant", "n": 4},
        "metrics": ["rouge", "text_form", "text_diversity", "loss"],
        "arms": ["verified", "unverified"],
        "evaluation_samples": 6,
    },
    {
        "rounds": 1,
        "dataset": {"kind": "text", "files": ["pairs.csv"], "held_out": 4, "validation": 0.5, "start": 4},
        "learner": {"kind": "causal_lm", "model": "model", "decoding": {"max_new_tokens": 4}},
        "verifier": {"kind": "function", "function": "json:dumps", "timeout": 5},
        "schedule": {"kind": "constant", "n": 4},
        "max_candidates": 8,
        "on_exhausted": "stop",
        "metrics": [{"kind": "function", "function": "json:dumps"}],
        "arms": ["verified"],
        "evaluation_samples": 4,
    },
    {
        "rounds": 1,
        "dataset": {"kind": "veriloop.testing.tiny:TinyData", "start": 12, "train": 30, "test": 30},
        "learner": {"kind": "veriloop.testing.tiny:TinyLearner"},
        "verifier": {"kind": "human", "store": "sqlite:///people.db", "known": 2, "queue": 5},
        "schedule": {"kind": "constant", "n": 4},
        "arms": ["verified"],
    },
    {
        "rounds": 1,
        "dataset": {"kind": "text", "files": "pairs.jsonl", "columns": {"prompt": "question"}, "start": 0},
        "learner": {"kind": "causal_lm", "model": "model"},
        "verifier": {
            "kind": "judge",
            "url": "http://127.0.0.1:9/v1",
            "model": "m",
            "rubric": "Is {{ completion }} right for {{ question }}?",
            "max_requests": 3,
            "cache": "judge.sqlite",
        },
        "acceptance": {"kind": "threshold", "at": 0.5},
        "schedule": {"kind": "constant", "n": 4},
        "arms": ["verified"],
    },
)

NUMBERS: tuple[Any, ...] = (
    *(
        0,
        1,
        -1,
        2,
        7,
        -3,
        2**31,
        2**63,
        2**63 - 1,
        -(2**63),
        10**30,
        10**400,
        0.0,
        -0.0,
        0.5,
        1.0,
        1.5,
        1e-320,
    ),
    *(1e308, -1e308, float("nan"), float("inf"), float("-inf"), True, False, "1", "0.5", "1e3"),
)
TEXTS = (
    *(
        "",
        " ",
        "x",
        "label",
        "verified",
        "question",
        "ä é",
        "日本語",
        "\u202e",
        "\ud7ff",
        "a\nb",
        "\t",
        "\x00",
    ),
    *("{", "}", "{}", "{0}", "{x!r}", "{question.__class__}", "{{ 1/0 }}", "{% for", "%s", "../..", "/", "."),
    *("no", "null", "010", "1:30", "~", "a" * 5_000, "json:dumps", "os:system", ".x:y", "a.b:c", ":", "x:"),
    *("pairs.jsonl", "pairs.csv", "*.jsonl", "[", "**", "sqlite:///", "http://", "http://[::1", "file:///x"),
    *("veriloop.testing.tiny:TinyData", "veriloop.parts:Part", "veriloop.learners.base:Learner"),
)
JUNK: tuple[Any, ...] = (
    *(None, [], {}, [[]], [{}], {"kind": None}, {"kind": []}, {"kind": {}}, {"": 1}, {"kind": "x", "y": 1}),
    *([None], [1, "a", None], {"a": {"b": {"c": []}}}, [1] * 300, {str(i): i for i in range(100)}, "kind"),
)

PLAUSIBLE: tuple[Any, ...] = (
    *(
        0,
        1,
        2,
        3,
        8,
        20,
        0.0,
        0.1,
        0.5,
        0.9,
        1.0,
        2.5,
        1e-6,
        True,
        False,
        None,
        "label",
        "x",
        "y",
        "direction",
    ),
    *(
        "question",
        "answer",
        "prompt",
        "completion",
        "verified",
        "auto",
        "cosine",
        "bfloat16",
        "rouge2",
        "pairs.csv",
    ),
    *([1], [1, 2], [0.5, 0.5], [8, 8], ["label"], {"kind": "constant", "n": 3}),
)
WORDS = (
    "accumulate",
    "replace",
    "accept_all",
    "geometric",
    "plateau",
    "reversal",
    "budget",
    "stop",
    "unverified",
)

Path_ = tuple[Any, ...]


class Slow(BaseException):
    """A plan took too long. No Exception, so that nobody takes it for a part's own error."""


class Outcome(NamedTuple):
    """What became of a plan: ``refused``, ``ran``, ``ended`` (in one line), or ``failed`` and how."""

    what: str
    detail: str = ""


# -- how plans are broken --------------------------------------------------------------------------


def places(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """The paths of all values inside ``value``."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in inner:
        yield (*path, key)
        yield from places(child, (*path, key))


def at(value: Any, path: Path_) -> Any:
    """What is at ``path``."""
    for key in path:
        value = value[key]
    return value


def put(plan: Any, path: Path_, value: Any) -> None:
    """Replace what is at ``path``."""
    at(plan, path[:-1])[path[-1]] = value


def replace_value(plan: Any, rng: random.Random) -> None:
    path = rng.choice(list(places(plan)))
    old = at(plan, path)
    if isinstance(old, bool | int | float) and rng.random() < 0.7:
        new = rng.choice(NUMBERS)
    elif isinstance(old, str) and rng.random() < 0.6:
        new = rng.choice(TEXTS)
    else:
        new = rng.choice((*NUMBERS, *TEXTS, *JUNK))
    put(plan, path, copy.deepcopy(new))


def delete(plan: Any, rng: random.Random) -> None:
    path = rng.choice(list(places(plan)))
    del at(plan, path[:-1])[path[-1]]


def swap(plan: Any, rng: random.Random) -> None:
    found = list(places(plan))
    one, two = rng.choice(found), rng.choice(found)
    value = copy.deepcopy(at(plan, two))
    put(plan, one, value)


def nest(plan: Any, rng: random.Random) -> None:
    path = rng.choice(list(places(plan)))
    old = at(plan, path)
    put(plan, path, rng.choice(([old], {"kind": old}, {"x": old}, [old, old], {"members": [old]})))


def add_key(plan: Any, rng: random.Random) -> None:
    mappings = [path for path in ((), *places(plan)) if isinstance(at(plan, path), dict)]
    names = [key for path in places(plan) for key in path if isinstance(key, str)]
    key = rng.choice((*names, *TEXTS, *FIELDS))
    at(plan, rng.choice(mappings))[key] = copy.deepcopy(rng.choice((*NUMBERS, *TEXTS, *JUNK)))


def other_kind(plan: Any, rng: random.Random) -> None:
    kinds = [path for path in places(plan) if path[-1] == "kind"] or [("learner",)]
    put(plan, rng.choice(kinds), rng.choice(KINDS))


def other_part(plan: Any, rng: random.Random) -> None:
    """A part of some other sound plan in the place of this one's."""
    other = rng.choice(SOUND)
    key = rng.choice(list(other))
    plan[key] = copy.deepcopy(other[key])


def set_field(plan: Any, rng: random.Random) -> None:
    """A setting that some part has, on some part."""
    parts = [path for path in places(plan) if isinstance(at(plan, path), dict)]
    if parts:
        at(plan, rng.choice(parts))[rng.choice(FIELDS)] = rng.choice((*NUMBERS, *TEXTS))


def own_field(plan: Any, rng: random.Random) -> None:
    """A setting that a part does have, with a value that may be right."""
    found = (path for path in places(plan) if path[-1] != "kind")
    parts = [path for path in found if isinstance(at(plan, path), dict | str)]
    named = [(path, at(plan, path)) for path in parts]
    kinds = [(path, value if isinstance(value, str) else value.get("kind")) for path, value in named]
    known = [(path, kind) for path, kind in kinds if isinstance(kind, str) and kind in OWN]
    path, kind = rng.choice(known)
    if isinstance(at(plan, path), str):
        put(plan, path, {"kind": kind})
    at(plan, path)[rng.choice(OWN[kind])] = rng.choice(PLAUSIBLE)


def nudge(plan: Any, rng: random.Random) -> None:
    """Another number of the same type, or another word of the plan."""
    path = rng.choice(list(places(plan)))
    old = at(plan, path)
    if isinstance(old, bool):
        put(plan, path, not old)
    elif isinstance(old, int):
        put(plan, path, rng.choice((0, 1, 2, 3, 5, old + 1, old * 3, old * 10**6)))
    elif isinstance(old, float):
        put(plan, path, rng.choice((0.0, 1.0, 1e-9, 0.01, 0.5, 0.999, old * 2, -old, 1e9)))
    elif isinstance(old, str):
        words = [value for p in places(plan) if isinstance(value := at(plan, p), str)]
        put(plan, path, rng.choice((*words, *WORDS)))
    elif isinstance(old, list) and old:
        put(plan, path, rng.choice((old[:-1], old + old[:1], list(reversed(old)))))


SOFT: tuple[Callable[[Any, random.Random], None], ...] = (
    own_field,
    own_field,
    own_field,
    nudge,
    nudge,
    nudge,
    delete,
)
"""Plans that these have changed often stand, and are run."""

MUTATIONS: tuple[Callable[[Any, random.Random], None], ...] = (
    *(replace_value, replace_value, replace_value, delete, swap, nest, add_key, other_kind, other_part),
    *(set_field, set_field),
)


def torn(text: str, rng: random.Random) -> str:
    """The YAML text with something done to its lines or letters."""
    lines = text.splitlines(keepends=True)
    at_ = rng.randrange(len(lines))
    match rng.randrange(7):
        case 0:
            lines.insert(at_, lines[at_])
        case 1:
            lines[at_] = " " * rng.randrange(5) + lines[at_].lstrip()
        case 2:
            place = rng.randrange(len(text))
            return (
                text[:place]
                + rng.choice((*"\t\0{}[]:,&*!|>'\"%@`\ufeff\u2028é", "<<: ", "? "))
                + text[place:]
            )
        case 3:
            place = rng.randrange(len(text))
            return text[:place] + text[place + rng.randrange(1, 9) :]
        case 4:
            lines[at_] = lines[at_].replace(": ", ": &a ", 1)
            lines.append("extra: *a\n")
        case 5:
            lines[at_] = lines[at_].replace(
                ": ", rng.choice((": !!int ", ": !!python/name:os.system ", ": !x "))
            )
        case 6:
            return rng.choice(("\ufeff", "%YAML 1.1\n---\n", "--- \n", "---\n---\n")) + text
    return "".join(lines)


def mutated(number: int, seed: int) -> str:
    """The text of the plan with this number."""
    rng = random.Random(f"{seed}/{number}")
    plan = copy.deepcopy(rng.choice((*SOUND, *SOUND, *SOUND, *EXAMPLES)))
    ways = SOFT if rng.random() < 0.6 else MUTATIONS
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 5))):
        try:
            rng.choice(ways)(plan, rng)
        except (IndexError, KeyError, TypeError, AttributeError, ValueError):
            continue  # an earlier mutation took away what this one needs
    text = yaml.safe_dump(plan, sort_keys=False, allow_unicode=True)
    return torn(text, rng) if rng.random() < 0.15 and text.strip() else text


def _examples() -> tuple[dict[str, Any], ...]:
    folder = Path(__file__).parents[2] / "examples"
    return tuple(yaml.safe_load(path.read_text()) for path in sorted(folder.glob("*.yaml")))


def _kinds() -> tuple[str, ...]:
    return tuple(e.name for family in FAMILIES for e in entry_points(group=f"veriloop.{family}"))


def _fields() -> dict[str, tuple[str, ...]]:
    """The settings of each kind of part."""
    from veriloop.errors import VeriloopError

    found: dict[str, tuple[str, ...]] = {}
    for family in FAMILIES:
        for entry in entry_points(group=f"veriloop.{family}"):
            try:
                # One name may be a kind of several families.
                found[entry.name] = (*found.get(entry.name, ()), *entry.load().model_fields)
            except VeriloopError:
                continue  # its package is not installed
    return {kind: names for kind, names in found.items() if names}


EXAMPLES, KINDS, OWN = _examples(), _kinds(), _fields()
FIELDS = tuple(sorted({name for names in OWN.values() for name in names}))


# -- what becomes of them --------------------------------------------------------------------------


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Raise `Slow` in here when it takes more processor time."""

    def late(number: int, frame: Any) -> None:
        raise Slow("".join(traceback.format_stack(frame, limit=8)))

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    # What sleeps, or does not come back to Python, is shown, and ends all.
    faulthandler.dump_traceback_later(HOUR, exit=True)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
        faulthandler.cancel_dump_traceback_later()


def veriloop(*arguments: str) -> tuple[int, str]:
    """The command line in this process: its exit code, and what it said of mistakes.

    Raises:
        BaseException: Whatever would have been a traceback.
    """
    from veriloop.cli.main import main

    out, err = io.StringIO(), io.StringIO()
    warnings.simplefilter("ignore")  # of NumPy about odd numbers
    before, sys.argv = sys.argv, ["veriloop", *arguments]
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main()
    except SystemExit as e:
        code = e.code
        return code if isinstance(code, int) else 0, err.getvalue()
    finally:
        sys.argv = before
    return 0, err.getvalue()


def tiny(value: Any, key: Any = None) -> Any:
    """The plan at a size that runs in a moment; small and wrong numbers stay."""
    if isinstance(value, dict):
        # The published images are 60,000 where the machine has them.
        some = {"train": 100} if value.get("kind") in ("mnist", "fashion-mnist") else {}
        return some | {name: tiny(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [tiny(inner, key) for inner in value]
    most = {"rounds": 1, "epochs": 1, "threads": 1, "workers": 1, "min_steps": 2, "max_candidates": 60}.get(
        key, 40
    )
    if isinstance(value, int) and not isinstance(value, bool) and value > most and key != "seed":
        return most
    if key in ("timeout", "max_seconds", "seconds", "patience") and isinstance(value, int | float):
        return min(value, 5)
    return value


def judge(text: str, folder: Path) -> Outcome:
    """Validate the plan ``text``, and run it at a tiny size if that accepts it; never raises."""
    path = folder / "plan.yaml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    stage = "validate"
    try:
        with limit(SECONDS):
            code, said = veriloop("validate", str(path))
            if code or said:
                return _one_line(code, said, "refused")
            from veriloop.yaml_1_2 import read_yaml

            plan = tiny(read_yaml(text, "plan"))
            if isinstance(plan.get("executor"), dict | str):
                plan.pop("executor")  # one process is enough to find out
            plan.setdefault("max_candidates", 60)
            learner = plan.get("learner")
            if isinstance(learner, dict) and isinstance(decoding := learner.setdefault("decoding", {}), dict):
                if learner.get("kind") == "causal_lm":
                    decoding.setdefault("max_new_tokens", 4)
                elif not decoding:
                    del learner["decoding"]
            small = folder / "tiny.json"  # JSON is YAML
            small.write_text(
                json.dumps(plan, ensure_ascii=True).replace("NaN", ".nan").replace("Infinity", ".inf")
            )
            stage = "run"
            out = folder / "out"
            shutil.rmtree(out, ignore_errors=True)
            code, said = veriloop("run", str(small), "--out", str(out), "--json")
            return _one_line(code, said, "ended") if code else Outcome("ran")
    except Slow as e:
        return Outcome("failed", f"{stage}: slow\n{e}")
    except BaseException:
        return Outcome("failed", f"{stage}: {traceback.format_exc()}")


def _one_line(code: int, said: str, what: str) -> Outcome:
    lines = said.strip().splitlines()
    if code == 2 and len(lines) == 1 and lines[0].startswith("error: "):
        return Outcome(what, lines[0])
    return Outcome("failed", f"exit code {code}, and said: {said[-2_000:] or 'nothing'}")


@contextmanager
def workshop() -> Iterator[Path]:
    """A working directory with the files that the sound plans name."""
    rows = [{"n": i, "question": f"{i} and 1?", "answer": f"it is {i + 1}", "hint": i % 3} for i in range(24)]
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        lines = ["prompt,completion", *(f"{row['question']},{row['answer']}" for row in rows)]
        (folder / "pairs.csv").write_text("\n".join(lines) + "\n")
        _model(folder / "model", [text for row in rows for text in (row["question"], row["answer"])])
        os.chdir(folder)
        try:
            yield folder
        finally:
            os.chdir(here)


def _model(folder: Path, texts: Sequence[str]) -> None:
    """A tiny language model, where its library is there."""
    try:
        from veriloop.testing.language import save_tiny_language

        save_tiny_language(folder, texts)
    except ImportError:
        return


def judged(numbers: Sequence[int], seed: int, show: Callable[[int, Outcome], None]) -> Counter[str]:
    """What becomes of the plans with these numbers, counted."""
    counts: Counter[str] = Counter()
    with workshop() as folder:
        for number in numbers:
            outcome = judge(mutated(number, seed), folder)
            counts[outcome.what] += 1
            show(number, outcome)
    return counts


def main() -> None:
    """Judge plans, and tell those that failed."""
    parser = argparse.ArgumentParser(description="Mutated plans through validate and tiny runs.")
    parser.add_argument("--plans", type=int, default=2_000)
    parser.add_argument("--first", type=int, default=0, help="the number of the first plan")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", action="store_true", help="every plan's outcome, and the text of one plan")
    given = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    def show(number: int, outcome: Outcome) -> None:
        if outcome.what == "failed" or given.show:
            print(f"-- plan {number}: {outcome.what}\n{outcome.detail}", flush=True)
            if outcome.what == "failed" or given.plans == 1:
                print(mutated(number, given.seed)[:1_500], flush=True)

    counts = judged(range(given.first, given.first + given.plans), given.seed, show)
    shown = ", ".join(f"{counts[what]} {what}" for what in ("refused", "ran", "ended", "failed"))
    print(f"{counts.total()} plans: {shown}")
    sys.exit(1 if counts["failed"] else 0)


if __name__ == "__main__":
    main()
