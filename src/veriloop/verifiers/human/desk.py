"""The annotators' side of a store: samples are handed out, and verdicts are taken in.

Any number of annotators can work at a time, from any number of processes. There is one verdict per sample and
annotator, and it is on disk once `Desk.record` has returned.
"""

import json
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from ...errors import DataError
from ._statements import (
    ADD_GIVEN,
    BEFORE_THEM,
    CANDIDATE,
    CHANGE,
    END_LEASE,
    GIVEN_BY,
    KNOWN,
    KNOWN_VERDICTS,
    LAST_VERDICT,
    LOCKED,
    PROGRESS,
    WHOLE,
    add_verdict,
    keep_remark,
    lease,
)
from .content import Sight
from .database import open_database, samples, verdicts
from .schedule import Schedule
from .store import Opinion

LEASE_SECONDS = 120.0
"""Seconds for which a sample handed out is reserved, so that not everyone judges the same one."""

MOST_KNOWN = 0.25
"""Largest share of known samples, because people should mostly judge the others."""


class Task(NamedTuple):
    """A sample shown to an annotator; nothing in it reveals whether its correct verdict is known."""

    key: str
    shown: Sight


class Remark(NamedTuple):
    """Remarks on a verdict.

    Attributes:
        comment: Comment of the annotator; None keeps the existing one.
        seconds: Seconds spent on the sample.
    """

    comment: str | None = None
    seconds: float | None = None


NO_REMARK = Remark()


class Given(NamedTuple):
    """A verdict given by an annotator."""

    task: Task
    answer: Opinion
    comment: str


class Progress(NamedTuple):
    """The progress of an annotator.

    Attributes:
        judged: Number of verdicts given.
        left: Number of samples still to be shown, including known ones; each verdict reduces it by one.
        waiting: Number of samples that need a verdict by anyone. Not shown to annotators, since it reveals
            known ones.
    """

    judged: int
    left: int
    waiting: int


class Agreement(NamedTuple):
    """An annotator's verdicts on known samples; abstentions count for neither."""

    good: int
    good_accepted: int
    bad: int
    bad_rejected: int


