"""Every fenced block of the documents is run, checked or marked as output."""

import os
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .blocks import PAGES, ROOT, TUTORIALS, Block, blocks_of, fences
from .material import prepare
from .session import Session, check_command

LONG = "VERILOOP_LONG_BLOCKS" in os.environ
"""Whether the blocks marked as long are run too; `tests/docs/run_blocks.py` sets it."""

WITH_BLOCKS = [page for page in [*PAGES, *TUTORIALS] if any(blocks_of(page))]


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.fixture
def session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Callable[[Path], Session]]:
    opened = []

    def open_(page: Path) -> Session:
        opened.append(Session(tmp_path, monkeypatch, lambda: "".join(capfd.readouterr())))
        prepare(name(page), tmp_path)
        return opened[0]

    yield open_
    for session in opened:
        session.close()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_block_is_found(page: Path):
    assert sum(1 for _ in blocks_of(page)) == fences(page)


@pytest.mark.parametrize("page", WITH_BLOCKS, ids=name)
def test_commands_that_are_not_run_are_right(page: Path):
    for block in blocks_of(page):
        if block.mark in ("needs", "long") and block.language in ("", "console"):
            for command in block.commands():
                if shlex.split(command, comments=True):
                    check_command(command)


def to_run(page: Path) -> list[Block]:
    """The blocks of a page that are run now; none where a long page is left for `make test-long`."""
    found = [block for block in blocks_of(page) if block.mark in ("", "long")]
    return found if LONG else [block for block in found if block.mark == ""]


@pytest.mark.parametrize("page", [page for page in WITH_BLOCKS if to_run(page)], ids=name)
def test_blocks_run(page: Path, session: Callable[[Path], Session]):
    opened = session(page)
    for block in to_run(page):
        opened.run(block)
