"""The fenced blocks of the documents, and how each of them is tried.

A block is run, unless the line before it says otherwise:

    <!-- output -->          what something printed, or how something looks; nothing to run
    <!-- long -->            run by `make test-long` only
    <!-- needs: A GPU -->    never run here; its commands are checked against the command line's options

The blocks of a page are one session: they run in order, in one folder. A block whose first line names a file
(``# ring.py``) is that file.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES += sorted((ROOT / "recipes").rglob("README.md"))
TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.py"))

Mark = Literal["output", "long", "needs", ""]
_FENCE = re.compile(
    r"(?:^<!-- (?P<mark>output|long|needs: [^\n]+?) -->\n)?^```(?P<language>[^\n]*)\n(?P<code>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
_NAMED = re.compile(r"# ([\w.-]+\.(?:py|yaml|toml))(, continued)?\b.*\n")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: The document that it is in.
        line: Of its fence.
        language: As written; none for commands.
        code: Its text.
        mark: How it is tried, if not as usual.
    """

    page: Path
    line: int
    language: str
    code: str
    mark: Mark

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def file(self) -> str | None:
        """The file that it is; None for most."""
        named = _NAMED.match(self.code)
        return named[1] if named else None

    @property
    def continues(self) -> bool:
        """Whether it goes on with a file of an earlier block."""
        named = _NAMED.match(self.code)
        return bool(named and named[2])

    def commands(self) -> list[str]:
        """Its shell commands, each on one line; of a ``console`` block those after ``$``."""
        text = self.code.replace("\\\n", " ")
        lines = [line.strip() for line in text.splitlines()]
        if any(line.startswith("$ ") for line in lines):
            lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        return [line for line in lines if line and not line.startswith("#")]


def blocks_of(page: Path) -> Iterator[Block]:
    """The blocks of a Markdown file, or of the text cells of a tutorial, in order."""
    text = page.read_text()
    if page.suffix == ".py":
        lines = text.splitlines()
        text = "\n".join(re.sub(r"^# ?", "", line) if line.startswith("#") else "" for line in lines)
    for found in _FENCE.finditer(text):
        line = text.count("\n", 0, found.start("code"))
        mark = (found["mark"] or "").partition(":")[0]
        yield Block(page, line, found["language"].strip(), found["code"], mark)  # pyright: ignore[reportArgumentType]


def fences(page: Path) -> int:
    """How many fences open a block, by a plain count."""
    return sum(line.startswith("```") for line in page.read_text().splitlines()) // 2
