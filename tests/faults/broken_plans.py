"""Plans that are broken in some way, by number: for `fuzz_plans`.

Sound plans are mutated: keys go, types are swapped, numbers become huge, negative or no numbers, texts odd,
kinds wrong, values nested, lines of the YAML doubled. Equal numbers give equal plans.
"""

import copy
import os
import random
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import yaml

os.environ["HF_HUB_OFFLINE"] = "1"  # read when its library is imported

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
