"""Real servers on loopback, a real browser, and a run of digits that waits for people."""

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import uvicorn

from veriloop.cards import ArmCard, Brief, RunCard
from veriloop.config import plan_from
from veriloop.loop import run
from veriloop.samples import Samples
from veriloop.store.folder import RunFolder
from veriloop.store.manifest import Manifest
from veriloop.verifiers.human.content import content_keys
from veriloop.verifiers.human.database import open_database
from veriloop.verifiers.human.desk import Desk, Remark
from veriloop.verifiers.human.store import KnownSamples, Store
from veriloop.web.app import create_app
from veriloop.web.security import Tokens
from veriloop.web.server import listen

from ..patience import HOUR, until

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip

Serve = Callable[..., str]


@contextmanager
def _serving(folder: Path, token: str | None = None, judge_token: str | None = None) -> Iterator[str]:
    tokens = Tokens(token, judge_token)
    listening = listen("127.0.0.1", 0, tokens)
    config = uvicorn.Config(
        create_app(folder, tokens),
        log_level="warning",
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=1,
        timeout_keep_alive=int(HOUR),  # a slow test must not meet a connection that is being closed
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    until(lambda: server.started or not thread.is_alive())
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@pytest.fixture(scope="session")
def serve() -> Iterator[Serve]:
    """Starts the page over a folder, in this process; gives its address."""
    with ExitStack() as running:
        yield lambda *a, **k: running.enter_context(_serving(*a, **k))


@pytest.fixture(scope="module")  # two of Playwright at a time, this one and the report's, would not start
def browser() -> Iterator[object]:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as chromium:
        browser = chromium.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser):
    """Open an address in a separate context; fail if the page reports an error."""
    contexts, noise = [], []

    def open_(address: str, **options: Any) -> Any:
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.set_default_timeout(1000 * HOUR)  # milliseconds
        # A script that types before the page has given its field the focus is told so; people are slower.
        page.on("console", lambda m: None if m.text.startswith("Autofocus") else noise.append(m.text))
        page.on("pageerror", lambda error: noise.append(str(error)))
        page.goto(address, wait_until="commit")
        return page

    open_.noise = noise  # pyright: ignore[reportFunctionMemberAccess]
    yield open_
    for context in contexts:
        context.close()
    assert noise == []


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    """A client with separate cookies."""
    with httpx.Client(timeout=HOUR) as client:
        yield client


def people_config(store: str, samples: int, **verifier: object) -> dict:
    """A run of one round on the digits whose candidates people judge."""
    return {
        "rounds": 1,
        "dataset": {"kind": "digits", "start": 100},
        "learner": {"kind": "cvae", "levels": 16, "latent_dim": 4, "channels": [4, 8], "epochs": 2},
        "verifier": {"kind": "human", "store": store, **verifier},
        "acceptance": "accept_all",
        "schedule": {"kind": "constant", "n": samples},
        "max_candidates": samples,
        "on_exhausted": "train_with_fewer",
        "metrics": ["nelbo"],
        "evaluation_samples": 100,
        "chunk_size": 100,
        "arms": ["verified", "unverified"],
    }


def write_run(folder: Path, store: str, brief: Brief | None = None) -> None:
    """The folder of a run that asks people, and has done nothing yet."""
    arm = ArmCard(last_round=1, verdict_stores=(store,), brief=brief)
    RunFolder(folder).write_manifest(Manifest(config={}, seed=0, cards=RunCard(arms={"verified": arm})))


class People:
    """Runs that wait for people, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.runs, self.store = folder / "runs", f"sqlite:///{folder}/verdicts.db"

    def run(self, samples: int, **verifier: object) -> Path:
        """Start a run, or go on with it; it stands in ``runs/digits``."""
        plan = plan_from(people_config(self.store, samples, **verifier))
        return run(plan, self.runs / "digits", resume="if-possible").path


@pytest.fixture
def people(tmp_path: Path) -> Iterator[People]:
    people = People(tmp_path)
    yield people
    open_database(people.store).close()


@pytest.fixture(scope="session")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    """A run whose 30 samples wait for two verdicts each; for tests that judge none, or few."""
    people = People(tmp_path_factory.mktemp("waiting"))
    people.run(30, annotators_per_sample=2, known=4)
    yield people
    open_database(people.store).close()


@pytest.fixture(scope="session")
def page(serve: Serve, waiting: People) -> str:
    """The address of the page over `waiting`, without a token."""
    return serve(waiting.runs)


@pytest.fixture(scope="session")
def queue(page: str) -> str:
    """The address of the queue of `waiting`."""
    listed = httpx.get(f"{page}/judge", timeout=HOUR).text
    return page + listed.split('action="')[1].split('"')[0]


PLANTED = {"Ann <b>A</b>": (0.95, 0.9), "Bob": (0.9, 0.3), "Cyd": (0.8, 0.8)}
"""Sensitivity and specificity."""


@pytest.fixture
def judged(tmp_path):
    """A folder with a run whose known samples three people have judged."""
    url, rng = f"sqlite:///{tmp_path}/verdicts.db", np.random.default_rng(3)
    write_run(tmp_path / "runs" / "some", url)
    some = Samples(number=np.arange(200.0))
    good, bad = some.select(slice(0, 80)), some.select(slice(80, 160))
    Store(url).post(some.select(slice(160, None)), KnownSamples(good, bad, 1.0), wanted=3, queue=99)
    desk = Desk(url)
    for name, (sensitivity, specificity) in PLANTED.items():
        for part, accepts in ((good, sensitivity), (bad, 1 - specificity)):
            for key, says_yes in zip(content_keys(part), rng.random(80) < accepts, strict=True):
                desk.record(name, key, "accept" if says_yes else "reject", Remark(seconds=2.0))
    yield tmp_path / "runs"
    open_database(url).close()
