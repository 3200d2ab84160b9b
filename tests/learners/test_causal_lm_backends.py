"""Servers as writers: one that we start on the model, one that runs already, and what may go wrong."""

import json
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from veriloop.config import plan_from
from veriloop.errors import VeriloopError
from veriloop.guarded.kept import keeping
from veriloop.learners._language import backends, models
from veriloop.learners._language.backends import Decoding, Remote, Started
from veriloop.learners._language.generator import CausalLMGenerator
from veriloop.learners._language.prompts import Formatter
from veriloop.learners._language.rules import Prompt
from veriloop.learners.causal_lm import CausalLM
from veriloop.loop import run
from veriloop.samples import Samples

from ..patience import until

SERVER = Started(
    command=(sys.executable, str(Path(__file__).with_name("completion_server.py")), "{port}"),
    concurrency=3,
    backoff=0.01,
)

PAPER: dict[str, Any] = {"template": "Article: {document} Summary:", "completion": "summary"}


def generator(folder: Path, decoding: Decoding, *, chat: bool = False) -> CausalLMGenerator:
    language = models.find(str(folder))
    if chat:
        language.tokenizer.chat_template = "{{ messages[0]['content'] }}"
    return CausalLMGenerator(language, Prompt(**PAPER, max_tokens=24, chat=chat), decoding)


@pytest.fixture(scope="module")
def server(tiny_language: Path) -> Iterator[Remote]:
    with backends.started(SERVER, tiny_language) as server:
        yield server.remote


def asked(generator: CausalLMGenerator, animals: Samples, seed: int = 0) -> list[dict[str, Any]]:
    """What the server was asked for the first six animals, in their order."""
    few = animals.select(slice(6)).only(["id", "document"])
    written = generator.sample(6, np.random.default_rng(seed), few)
    assert written.only(["id", "document"]).same_as(few)
    return [json.loads(text) for text in written["summary"]]


