"""Known samples are blind: a script that sees what an annotator sees cannot tell which ones they are.

It may look at the answers of the server, at its times, at the page, and may take verdicts back. It does not
look at what a sample means: telling a digit from a drawn one is what annotators are there for.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from scipy.stats import binomtest

from veriloop.samples import Samples
from veriloop.verifiers.human.database import open_database
from veriloop.verifiers.human.store import KnownSamples, Store

from .conftest import Serve, write_run

VERDICTS = 200
REAL, KNOWN = 400, 100


def _digits(rng: np.random.Generator, n: int) -> Samples:
    return Samples(pixels=rng.integers(17, size=(n, 8, 8)).astype(np.uint8), label=rng.integers(10, size=n))


def _texts(rng: np.random.Generator, n: int) -> Samples:
    words = [" ".join(rng.choice(["red", "green", "blue"], 8).tolist()) for _ in range(2 * n)]
    numbers = rng.integers(10**9, size=n)
    # What a model wrote stands last; in the data it stands before the reference.
    return Samples(prompt=[f"{number}: {w}" for number, w in zip(numbers, words, strict=False)],
                   summary=words[n:], reference=words[n:])  # fmt: skip


def _asked(kind: str, rng: np.random.Generator, n: int) -> Samples:
    made = _digits(rng, n) if kind == "digits" else _texts(rng, n)
    names = list(made)
    return made if kind == "digits" else made.only([names[0], names[2], names[1]])


@pytest.fixture(params=["digits", "text"])
def judging(request: pytest.FixtureRequest, tmp_path: Path, serve: Serve) -> Iterator[tuple[str, dict]]:
    """The address of a queue, and the truth of its samples."""
    rng, kind, url = np.random.default_rng(7), request.param, f"sqlite:///{tmp_path}/verdicts.db"
    draw = _digits if kind == "digits" else _texts
    known = KnownSamples(draw(rng, KNOWN // 2), draw(rng, KNOWN // 2), 16.0)
    show = None if kind == "digits" else ["prompt", "summary"]
    Store(url).post(_asked(kind, rng, REAL), known, wanted=1, queue=REAL, show=show)
    write_run(tmp_path / "runs" / "some", url)
    page = serve(tmp_path / "runs")
    listed = httpx.get(f"{page}/judge").text
    yield page + listed.split('action="')[1].split('"')[0], {p.key: p.truth for p in Store(url).everything()}
    open_database(url).close()


def _judge(queue: str, client: httpx.Client) -> list[dict[str, Any]]:
    """200 verdicts, with an undo after every fourth; what was seen of each sample, in order."""
    html = client.get(f"{queue}?annotator=ann").text
    client.headers["X-CSRF-Token"] = html.split('name="csrf" content="')[1].split('"')[0]
    listing = queue.rpartition("/")[0]
    answer = client.get(f"{queue}/samples", params={"annotator": "ann"}).json()
    ready, seen = answer["tasks"], []
    while len(seen) < VERDICTS:
        task, before = ready.pop(0), answer["progress"]
        body = {
            "annotator": "ann",
            "key": task["key"],
            "answer": "accept",
            "holding": [t["key"] for t in ready],
        }
        began = time.perf_counter()
        answer = client.post(f"{queue}/verdicts", json=body).json()
        seconds = time.perf_counter() - began
        ready += answer["tasks"]
        undone = None
        if len(seen) % 4 == 0:
            back = client.post(f"{queue}/undo", json={"annotator": "ann", "holding": body["holding"]}).json()
            undone = {name: back["progress"][name] - before[name] for name in before}
            assert back["undone"] == task
            client.post(f"{queue}/verdicts", json=body | {"holding": [t["key"] for t in ready]})
        seen.append(
            {
                "key": task["key"],
                "steps": {name: answer["progress"][name] - before[name] for name in before},
                "shape": (list(task), list(task["words"]), task["drawn"], bool(task["picture"])),
                "repeats": len(set(task["words"].values())) < len(task["words"]),
                "undone": undone,
                "agreement": answer["agreement"],
                "listed": client.get(listing).text if len(seen) % 20 == 1 else None,
                "seconds": seconds,
            }
        )
    return seen


def test_a_script_cannot_tell_known_samples_from_others(
    judging: tuple[str, dict[str, str | None]], client: httpx.Client
) -> None:
    queue, truth = judging
    seen = _judge(queue, client)
    is_known = np.array([truth[s["key"]] is not None for s in seen])
    share = KNOWN / (REAL + KNOWN)
    assert binomtest(int(is_known.sum()), VERDICTS, share).pvalue > 1e-4

    # Nothing differs between any two samples but their content and their order.
    def alike(name: str) -> set[str]:
        return {repr(s[name]) for s in seen}

    assert alike("steps") == {"{'judged': 1, 'left': -1, 'waiting': -1}"}
    assert alike("undone") == {"None", "{'judged': 0, 'left': 0, 'waiting': 0}"}
    assert len(alike("shape")) == 1
    assert alike("repeats") == {"False"}
    assert alike("agreement") == {"None"}
    assert len({s["listed"] for s in seen if s["listed"]}) == 1
    # Guesses from what is left: each marks some samples, and known ones are no more common among them.
    keys = np.array([int(s["key"][:12], 16) for s in seen])
    seconds = np.array([s["seconds"] for s in seen])
    later = np.append(seconds[4:], np.full(4, np.median(seconds)))  # when its turn was drawn
    guesses = {
        "key above the highest": keys >= np.maximum.accumulate(keys),
        "low key": keys < np.median(keys),
        "slow": seconds > np.median(seconds),
        "slow when handed out": later > np.median(later),
        "early": np.arange(VERDICTS) < VERDICTS / 2,
        "every fifth": np.arange(VERDICTS) % 5 == 0,
        "after a known one": np.insert(is_known[:-1], 0, False),
    }
    for name, guess in guesses.items():
        hits, marked = int(is_known[guess].sum()), int(guess.sum())
        # Seven guesses, two kinds of data: by chance one run in 700 would fail.
        assert binomtest(hits, marked, float(is_known.mean())).pvalue > 1e-4, name
