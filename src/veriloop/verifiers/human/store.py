"""The run's side of the verdicts of people: what it asks, and what they said."""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
import sqlalchemy as sa

from ...advise.people import Opinion, Said, weight
from ...errors import StorageError
from ...samples import Samples
from ..base import PLACE
from .content import Sight, content_keys, full_ink, shown
from .database import checked_url, count, open_database, remarks, samples, verdicts

_KEYS_AT_A_TIME = 500
"""Fewer than the variables that SQLite allows in a statement."""


class Tally(NamedTuple):
    """How many people said what of a sample."""

    accept: int = 0
    reject: int = 0
    abstain: int = 0

    @property
    def total(self) -> int:
        """How many people have judged it."""
        return sum(self)


class Vote(NamedTuple):
    """A verdict on a sample that a run asks about; ``number`` counts up over all verdicts of the store."""

    key: str
    annotator: str
    answer: Opinion
    number: int


class KnownSamples(NamedTuple):
    """Samples whose right verdict is known, and the pixel value that is drawn as full ink."""

    good: Samples
    bad: Samples
    largest: float


@dataclass(frozen=True)
class PostedSample:
    """A posted sample, where it was made, its right verdict if known, and what each annotator said."""

    key: str
    place: Mapping[str, Any]
    shown: Sight
    truth: Opinion | None
    verdicts: Mapping[str, Opinion]


def check_there(url: str, asked: bool) -> None:
    """Refuse to take a store that is gone, or another one, for one in which nobody has said anything.

    Args:
        url: Of the store.
        asked: Whether it must hold samples.

    Raises:
        ConfigError: The URL is wrong.
        StorageError: The store is missing or damaged, or holds no sample although it must.
    """
    parsed = checked_url(url)
    name = parsed.render_as_string(hide_password=True)
    fix = "restore it; a relative file is looked for in the folder in which veriloop is started"
    if parsed.get_backend_name() == "sqlite" and not Path(str(parsed.database)).is_file():
        raise StorageError(f"the store of verdicts {name} is not there", fix=fix)
    database = open_database(url)
    database.check()
    if asked:
        with database.reading() as connection:
            if not count(connection, samples.c.id > 0):
                raise StorageError(
                    f"the store of verdicts {name} is another one",
                    got="no samples in it",
                    expected="those that the run has put before people",
                    fix=fix,
                )


