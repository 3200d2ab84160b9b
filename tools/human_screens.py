"""The two screens of docs/guide/human.md: a digit on the card, and how people judge.

    python tools/human_screens.py

Makes a small run that asks people, gives some verdicts in the names of three of them, and takes pictures of
the pages with Chromium, docs/figures/human-phone.png and docs/figures/human-people.png. It needs playwright
and a Chromium.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, sync_playwright

from veriloop.config import plan_from
from veriloop.loop import run
from veriloop.verifiers.human.desk import Desk, Remark
from veriloop.verifiers.human.store import Store

FIGURES = Path(__file__).parents[1] / "docs" / "figures"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

PEOPLE = {"Ada": (0.97, 0.95, 1.6), "Ben": (0.9, 0.8, 2.4), "Cleo": (0.95, 0.3, 0.9)}
"""How often each accepts a good digit and rejects a bad one, and the median seconds that they take."""


def plan_of(store: str) -> dict:
    """Three people judge each of 60 digits."""
    return {
        "rounds": 1,
        "dataset": {"kind": "digits", "start": 400},
        "learner": {
            "kind": "cvae",
            "latent_dim": 3,
            "channels": [16, 32],
            "kernel": 2,
            "epochs": 80,
            "batch_size": 64,
            "learning_rate": 0.005,
            "schedule": "cosine",
            "patience": None,
        },
        "verifier": {
            "kind": "human",
            "store": store,
            "annotators_per_sample": 4,
            "known": 60,
            "question": "Is this the digit that its label says?",
            "guidelines": "Yes if you would read it so without the label.\n\nNo if it is another one.",
        },
        "acceptance": "accept_all",
        "schedule": {"kind": "constant", "n": 60},
        "max_candidates": 60,
        "on_exhausted": "train_with_fewer",
        "metrics": ["nelbo"],
        "evaluation_samples": 100,
    }


def judge(store: str) -> None:
    """All verdicts of `PEOPLE`; what they say of made digits follows the digit, so that they mostly agree."""
    rng, desk = np.random.default_rng(0), Desk(store)
    truth = {posted.key: posted.truth for posted in Store(store).everything()}
    for name, (sensitivity, specificity, seconds) in PEOPLE.items():
        while tasks := desk.take(name, 10):
            for task in tasks:
                good = truth[task.key] == "accept" if truth[task.key] else int(task.key, 16) % 4 > 0
                says_yes = rng.random() < (sensitivity if good else 1 - specificity)
                took = seconds * float(rng.lognormal(0, 0.4))
                desk.record(name, task.key, "accept" if says_yes else "reject", Remark(seconds=took))


def shoot(browser: Browser, page: str, address: str, ready: str, to: Path, **look: object) -> None:
    """A picture of a page, once ``ready`` is there."""
    context = browser.new_context(**look)  # pyright: ignore[reportArgumentType]
    view = context.new_page()
    view.goto(page + address)
    view.wait_for_selector(ready)
    view.screenshot(path=to)
    context.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--to", type=Path, default=FIGURES, help="the folder of the pictures")
    to: Path = parser.parse_args().to
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        store = f"sqlite:///{folder}/verdicts.db"
        run(plan_from(plan_of(store)), Path(folder) / "runs" / "digits")
        judge(store)
        server = subprocess.Popen(
            [sys.executable, "-u", "-m", "veriloop", "serve", f"{folder}/runs", "--port", "0"],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert server.stdout is not None
            page = server.stdout.readline().split(" on ")[1].split("/ ")[0]
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            (queue,) = _queues(browser, page)
            phone = {
                "viewport": {"width": 390, "height": 780},
                "color_scheme": "dark",
                "device_scale_factor": 1.5,
            }
            card, table = f"{queue}?annotator=Dora", "table.people"
            shoot(browser, page, card, "#picture img", to / "human-phone.png", **phone)
            desktop = {"viewport": {"width": 1280, "height": 620}, "color_scheme": "light"}
            shoot(browser, page, "/people", table, to / "human-people.png", **desktop)
            browser.close()
        finally:
            server.kill()
            server.wait()


def _queues(browser: Browser, page: str) -> list[str]:
    view = browser.new_page()
    view.goto(f"{page}/judge")
    found = [form.get_attribute("action") or "" for form in view.query_selector_all("form.choice")]
    view.close()
    return found


if __name__ == "__main__":
    main()
