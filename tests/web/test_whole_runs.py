"""Whole human runs: three rounds by keyboard, one of digits and one of texts, and nobody at the terminal."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import httpx
import pytest

from veriloop.config import plan_from
from veriloop.loop import run
from veriloop.store.folder import RunFolder
from veriloop.verifiers.human.content import content_keys
from veriloop.verifiers.human.database import open_database
from veriloop.verifiers.human.store import Store

from ..patience import until
from .conftest import people_config

pytestmark = pytest.mark.slow

GUESSING = '''
"""Writes sums that are nearly right, and never word for word those of the data."""
from veriloop.generator import Generator
from veriloop.learners.base import Learner

class GuessingGenerator(Generator):
    def sample(self, n, rng, condition=None):
        guess = condition["answer"] + rng.integers(-1, 2, size=n)
        return condition.with_columns(text=[f"{g} or so" for g in guess])

    def save(self, directory):
        (directory / "empty").write_text("")

    @classmethod
    def load(cls, directory):
        return cls()

class Guessing(Learner, frozen=True):
    generator_type = GuessingGenerator

    def fit(self, samples, init, rng):
        return GuessingGenerator()
'''

ROUNDS, WANTED = 3, 12
WRONG_ON = {"accept": 4, "reject": 3}
"""Everybody is wrong on every fourth good known sample that they meet, and on every third bad one."""


class Typist:
    """A person who judges by keyboard, in a window of their own."""

    def __init__(self, open_page, page: str, run_name: str, name: str, store: str) -> None:
        self.name, self._store, self.judged = name, store, set[str]()
        self.met = Counter[str]()
        self._view = open_page(f"{page}/judge")
        form = self._view.locator("section", has=self._view.get_by_role("heading", name=run_name))
        form.locator("input[name=annotator]").fill(name)
        form.locator("button").click()
        self._view.wait_for_selector("#card:not([hidden]), #over:not([hidden])")

    def leave(self) -> None:
        """Close the window."""
        self._view.close()

    def judge(self) -> None:
        """Judge the sample on the card, if there is a new one."""
        key = self._view.evaluate(
            "document.getElementById('card').hidden ? '' : document.getElementById('card').dataset.key"
        )
        if key and key not in self.judged:
            self._view.keyboard.press("y" if self._says_yes(key) else "n")
            self.judged.add(key)

    def _says_yes(self, key: str) -> bool:
        truth = next(p.truth for p in Store(self._store).everything() if p.key == key)
        if truth is None:
            return int(key, 16) % 3 > 0
        self.met[truth] += 1
        return (truth == "accept") == (self.met[truth] % WRONG_ON[truth] > 0)


def _configs(folder: Path) -> dict[str, dict]:
    stores = {name: f"sqlite:///{folder}/{name}.db" for name in ("digits", "texts")}
    digits = people_config(stores["digits"], WANTED, known=12)
    (folder / "guessing.py").write_text(GUESSING)
    sums = [{"name": i, "question": f"{i} + {2 * i}", "text": f"{3 * i}", "answer": 3 * i} for i in range(80)]
    (folder / "sums.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in sums))
    columns = {"id": "name", "prompt": "question", "completion": "text", "keep": ["answer"]}
    texts = {
        **digits,
        "dataset": {
            "kind": "text", "files": f"{folder}/sums.jsonl", "columns": columns, "start": 8, "held_out": 8,
        },
        "learner": "guessing:Guessing",
        "verifier": {"kind": "human", "store": stores["texts"], "known": 12, "annotators_per_sample": 2},
        "metrics": ["text_form"],
        "arms": ["verified"],
    }  # fmt: skip
    return {
        "digits": {**digits, "rounds": ROUNDS, "arms": ["verified"]},
        "texts": {**texts, "rounds": ROUNDS},
    }


def test_people_take_runs_of_three_rounds_to_their_end_by_keyboard(tmp_path, open_page, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    runs, configs = tmp_path / "runs", _configs(tmp_path)
    folders = {name: run(plan_from(config), runs / name) for name, config in configs.items()}
    command = [sys.executable, "-m", "veriloop", "serve", runs, "--port", "0", "--resume"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment, cwd=tmp_path
    ) as server:
        try:
            assert server.stdout is not None
            found = re.search(r"http://\S+:\d+", server.stdout.readline())
            assert found is not None
            store = {name: configs[name]["verifier"]["store"] for name in configs}
            typists = {
                name: [Typist(open_page, found[0], name, person, store[name]) for person in people]
                for name, people in {"digits": ["Ann"], "texts": ["Bob", "Cyd"]}.items()
            }

            def all_finished() -> bool:
                for of_run in typists.values():
                    for typist in of_run:
                        typist.judge()
                return all(f.manifest().status == "finished" for f in folders.values())

            until(all_finished, server)
            queues = httpx.get(f"{found[0]}/people/data").json()["queues"]
            for typist in (one for of_run in typists.values() for one in of_run):
                typist.leave()  # a page asks again and again, and complains of a server that is gone
        finally:
            server.terminate()
    for queue in queues:
        (name,) = queue["runs"]
        assert set(queue["people"]) == {typist.name for typist in typists[name]}
        for typist in typists[name]:
            person = queue["people"][typist.name]
            assert person["verdicts"] == len(typist.judged)
            for truth, rate in (("accept", "sensitivity"), ("reject", "specificity")):
                assert person[rate]["total"] == typist.met[truth]
                if typist.met[truth]:
                    assert person[rate]["low"] <= 1 - 1 / WRONG_ON[truth] <= person[rate]["high"]
    for name, folder in folders.items():
        records = [record for record in RunFolder(folder.path).records() if record.arm == "verified"]
        assert [record.round for record in records] == list(range(ROUNDS + 1))
        posted = {p.key: p for p in Store(store[name]).everything()}
        for record in records[1:]:
            said = [posted[key].verdicts for key in content_keys(folder.kept(record.round, "verified"))]
            assert len(said) == record.counts.kept > 0
            assert all(set(verdicts.values()) == {"accept"} for verdicts in said)
        open_database(store[name]).close()
