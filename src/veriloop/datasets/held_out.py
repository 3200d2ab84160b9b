"""Splits of rows by content, with or without a published test split, alike in each class."""

from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..errors import ConfigError, DataError
from ..parts import Checked
from ..rng import Address
from ..samples import Samples
from .base import RealData, check_start
from .images import balanced_order
from .splits import Keys, Size, apart, count, counted, taken


class Pool(NamedTuple):
    """Rows of one published split.

    Attributes:
        samples: Rows.
        keys: Content key of each row.
    """

    samples: Samples
    keys: Keys

    def select(self, rows: NDArray[Any]) -> "Pool":
        """Return the rows at ``rows``: a mask or indices."""
        indices = np.flatnonzero(rows) if rows.dtype == bool else rows
        return Pool(self.samples.select(indices), [self.keys[int(i)] for i in indices])


class Splits(Checked, frozen=True):
    """How rows are split by role. A data set that inherits this has its fields.

    The held-out rows are the same for every seed; the seed determines the start set and the order of the
    training rows. Rows with equal content are never in two splits.

    Attributes:
        start: Number or share of training rows that the start model is trained on; a share includes at least
            one row of each class.
        train: Largest number of training rows; None for all.
        held_out: Number or share of rows to hold out, if the data have no test split.
        validation: Number or share of the held-out rows that are for decisions: None for half, or for the
            whole validation split if the data have one; 0 for none.
        test: Largest number of held-out rows for reported numbers; None for all others.
    """

    start: Size = 0.1
    train: Annotated[int, Field(ge=1)] | None = None
    held_out: Size = 0.2
    validation: Size | None = None
    test: Annotated[int, Field(ge=1)] | None = None

    def check_sizes(self, n: int, test: int | None, classes: int, where: str) -> None:
        """Refuse sizes that are impossible with ``n`` rows.

        Args:
            n: Number of rows to train on and, without a test split, to hold out.
            test: Number of rows in the test split; None if there is none.
            classes: Number of classes.
            where: Name of the data for error messages.

        Raises:
            ConfigError: ``start``, ``held_out`` or ``validation`` leaves nothing.
            DataError: There are no rows to split.
        """
        least = 1 if test is not None else 2 if self.validation == 0 else 3
        if n < least:
            raise DataError(f"too few rows in {where}", got=n, expected=f"at least {least}, all different")
        rest = n if test is not None else n - self._held(n)
        check_start(self._start(rest, classes), rest if self.train is None else min(self.train, rest))

    def split(
        self,
        train: Pool,
        validation: Pool | None,
        test: Pool | None,
        *,
        label: str | None,
        given: tuple[str, ...] = (),
        seed: int,
        where: str,
    ) -> RealData:
        """Split these rows into real data.

        Args:
            train: Rows to train on and, without ``test``, to hold out.
            validation: Published validation rows; None to use a part of the held-out ones.
            test: Published test rows; None to hold out a share of ``train``.
            label: Class column, in which all splits are alike; None for rows without classes.
            given: Other columns that generators receive, row by row; without any, the classes are the
                conditions.
            seed: Seed for drawing the training rows.
            where: Name of the data for error messages.

        Raises:
            ConfigError: A size leaves nothing to train on or to measure with.
            DataError: No training row is left, or there are too few rows.
        """
        if test is None:
            held = self._held_rows(train, label, where)
            train, test = train.select(~held), train.select(held)
        classes = _classes(train.samples, label)
        test, validation = self._halved(test, validation, label)
        stay, stay_validation = apart(train.keys, validation.keys, test.keys)
        train, validation = train.select(stay), validation.select(stay_validation)
        order = balanced_order(_strata(train.samples, label), Address(seed).rng())
        rows = train.samples.select(order[: self.train])
        start = self._start(len(rows), classes)
        check_start(start, len(rows))
        conditions = None
        if given:
            conditions = rows.only(given)
        elif label is not None:
            conditions = Samples(**{label: np.unique(rows.array(label))})
        return RealData(
            start=rows.select(slice(start)),
            train=rows,
            test=test.samples,
            conditions=conditions,
            test_conditions=test.samples.only(given) if given else None,
            validation=validation.samples,
            validation_conditions=validation.samples.only(given) if given else None,
            duplicates=counted(train=stay, validation=stay_validation),
        )

    def _start(self, rows: int, classes: int) -> int:
        n = count(self.start, rows)
        return n if isinstance(self.start, int) else min(rows, max(n, classes))

    def _held(self, rows: int) -> int:
        return max(1 if self.validation == 0 else 2, count(self.held_out, rows))

    def _held_rows(self, pool: Pool, label: str | None, where: str) -> NDArray[np.bool_]:
        """Return a mask of the held-out share: equal rows together, classes alike, the same for all seeds."""
        different = len(set(pool.keys))
        self.check_sizes(different, None, 1, where)
        order = balanced_order(_strata(pool.samples, label), Address(seed=0, arm="held-out share").rng())
        held = taken(pool.keys, order, self._held(len(pool.keys)))
        if held.all():
            raise ConfigError(
                "held_out leaves no rows to train on",
                got=f"held_out={self.held_out} of {len(held)} rows, {different} of them different",
                expected="a share or number that leaves some",
            )
        return held

    def _halved(self, test: Pool, validation: Pool | None, label: str | None) -> tuple[Pool, Pool]:
        """Return test and validation rows, in a random order that is the same for all seeds."""
        if validation is not None:
            size = 1.0 if self.validation is None else self.validation
            validation = _mixed(validation, label, "validation rows")
            chosen = np.arange(count(size, len(validation.keys)))
            return _mixed(test, label, "test rows").select(np.arange(len(test.keys))[: self.test]), (
                validation.select(chosen)
            )
        n = len(test.keys)
        share = 0.5 if self.validation is None else count(self.validation, n) / n
        # Alternating within each class, so that both sides are alike in each.
        first = {key: i for i, key in reversed(list(enumerate(test.keys)))}
        strata = _strata(test.samples, label)
        turns = balanced_order(strata, Address(seed=0, arm="held-out rows").rng())
        groups = [i for i in turns[np.argsort(strata[turns], kind="stable")] if first[test.keys[i]] == i]
        decide = {
            test.keys[row] for i, row in enumerate(groups) if int((i + 1) * share) > int(i * share + 1e-9)
        }
        mask = np.array([key in decide for key in test.keys], bool)
        if n and mask.all():
            raise ConfigError(
                "validation leaves no rows to test with",
                got=f"validation={self.validation} of {n} held-out rows",
                expected="a share or number that leaves some",
            )
        reported = _mixed(test.select(~mask), label, "test rows")
        return reported.select(np.arange(len(reported.keys))[: self.test]), (
            _mixed(test.select(mask), label, "validation rows")
        )


def _mixed(pool: Pool, label: str | None, purpose: str) -> Pool:
    """Shuffle rows so that every prefix holds the classes evenly; independent of the run's seed."""
    return pool.select(balanced_order(_strata(pool.samples, label), Address(seed=0, arm=purpose).rng()))


def _strata(samples: Samples, label: str | None) -> NDArray[np.int64]:
    return np.zeros(len(samples), np.int64) if label is None else samples.array(label).astype(np.int64)


def _classes(samples: Samples, label: str | None) -> int:
    return 1 if label is None else len(np.unique(samples.array(label)))
