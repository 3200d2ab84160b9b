"""The manifest of a run: its configuration, and the environment it ran in."""

import json
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..cards import RunCard

Status = Literal["running", "waiting", "finished", "stopped", "failed"]

Format = Literal[1, 2]
FORMAT: Format = 2
"""Format of the manifests that are written."""

_PACKAGES = ("veriloop", "numpy", "scipy", "pydantic", "torch", "transformers", "scikit-learn")


class Change(BaseModel):
    """A file that changed in the course of a run, where the change was accepted.

    Attributes:
        round: First round that may depend on the new content; earlier ones depend on the old one.
        name: Name of the file, as in ``Manifest.digests``.
        old: Digest before the change.
        new: Digest after the change.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    round: int
    name: str
    old: str
    new: str


class Manifest(BaseModel):
    """The content of ``manifest.json``.

    Attributes:
        format: Format of the file. Format 1 is read but never written, and its runs cannot be continued.
        config: The whole checked configuration with defaults: enough to run it again. Readers of a run use
            its cards.
        cards: Description of the run: its arms, quantities and columns.
        settled: Learner settings left open in the plan, as chosen by a trial on the first machine; a resume
            keeps them.
        digests: SHA-256 of files and folders outside the configuration that results depend on, by name.
        files: SHA-256 of files of the run folder that belong to no round, by name.
        seed: Seed of the run, also in ``config``.
        versions: Versions of Python and of the packages that results depend on.
        git_revision: Revision of the working directory when the run started, with "+changes" if it was not
            clean; None outside a repository.
        status: Status of the run; ``waiting`` means that people have to judge.
        reason: Why the run stopped or failed.
        stopped_arms: Arms that ended early, with the reason.
        changes: Accepted changes since the run started.
        created: Time when the run started, UTC, ISO 8601.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    format: Format = FORMAT
    config: dict[str, Any]
    seed: int
    cards: RunCard = RunCard()
    settled: dict[str, Any] = {}
    digests: dict[str, str] = {}
    files: dict[str, str] = {}
    versions: dict[str, str] = Field(default_factory=lambda: package_versions())
    git_revision: str | None = Field(default_factory=lambda: git_revision())
    status: Status = "running"
    reason: str | None = None
    stopped_arms: dict[str, str] = {}
    changes: tuple[Change, ...] = ()
    created: str = Field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))


def package_versions() -> dict[str, str]:
    """Return the versions of Python and of the installed packages that results depend on."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def git_revision() -> str | None:
    """Return the revision of the repository in the working directory, if it has a commit."""

    def git(*args: str) -> str | None:
        """Return what a git command prints, or None if it fails."""
        try:
            done = subprocess.run(["git", *args], capture_output=True, text=True, timeout=10, check=True)
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    revision = git("rev-parse", "HEAD")
    return f"{revision}+changes" if revision and git("status", "--porcelain") else revision


def config_difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return one text for each setting that differs: ``path: old -> new``."""
    flat_old, flat_new = flattened(old), flattened(new)
    return [
        f"{path}: {json.dumps(flat_old.get(path))} -> {json.dumps(flat_new.get(path))}"
        for path in sorted({*flat_old, *flat_new})
        if flat_old.get(path) != flat_new.get(path)
    ]


def flattened(value: Any, path: str = "") -> dict[str, Any]:
    """Flatten nested settings to a plain value per path, such as ``learner.epochs`` or ``metrics.0.kind``."""
    items: Any = None
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    if items is None:
        return {path: value}
    flat: dict[str, Any] = {}
    for key, inner in items:
        flat.update(flattened(inner, f"{path}.{key}" if path else str(key)))
    return flat


def find_run_folders(root: Path) -> list[Path]:
    """Return the run folders at ``root`` and directly below it, by name."""
    candidates = [root, *sorted(p for p in root.iterdir() if p.is_dir())] if root.is_dir() else []
    return [p for p in candidates if (p / "manifest.json").is_file()]
