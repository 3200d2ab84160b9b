"""What a run depends on outside its configuration: data files, model folders, the user's functions and parts.

The digest of each stands in the manifest. A resume that meets another one would go on with other data or with
another verifier than the rounds before, so it is refused unless the change is accepted.
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
"""Stands for the digest of what is not there."""


def sources_of(plan: Plan) -> dict[str, Path]:
    """The files and folders outside ``plan`` that its results depend on, by a name for people.

    They are what its parts name, parts of parts included, and the modules of parts that are no entry points
    of an installed package. The executor's are left out: results do not depend on it.
    """
    found: dict[str, Path] = {}
    for part in _parts(plan.model_copy(update={"executor": None})):
        found |= seam.sources(part)
        found |= {f"module {name}": file for name, file in _modules(type(part))}
    return found


def downloads_of(plan: Plan) -> tuple[str, ...]:
    """What a run of ``plan`` would fetch from the network, in words."""
    found = (seam.downloads(part) for part in _parts(plan))
    return tuple(dict.fromkeys(what for what in found if what))


def _modules(part: type[Part]) -> Iterator[tuple[str, Path]]:
    """The modules of the user's own that define ``part`` and what it is made of, and their files."""
    for base in part.__mro__:
        name = base.__module__
        theirs = issubclass(base, Part) and name.partition(".")[0] != "veriloop" and not registered(base)
        # A script or notebook is no part of the run, though it may define parts to try.
        file = getattr(sys.modules.get(name), "__file__", None) if theirs and name != "__main__" else None
        if file is not None:
            yield name, Path(file)


def _parts(value: object) -> Iterator[Part]:
    """All parts in ``value``, however deep in its fields."""
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
    """The digest of each of `sources_of`, by the same name.

    Raises:
        DataError: One cannot be read.
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
    """What has changed on which the run in ``folder`` depends.

    Of a run without digests, which is of an earlier version, nothing is known; to a finished one nothing is
    added.

    Args:
        folder: Of a run with records.
        plan: Its plan.
        accept: Whether to go on with what has changed.

    Raises:
        RunFolderError: Something has changed, and ``accept`` is false.
    """
    manifest = folder.manifest()
    old = manifest.digests
    if not old or manifest.status == "finished":
        return ()
    new = digests_of(plan)
    changed = [name for name in old if new.get(name, MISSING) != old[name]]
    if changed and not accept:
        gone = [name for name in changed if new.get(name, MISSING) == MISSING]
        what = "is not there any more" if gone == changed else "has changed since the run began"
        raise RunFolderError(
            f"{', '.join(changed)} {what}, and the rounds in {folder.path} depend on it",
            fix="restore it, start anew in another --out, or go on all the same with --accept-changes",
        )
    done = {arm: max((r.round for r in folder.records() if r.arm == arm), default=-1) for arm in plan.arms}
    behind = min((n for arm, n in done.items() if n < plan.last_round(arm)), default=plan.rounds)
    return tuple(
        Change(round=behind + 1, name=name, old=old[name], new=new.get(name, MISSING)) for name in changed
    )


def check_unchanged(folder: RunFolder, plan: Plan, round_: int) -> None:
    """Refuse to make candidates of a round again of other data, or by other code, than they were made of.

    Args:
        folder: Of the run. One without digests is of an earlier version; of it nothing is known.
        plan: Its plan.
        round_: A finished round.

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
            f"candidates of round {round_} in {folder.path} cannot be made again as they were",
            got=f"{', '.join(changed)} changed, or is gone",
            fix="restore it; a run with keep_candidates: true needs nothing made again",
        )


def note_changes(folder: RunFolder, changes: tuple[Change, ...]) -> None:
    """Write accepted ``changes`` into the manifest, so that its rounds can be told apart."""
    if changes:
        manifest = folder.manifest()
        digests = manifest.digests | {change.name: change.new for change in changes}
        noted = {"digests": digests, "changes": (*manifest.changes, *changes)}
        folder.write_manifest(manifest.model_copy(update=noted))
