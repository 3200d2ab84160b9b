"""What a run depends on outside its configuration: data files, model folders, user functions and parts.

The manifest holds the digest of each. If one has changed, a resume would mix results from different data or
verifiers, so it is refused unless the change is accepted.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..errors import DataError, RunFolderError
from ..fitted import digest_of
from ..parts import Checked, Part, registered
from ..store.folder import RunFolder
from ..store.manifest import Change
from . import seam
from .plan import Plan

MISSING = "missing"
"""Stands for the digest of a missing file."""


def sources_of(plan: Plan) -> dict[str, Path]:
    """Return the files and folders outside ``plan`` that its results depend on, by a readable name.

    These are named by its parts, including nested ones, or are modules that define parts without being entry
    points of an installed package. The executor is ignored, because results do not depend on it.
    """
    found: dict[str, Path] = {}
    for part in _parts(plan.model_copy(update={"executor": None})):
        found |= seam.sources(part)
        found |= {f"module {name}": file for name, file in _modules(type(part))}
    return found


def downloads_of(plan: Plan) -> tuple[str, ...]:
    """Describe what a run of ``plan`` would download."""
    found = (seam.downloads(part) for part in _parts(plan))
    return tuple(dict.fromkeys(what for what in found if what))


def _modules(part: type[Part]) -> Iterator[tuple[str, Path]]:
    """Yield the user's modules that define ``part`` and its components, with their files."""
    for base in part.__mro__:
        name = base.__module__
        theirs = issubclass(base, Part) and name.partition(".")[0] != "veriloop" and not registered(base)
        # A script or notebook is not part of the run, even if it defines parts.
        file = getattr(sys.modules.get(name), "__file__", None) if theirs and name != "__main__" else None
        if file is not None:
            yield name, Path(file)


def _parts(value: object) -> Iterator[Part]:
    """Yield all parts in ``value``, at any depth of its fields."""
    if isinstance(value, Part):
        yield value
    inner: list[object] = []
    if isinstance(value, Checked):
        inner = list(value.__dict__.values())
    elif isinstance(value, Mapping):
        inner = list(value.values())
    elif isinstance(value, list | tuple | set | frozenset):
        inner = list(value)
    for item in inner:
        yield from _parts(item)


def digests_of(plan: Plan) -> dict[str, str]:
    """Return the digest of each of `sources_of`, by the same name.

    Raises:
        DataError: A file cannot be read.
    """
    return {name: _digest(name, path) for name, path in sources_of(plan).items()}


def _digest(name: str, path: Path) -> str:
    if not path.exists():
        return MISSING
    try:
        return digest_of(path)
    except OSError as e:
        raise DataError(f"cannot read {name}: {e.strerror or e}", fix="check its permissions") from e


def changes_since(folder: RunFolder, plan: Plan, accept: bool) -> tuple[Change, ...]:
    """Return what has changed among the things that the run in ``folder`` depends on.

    Nothing is known about a run without digests, from an earlier version; a finished run is never continued.

    Args:
        folder: Folder of a run with records.
        plan: Plan of the run.
        accept: Whether to continue despite changes.

    Raises:
        RunFolderError: Something has changed and ``accept`` is false.
    """
    manifest = folder.manifest()
    old = manifest.digests
    if not old or manifest.status == "finished":
        return ()
    new = digests_of(plan)
    changed = [name for name in old if new.get(name, MISSING) != old[name]]
    if changed and not accept:
        gone = [name for name in changed if new.get(name, MISSING) == MISSING]
        what = "no longer exists" if gone == changed else "has changed since the run started"
        raise RunFolderError(
            f"{', '.join(changed)} {what}, and the rounds in {folder.path} depend on it",
            fix="restore it, start a new run in another --out, or continue with --accept-changes",
        )
    done = {arm: max((r.round for r in folder.records() if r.arm == arm), default=-1) for arm in plan.arms}
    behind = min((n for arm, n in done.items() if n < plan.last_round(arm)), default=plan.rounds)
    return tuple(
        Change(round=behind + 1, name=name, old=old[name], new=new.get(name, MISSING)) for name in changed
    )


def check_unchanged(folder: RunFolder, plan: Plan, round_: int) -> None:
    """Refuse to make a round's candidates again if its data or code have changed.

    Args:
        folder: Run folder. Nothing is known about one without digests, from an earlier version.
        plan: Plan of the run.
        round_: Number of a finished round.

    Raises:
        RunFolderError: Something has changed since that round.
    """
    manifest = folder.manifest()
    then = dict(manifest.digests)
    for change in reversed(manifest.changes):
        if change.round > round_:
            then[change.name] = change.old
    now = digests_of(plan) if then else {}
    if changed := [name for name in then if now.get(name, MISSING) != then[name]]:
        raise RunFolderError(
            f"the candidates of round {round_} in {folder.path} cannot be reproduced",
            got=f"{', '.join(changed)} changed or missing",
            fix="restore it; a run with keep_candidates: true stores its candidates",
        )


def note_changes(folder: RunFolder, changes: tuple[Change, ...]) -> None:
    """Write accepted ``changes`` to the manifest, so that rounds before and after can be told apart."""
    if changes:
        manifest = folder.manifest()
        digests = manifest.digests | {change.name: change.new for change in changes}
        noted = {"digests": digests, "changes": (*manifest.changes, *changes)}
        folder.write_manifest(manifest.model_copy(update=noted))
