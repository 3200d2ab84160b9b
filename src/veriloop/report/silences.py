"""Rounds whose candidates were not distinguished, from a run's events, with some of the candidates."""

from ..events import VerifierSilent
from ..store.folder import RunFolder


def silences(folder: RunFolder) -> list[VerifierSilent]:
    """Return the last event of each kind in each round, in order of occurrence."""
    found: dict[tuple[str, int, str], VerifierSilent] = {}
    for event in folder.events()[0]:
        if isinstance(event, VerifierSilent):
            # A round that was killed and repeated reports the same twice.
            found[event.arm, event.round, event.why] = event
    return list(found.values())
