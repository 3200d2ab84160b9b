"""Check whether a run folder still holds what the run wrote: all files with digests, and the digests."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..advise import audited, calibrated
from ..errors import CorruptFileError
from .atomic import is_aside
from .chunks import chunk_of
from .digests import LineCheck, as_written, differs, names_below, sha256
from .folder import RunFolder
from .manifest import Manifest
from .reader import MODELS

EXEMPT = frozenset({"report.html", "events.jsonl", "lock", "note.json", "stop"})
"""Files that may change at any time, because nothing is computed from them."""

_PLACE = re.compile(r"round_\d+/[A-Za-z0-9_-]+")
_OWN = frozenset({"manifest.json", "records.jsonl", "records.sha256"})


@dataclass
class Verified:
    """The result of `verify`.

    Attributes:
        has_digests: Whether there is anything to compare with; not in a run of format 1.
        checked: Number of files compared.
        differ: How files differ from what the run wrote, by path in the folder.
        left: Files left by a killed process; the next run removes them.
        others: Files that do not belong to the run and were not checked.
    """

    has_digests: bool = True
    checked: int = 0
    differ: dict[str, str] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def verify(folder: RunFolder) -> Verified:
    """Compare every file of a run with its digest. Reads all of them and changes nothing."""
    found = Verified(has_digests=folder.has_digests())
    if not found.has_digests:
        return found
    manifest = _manifest(folder, found)
    checks = _records(folder, found, finished=manifest is not None and manifest.status == "finished")
    places = {check.place for check in checks}
    whole = _with_models(folder, manifest, places)
    for check in checks:
        _round(folder.path, check, found, check.place not in whole)
    for name, digest in (manifest.files if manifest else {}).items():
        _file(folder.path, name, digest, found)
    findings = list(_findings(folder.path))
    for path in findings:
        with _Noted(folder.path, path, found):
            folder.finding(path)
    known = _OWN | EXEMPT | set(manifest.files if manifest else ())
    for name in names_below(folder.path):
        place = "/".join(name.split("/")[:2])
        if name in known or place in places or folder.path / name in findings:
            continue
        if (chunk := chunk_of(folder.path / name)) is not None:
            found.checked += 1
            if not chunk.is_of((folder.path / name).read_bytes()):
                found.differ[name] = "differs from what the run wrote"
            continue
        left = is_aside(folder.path / name) or name.startswith(".work/") or _PLACE.fullmatch(place)
        (found.left if left else found.others).append(name)
    return found


def _with_models(folder: RunFolder, manifest: Manifest | None, places: set[str]) -> set[str]:
    """Return the places of the rounds whose models are kept; all of them if that is unknown."""
    if manifest is None or manifest.cards.keeps_models == "all":
        return places
    try:
        records = folder.records()
    except CorruptFileError:
        return places
    return {f"round_{round_}/{arm}" for arm, round_ in manifest.cards.with_models(records)}


def _manifest(folder: RunFolder, found: Verified) -> Manifest | None:
    with _Noted(folder.path, folder.path / "manifest.json", found):
        return folder.manifest()
    return None


def _records(folder: RunFolder, found: Verified, finished: bool) -> list[LineCheck]:
    """Compare the records with their digests; return the digests that have a record."""
    checks: list[LineCheck] = []
    with _Noted(folder.path, folder.path / "records.sha256", found):
        checks = folder.line_checks()
    path = folder.path / "records.jsonl"
    *lines, torn = as_written(path.read_bytes()).split(b"\n") if path.exists() else [b""]
    found.checked += path.exists()
    pairs = enumerate(zip(lines, checks, strict=False), 1)
    changed = [number for number, (line, check) in pairs if sha256(line) != check.record]
    if "records.sha256" in found.differ:
        return []
    if changed:
        found.differ["records.jsonl"] = f"line {changed[0]} differs from what the run wrote"
    elif len(lines) > len(checks):
        found.differ["records.sha256"] = f"has {len(checks)} lines, but records.jsonl has {len(lines)}"
    elif len(lines) + (not finished) < len(checks) or (finished and torn):
        found.differ["records.jsonl"] = f"has {len(lines)} lines, but records.sha256 has {len(checks)}"
    return checks if changed else checks[: len(lines)]


def _round(path: Path, check: LineCheck, found: Verified, without_models: bool) -> None:
    directory = path / check.place
    if not _PLACE.fullmatch(check.place):
        found.differ["records.sha256"] = f"does not name a round: {check.place}"
        return
    for name, digest in check.files.items():
        if without_models and name.partition("/")[0] in MODELS:
            continue
        _file(path, f"{check.place}/{name}", digest, found)
    for name in names_below(directory):
        if name not in check.files:
            found.differ[f"{check.place}/{name}"] = "is not a file of this round"


def _file(path: Path, name: str, digest: str, found: Verified) -> None:
    found.checked += 1
    if (why := differs(path / name, digest)) is not None:
        found.differ[name] = why


def _findings(path: Path) -> Iterator[Path]:
    for name in (audited.FOLDER, calibrated.FOLDER):
        yield from sorted((path / name).glob("*.json"))


class _Noted:
    """Records anything that cannot be read inside the block as a file that differs."""

    def __init__(self, root: Path, path: Path, found: Verified) -> None:
        self._name, self._found = path.relative_to(root).as_posix(), found
        found.checked += 1

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, CorruptFileError | json.JSONDecodeError):
            self._found.differ[self._name] = "differs from what the run wrote"
            return True
        return False
