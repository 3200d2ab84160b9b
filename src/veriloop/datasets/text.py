"""Text to write text from: pairs of a document and a summary, or whatever a user's columns stand for.

Samples of text have the columns ``id``, ``document``, ``summary`` and ``reference``. The conditions are
the same rows without ``summary``: a generator returns them with the ``summary`` that it wrote, and
``reference`` stays beside it, so that verifiers and metrics can compare the two.
"""

import os
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from ..errors import ConfigError, DataError
from ..parts import Checked
from ..rng import Address
from ..samples import Samples
from .base import Dataset, RealData
from .text_files import Table, read_table

WRITTEN = "summary"
"""The column that generators write; real pairs have a person's."""

Share = Annotated[float, Field(gt=0, le=1)]
Size = Annotated[int, Field(strict=True, ge=0)] | Share
"""A number of rows, or a share of them: 1 is one row, 1.0 is all."""


class Columns(Checked, frozen=True):
    """Which column of a file is what.

    Attributes:
        id: Tells the rows apart: whole numbers or texts. None numbers the rows.
        document: What the text is written from: an article, a question.
        summary: What a person wrote. None where there are prompts only.
        reference: What written text is compared to; ``summary`` when None.
        keep: Other columns to carry along under their own names, such as tests for a verifier.
    """

    id: str | None = None
    document: str = "document"
    summary: str | None = WRITTEN
    reference: str | None = None
    keep: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """All of them, as the file calls them."""
        named = (self.id, self.document, self.summary, self.reference)
        return list(dict.fromkeys([*(name for name in named if name is not None), *self.keep]))


class TextPairs(Dataset, frozen=True):
    """Pairs of texts with a split by role.

    The held-out pairs are the same for every seed; which training pairs are the start set, and their
    order, is drawn by the seed. Ids are unique over all pairs, so no held-out pair is trained on.

    Attributes:
        start: How many training pairs, or what share of them, the start model is trained on. With 0 the
            learner's own model is the start model.
        train: At most so many training pairs; None for all.
        test: At most so many held-out pairs; None for all.
    """

    start: Size = 0.125
    train: Annotated[int, Field(ge=1)] | None = None
    test: Annotated[int, Field(ge=1)] | None = None

    @abstractmethod
    def pairs(self) -> tuple[Samples, Samples]:
        """The training pairs and the held-out pairs, in a fixed order."""

    def load(self, seed: int) -> RealData:
        """Load and split; only the choice and order of training pairs depends on ``seed``."""
        train, test = self.pairs()
        _check_ids(train, test)
        train = train.select(Address(seed).rng().permutation(len(train))[: self.train])
        # The address has no seed of the run in it: one choice of held-out pairs for all.
        test = test.select(Address(seed=0, arm="held out").rng().permutation(len(test))[: self.test])
        start = train.select(slice(self._start(train)))
        if WRITTEN not in start:
            # The generator's samples will have this column, and are put beside the start set.
            start = start.with_columns(**{WRITTEN: []})
        return RealData(
            start=start,
            train=train,
            test=test,
            conditions=_conditions(train),
            test_conditions=_conditions(test),
        )

    def _start(self, train: Samples) -> int:
        n = count(self.start, len(train))
        if n > len(train):
            raise ConfigError(
                "start set larger than the training set",
                got=f"start={self.start}",
                expected=f"at most {len(train)}",
                fix="lower start, or raise train",
            )
        if n and WRITTEN not in train:
            raise ConfigError(
                "prompts alone cannot train a start model",
                got=f"start={self.start} and no column for {WRITTEN}",
                fix="set start: 0 to begin with the learner's own model, or columns.summary to the column "
                "that holds what a person wrote",
            )
        return n


class TextFiles(TextPairs, frozen=True):
    """Your own pairs, or prompts, from JSON lines, CSV or Parquet. Texts are taken as they are.

    Attributes:
        files: One or several files, or patterns such as ``data/*.jsonl`` (of file names only). A relative
            one is looked for in the working directory, then in ``$VERILOOP_DATA``.
        held_out: A share of the pairs (or a number) to hold out, the same ones for every seed; or the
            files that hold them.
        columns: Which column of the files is what.
    """

    files: str | tuple[str, ...]
    held_out: Size | str | tuple[str, ...] = 0.1
    columns: Columns = Columns()

    def pairs(self) -> tuple[Samples, Samples]:
        """From the files."""
        tables = _read(self.files, self.columns)
        if isinstance(self.held_out, str | tuple):
            return in_two(tables, _read(self.held_out, self.columns), self.columns)
        everything = pairs_of(tables, self.columns)
        n = count(self.held_out, len(everything))
        if not 0 < n < len(everything):
            raise ConfigError(
                "held_out leaves no pairs to train on or none to measure with",
                got=f"held_out={self.held_out} of {len(everything)} pairs",
                expected="a share or number that leaves some on both sides",
            )
        order = Address(seed=0, arm="held-out share").rng().permutation(len(everything))
        return everything.select(order[n:]), everything.select(order[:n])


def count(size: int | float, of: int) -> int:
    """How many of ``of`` rows a `Size` means; a share means one at least."""
    return size if isinstance(size, int) else min(of, max(1, round(size * of)))


def in_two(
    train: Sequence[Table], test: Sequence[Table], columns: Columns, **how: bool
) -> tuple[Samples, Samples]:
    """Training and held-out pairs, checked together and numbered on where there are no ids."""
    first, second = pairs_of(train, columns, **how), pairs_of(test, columns, **how)
    if columns.id is None:
        second = second.with_columns(id=second.array("id") + len(first))
    return first, second


