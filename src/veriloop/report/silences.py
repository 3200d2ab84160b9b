"""Where a run's candidates were not told apart: what its events say of it, with some of the candidates."""

from ..events import VerifierSilent
from ..store.folder import RunFolder


def silences(folder: RunFolder) -> list[VerifierSilent]:
    """The last sign of each kind of each round, in the order in which they came."""
    found: dict[tuple[str, int, str], VerifierSilent] = {}
    for event in folder.events()[0]:
        if isinstance(event, VerifierSilent):
            # A round that was killed and made again says the same twice.
            found[event.arm, event.round, event.why] = event
    return list(found.values())
