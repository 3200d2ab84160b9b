"""The annotators' side of the verdicts of people: samples are handed out, verdicts come back.

Any number of annotators work at a time, from any number of processes. A verdict is unique for a sample and
an annotator, and is on the disk once `Desk.record` has returned.
"""

import json
import time
import zlib
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sa

from ...errors import DataError
from .content import Sight
from .database import Database, counted, leases, open_database, samples, verdicts
from .store import Opinion

LEASE_SECONDS = 120.0
"""So long a sample that was handed out is kept from others, so that they do not all judge the same one."""

# Statements are built once: building them for every verdict took as long as all the rest of it.
_WHO, _WHICH = sa.bindparam("who", type_=sa.Text), sa.bindparam("which", type_=sa.Integer)
_IS_THEIRS = verdicts.c.annotator == _WHO
_IS_IT = verdicts.c.sample == _WHICH, _IS_THEIRS
_UNSEEN = (
    ~sa.exists().where(verdicts.c.sample == samples.c.id, _IS_THEIRS).correlate(samples),
    samples.c.key.not_in(sa.bindparam("held", expanding=True)),
)
_CANDIDATE = (
    sa.select(samples)
    .where(
        samples.c.open,
        *_UNSEEN,
        samples.c.given
        + counted(
            leases.c.sample == samples.c.id,
            leases.c.annotator != _WHO,
            leases.c.until > sa.bindparam("now", type_=sa.Double),
        )
        < samples.c.wanted,
    )
    .order_by(samples.c.id)
    .limit(1)
    .with_for_update(of=samples, skip_locked=True)
)
_KNOWN_LEFT = sa.select(counted(samples.c.truth.is_not(None), *_UNSEEN))
# In the order of their keys, which mixes good and bad ones.
_KNOWN = sa.select(samples).where(samples.c.truth.is_not(None), *_UNSEEN).order_by(samples.c.key).limit(1)
_KNOWN_VERDICTS = (
    sa.select(samples.c.truth, verdicts.c.answer)
    .join(verdicts)
    .where(samples.c.truth.is_not(None), _IS_THEIRS)
)
_PROGRESS = sa.select(
    counted(_IS_THEIRS),
    counted(samples.c.open),
    counted(samples.c.open, verdicts.c.sample == samples.c.id, _IS_THEIRS),
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


class Task(NamedTuple):
    """A sample in front of an annotator; nothing in it tells whether its right verdict is known."""

    key: str
    shown: Sight


class Progress(NamedTuple):
    """How far an annotator is.

    Attributes:
        judged: How many verdicts they have given.
        left: How many samples still want theirs.
        waiting: How many samples want anybody's.
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

    def take(self, annotator: str, most: int = 1, *, holding: Sequence[str] = ()) -> list[Task]:
        """The next samples for an annotator: up to ``most`` that they have not judged.

        A known sample comes every so often, at the share that known samples have of all.

        Args:
            annotator: Who asks.
            most: How many.
            holding: Keys that the annotator has in front of them already.
        """
        with self._database.writing() as connection:
            return self._take(connection, annotator, most, holding)

    def record(self, annotator: str, key: str, answer: Opinion) -> None:
        """Keep a verdict; it is on the disk when this returns. A second one on a sample replaces the first.

        Raises:
            DataError: No such sample was posted.
        """
        with self._database.writing() as connection:
            _record(connection, annotator, key, answer)

    def exchange(
        self, annotator: str, key: str, answer: Opinion, most: int = 1, *, holding: Sequence[str] = ()
    ) -> list[Task]:
        """:meth:`record` and then :meth:`take`, with one wait for the disk instead of two."""
        with self._database.writing() as connection:
            _record(connection, annotator, key, answer)
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

    def progress(self, annotator: str) -> Progress:
        """How far ``annotator`` is."""
        with self._database.reading() as connection:
            judged, waiting, mine = connection.execute(_PROGRESS, {"who": annotator}).one()
        return Progress(judged, waiting - mine, waiting)

    def agreement(self, annotator: str) -> Agreement:
        """How ``annotator`` has judged known samples."""
        with self._database.reading() as connection:
            said = connection.execute(_KNOWN_VERDICTS, {"who": annotator}).all()
        good = [answer for truth, answer in said if truth == "accept"]
        bad = [answer for truth, answer in said if truth == "reject"]
        return Agreement(len(good), good.count("accept"), len(bad), bad.count("reject"))

    def _take(
        self, connection: sa.Connection, annotator: str, most: int, holding: Sequence[str]
    ) -> list[Task]:
        held, tasks = list(holding), []
        while len(tasks) < most and (row := _next(connection, annotator, held)):
            self._lease(connection, row.id, annotator)
            tasks.append(_task(row))
            held.append(row.key)
        return tasks

    def _lease(self, connection: sa.Connection, sample: int, annotator: str) -> None:
        values = {"sample": sample, "annotator": annotator, "until": time.time() + LEASE_SECONDS}
        connection.execute(self._lease_statement, values)


def _next(connection: sa.Connection, annotator: str, held: Sequence[str]) -> sa.Row[Any] | None:
    """The sample that an annotator is to judge next; None when no run waits for them."""
    whose = {"who": annotator, "held": list(held)}
    candidate = connection.execute(_CANDIDATE, {**whose, "now": time.time()}).first()
    if candidate is None or not (known_left := connection.scalar(_KNOWN_LEFT, whose)):
        return candidate
    judged, waiting, _ = connection.execute(_PROGRESS, {"who": annotator}).one()
    # A lot that is drawn from the annotator's name and place: not to be foreseen by people, and repeatable.
    lot = zlib.crc32(f"{annotator}/{judged + len(held)}".encode()) % (known_left + waiting)
    return candidate if lot >= known_left else connection.execute(_KNOWN, whose).first()


def _record(connection: sa.Connection, annotator: str, key: str, answer: Opinion) -> None:
    sample = connection.scalar(_LOCKED, {"key": key})
    if sample is None:
        raise DataError("no such sample was put before people", got=key)
    given = {"which": sample, "who": annotator}
    if not connection.execute(_CHANGE, {**given, "said": answer, "when": time.time()}).rowcount:
        values = {"sample": sample, "annotator": annotator, "answer": answer, "at": time.time()}
        connection.execute(_INSERT, values)
        connection.execute(_ADD_GIVEN, {"which": sample, "change": 1})
    connection.execute(_END_LEASE, given)


def _task(row: sa.Row[Any]) -> Task:
    return Task(row.key, Sight(json.loads(row.words), row.picture))
