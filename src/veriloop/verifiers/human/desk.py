"""The annotators' side of the verdicts of people: samples are handed out, verdicts come back.

Any number of annotators work at a time, from any number of processes. A verdict is unique for a sample and
an annotator, and is on the disk once `Desk.record` has returned.
"""

import json
import time
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from ...errors import DataError
from .content import Shown
from .database import count, counted, leases, open_database, samples, verdicts
from .store import Answer

LEASE_SECONDS = 120.0
"""So long a sample that was handed out is kept from others, so that they do not all judge the same one."""


class Task(NamedTuple):
    """A sample in front of an annotator; nothing in it tells whether its right verdict is known."""

    key: str
    shown: Shown


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

    def record(self, annotator: str, key: str, answer: Answer) -> None:
        """Keep a verdict; it is on the disk when this returns. A second one on a sample replaces the first.

        Raises:
            DataError: No such sample was posted.
        """
        with self._database.writing() as connection:
            _record(connection, annotator, key, answer)

    def exchange(
        self, annotator: str, key: str, answer: Answer, most: int = 1, *, holding: Sequence[str] = ()
    ) -> list[Task]:
        """:meth:`record` and then :meth:`take`, with one wait for the disk instead of two."""
        with self._database.writing() as connection:
            _record(connection, annotator, key, answer)
            return self._take(connection, annotator, most, holding)

    def undo(self, annotator: str) -> Task | None:
        """Take back an annotator's last verdict, and hand them its sample again; None when there is none."""
        with self._database.writing() as connection:
            last = connection.execute(
                sa.select(verdicts.c.id, verdicts.c.sample)
                .where(verdicts.c.annotator == annotator)
                .order_by(verdicts.c.id.desc())
                .limit(1)
            ).first()
            if last is None:
                return None
            row = connection.execute(
                sa.select(samples).where(samples.c.id == last.sample).with_for_update()
            ).one()
            connection.execute(verdicts.delete().where(verdicts.c.id == last.id))
            _add_given(connection, last.sample, -1)
            self._lease(connection, last.sample, annotator)
            return _task(row)

    def progress(self, annotator: str) -> Progress:
        """How far ``annotator`` is."""
        given = verdicts.c.annotator == annotator
        with self._database.reading() as connection:
            judged, waiting, mine = connection.execute(
                sa.select(
                    counted(given),
                    counted(samples.c.open),
                    counted(samples.c.open, verdicts.c.sample == samples.c.id, given),
                )
            ).one()
        return Progress(judged, waiting - mine, waiting)

    def agreement(self, annotator: str) -> Agreement:
        """How ``annotator`` has judged known samples."""
        with self._database.reading() as connection:
            said = connection.execute(
                sa.select(samples.c.truth, verdicts.c.answer)
                .join(verdicts)
                .where(samples.c.truth.is_not(None), verdicts.c.annotator == annotator)
            ).all()
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
        until = {"until": time.time() + LEASE_SECONDS}
        connection.execute(
            self._database.insert(leases)
            .values(sample=sample, annotator=annotator, **until)
            .on_conflict_do_update(index_elements=[leases.c.sample, leases.c.annotator], set_=until)
        )


def _unjudged_by(annotator: str) -> sa.ColumnElement[bool]:
    judged = sa.exists().where(verdicts.c.sample == samples.c.id, verdicts.c.annotator == annotator)
    return ~judged.correlate(samples)


def _next(connection: sa.Connection, annotator: str, held: Sequence[str]) -> sa.Row[Any] | None:
    """The sample that an annotator is to judge next; None when no run waits for them."""
    mine = _unjudged_by(annotator), samples.c.key.not_in(held)
    others = counted(
        leases.c.sample == samples.c.id, leases.c.annotator != annotator, leases.c.until > time.time()
    )
    candidate = connection.execute(
        sa.select(samples)
        .where(samples.c.open, *mine, samples.c.given + others < samples.c.wanted)
        .order_by(samples.c.id)
        .limit(1)
        .with_for_update(of=samples, skip_locked=True)
    ).first()
    known = samples.c.truth.is_not(None), *mine
    if candidate is None or not (known_left := count(connection, *known)):
        return candidate
    # A lot that is drawn from the annotator's name and place: not to be foreseen by people, and repeatable.
    turn = count(connection, verdicts.c.annotator == annotator) + len(held)
    lot = zlib.crc32(f"{annotator}/{turn}".encode()) % (known_left + count(connection, samples.c.open))
    if lot >= known_left:
        return candidate
    # In the order of their keys, which mixes good and bad ones.
    return connection.execute(sa.select(samples).where(*known).order_by(samples.c.key).limit(1)).first()


def _record(connection: sa.Connection, annotator: str, key: str, answer: Answer) -> None:
    # The lock on the sample's row keeps its count right; SQLite locks the whole file anyway.
    row = connection.scalar(sa.select(samples.c.id).where(samples.c.key == key).with_for_update())
    if row is None:
        raise DataError("no such sample was put before people", got=key)
    given = verdicts.c.sample == row, verdicts.c.annotator == annotator
    if count(connection, *given):
        connection.execute(verdicts.update().where(*given).values(answer=answer, at=time.time()))
    else:
        connection.execute(
            verdicts.insert().values(sample=row, annotator=annotator, answer=answer, at=time.time())
        )
        _add_given(connection, row, 1)
    connection.execute(leases.delete().where(leases.c.sample == row, leases.c.annotator == annotator))


def _add_given(connection: sa.Connection, sample: int, change: int) -> None:
    given = samples.c.given + change
    connection.execute(
        samples.update()
        .where(samples.c.id == sample)
        .values(given=given, open=sa.and_(samples.c.truth.is_(None), given < samples.c.wanted))
    )


def _task(row: sa.Row[Any]) -> Task:
    return Task(row.key, Shown(json.loads(row.words), row.picture))
