"""Trackers of a run: they receive its events and read its records. The run never waits for them."""

import json
import queue
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..errors import StorageError
from ..events import Event, RoundFinished, RunEnded, TrackerFailed
from ..records import RoundRecord
from ..store.digests import sha256
from ..store.folder import BESIDE
from ..store.manifest import flattened
from ..trackers.base import RunInfo, Tracker, Tracking, numbers_of
from .plan import Plan
from .stores import FolderStore, Store

PATIENCE = 120.0
"""Seconds that the end of a run waits for a tracker: one that first creates its database needs more than 30
on a busy machine."""

INTERRUPTED = 30.0
"""The same after an interruption, when somebody waits."""


@contextmanager
def tracking(plan: Plan, store: Store) -> Iterator[Callable[[Event], None]]:
    """Yield a function that passes events to the trackers of ``plan`` while a run lasts.

    A tracker receives the finished rounds that it does not hold yet, in order. So a tracker that was killed
    with its run, or could not be reached, is complete after the next resume. Its first failure is an event,
    and then it is not called again.
    """
    desks = [_Desk(tracker, _about(plan, store)) for tracker in plan.tracker]

    def tell(event: Event) -> None:
        """Pass ``event`` to every tracker; emit an event for each tracker that failed."""
        for desk in desks:
            if isinstance(event, RoundFinished):
                desk.show(list(store.records()))
            elif isinstance(event, RunEnded):
                desk.close(event.status)
            if (failed := desk.failed()) is not None:
                store.emit(failed)

    for desk in desks:
        desk.show(list(store.records()))
    try:
        yield tell
    finally:
        for desk in desks:
            desk.close("failed", INTERRUPTED)


def _about(plan: Plan, store: Store) -> RunInfo:
    settings = {name: value for name, value in plan.config().items() if name not in BESIDE}
    if not isinstance(store, FolderStore):
        return RunInfo(uuid.uuid4().hex[:8], "in memory", flattened(settings))
    manifest = store.folder.manifest()
    # The same after a kill, and wherever the folder is.
    began = json.dumps([manifest.created, settings], sort_keys=True)
    return RunInfo(sha256(began.encode())[:8], store.folder.name, flattened(settings))


class _Desk:
    """One tracker in its own thread, because a server that does not answer must not delay the run."""

    def __init__(self, tracker: Tracker, about: RunInfo) -> None:
        self._tracker, self._about = tracker, about
        self._asked: queue.SimpleQueue[list[RoundRecord] | str] = queue.SimpleQueue()
        self._why: str | None = None
        self._told = self._closed = False
        self._thread = threading.Thread(target=self._work, name=f"tracker {tracker.kind}", daemon=True)
        self._thread.start()

    def show(self, records: list[RoundRecord]) -> None:
        """Pass on all finished rounds so far."""
        self._asked.put(records)

    def close(self, status: str, patience: float = PATIENCE) -> None:
        """Let it write what is left, and wait ``patience`` seconds for that."""
        if self._closed:
            return
        self._closed = True
        self._asked.put(status)
        self._thread.join(patience)
        if self._thread.is_alive():
            self._why = self._why or f"it did not take all rounds within {patience:.0f} seconds"

    def failed(self) -> TrackerFailed | None:
        """Return what went wrong, once."""
        if self._why is None or self._told:
            return None
        self._told = True
        return TrackerFailed(tracker=self._tracker.kind, reason=self._why)

    def _work(self) -> None:
        try:
            self._serve()
        except (Exception, SystemExit) as e:  # the run continues in any case
            self._why = " ".join(f"{type(e).__name__}: {e}".split())[:300]

    def _serve(self) -> None:
        own: Tracking | None = None
        logged: set[tuple[str, int]] = set()
        while not isinstance(asked := self._asked.get(), str):
            # Not before the first round, so that a run that ends in its first minute leaves nothing behind.
            if asked and own is None:
                own = self._tracker.open(self._about)
                logged = own.logged()
            for record in asked:
                if own is not None and (place := (record.arm, record.round)) not in logged:
                    own.log(record.round, numbers_of(record))
                    logged.add(place)
        if own is not None:
            own.close(asked)
            if missing := logged - own.logged():
                raise StorageError(f"it is missing {len(missing)} of {len(logged)} rounds")
