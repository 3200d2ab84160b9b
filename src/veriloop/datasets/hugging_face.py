"""Text pairs from a public data set on Hugging Face, with the library ``datasets`` (extra ``llm``)."""

import importlib
from collections.abc import Sequence
from itertools import islice
from typing import Any

from typing_extensions import override

from ..errors import DataError
from ..extras import require
from ..schema import Schema
from ..tables import FIRST, First, Table, check_has
from .base import check_start
from .text import Pairs, TextPairs
from .text_columns import Columns, Roles
from .text_rows import samples_of

VALIDATION = "validation"
"""Usual name of the split for decisions."""


class HuggingFace(TextPairs, frozen=True):
    """Any data set of text on Hugging Face, or a local folder that the library ``datasets`` can load.

    Attributes:
        name: Name, such as ``abisee/cnn_dailymail``.
        subset: Name of the subset if there are several, such as ``3.0.0``.
        train_split: Name of the training split.
        validation_split: Name of the split for decisions; None uses the split ``validation``, or half of the
            test split if there is none.
        test_split: Name of the held-out split.
        columns: Role of each column.
    """

    name: str
    subset: str | None = None
    train_split: str = "train"
    validation_split: str | None = None
    test_split: str = "test"
    columns: Columns = Columns()

    @override
    def settings(self) -> Columns:
        return self.columns

    @override
    def firsts(self) -> list[First]:
        loaded = {split: self._loaded(split) for split in (self.train_split, self.test_split)}
        validation = self._validation(loaded[self.train_split])
        if validation is not None:
            loaded[validation] = self._loaded(validation)
        return [first_of(rows, self._called(split)) for split, rows in loaded.items()]

    @override
    def check_ahead(self, schema: Schema) -> None:
        super().check_ahead(schema)
        if isinstance(self.start, int):
            check_start(self.start, len(self._loaded(self.train_split)))

    @override
    def pairs(self, roles: Roles) -> Pairs:
        train, test = self._loaded(self.train_split), self._loaded(self.test_split)
        validation = self._validation(train)
        own = None if validation is None else self._loaded(validation)
        return pairs_of(train, test, own, roles, self.name, tidy=self.tidy)

    def _loaded(self, split: str) -> Any:
        fix = (
            f"on a machine with a network, run: hf download {self.name} --repo-type dataset --local-dir DIR; "
            "then set name to DIR, or use kind: text on its files"
        )
        return load_split(self.name, self.subset, split, fix)

    def _called(self, split: str) -> str:
        return f"{self.name}, split {split}"

    def _validation(self, train: Any) -> str | None:
        return self.validation_split or (VALIDATION if has_split(train, VALIDATION) else None)


def has_split(loaded: Any, name: str) -> bool:
    """Whether the data set that ``loaded`` belongs to has a split called ``name``."""
    return name in (loaded.info.splits or ())


def load_split(name: str, subset: str | None, split: str, fix: str) -> Any:
    """Load one split with the library.

    Args:
        name: Name of the data set.
        subset: Name of the subset, if there are several.
        split: Name of the split.
        fix: What the user can do if it cannot be loaded.

    Raises:
        MissingExtraError: The library is not installed.
        DataError: The data set cannot be loaded.
    """
    require("datasets")
    library = importlib.import_module("datasets")
    try:
        return library.load_dataset(name, subset, split=split)
    except Exception as e:  # the library passes on errors of its network and file layers
        raise DataError(
            f"cannot load {name} from Hugging Face ({type(e).__name__}: {str(e).splitlines()[0][:200]})",
            fix=fix,
        ) from e


def first_of(loaded: Any, source: str) -> First:
    """Return the first rows of a split."""
    return First(source, loaded.column_names, list(enumerate(islice(loaded, FIRST), 1)))


def pairs_of(train: Any, test: Any, validation: Any, roles: Roles, name: str, *, tidy: bool) -> Pairs:
    """Return all rows of the splits of the data set ``name``; ``validation`` may be None."""
    splits = {"train": train, "test": test, "validation": validation}
    read, number, kept = {}, 0, 0
    for what, loaded in splits.items():
        if loaded is not None:
            table = _table(loaded, roles.read, f"{name}, {what} split")
            read[what] = samples_of([table], roles, number, tidy=tidy)
            number += len(table.lines)
            kept += len(read[what])
    return Pairs(**read, empty=number - kept)


def _table(loaded: Any, names: Sequence[str], source: str) -> Table:
    check_has(names, loaded.column_names, source)
    return Table(source, range(1, len(loaded) + 1), {name: list(loaded[name]) for name in names})
