"""The annotators' side of the verdicts of people: samples are handed out, verdicts come back.

Any number of annotators work at a time, from any number of processes. A verdict is unique for a sample and
an annotator, and is on the disk once `Desk.record` has returned.
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
"""So long a sample that was handed out is kept from others, so that they do not all judge the same one."""

MOST_KNOWN = 0.25
"""The largest share of known samples: people are there for the others."""


class Task(NamedTuple):
    """A sample in front of an annotator; nothing in it tells whether its right verdict is known."""

    key: str
    shown: Sight


class Remark(NamedTuple):
    """What goes with a verdict.

    Attributes:
        comment: The annotator's own words; None leaves those that are there.
        seconds: How long they looked at the sample.
    """

    comment: str | None = None
    seconds: float | None = None


NO_REMARK = Remark()


class Given(NamedTuple):
    """A verdict that an annotator has given."""

    task: Task
    answer: Opinion
    comment: str


class Progress(NamedTuple):
    """How far an annotator is.

    Attributes:
        judged: How many verdicts they have given.
        left: How many samples they will still be shown, known ones among them: each verdict takes one off.
        waiting: How many samples want anybody's. No number to show to them: it stands still on known ones.
    """

    judged: int
    left: int
    waiting: int


class Agreement(NamedTuple):
    """How an annotator judged the samples whose right verdict is known; abstentions agree with neither."""

    good: int
    good_accepted: int
    bad: int
    bad_rejected: int


class Desk:
    """Hands out samples to annotators, and takes their verdicts. Arguments as for `Store`."""

    def __init__(self, url: str) -> None:
        self._database = open_database(url)

    def take(self, annotator: str, most: int = 1, *, holding: Sequence[str] = ()) -> list[Task]:
        """The next samples for an annotator: up to ``most`` that they have not judged.

        Those in front of them come first. Then which one is a known sample was drawn beforehand, see
        `veriloop.verifiers.human.schedule`, so nothing that they ask for or say can tell which.

        Args:
            annotator: Who asks.
            most: How many.
            holding: Keys that the annotator has in front of them already.
        """
        with self._database.writing() as connection:
            return self._take(connection, annotator, most, holding)[0]

    def record(self, annotator: str, key: str, answer: Opinion, remark: Remark = NO_REMARK) -> None:
        """Keep a verdict; it is on the disk when this returns. A second one on a sample replaces the first.

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
        """:meth:`record`, :meth:`take` and :meth:`progress`, with one wait for the disk."""
        with self._database.writing() as connection:
            self._record(connection, annotator, key, answer, remark)
            tasks, stand = self._take(connection, annotator, most, holding)
            stand = stand or _stand(connection, annotator)
        return tasks, self._progress(annotator, stand)

    def undo(self, annotator: str) -> Task | None:
        """Take back an annotator's last verdict, and hand them its sample again; None when there is none."""
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
        """The last verdicts of an annotator, the newest first."""
        with self._database.reading() as connection:
            rows = connection.execute(GIVEN_BY, {"who": annotator, "most": most}).all()
        return [Given(_task(row), row.answer, row.comment or "") for row in rows]

    def progress(self, annotator: str) -> Progress:
        """How far ``annotator`` is."""
        with self._database.reading() as connection:
            stand = _stand(connection, annotator)
        return self._progress(annotator, stand)

    def _progress(self, annotator: str, stand: Any) -> Progress:
        left = self._schedule(annotator).to_go(
            stand.judged, stand.waiting - stand.mine, stand.known_left, _share(stand)
        )
        return Progress(stand.judged, left, stand.waiting)

    def batch(self) -> tuple[int, bool]:
        """How many samples the unfinished rounds have put before people, and whether anybody has begun.

        What still waits is no number to show to annotators: it stands still on known samples.
        """
        with self._database.reading() as connection:
            return _batch(connection)

    def agreement(self, annotator: str) -> Agreement:
        """How ``annotator`` has judged known samples, by their first answers."""
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
            # At once, as the next look must not find it again.
            self._lease(connection, row.id, annotator)
        return [_task(row) for row in rows], stand

    def _next(self, connection: sa.Connection, annotator: str, ahead: int) -> tuple[sa.Row[Any] | None, Any]:
        """The next sample for an annotator who has ``ahead`` in front of them, None when there is none.

        Both kinds are looked up for either, so that time tells nothing.
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
                raise DataError("no such sample was put before people", got=key)
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
    """The share that known samples have of all; an id more or less does not matter."""
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