def pairs_of(
    tables: Sequence[Table], columns: Columns, *, collapse: bool = False, drop_empty: bool = False
) -> Samples:
    """The rows of ``tables`` in order, as samples.

    Args:
        tables: With all columns that ``columns`` names.
        columns: Which is what.
        collapse: Whether runs of white space become one space, and none is left at either end.
        drop_empty: Whether to leave out rows with an empty text rather than to refuse them.

    Raises:
        DataError: A text is empty or no text, an id neither a whole number nor a text, or there are no
            rows; the message has the file and the line.
    """
    texts = {"document": columns.document, WRITTEN: columns.summary}
    texts["reference"] = columns.reference or columns.summary
    read: dict[str, list[Any]] = {"id": _ids(tables, columns.id)}
    for name, source in texts.items():
        if source is not None:
            read[name] = _texts(tables, source, collapse, drop_empty)
    for name in columns.keep:
        if name in read or name.startswith("_"):
            expected = f"names other than {', '.join(read)}, and without an underscore in front"
            raise ConfigError("columns.keep", got=name, expected=expected)
        read[name] = _carried(tables, name)
    if drop_empty:
        whole = [all(read[name][i] for name in texts if name in read) for i in range(len(read["id"]))]
        read = {
            name: [v for v, keep in zip(values, whole, strict=True) if keep] for name, values in read.items()
        }
    if not read["id"]:
        raise DataError("no rows", got=", ".join(table.source for table in tables) or "no files")
    return Samples(**{name: _column(name, values) for name, values in read.items()})


def _texts(tables: Sequence[Table], name: str, collapse: bool, empty_too: bool) -> list[str]:
    texts = []
    for table in tables:
        for line, text in zip(table.lines, table.columns[name], strict=True):
            if not isinstance(text, str):
                raise DataError(
                    f"{table.source}, line {line}: column {name!r}", got=type(text).__name__, expected="text"
                )
            _check_text(table, line, name, text)
            if not empty_too and not text.strip():
                raise DataError(
                    f"{table.source}, line {line}: column {name!r} is empty",
                    fix="fill it in, or drop the row",
                )
            texts.append(" ".join(text.split()) if collapse else text)
    return texts


def _carried(tables: Sequence[Table], name: str) -> list[Any]:
    for table in tables:
        for line, value in zip(table.lines, table.columns[name], strict=True):
            if isinstance(value, str):
                _check_text(table, line, name, value)
    return [value for table in tables for value in table.columns[name]]


def _check_text(table: Table, line: int, name: str, text: str) -> None:
    """Refuse halves of characters, which JSON may hold: no file and no tokenizer takes them."""
    try:
        text.encode()
    except UnicodeEncodeError as e:
        raise DataError(
            f"{table.source}, line {line}: column {name!r} holds half a character",
            got=ascii(text[e.start]),
            fix="it was cut within a pair such as an emoji's: cut the text elsewhere, or drop it",
        ) from None


def _ids(tables: Sequence[Table], name: str | None) -> list[Any]:
    if name is None:
        return list(range(sum(len(table.lines) for table in tables)))
    ids = []
    for table in tables:
        for line, value in zip(table.lines, table.columns[name], strict=True):
            if not isinstance(value, int | str) or isinstance(value, bool):
                raise DataError(
                    f"{table.source}, line {line}: column {name!r}",
                    got=type(value).__name__,
                    expected="a whole number or a text to tell the rows apart by",
                )
            ids.append(value)
    # One kind for all rows: numbers only if every id is one, and fits.
    fits = all(isinstance(i, int) and -(2**63) <= i < 2**63 for i in ids)
    return ids if fits else [str(i) for i in ids]


def _column(name: str, values: list[Any]) -> Any:
    if all(isinstance(v, str) for v in values):
        return values
    if all(isinstance(v, bool | int | float) for v in values):
        whole = np.array(values)
        if whole.dtype.kind == "b" or not all(isinstance(v, int) for v in values):
            return whole
        try:
            return np.array(values, np.int64)  # beyond, NumPy would take floats, and lose digits
        except OverflowError:
            big = next(v for v in values if not -(2**63) <= v < 2**63)
            raise DataError(
                f"column {name!r}", got=big, expected="whole numbers of 64 bits", fix="store them as text"
            ) from None
    kinds = sorted({type(v).__name__ for v in values})
    raise DataError(
        f"column {name!r}",
        got=f"values of type {', '.join(kinds)}",
        expected="all text, or all numbers",
        fix="store lists and objects as text, in JSON",
    )


def _check_ids(train: Samples, test: Samples) -> None:
    seen: set[Any] = set()
    for part, where in ((train, "training"), (test, "held-out")):
        for value in list(part["id"]):
            if value in seen:
                raise DataError(
                    "two pairs have the same id",
                    got=str(value),
                    expected=f"an id of its own for each of the {where} pairs",
                    fix="drop one of the two; a held-out pair must not be trained on",
                )
            seen.add(value)


def _conditions(pairs: Samples) -> Samples:
    return pairs.only([name for name in pairs if name != WRITTEN])


def _read(files: str | Sequence[str], columns: Columns) -> list[Table]:
    patterns = [files] if isinstance(files, str) else files
    return [read_table(path, columns.names) for pattern in patterns for path in _find(pattern)]


def _find(pattern: str) -> list[Path]:
    root = os.environ.get("VERILOOP_DATA")
    places = [pattern, str(Path(root) / pattern)] if root else [pattern]
    for place in places:
        path = Path(place)
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
        got="looked for " + " and ".join(places),
        expected="a .jsonl, .csv or .parquet file, or a pattern that matches some",
    )
