"""The run's side of a store: the samples it submits, and the verdicts on them."""

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
"""Number of keys per statement, below SQLite's limit on variables."""


class Tally(NamedTuple):
    """Number of verdicts of each kind on a sample."""

    accept: int = 0
    reject: int = 0
    abstain: int = 0

    @property
    def total(self) -> int:
        """Number of people who have judged it."""
        return sum(self)


class Vote(NamedTuple):
    """A verdict on a submitted sample; ``number`` counts all verdicts of the store."""

    key: str
    annotator: str
    answer: Opinion
    number: int


class KnownSamples(NamedTuple):
    """Samples with a known correct verdict, and the pixel value that is drawn as full ink."""

    good: Samples
    bad: Samples
    largest: float


@dataclass(frozen=True)
class PostedSample:
    """A submitted sample, where it was made, its correct verdict if known, and each annotator's verdict."""

    key: str
    place: Mapping[str, Any]
    shown: Sight
    truth: Opinion | None
    verdicts: Mapping[str, Opinion]


def check_there(url: str, asked: bool) -> None:
    """Refuse a store that is missing, or another one, instead of treating it as one without verdicts.

    Args:
        url: URL of the store.
        asked: Whether it must contain samples.

    Raises:
        ConfigError: The URL is wrong.
        StorageError: The store is missing or damaged, or contains no samples although it must.
    """
    parsed = checked_url(url)
    name = parsed.render_as_string(hide_password=True)
    fix = "restore it; a relative path is relative to the folder in which veriloop is started"
    if parsed.get_backend_name() == "sqlite" and not Path(str(parsed.database)).is_file():
        raise StorageError(f"the store of verdicts {name} is missing", fix=fix)
    database = open_database(url)
    database.check()
    if asked:
        with database.reading() as connection:
            if not count(connection, samples.c.id > 0):
                raise StorageError(
                    f"the store of verdicts {name} is a different one",
                    got="no samples in it",
                    expected="the samples that the run has submitted",
                    fix=fix,
                )


class Store:
    """Samples for people to judge, and their verdicts.

    Args:
        url: ``sqlite:///FILE`` or ``postgresql://...``.

    Raises:
        ConfigError: The URL is wrong.
        StorageError: The database cannot be reached; any method may raise this, too.
    """

    def __init__(self, url: str) -> None:
        self._database = open_database(url)

    def tallies(self, keys: Collection[str]) -> dict[str, Tally]:
        """Return the verdict counts so far for each of ``keys``."""
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
        """Return the verdicts so far on each of ``keys``, in the order in which they were given."""
        wanted, found = list(keys), list[Vote]()
        columns = samples.c.key, verdicts.c.annotator, verdicts.c.answer, verdicts.c.id
        with self._database.reading() as connection:
            for first in range(0, len(wanted), _KEYS_AT_A_TIME):
                some = samples.c.key.in_(wanted[first : first + _KEYS_AT_A_TIME])
                asked = sa.select(*columns).select_from(verdicts).join(samples).where(some)
                found += [Vote(*row) for row in connection.execute(asked)]
        return sorted(found, key=lambda vote: vote.number)

    def weights(self, up_to: int) -> dict[str, float]:
        """Return each person's weight, from the known samples judged before a given verdict.

        Args:
            up_to: Number of that verdict. Later verdicts have no effect, so judging a round again gives the
                same result.
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
        """Submit samples to people, each once, in order, until ``queue`` of them wait for verdicts.

        Args:
            asked: Samples, which may have the columns `PLACE`.
            known: Known samples to mix in; all of them.
            wanted: Number of people to judge each sample.
            queue: Largest number of waiting samples, including earlier ones.
            show: Columns that people see, in this order; None for all, in the order of ``asked``.
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
                # If a model repeats a known sample exactly, the run needs a verdict on it.
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
        """Return the number of verdicts and the time of the last change; they change with the verdicts."""
        with self._database.reading() as connection:
            asked = sa.select(sa.func.count(), sa.func.coalesce(sa.func.max(verdicts.c.at), 0.0))
            number, at = connection.execute(asked.select_from(verdicts)).one()
        return number, at

    def said(self, *where: sa.ColumnElement[bool]) -> list[Said]:
        """Return all verdicts in order of their first version; for known samples, the first answers.

        Correcting a verdict on a known sample, after seeing the agreement, has no effect here.
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
        """Yield all samples in the order of submission, with their verdicts."""
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
    """Return known samples with the columns of the submitted ones, in the same order."""
    return known.only([name for name in asked if name in known])


def _rows(
    asked: Samples, largest: float, *, truth: Opinion | None, wanted: int, show: Sequence[str] | None
) -> list[dict[str, Any]]:
    """Yield rows of the table, one for each of ``asked``."""
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