def test_a_running_server_is_asked_for_each_prompt(
    server: Remote, tiny_language: Path, animals: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_KEY", "secret")
    remote = server.model_copy(update={"key_variable": "SOME_KEY"})
    decoding = Decoding(max_new_tokens=6, temperature=0.7, top_p=0.9, backend=remote)
    questions = asked(generator(tiny_language, decoding), animals)
    prompts = Formatter(Prompt(**PAPER, max_tokens=24), models.find(str(tiny_language)).tokenizer).prompts(
        animals
    )
    assert [q["prompt"] for q in questions] == [prompt.plain for prompt in prompts[:6]]
    settings = {
        "model": "veriloop",
        "max_tokens": 6,
        "temperature": 0.7,
        "top_p": 0.9,
        "key": "Bearer secret",
    }
    assert all(settings.items() <= q.items() for q in questions)
    seeds = [q["seed"] for q in questions]
    assert len(set(seeds)) == 6
    assert [q["seed"] for q in asked(generator(tiny_language, decoding), animals)] == seeds
    assert [q["seed"] for q in asked(generator(tiny_language, decoding), animals, seed=1)] != seeds


def test_a_server_is_sent_what_is_set_and_a_stop_string_is_no_part_of_its_text(
    server: Remote, tiny_language: Path, animals: Samples
) -> None:
    set_ = {"top_k": 5, "min_p": 0.1, "repetition_penalty": 1.2, "stop": ["☃", "☃☃"]}
    decoding = Decoding.model_validate({"temperature": 0.7, "backend": server, **set_})
    questions = asked(generator(tiny_language, decoding), animals)
    assert all(set_.items() <= q.items() for q in questions)
    plain = asked(generator(tiny_language, Decoding(temperature=0.7, backend=server)), animals)
    assert not any(set_.keys() & q.keys() for q in plain)
    ended = generator(tiny_language, Decoding(temperature=0.7, stop=("cat",), backend=server))
    (text,) = ended.sample(1, np.random.default_rng(0), animals.select(slice(1)))["summary"]
    assert "prompt" in text or "max_tokens" in text
    assert "cat" not in text


def test_greedy_asks_for_temperature_zero(server: Remote, tiny_language: Path, animals: Samples) -> None:
    decoding = Decoding(temperature=0.7, backend=server)
    (question,) = generator(tiny_language, decoding).greedy(animals.select(slice(1)))["summary"]
    assert json.loads(question)["temperature"] == 0


def test_a_server_is_started_on_the_model_and_ended(tiny_language: Path, animals: Samples) -> None:
    before = set(psutil.Process().children())
    assert len(asked(generator(tiny_language, Decoding(backend=SERVER)), animals)) == 6
    assert set(psutil.Process().children()) <= before


def logged(log: Path) -> Started:
    """A server that notes each of its starts in ``log``."""
    return SERVER.model_copy(update={"command": (*SERVER.command, str(log))})


def starts(log: Path) -> list[int]:
    """The numbers of the processes that have been started."""
    return [int(line) for line in log.read_text().split()]


def test_a_run_keeps_its_server_until_another_model_writes_or_one_is_trained(
    tiny_language: Path, animals: Samples, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    decoding = Decoding(backend=logged(log), max_new_tokens=6)
    learner = CausalLM(model=str(tiny_language), prompt=Prompt(**PAPER), decoding=decoding)
    first, same = generator(tiny_language, decoding), generator(tiny_language, decoding)
    language = models.find(str(tiny_language))
    next(language.model.parameters()).data[0, 0] += 1
    other = CausalLMGenerator(language, Prompt(**PAPER, max_tokens=24), decoding)
    with keeping():
        for writer in (first, first, pickle.loads(pickle.dumps(same))):
            asked(writer, animals)
        assert len(starts(log)) == 1
        asked(other, animals)
        assert len(starts(log)) == 2
        assert not psutil.pid_exists(starts(log)[0])
        psutil.Process(starts(log)[1]).kill()
        until(lambda: not psutil.pid_exists(starts(log)[1]))
        asked(other, animals)
        assert len(starts(log)) == 3
        learner.fit(animals.select(slice(0)), None, np.random.default_rng(0))
        assert not psutil.pid_exists(starts(log)[2])
        asked(other, animals)
    assert len(starts(log)) == 4
    assert not any(map(psutil.pid_exists, starts(log)))


def test_a_run_of_one_arm_starts_a_server_for_each_model(
    tiny_language: Path, animals: Samples, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    pairs = zip(animals.texts("document"), animals.texts("summary"), strict=True)
    lines = [json.dumps({"document": document, "summary": summary}) for document, summary in pairs]
    (tmp_path / "pairs.jsonl").write_text("\n".join(lines))
    plan = plan_from(
        {
            "rounds": 2,
            "dataset": {"kind": "text", "files": str(tmp_path / "pairs.jsonl"), "start": 0},
            "learner": {
                "kind": "causal_lm",
                "model": str(tiny_language),
                "prompt": {"max_tokens": 24},
                "decoding": {"max_new_tokens": 6, "temperature": 1.0, "backend": logged(log).model_dump()},
                "max_steps": 1,
            },
            "verifier": {"kind": "regex", "pattern": "prompt"},
            "schedule": {"kind": "constant", "n": 8},
            "chunk_size": 2,
            "metrics": ["text_form"],
            "arms": ["verified"],
        }
    )
    records = run(plan, None).records()
    assert [record.counts.kept for record in records] == [0, 8, 8]
    assert len(starts(log)) == 3
    assert not any(map(psutil.pid_exists, starts(log)))


def test_chat_goes_to_the_chat_interface(server: Remote, tiny_language: Path, animals: Samples) -> None:
    (question, *_) = asked(generator(tiny_language, Decoding(backend=server), chat=True), animals)
    assert question["messages"] == [{"role": "user", "content": "Article: A cat walks by. Summary:"}]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "another"}, "refuses: got 'status 404.*no model another.*Check url, model"),
        ({"retries": 0}, "gave no completion .*status 503.*Resume"),
        (
            {"url": "http://127.0.0.1:9/v1", "retries": 1},
            "no connection.*refused.*Start the server",
        ),
    ],
)
def test_a_server_that_refuses_is_one_clear_line(
    server: Remote, tiny_language: Path, animals: Samples, change: dict[str, object], message: str
) -> None:
    decoding = Decoding(max_new_tokens=99, backend=server.model_copy(update=change))
    with pytest.raises(VeriloopError, match=message) as caught:
        asked(generator(tiny_language, decoding), animals, seed=2)
    assert "\n" not in str(caught.value)


def test_an_answer_of_another_kind_is_told(
    server: Remote, tiny_language: Path, animals: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("veriloop.remote.client.KNOWN", {})
    with pytest.raises(VeriloopError, match=r"answered no question.*no completion but.*surprise"):
        asked(generator(tiny_language, Decoding(max_new_tokens=1, backend=server)), animals)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("no-such-program",), "'no-such-program' cannot be started.*Install it"),
        ((sys.executable, "-c", "raise SystemExit('no GPU here')"), "did not start: got 'no GPU here'"),
    ],
)
def test_a_server_that_cannot_start_says_why(
    tiny_language: Path, animals: Samples, command: tuple[str, ...], message: str
) -> None:
    with pytest.raises(VeriloopError, match=message):
        asked(generator(tiny_language, Decoding(backend=Started(command=command))), animals)


def test_a_server_that_hangs_is_ended_with_its_workers(tiny_language: Path) -> None:
    worker = [sys.executable, "-c", "import time; time.sleep(10**6)"]
    code = f"import subprocess, time; subprocess.Popen({worker}); time.sleep(10**6)"
    hanging = Started(command=(sys.executable, "-c", code), start_timeout=2)
    before = set(psutil.Process().children(recursive=True))
    with pytest.raises(VeriloopError, match="did not start"), backends.started(hanging, tiny_language):
        pass
    assert set(psutil.Process().children(recursive=True)) <= before
