"""The annotators' side of the verdicts of people: samples are handed out, verdicts come back.

Any number of annotators work at a time, from any number of processes. A verdict is unique for a sample and
an annotator, and is on the disk once `Desk.record` has returned.
"""

import json
import time
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sa

from ...errors import DataError
from .content import Sight
from .database import Database, counted, leases, open_database, remarks, samples, verdicts
from .schedule import Schedule
from .store import Opinion

LEASE_SECONDS = 120.0
"""So long a sample that was handed out is kept from others, so that they do not all judge the same one."""

MOST_KNOWN = 0.25
"""The largest share of known samples: people are there for the others."""

# Statements are built once: building them for every verdict took as long as all the rest of it.
_WHO, _WHICH = sa.bindparam("who", type_=sa.Text), sa.bindparam("which", type_=sa.Integer)
_NOW = sa.bindparam("now", type_=sa.Double)
_IS_THEIRS = verdicts.c.annotator == _WHO
_IS_IT = verdicts.c.sample == _WHICH, _IS_THEIRS
_UNJUDGED = ~sa.exists().where(verdicts.c.sample == samples.c.id, _IS_THEIRS).correlate(samples)
_IN_FRONT = leases.c.sample == samples.c.id, leases.c.annotator == _WHO, leases.c.until > _NOW
_UNSEEN = _UNJUDGED, ~sa.exists().where(*_IN_FRONT).correlate(samples)
# What lies before an annotator comes first, in the order in which it was handed out.
_BEFORE_THEM = sa.select(samples).join(leases).where(*_IN_FRONT, _UNJUDGED).order_by(leases.c.until)
_CANDIDATE = (
    sa.select(samples)
    .where(
        samples.c.open,
        *_UNSEEN,
        samples.c.given
        + counted(leases.c.sample == samples.c.id, leases.c.annotator != _WHO, leases.c.until > _NOW)
        < samples.c.wanted,
    )
    .order_by(samples.c.id)
    .limit(1)
    .with_for_update(of=samples, skip_locked=True)
)
_KNOWN_LEFT = sa.select(counted(samples.c.truth.is_not(None), *_UNSEEN))
_KNOWN = (
    sa.select(samples)
    .where(samples.c.truth.is_not(None), *_UNSEEN)
    .order_by(samples.c.key)
    .offset(sa.bindparam("skip", type_=sa.Integer))
    .limit(1)
)
# Their first answers: who sees how they agreed, and then changes one, must not see the number change.
_KNOWN_VERDICTS = (
    sa.select(samples.c.truth, sa.func.coalesce(remarks.c.first, verdicts.c.answer))
    .join(verdicts)
    .outerjoin(
        remarks, (remarks.c.sample == verdicts.c.sample) & (remarks.c.annotator == verdicts.c.annotator)
    )
    .where(samples.c.truth.is_not(None), _IS_THEIRS)
)
_PROGRESS = sa.select(
    counted(_IS_THEIRS).label("judged"),
    counted(samples.c.open).label("waiting"),
    counted(samples.c.open, verdicts.c.sample == samples.c.id, _IS_THEIRS).label("mine"),
    counted(samples.c.truth.is_not(None), _UNJUDGED).label("known_left"),
    counted(samples.c.truth.is_not(None)).label("known"),
    sa.select(sa.func.max(samples.c.id)).scalar_subquery().label("posted"),
)
_GIVEN_BY = (
    sa.select(samples, verdicts.c.answer, remarks.c.comment)
    .join(verdicts)
    .outerjoin(
        remarks, (remarks.c.sample == verdicts.c.sample) & (remarks.c.annotator == verdicts.c.annotator)
    )
    .where(_IS_THEIRS)
    .order_by(verdicts.c.id.desc())
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_LAST_VERDICT = (
    sa.select(verdicts.c.id, verdicts.c.sample).where(_IS_THEIRS).order_by(verdicts.c.id.desc()).limit(1)
)
# The lock on the sample's row keeps its count right; SQLite locks the whole file anyway.
_LOCKED = sa.select(samples.c.id).where(samples.c.key == sa.bindparam("key", type_=sa.Text)).with_for_update()
_CHANGE = verdicts.update().where(*_IS_IT).values(answer=sa.bindparam("said"), at=sa.bindparam("when"))
_INSERT = verdicts.insert()
_GIVEN = samples.c.given + sa.bindparam("change", type_=sa.Integer)
_ADD_GIVEN = (
    samples.update()
    .where(samples.c.id == _WHICH)
    .values(given=_GIVEN, open=sa.and_(samples.c.truth.is_(None), samples.c.wanted > _GIVEN))
)
_END_LEASE = leases.delete().where(leases.c.sample == _WHICH, leases.c.annotator == _WHO)


@cache
def _lease(database: Database) -> sa.Executable:
    """Hand a sample to an annotator, or hand it to them for longer."""
    insert = database.insert(leases)
    return insert.on_conflict_do_update(
        index_elements=[leases.c.sample, leases.c.annotator], set_={"until": insert.excluded.until}
    )


@cache
def _remark(database: Database) -> sa.Executable:
    """Keep what goes with a verdict: the first answer and its time for good, the last comment."""
    insert = database.insert(remarks)
    return insert.on_conflict_do_update(
        index_elements=[remarks.c.sample, remarks.c.annotator],
        set_={"comment": sa.func.coalesce(insert.excluded.comment, remarks.c.comment)},
    )


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
        self._lease_statement = _lease(self._database)
        self._remark_statement = _remark(self._database)

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
            return self._take(connection, annotator, most, holding)

    def record(self, annotator: str, key: str, answer: Opinion, remark: Remark = NO_REMARK) -> None:
        """Keep a verdict; it is on the disk when this returns. A second one on a sample replaces the first.

        Raises:
            DataError: No such sample was posted.
        """
        with self._database.writing() as connection:
            _record(connection, annotator, key, answer, remark, self._remark_statement)

    def exchange(
        self,
        annotator: str,
        key: str,
        answer: Opinion,
        most: int = 1,
        *,
        holding: Sequence[str] = (),
        remark: Remark = NO_REMARK,
    ) -> list[Task]:
        """:meth:`record` and then :meth:`take`, with one wait for the disk instead of two."""
        with self._database.writing() as connection:
            _record(connection, annotator, key, answer, remark, self._remark_statement)
            return self._take(connection, annotator, most, holding)

    def undo(self, annotator: str) -> Task | None:
        """Take back an annotator's last verdict, and hand them its sample again; None when there is none."""
        with self._database.writing() as connection:
            last = connection.execute(_LAST_VERDICT, {"who": annotator}).first()
            if last is None:
                return None
            row = connection.execute(
                sa.select(samples).where(samples.c.id == last.sample).with_for_update()
            ).one()
            connection.execute(verdicts.delete().where(verdicts.c.id == last.id))
            connection.execute(_ADD_GIVEN, {"which": last.sample, "change": -1})
            self._lease(connection, last.sample, annotator)
            return _task(row)

    def given(self, annotator: str, most: int) -> list[Given]:
        """The last verdicts of an annotator, the newest first."""
        with self._database.reading() as connection:
            rows = connection.execute(_GIVEN_BY, {"who": annotator, "most": most}).all()
        return [Given(_task(row), row.answer, row.comment or "") for row in rows]

    def progress(self, annotator: str) -> Progress:
        """How far ``annotator`` is."""
        with self._database.reading() as connection:
            stand = _stand(connection, annotator)
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
            said = connection.execute(_KNOWN_VERDICTS, {"who": annotator}).all()
        good = [answer for truth, answer in said if truth == "accept"]
        bad = [answer for truth, answer in said if truth == "reject"]
        return Agreement(len(good), good.count("accept"), len(bad), bad.count("reject"))

    def _take(
        self, connection: sa.Connection, annotator: str, most: int, holding: Sequence[str]
    ) -> list[Task]:
        now = {"who": annotator, "now": time.time()}
        before_them = connection.execute(_BEFORE_THEM, now).all()
        rows = [row for row in before_them if row.key not in set(holding)][:most]
        ahead = len(before_them)
        for row in rows:
            self._lease(connection, row.id, annotator)
        while len(rows) < most and (row := self._next(connection, annotator, ahead)):
            self._lease(connection, row.id, annotator)
            rows.append(row)
            ahead += 1
        return [_task(row) for row in rows]

    def _next(self, connection: sa.Connection, annotator: str, ahead: int) -> sa.Row[Any] | None:
        """The next sample for an annotator who has ``ahead`` in front of them; None when there is none.

        Both kinds are looked up for either, so that time tells nothing.
        """
        whose = {"who": annotator, "now": time.time()}
        candidate = connection.execute(_CANDIDATE, whose).first()
        stand = _stand(connection, annotator)
        place = stand.judged + ahead
        known_left = connection.scalar(_KNOWN_LEFT, whose) or 0
        schedule = self._schedule(annotator)
        known = connection.execute(_KNOWN, {**whose, "skip": schedule.pick(place, known_left)}).first()
        if known is None or (place == 0 and stand.waiting == 0):
            return candidate
        return known if schedule.is_known(place, _share(stand)) else candidate

    def _schedule(self, annotator: str) -> Schedule:
        return Schedule(self._database.secret, annotator)

    def _lease(self, connection: sa.Connection, sample: int, annotator: str) -> None:
        values = {"sample": sample, "annotator": annotator, "until": time.time() + LEASE_SECONDS}
        connection.execute(self._lease_statement, values)


def _stand(connection: sa.Connection, annotator: str) -> Any:
    return connection.execute(_PROGRESS, {"who": annotator}).one()


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


def _record(
    connection: sa.Connection,
    annotator: str,
    key: str,
    answer: Opinion,
    remark: Remark,
    keep_remark: sa.Executable,
) -> None:
    sample = connection.scalar(_LOCKED, {"key": key})
    if sample is None:
        raise DataError("no such sample was put before people", got=key)
    given = {"which": sample, "who": annotator}
    if not connection.execute(_CHANGE, {**given, "said": answer, "when": time.time()}).rowcount:
        values = {"sample": sample, "annotator": annotator, "answer": answer, "at": time.time()}
        connection.execute(_INSERT, values)
        connection.execute(_ADD_GIVEN, {"which": sample, "change": 1})
    connection.execute(
        keep_remark, {"sample": sample, "annotator": annotator, "first": answer, **remark._asdict()}
    )
    connection.execute(_END_LEASE, given)


def _task(row: sa.Row[Any]) -> Task:
    return Task(row.key, Sight(json.loads(row.words), row.picture))
