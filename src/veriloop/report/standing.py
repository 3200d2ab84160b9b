"""How a run stands: as its manifest says, but for one that says "running" when nobody runs it."""

import shlex
from datetime import UTC, datetime
from typing import NamedTuple

from ..store.folder import RunFolder
from ..store.heartbeat import holder_of
from ..store.manifest import Manifest
from .summary import by_arm

DIED = "died"


class Standing(NamedTuple):
    """How a run stands.

    Attributes:
        status: That of the manifest, or ``died``.
        line: Why it stopped, failed or waits, or where it died; empty where there is nothing to say.
        command: What goes on with it, quoted for the shell; empty where nothing needs to.
    """

    status: str
    line: str = ""
    command: str = ""

    @property
    def sentence(self) -> str:
        """Line and command for people, in one line."""
        if not self.line or not self.command:
            return self.line
        return f"{self.line}; go on with: {self.command}"


def standing(folder: RunFolder) -> Standing:
    """How the run in ``folder`` stands. Writes nothing, and may be asked of a read-only folder.

    Raises:
        CorruptFileError: The manifest or a record cannot be read.
    """
    manifest = folder.manifest()
    if manifest.status == "running":
        holder = holder_of(folder.path)
        # One that ended after its manifest was read has no holder either.
        manifest = folder.manifest()
        if manifest.status == "running" and not holder.alive:
            when = _last_sign(folder, holder.seen)
            line = f"{DIED} {_where(folder, manifest)}{_at(when)}"
            return Standing(DIED, line, resume_command(folder))
    goes_on = manifest.status in ("waiting", "stopped", "failed")
    return Standing(manifest.status, manifest.reason or "", resume_command(folder) if goes_on else "")


def resume_command(folder: RunFolder) -> str:
    """The command that goes on with a run, quoted for the shell."""
    return shlex.join(["veriloop", "resume", str(folder.path)])


def rounds_done(folder: RunFolder, manifest: Manifest) -> int:
    """The last round that all arms have finished, but for bounds and for those that ended early."""
    cards = manifest.cards
    chains = by_arm(folder.records(), cards.arms)
    last = {
        arm: chains[arm][-1].round if arm in chains else 0 for arm in cards.arms if arm not in cards.bounds
    }
    going = [done for arm, done in last.items() if arm not in manifest.stopped_arms]
    return min(going) if going else max(last.values(), default=0)


def _where(folder: RunFolder, manifest: Manifest) -> str:
    if not folder.records():
        return "while the start model was made"
    under_way = rounds_done(folder, manifest) + 1
    return f"in round {under_way}" if under_way <= manifest.cards.rounds else "after its last round"


def _last_sign(folder: RunFolder, beat: datetime | None) -> datetime | None:
    times = [datetime.fromtimestamp(event.at, UTC) for event in folder.last_events()[-1:]]
    return max([*times, *([beat] if beat else [])], default=None)


def _at(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone(UTC).strftime(" at %H:%M UTC on %-d %B %Y")
