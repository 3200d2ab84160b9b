"""The annotators' side of a store: samples are handed out, and verdicts are taken in.

Any number of annotators can work at a time, from any number of processes. There is one verdict per sample and
annotator, and it is on disk once `Desk.record` has returned.
"""

import json
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
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
    JUDGED_BY,
    KNOWN,
    KNOWN_VERDICTS,
    LAST_VERDICT,
    LOCKED,
    TOTALS,
    WHOLE,
    add_verdicts,
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


class Exchange(NamedTuple):
    """A verdict, and what its annotator asks for in return.

    Attributes:
        key: Key of the judged sample.
        answer: Verdict on it.
        most: Largest number of samples wanted.
        holding: Keys of the samples already shown to the annotator.
        remark: Remarks on the verdict.
    """

    key: str
    answer: Opinion
    most: int = 1
    holding: Sequence[str] = ()
    remark: Remark = NO_REMARK


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


Exchanged = tuple[list[Task], Progress]
"""The next samples of an annotator, and the progress."""


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
            stand = _stands(connection, [annotator])[annotator]
            return self._take(connection, annotator, stand, most, holding)

    def record(self, annotator: str, key: str, answer: Opinion, remark: Remark = NO_REMARK) -> None:
        """Store a verdict durably. A second one on a sample replaces the first.

        Raises:
            DataError: No such sample was posted.
        """
        with self._database.writing() as connection:
            if not self._record(connection, {annotator: Exchange(key, answer, remark=remark)}):
                raise _unknown(key)

    def exchange(
        self,
        annotator: str,
        key: str,
        answer: Opinion,
        most: int = 1,
        *,
        holding: Sequence[str] = (),
        remark: Remark = NO_REMARK,
    ) -> Exchanged:
        """Do :meth:`record`, :meth:`take` and :meth:`progress` with one wait for the disk.

        Raises:
            DataError: No such sample was posted.
        """
        done = self.exchange_all({annotator: Exchange(key, answer, most, holding, remark)})[annotator]
        if isinstance(done, DataError):
            raise done
        return done

    def exchange_all(self, asked: Mapping[str, Exchange]) -> dict[str, Exchanged | DataError]:
        """Do :meth:`exchange` for many annotators with one wait for the disk.

        The time of a verdict is mostly this wait, and messages to and from the server of the store. Together
        they take two or three statements each, and alone eleven.

        Args:
            asked: Exchanges by annotator.

        Returns:
            The outcome by annotator; an error where no such sample was posted.
        """
        done: dict[str, Exchanged | DataError] = {}
        with self._database.writing() as connection:
            there = self._record(connection, asked)
            stands = _stands(connection, list(asked))
            for name, (key, _, most, holding, _) in asked.items():
                if key in there:
                    tasks = self._take(connection, name, stands[name], most, holding)
                    done[name] = tasks, self._progress(name, stands[name])
                else:
                    done[name] = _unknown(key)
        return done

    def undo(self, annotator: str) -> Task | None:
        """Undo an annotator's last verdict, and return its sample again; None if there is none."""
        with self._database.writing() as connection:
            last = connection.execute(LAST_VERDICT, {"who": annotator}).first()
            if last is None:
                return None
            row = connection.execute(
                sa.select(samples).where(samples.c.id == last.sample).with_for_update(key_share=True)
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
            stand = _stands(connection, [annotator])[annotator]
        return self._progress(annotator, stand)

    def _progress(self, annotator: str, stand: "_Stand") -> Progress:
        left = self._schedule(annotator).to_go(
            stand.judged, stand.waiting - stand.mine, stand.known - stand.known_judged, stand.share
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
        self, connection: sa.Connection, annotator: str, stand: "_Stand", most: int, holding: Sequence[str]
    ) -> list[Task]:
        again = [row.id for row in stand.before_them if row.key not in set(holding)][:most]
        whole = {row.id: row for row in connection.execute(WHOLE, {"which": again})} if again else {}
        rows = [whole[id_] for id_ in again]
        for id_ in again:
            self._lease(connection, id_, annotator)
        ahead = len(stand.before_them)
        known_unseen = stand.known - stand.known_judged - sum(bool(row.truth) for row in stand.before_them)
        while len(rows) < most:
            row = self._next(connection, annotator, stand, ahead, known_unseen)
            if row is None:
                break
            rows.append(row)
            ahead += 1
            known_unseen -= row.truth is not None
            # At once, because the next query must not find it again.
            self._lease(connection, row.id, annotator)
        return [_task(row) for row in rows]

    def _next(
        self, connection: sa.Connection, annotator: str, stand: "_Stand", ahead: int, known_unseen: int
    ) -> sa.Row[Any] | None:
        """Return the next sample for an annotator with ``ahead`` samples open, None if there is none.

        Both kinds are always queried, so that timing reveals nothing.
        """
        whose = {"who": annotator, "now": time.time()}
        candidate = connection.execute(CANDIDATE, whose).first()
        if not stand.known:
            return candidate
        place, schedule = stand.judged + ahead, self._schedule(annotator)
        pick = {**whose, "skip": schedule.pick(place, known_unseen)}
        known = connection.execute(KNOWN, pick).first()
        if known is None or (place == 0 and stand.waiting == 0):
            return candidate
        return known if schedule.is_known(place, stand.share) else candidate

    def _record(self, connection: sa.Connection, asked: Mapping[str, Exchange]) -> Collection[str]:
        """Store the verdicts on samples that were posted, and return their keys."""
        ids = {
            row.key: row.id for row in connection.execute(LOCKED, {"keys": [o.key for o in asked.values()]})
        }
        given = {(ids[one.key], name): one for name, one in sorted(asked.items()) if one.key in ids}
        if not given:
            return ids
        now = time.time()
        rows = [
            {"sample": sample, "annotator": name, "answer": one.answer, "at": now}
            for (sample, name), one in given.items()
        ]
        new = {tuple(row) for row in connection.execute(add_verdicts(self._database), rows)}
        if new:
            added = Counter(sample for sample, _ in new)
            connection.execute(ADD_GIVEN, [{"which": sample, "change": n} for sample, n in added.items()])
        for (sample, name), one in given.items():
            if (sample, name) not in new:
                change = {"which": sample, "who": name, "said": one.answer, "when": now}
                connection.execute(CHANGE, change)
        about = [
            {"sample": sample, "annotator": name, "first": one.answer, **one.remark._asdict()}
            for (sample, name), one in given.items()
        ]
        connection.execute(keep_remark(self._database), about)
        connection.execute(END_LEASE, [{"which": sample, "who": name} for sample, name in given])
        return ids

    def _schedule(self, annotator: str) -> Schedule:
        return Schedule(self._database.secret, annotator)

    def _lease(self, connection: sa.Connection, sample: int, annotator: str) -> None:
        values = {"sample": sample, "annotator": annotator, "until": time.time() + LEASE_SECONDS}
        connection.execute(lease(self._database), values)


class _Stand(NamedTuple):
    """How an annotator stands.

    Attributes:
        waiting: Number of samples that need a verdict by anyone.
        known: Number of known samples.
        posted: Number of all samples.
        judged: Number of verdicts given.
        mine: Those of them on samples that still need a verdict by others.
        known_judged: Those of them on known samples.
        before_them: Samples shown and not judged, in the order in which they were handed out.
    """

    waiting: int
    known: int
    posted: int
    judged: int
    mine: int
    known_judged: int
    before_them: list[Any]

    @property
    def share(self) -> float:
        """Return the share of known samples; a difference of one sample does not matter."""
        return min(MOST_KNOWN, self.known / self.posted) if self.known else 0.0


def _stands(connection: sa.Connection, annotators: Sequence[str]) -> dict[str, _Stand]:
    before_them = dict[str, list[Any]]()
    for row in connection.execute(BEFORE_THEM, {"who": annotators, "now": time.time()}):
        before_them.setdefault(row.annotator, []).append(row)
    waiting, known, posted = connection.execute(TOTALS).one()
    judged = {row.annotator: row for row in connection.execute(JUDGED_BY, {"who": annotators})}
    stands: dict[str, _Stand] = {}
    for name in annotators:
        row, before = judged.get(name), before_them.get(name, [])
        counts = (row.judged, row.mine, row.known) if row else (0, 0, 0)
        stands[name] = _Stand(waiting, known, posted, *counts, before)
    return stands


def _unknown(key: str) -> DataError:
    return DataError("no such sample was submitted", got=key)


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
