"""Pages of the site that no Markdown file below docs/ holds, and links that leave docs/.

mkdocs calls `on_files` and `on_page_markdown`. Tutorials are percent scripts: plain Python files in which the
line ``# %%`` begins a cell of code and ``# %% [markdown]`` a cell of text. What the cells printed lies beside
each script, written by ``python tests/docs/run_tutorials.py --keep``.
"""

import json
import os
import re
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
FROM_ROOT = ("CHANGELOG", "CONTRIBUTING", "LOG", "SECURITY")
"""Markdown files of the root that are pages of the section `project`."""

Cell = tuple[bool, str]
"""Whether it is text, and its source."""


def cells(script: str) -> list[Cell]:
    """The cells of a percent script, in order; what stands before the first one is left out."""
    found = []
    for cell in re.split(r"^# %%", script, flags=re.MULTILINE)[1:]:
        kind, _, body = cell.partition("\n")
        text = "[markdown]" in kind
        found.append((text, re.sub(r"^# ?", "", body, flags=re.MULTILINE).strip() if text else body.strip()))
    return found


def tutorial(path: Path) -> str:
    """The page of a percent script, with what its cells printed."""
    kept = path.with_suffix(".json")
    printed = iter(json.loads(kept.read_text()) if kept.exists() else [])
    parts = []
    for text, source in cells(path.read_text()):
        parts.append(source if text else f"```python\n{source}\n```")
        if not text and (output := next(printed, "").rstrip()):
            parts.append(f"```{{.text .output}}\n{output}\n```")
    script = f'<a href="{path.name}" download>{path.name}</a>'
    parts.insert(
        1, f"*This page is a script: {script}. Run it with `python {path.name}` in an empty folder.*"
    )
    return "\n\n".join(parts)


def sources() -> dict[str, Path]:
    """The pages that are made here, and what each is made of."""
    made = {f"project/{name.lower()}.md": ROOT / f"{name}.md" for name in FROM_ROOT}
    for readme in sorted((ROOT / "recipes").rglob("README.md")):
        folder = readme.parent.relative_to(ROOT).as_posix()
        whole = any(readme.parent.glob("*/README.md"))
        made[f"{folder}/index.md" if whole else f"{folder}.md"] = readme
    for script in sorted((ROOT / "docs" / "tutorials").glob("*.py")):
        made[f"tutorials/{script.stem}.md"] = script
    return made


SOURCES = sources()
PAGE_OF = {path: page for page, path in SOURCES.items()}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made here."""
    for page, path in SOURCES.items():
        if files.get_file_from_path(page) is not None:
            continue  # a page of docs/ stands in its place
        content = tutorial(path) if path.suffix == ".py" else path.read_text()
        files.append(File.generated(config, page, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links to files of the project lead to their pages; a file that has none goes along with the site."""
    here = page.file.src_uri
    written = ROOT / "docs" / here
    folder = (written if written.exists() else SOURCES[here]).parent

    def follow(link: re.Match[str]) -> str:
        target, hash_, anchor = link[1].partition("#")
        path = Path(os.path.normpath(folder / target))
        if not target or ":" in target or not path.is_file():
            return link[0]
        if path in PAGE_OF:
            uri = PAGE_OF[path]
        elif path.is_relative_to(ROOT / "docs"):
            uri = path.relative_to(ROOT / "docs").as_posix()
        else:
            uri = f"files/{path.relative_to(ROOT).as_posix()}"
            if files.get_file_from_path(uri) is None:
                files.append(File.generated(config, uri, abs_src_path=str(path)))
        return f"]({os.path.relpath(uri, PurePosixPath(here).parent)}{hash_}{anchor})"

    return re.sub(r"\]\(([^)\s]+)\)", follow, markdown)