class Desk:
    """Hands out samples to annotators, and takes in their verdicts. Arguments as for `Store`."""

    def __init__(self, url: str) -> None:
        self._database = open_database(url)

    def take(self, annotator: str, most: int = 1, *, holding: Sequence[str] = ()) -> list[Task]:
        """Return up to ``most`` next samples for an annotator, without those already judged.

        Samples already shown come first. Known samples are placed beforehand, see
        `veriloop.verifiers.human.schedule`, so no request or answer can reveal them.

        Args:
            annotator: Name of the annotator.
            most: Largest number of samples.
            holding: Keys of the samples already shown to the annotator.
        """
        with self._database.writing() as connection:
            return self._take(connection, annotator, most, holding)[0]

    def record(self, annotator: str, key: str, answer: Opinion, remark: Remark = NO_REMARK) -> None:
        """Store a verdict durably. A second one on a sample replaces the first.

        Raises:
            DataError: No such sample was posted.
        """
        with self._database.writing() as connection:
            self._record(connection, annotator, key, answer, remark)

    def exchange(
        self,
        annotator: str,
        key: str,
        answer: Opinion,
        most: int = 1,
        *,
        holding: Sequence[str] = (),
        remark: Remark = NO_REMARK,
    ) -> tuple[list[Task], Progress]:
        """Do :meth:`record`, :meth:`take` and :meth:`progress` with one wait for the disk."""
        with self._database.writing() as connection:
            self._record(connection, annotator, key, answer, remark)
            tasks, stand = self._take(connection, annotator, most, holding)
            stand = stand or _stand(connection, annotator)
        return tasks, self._progress(annotator, stand)

    def undo(self, annotator: str) -> Task | None:
        """Undo an annotator's last verdict, and return its sample again; None if there is none."""
        with self._database.writing() as connection:
            last = connection.execute(LAST_VERDICT, {"who": annotator}).first()
            if last is None:
                return None
            row = connection.execute(
                sa.select(samples).where(samples.c.id == last.sample).with_for_update()
            ).one()
            connection.execute(verdicts.delete().where(verdicts.c.id == last.id))
            connection.execute(ADD_GIVEN, {"which": last.sample, "change": -1})
            self._lease(connection, last.sample, annotator)
            return _task(row)

    def given(self, annotator: str, most: int) -> list[Given]:
        """Return the last verdicts of an annotator, newest first."""
        with self._database.reading() as connection:
            rows = connection.execute(GIVEN_BY, {"who": annotator, "most": most}).all()
        return [Given(_task(row), row.answer, row.comment or "") for row in rows]

    def progress(self, annotator: str) -> Progress:
        """Return the progress of ``annotator``."""
        with self._database.reading() as connection:
            stand = _stand(connection, annotator)
        return self._progress(annotator, stand)

    def _progress(self, annotator: str, stand: Any) -> Progress:
        left = self._schedule(annotator).to_go(
            stand.judged, stand.waiting - stand.mine, stand.known_left, _share(stand)
        )
        return Progress(stand.judged, left, stand.waiting)

    def batch(self) -> tuple[int, bool]:
        """Return how many samples the unfinished rounds have submitted, and whether judging has started.

        The number still waiting is not shown to annotators, because it would reveal known samples.
        """
        with self._database.reading() as connection:
            return _batch(connection)

    def agreement(self, annotator: str) -> Agreement:
        """Return how ``annotator`` judged known samples, by first answers."""
        with self._database.reading() as connection:
            said = connection.execute(KNOWN_VERDICTS, {"who": annotator}).all()
        good = [answer for truth, answer in said if truth == "accept"]
        bad = [answer for truth, answer in said if truth == "reject"]
        return Agreement(len(good), good.count("accept"), len(bad), bad.count("reject"))

    def _take(
        self, connection: sa.Connection, annotator: str, most: int, holding: Sequence[str]
    ) -> tuple[list[Task], Any]:
        """The samples, and how the annotator stands where that was looked up for them."""
        before_them = connection.execute(BEFORE_THEM, {"who": annotator, "now": time.time()}).all()
        again = [row.id for row in before_them if row.key not in set(holding)][:most]
        whole = {row.id: row for row in connection.execute(WHOLE, {"which": again})} if again else {}
        rows, ahead, stand = [whole[id_] for id_ in again], len(before_them), None
        for id_ in again:
            self._lease(connection, id_, annotator)
        while len(rows) < most:
            row, stand = self._next(connection, annotator, ahead)
            if row is None:
                break
            rows.append(row)
            ahead += 1
            # At once, because the next query must not find it again.
            self._lease(connection, row.id, annotator)
        return [_task(row) for row in rows], stand

    def _next(self, connection: sa.Connection, annotator: str, ahead: int) -> tuple[sa.Row[Any] | None, Any]:
        """Return the next sample for an annotator with ``ahead`` samples open, None if there is none.

        Both kinds are always queried, so that timing reveals nothing.
        """
        whose = {"who": annotator, "now": time.time()}
        candidate = connection.execute(CANDIDATE, whose).first()
        stand = _stand(connection, annotator)
        if not stand.known:
            return candidate, stand
        place, schedule = stand.judged + ahead, self._schedule(annotator)
        pick = {**whose, "skip": schedule.pick(place, stand.known_unseen)}
        known = connection.execute(KNOWN, pick).first()
        if known is None or (place == 0 and stand.waiting == 0):
            return candidate, stand
        return (known if schedule.is_known(place, _share(stand)) else candidate), stand

    def _record(
        self, connection: sa.Connection, annotator: str, key: str, answer: Opinion, remark: Remark
    ) -> None:
        given = {"who": annotator, "said": answer, "when": time.time()}
        sample = connection.scalar(add_verdict(self._database), {**given, "key": key})
        if sample is not None:
            connection.execute(ADD_GIVEN, {"which": sample, "change": 1})
        else:
            sample = connection.scalar(LOCKED, {"key": key})
            if sample is None:
                raise DataError("no such sample was submitted", got=key)
            connection.execute(CHANGE, {**given, "which": sample})
        about = {"sample": sample, "annotator": annotator, "first": answer, **remark._asdict()}
        connection.execute(keep_remark(self._database), about)
        connection.execute(END_LEASE, {"which": sample, "who": annotator})

    def _schedule(self, annotator: str) -> Schedule:
        return Schedule(self._database.secret, annotator)

    def _lease(self, connection: sa.Connection, sample: int, annotator: str) -> None:
        values = {"sample": sample, "annotator": annotator, "until": time.time() + LEASE_SECONDS}
        connection.execute(lease(self._database), values)


def _stand(connection: sa.Connection, annotator: str) -> Any:
    return connection.execute(PROGRESS, {"who": annotator, "now": time.time()}).one()


def _share(stand: Any) -> float:
    """Return the share of known samples; a difference of one sample does not matter."""
    return min(MOST_KNOWN, stand.known / stand.posted) if stand.known else 0.0


def _batch(connection: sa.Connection) -> tuple[int, bool]:
    of = samples.c.arm, samples.c.round
    unfinished = sa.select(*of).where(samples.c.open).distinct().subquery()
    size, given = connection.execute(
        sa.select(sa.func.count(), sa.func.sum(samples.c.given))
        .join_from(
            samples,
            unfinished,
            of[0].is_not_distinct_from(unfinished.c.arm) & of[1].is_not_distinct_from(unfinished.c.round),
        )
        .where(samples.c.truth.is_(None))
    ).one()
    known = connection.scalar(sa.select(sa.func.sum(samples.c.given)).where(samples.c.truth.is_not(None)))
    return size, bool(given or known)


def _task(row: sa.Row[Any]) -> Task:
    return Task(row.key, Sight(json.loads(row.words), row.picture))
