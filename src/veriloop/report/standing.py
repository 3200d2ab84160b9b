"""The status of a run: that of its manifest, unless it says "running" and no process runs it."""

import shlex
from datetime import UTC, datetime
from typing import NamedTuple

from ..store.folder import RunFolder
from ..store.heartbeat import holder_of
from ..store.manifest import Manifest
from .summary import by_arm

DIED = "died"


class Standing(NamedTuple):
    """The status of a run.

    Attributes:
        status: Status in the manifest, or ``died``.
        line: Why it stopped, failed or waits, or where it died; empty if there is nothing to say.
        command: Command that continues it, quoted for the shell; empty if none is needed.
    """

    status: str
    line: str = ""
    command: str = ""

    @property
    def sentence(self) -> str:
        """Line and command in one sentence."""
        if not self.line or not self.command:
            return self.line
        return f"{self.line}; continue with: {self.command}"


def standing(folder: RunFolder) -> Standing:
    """Return the status of the run in ``folder``. Writes nothing, so the folder may be read-only.

    Raises:
        CorruptFileError: The manifest or a record cannot be read.
    """
    manifest = folder.manifest()
    if manifest.status == "running":
        holder = holder_of(folder.path)
        # A run that ended after its manifest was read has no lock holder either.
        manifest = folder.manifest()
        if manifest.status == "running" and not holder.alive:
            when = _last_sign(folder, holder.seen)
            line = f"{DIED} {_where(folder, manifest)}{_at(when)}"
            return Standing(DIED, line, resume_command(folder))
    goes_on = manifest.status in ("waiting", "stopped", "failed")
    return Standing(manifest.status, manifest.reason or "", resume_command(folder) if goes_on else "")


def resume_command(folder: RunFolder) -> str:
    """Return the command that continues a run, quoted for the shell."""
    return shlex.join(["veriloop", "resume", str(folder.path)])


def rounds_done(folder: RunFolder, manifest: Manifest) -> int:
    """Return the last round that all arms have finished, except bounds and arms that ended early."""
    cards = manifest.cards
    chains = by_arm(folder.records(), cards.arms)
    last = {
        arm: chains[arm][-1].round if arm in chains else 0 for arm in cards.arms if arm not in cards.bounds
    }
    going = [done for arm, done in last.items() if arm not in manifest.stopped_arms]
    return min(going) if going else max(last.values(), default=0)


def _where(folder: RunFolder, manifest: Manifest) -> str:
    if not folder.records():
        return "while training the start model"
    under_way = rounds_done(folder, manifest) + 1
    return f"in round {under_way}" if under_way <= manifest.cards.rounds else "after its last round"


def _last_sign(folder: RunFolder, beat: datetime | None) -> datetime | None:
    times = [datetime.fromtimestamp(event.at, UTC) for event in folder.last_events()[-1:]]
    return max([*times, *([beat] if beat else [])], default=None)


def _at(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone(UTC).strftime(" at %H:%M UTC on %-d %B %Y")
