"""Text data: pairs of a prompt and a completion written by a person, chats, or prompts alone.

Text samples have the columns of the user's file, under their original names, and an ``id``. The conditions
are the same rows without the completion: a generator returns them with its own text as completion, and the
reference is kept beside it for verifiers and metrics to compare.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
from pydantic import Field
from typing_extensions import override

from ..data_root import under_data_root
from ..errors import ConfigError, DataError
from ..rng import Address
from ..samples import Samples
from ..schema import Schema
from ..tables import First, Table, first_rows, read_table
from .base import Dataset, RealData, check_start
from .splits import Size, apart, count, counted, taken, text_keys
from .text_columns import HOW_TO_KEEP, Columns, Roles, settle
from .text_rows import samples_of

EMPTY = "a text is empty"
"""Reason for leaving out a row."""


class Pairs(NamedTuple):
    """Rows as read, before any random choice.

    Attributes:
        train: Training rows.
        test: Held-out rows.
        validation: Held-out rows for decisions; None to use a part of ``test``.
        empty: Number of rows left out because one of their texts is empty.
    """

    train: Samples
    test: Samples
    validation: Samples | None = None
    empty: int = 0


class TextPairs(Dataset, frozen=True):
    """Pairs of texts with a split by role.

    The held-out pairs are the same for every seed; the seed determines the start set and the order of the
    training pairs. Pairs with equal prompts (ignoring white space) are never in two splits: the training
    pairs among them are removed and counted.

    Attributes:
        start: Number or share of training pairs that the start model is trained on. With 0, the learner's own
            model is the start model.
        train: Largest number of training pairs; None for all.
        validation: Number or share of pairs for decisions: of the validation pairs if there are any, with
            None for all; else of the held-out pairs, with None for half. 0 for none.
        test: Largest number of held-out pairs for reported numbers; None for all others.
    """

    tidy: ClassVar[bool] = False
    """Whether white space is collapsed, and pairs with an empty text are removed."""

    start: Size = 0.125
    train: Annotated[int, Field(ge=1)] | None = None
    validation: Size | None = None
    test: Annotated[int, Field(ge=1)] | None = None

    @abstractmethod
    def settings(self) -> Columns:
        """Return the user's settings for the columns."""

    @abstractmethod
    def firsts(self) -> Sequence[First]:
        """Return the first rows of each file, training files first."""

    @abstractmethod
    def pairs(self, roles: Roles) -> Pairs:
        """Return all rows, in a fixed order."""

    @override
    def schema(self) -> Schema:
        firsts = self.firsts()
        roles = self._roles(firsts)
        for first in firsts:
            if first.rows:
                samples_of([first.table(roles.read)], roles, tidy=self.tidy)
        return roles.schema()

    @override
    def check_ahead(self, schema: Schema) -> None:
        """Refuse a start model trained on prompts alone, or on more pairs than exist."""
        super().check_ahead(schema)
        if isinstance(self.start, int) and self.train is not None:
            check_start(self.start, self.train)
        if self.start:
            self._has_completions(self.roles())

    @override
    def load(self, seed: int) -> RealData:
        """Load and split; ``seed`` only affects the choice and order of training pairs."""
        roles = self.roles()
        pairs, duplicates = _apart(self.pairs(roles), roles)
        validation, test = self._held_out(pairs, roles)
        train = pairs.train.select(Address(seed).rng().permutation(len(pairs.train))[: self.train])
        start = train.select(slice(self._start(train, roles)))
        if roles.written not in start:
            # The generator's samples will have this column, and are joined with the start set.
            start = start.with_columns(**{roles.written: []})
        given = [name for name in train if name != roles.written]
        return RealData(
            start=start,
            train=train,
            test=test,
            conditions=train.only(given),
            test_conditions=test.only(given),
            validation=validation,
            validation_conditions=validation.only(given),
            duplicates=duplicates,
            left_out={EMPTY: pairs.empty} if pairs.empty else {},
        )

    def roles(self) -> Roles:
        """Return the role of each column.

        Raises:
            ConfigError: The roles cannot be inferred from the names.
            DataError: A column in the settings does not exist, or there are no rows.
        """
        return self._roles(self.firsts())

    def _roles(self, firsts: Sequence[First]) -> Roles:
        told = next((first for first in firsts if first.names), None)
        if told is None:
            raise DataError("no rows", got=", ".join(first.source for first in firsts) or "no files")
        return settle(self.settings(), told.names, told.source, [row for _, row in told.rows])

    def _held_out(self, pairs: Pairs, roles: Roles) -> tuple[Samples, Samples]:
        """Return validation and test pairs, the same for every seed of the run."""
        test = _shuffled(pairs.test, "held out")
        if pairs.validation is not None:
            own = _shuffled(pairs.validation, "held out for validation")
            size = 1.0 if self.validation is None else self.validation
            return own.select(slice(count(size, len(own)))), test.select(slice(self.test))
        n = len(test) // 2 if self.validation is None else count(self.validation, len(test))
        # From the end, so that the first test pairs are the same with and without validation pairs.
        mask = taken(text_keys(test.texts(roles.prompt)), np.arange(len(test))[::-1], n)
        if mask.all():
            if self.validation is not None:
                raise ConfigError(
                    "validation leaves no pairs to test with",
                    got=f"validation={self.validation} of {len(test)} held-out pairs",
                    expected="a share or number that leaves some",
                )
            mask[:] = False
        return test.select(mask), test.select(~mask).select(slice(self.test))

    def _start(self, train: Samples, roles: Roles) -> int:
        n = count(self.start, len(train))
        check_start(n, len(train))
        if n:
            self._has_completions(roles)
        return n

    def _has_completions(self, roles: Roles) -> None:
        if not roles.has_completions:
            raise ConfigError(
                "prompts alone cannot train a start model",
                got=f"start={self.start} and no column for the completion",
                fix="set start: 0 to start with the learner's own model, or columns.completion to the column "
                "with completions written by people",
            )


