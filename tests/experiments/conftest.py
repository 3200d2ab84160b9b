"""Settings that no test has to wait for."""

import json
from pathlib import Path

import numpy as np
import pytest

from veriloop.executors.serial import Serial
from veriloop.experiments.base import Setting


@pytest.fixture(scope="session")
def smoke() -> Setting:
    """The smallest scale, in this process."""
    return Setting("smoke", 0, Serial())


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