class Store:
    """Samples that people are to judge, and their verdicts.

    Args:
        url: ``sqlite:///FILE`` or ``postgresql://...``.

    Raises:
        ConfigError: The URL is wrong.
        StorageError: The data base cannot be reached; any method may raise this, too.
    """

    def __init__(self, url: str) -> None:
        self._database = open_database(url)

    def tallies(self, keys: Collection[str]) -> dict[str, Tally]:
        """What people have said so far of each of ``keys``."""
        counted = {key: dict.fromkeys(get_args(Opinion), 0) for key in keys}
        wanted = list(counted)
        with self._database.reading() as connection:
            for first in range(0, len(wanted), _KEYS_AT_A_TIME):
                some = wanted[first : first + _KEYS_AT_A_TIME]
                for key, answer, number in connection.execute(
                    sa.select(samples.c.key, verdicts.c.answer, sa.func.count())
                    .join(verdicts)
                    .where(samples.c.key.in_(some))
                    .group_by(samples.c.key, verdicts.c.answer)
                ):
                    counted[key][answer] = number
        return {key: Tally(**counts) for key, counts in counted.items()}

    def votes(self, keys: Collection[str]) -> list[Vote]:
        """Who has said what so far of each of ``keys``, in the order in which it was said."""
        wanted, found = list(keys), list[Vote]()
        columns = samples.c.key, verdicts.c.annotator, verdicts.c.answer, verdicts.c.id
        with self._database.reading() as connection:
            for first in range(0, len(wanted), _KEYS_AT_A_TIME):
                some = samples.c.key.in_(wanted[first : first + _KEYS_AT_A_TIME])
                asked = sa.select(*columns).select_from(verdicts).join(samples).where(some)
                found += [Vote(*row) for row in connection.execute(asked)]
        return sorted(found, key=lambda vote: vote.number)

    def weights(self, up_to: int) -> dict[str, float]:
        """What each person counts for, by the known samples that they had judged before a verdict.

        Args:
            up_to: The number of that verdict. What is said later changes nothing, so a round that is judged
                again comes out as it did.
        """
        said = self.said(verdicts.c.id <= up_to, samples.c.truth.is_not(None))
        decided = [s for s in said if s.answer != "abstain"]
        known = Counter(s.annotator for s in decided)
        right = Counter(s.annotator for s in decided if s.answer == s.truth)
        return {name: weight(right[name], number) for name, number in known.items()}

    def post(
        self,
        asked: Samples,
        known: KnownSamples | None,
        *,
        wanted: int,
        queue: int,
        show: Sequence[str] | None = None,
    ) -> None:
        """Put samples before people, each once, in order, until ``queue`` of them wait for verdicts.

        Args:
            asked: May have the columns `PLACE`.
            known: Samples to mix in; all of them.
            wanted: How many people are to judge each.
            queue: The most samples that wait at a time, those posted before included.
            show: The columns that people see, in this order; None for all, in the order of ``asked``.
        """
        if known is None:
            known = KnownSamples(asked.select(slice(0)), asked.select(slice(0)), full_ink(asked))
        good = _rows(_like(asked, known.good), known.largest, truth="accept", wanted=wanted, show=show)
        bad = _rows(_like(asked, known.bad), known.largest, truth="reject", wanted=wanted, show=show)
        keys = content_keys(asked)
        with self._database.writing() as connection:
            there: set[str] = set()
            for first in range(0, len(keys), _KEYS_AT_A_TIME):
                some = samples.c.key.in_(keys[first : first + _KEYS_AT_A_TIME])
                there |= set(connection.scalars(sa.select(samples.c.key).where(some)))
                # Where a model repeats a known sample to the letter, the run needs a verdict on it.
                connection.execute(
                    samples.update()
                    .where(some, samples.c.truth.is_not(None))
                    .values(truth=None, wanted=wanted, open=samples.c.given < wanted)
                )
                # Another run may have asked fewer people.
                connection.execute(
                    samples.update()
                    .where(some, samples.c.truth.is_(None), samples.c.wanted < wanted)
                    .values(wanted=wanted, open=samples.c.given < wanted)
                )
            room = max(0, queue - count(connection, samples.c.open))
            new = [row for row, key in enumerate(keys) if key not in there][:room]
            rows = _rows(
                asked.select(np.array(new, np.int64)), known.largest, truth=None, wanted=wanted, show=show
            )
            for batch in (rows, good, bad):
                if batch:
                    connection.execute(self._database.insert(samples).on_conflict_do_nothing(), batch)

    def version(self) -> tuple[int, float]:
        """Changes with the verdicts: how many there are, and when the last one was given or corrected."""
        with self._database.reading() as connection:
            asked = sa.select(sa.func.count(), sa.func.coalesce(sa.func.max(verdicts.c.at), 0.0))
            number, at = connection.execute(asked.select_from(verdicts)).one()
        return number, at

    def said(self, *where: sa.ColumnElement[bool]) -> list[Said]:
        """All verdicts in the order in which they were first given; on known samples the first answers.

        A person who learns how they judged known samples, and then corrects one, changes nothing here.
        """
        theirs = (remarks.c.sample == verdicts.c.sample) & (remarks.c.annotator == verdicts.c.annotator)
        answer = sa.case(
            (samples.c.truth.is_not(None), sa.func.coalesce(remarks.c.first, verdicts.c.answer)),
            else_=verdicts.c.answer,
        )
        columns = (samples.c.key, samples.c.truth, verdicts.c.annotator, answer, remarks.c.seconds)
        asked = sa.select(*columns).select_from(verdicts).join(samples).outerjoin(remarks, theirs)
        with self._database.reading() as connection:
            return [Said(*row) for row in connection.execute(asked.where(*where).order_by(verdicts.c.id))]

    def everything(self) -> Iterator[PostedSample]:
        """All samples in the order in which they were posted, with their verdicts."""
        with self._database.reading() as connection:
            said: dict[int, dict[str, Opinion]] = {}
            for verdict in connection.execute(sa.select(verdicts).order_by(verdicts.c.id)):
                said.setdefault(verdict.sample, {})[verdict.annotator] = verdict.answer
            for row in connection.execute(sa.select(samples).order_by(samples.c.id)):
                place = {"arm": row.arm, "round": row.round, "chunk": row.chunk, "row": row.row}
                yield PostedSample(
                    row.key, place, Sight(json.loads(row.words), row.picture), row.truth, said.get(row.id, {})
                )


def _like(asked: Samples, known: Samples) -> Samples:
    """Known samples with the columns of those that people are asked about, in their order."""
    return known.only([name for name in asked if name in known])


def _rows(
    asked: Samples, largest: float, *, truth: Opinion | None, wanted: int, show: Sequence[str] | None
) -> list[dict[str, Any]]:
    """Rows of the table, one for each of ``asked``."""
    seen_of = asked if show is None else asked.only([name for name in show if name in asked])
    place = {name[1:]: np.asarray(asked[name]).tolist() for name in PLACE if name in asked}
    return [
        {
            "key": key,
            **{name: column[i] for name, column in place.items()},
            "words": json.dumps(seen.words, ensure_ascii=False),
            "picture": seen.picture,
            "truth": truth,
            "wanted": wanted,
            "open": truth is None,
        }
        for i, (key, seen) in enumerate(zip(content_keys(asked), shown(seen_of, largest), strict=True))
    ]
