"""Settings and recipes that no test has to wait for."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from veriloop.executors.serial import Serial
from veriloop.recipes.base import Setting
from veriloop.recipes.folders import recipe_folders


@pytest.fixture(scope="session")
def smoke() -> Setting:
    """The smallest scale, in this process."""
    return Setting("smoke", 0, Serial())


Copied = Callable[..., Path]


def copied(name: str, folder: Path, changes: Mapping[str, Mapping[str, str]]) -> Path:
    """A copy of a recipe in ``folder``, with texts replaced in its files."""
    to = folder / name
    shutil.copytree(recipe_folders()[name], to)
    for file, replaced in changes.items():
        text = (to / file).read_text()
        for before, after in replaced.items():
            assert before in text
            text = text.replace(before, after)
        (to / file).write_text(text)
    return to


TINY = {
    "channels: [8, 16]": "channels: [2, 4]",
    "epochs: 10": "epochs: 1",
    "min_steps: 150": "min_steps: 5",
    "n: 200": "n: 50",
    "evaluation_samples: 300": "evaluation_samples: 50",
}
"""Makes of the smallest scale of MNIST runs of a second."""


@pytest.fixture(scope="session")
def tiny_mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recipe of MNIST whose smallest scale takes a second a run."""
    return copied("mnist", tmp_path_factory.mktemp("recipes"), {"smoke.yaml": TINY})


@pytest.fixture
def changed_mnist(tmp_path: Path) -> Copied:
    """Makes a copy of that, with texts replaced in ``recipe.yaml`` and ``smoke.yaml``."""

    def make(recipe: Mapping[str, str] | None = None, plan: Mapping[str, str] | None = None) -> Path:
        changes = {"recipe.yaml": recipe or {}, "smoke.yaml": {**TINY, **(plan or {})}}
        return copied("mnist", tmp_path / "changed", changes)

    return make


EQUAL = "{kind: reference, measure: rouge1}"
"""A verifier whose score is 1 where the answer is the right word; `math` loads for seconds."""


@pytest.fixture(scope="session")
def quick_arithmetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recipe of sums with a check that costs nothing."""
    changes = {
        "verifier: math": f"verifier: {EQUAL}\nacceptance: {{kind: threshold, at: 1.0}}",
        "{kind: math, pass_at: [1, 8]}": f"{{kind: pass_at, verifier: {EQUAL}, solved_at: 1.0}}",
    }
    return copied("arithmetic", tmp_path_factory.mktemp("recipes"), {"smoke.yaml": changes})


@pytest.fixture(scope="session")
def small_news(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ``VERILOOP_DATA`` with made-up news in XSum's format, easy enough to learn in seconds."""
    root, rng = tmp_path_factory.mktemp("news"), np.random.default_rng(0)
    (root / "xsum").mkdir()
    for split, size in (("train", 400), ("test", 40)):
        lines = [json.dumps({"id": f"{split}-{i}", **_news(rng)}) for i in range(size)]
        (root / "xsum" / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    return root


def _news(rng: np.random.Generator) -> dict[str, str]:
    place = rng.choice(["Leeds", "Cardiff", "Belfast", "Dundee", "Truro", "Derby"])
    who, what = ["council", "court", "school", "museum"], ["bridge", "road", "park", "library", "market"]
    did = ["opened", "closed", "moved", "praised", "sold"]
    facts = [
        f"The {rng.choice(who)} of {place} {rng.choice(did)} the old {rng.choice(what)} there"
        for _ in range(12)
    ]
    document = " ".join(f"{fact} on day {day}." for day, fact in enumerate(facts))
    return {"document": document, "summary": f"{facts[0]}."}