class TextFiles(TextPairs, frozen=True):
    """A user's pairs, chats or prompts, from JSON lines, JSON, CSV or Parquet. Texts are used unchanged.

    Attributes:
        files: One or several files, or patterns such as ``data/*.jsonl`` (for file names only). A relative
            path is searched in the working directory, then in ``$VERILOOP_DATA``.
        held_out: Share or number of pairs to hold out, the same for every seed; or the files that contain
            them.
        validation_files: Files with validation pairs; None uses a part of the held-out pairs.
        columns: Role of each column of the files.
    """

    files: str | tuple[str, ...]
    held_out: Size | str | tuple[str, ...] = 0.1
    validation_files: str | tuple[str, ...] | None = None
    columns: Columns = Columns()

    @override
    def settings(self) -> Columns:
        return self.columns

    @override
    def firsts(self) -> list[First]:
        return [first_rows(path) for path in self.sources().values()]

    @override
    def sources(self) -> Mapping[str, Path]:
        held_out = self.held_out if isinstance(self.held_out, str | tuple) else ()
        groups = (self.files, held_out, self.validation_files or ())
        found = [
            (pattern, path) for files in groups for pattern in _several(files) for path in _find(pattern)
        ]
        return {(Path(pattern).parent / path.name).as_posix(): path for pattern, path in found}

    @override
    def pairs(self, roles: Roles) -> Pairs:
        tables = _read(self.files, roles)
        if isinstance(self.held_out, str | tuple):
            train = samples_of(tables, roles)
            test = samples_of(_read(self.held_out, roles), roles, len(train))
        else:
            train, test = self._share(samples_of(tables, roles), roles, self.held_out)
        if self.validation_files is None:
            return Pairs(train, test)
        number = len(train) + len(test)
        return Pairs(train, test, samples_of(_read(self.validation_files, roles), roles, number))

    def _share(self, everything: Samples, roles: Roles, size: int | float) -> tuple[Samples, Samples]:
        n = count(size, len(everything))
        order = Address(seed=0, arm="held-out share").rng().permutation(len(everything))
        held = taken(text_keys(everything.texts(roles.prompt)), order, n)[order]
        if held.all() or not held.any():
            raise ConfigError(
                "held_out leaves no pairs for training or none for measuring",
                got=f"held_out={self.held_out} of {len(everything)} pairs, with equal prompts kept together",
                expected="a share or number that leaves some on both sides",
            )
        return everything.select(order[~held]), everything.select(order[held])


def _apart(pairs: Pairs, roles: Roles) -> tuple[Pairs, dict[str, int]]:
    """Remove pairs whose prompt is in a split with priority, and count them by split."""
    validation = pairs.test.select(slice(0)) if pairs.validation is None else pairs.validation
    sides = (pairs.train, validation, pairs.test)
    stay, stay_validation = apart(*(text_keys(side.texts(roles.prompt)) for side in sides))
    own = None if pairs.validation is None else validation.select(stay_validation)
    kept = pairs._replace(train=pairs.train.select(stay), validation=own)
    _check_ids(kept, roles.numbered)
    return kept, counted(train=stay, validation=stay_validation)


def _check_ids(pairs: Pairs, name: str) -> None:
    seen: set[Any] = set()
    for where, side in (("training", pairs.train), ("test", pairs.test), ("validation", pairs.validation)):
        for value in [] if side is None else list(side[name]):
            if value in seen:
                raise DataError(
                    "two pairs have the same id",
                    got=str(value),
                    expected=f"a different id for each of the {where} pairs",
                    fix="remove one of the two, or leave columns.id out to number the rows",
                )
            seen.add(value)


def _shuffled(samples: Samples, purpose: str) -> Samples:
    return samples.select(Address(seed=0, arm=purpose).rng().permutation(len(samples)))


def _several(files: str | Sequence[str]) -> Sequence[str]:
    return [files] if isinstance(files, str) else files


def _read(files: str | Sequence[str], roles: Roles) -> list[Table]:
    # A file given twice, by overlapping patterns or through a link, is read once.
    found = {
        ((status := path.stat()).st_dev, status.st_ino): path
        for pattern in reversed(_several(files))
        for path in reversed(_find(pattern))
    }
    return [read_table(path, roles.read, HOW_TO_KEEP) for path in reversed(found.values())]


def _find(pattern: str) -> list[Path]:
    places = under_data_root(pattern)
    for path in places:
        try:
            found = [path] if path.is_file() else sorted(path.parent.glob(path.name))
        except ValueError as e:
            raise DataError(
                f"files {pattern!r} ({e})", expected="a file, or a pattern of file names"
            ) from None
        if found:
            return found
    raise DataError(
        f"no file {pattern}",
        got="looked for " + " and ".join(map(str, places)),
        expected="a .jsonl, .json, .csv or .parquet file, or a pattern that matches some",
    )
