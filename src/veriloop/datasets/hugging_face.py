"""Text pairs from a public data set on Hugging Face, by the library ``datasets`` (extra ``llm``)."""

import importlib
from typing import Any

from ..errors import DataError, MissingExtraError
from ..samples import Samples
from .text import Columns, TextPairs, in_two
from .text_files import Table


class HuggingFace(TextPairs, frozen=True):
    """Any data set of text on Hugging Face, or a local folder that the library ``datasets`` can load.

    Attributes:
        name: Such as ``abisee/cnn_dailymail``.
        subset: Of a data set with several, such as ``3.0.0``.
        train_split: The split to train on.
        test_split: The split to hold out.
        columns: Which column is what.
    """

    name: str
    subset: str | None = None
    train_split: str = "train"
    test_split: str = "test"
    columns: Columns = Columns()

    def pairs(self) -> tuple[Samples, Samples]:
        """From the hub, or from its local cache."""
        fix = (
            f"where there is a network, run: hf download {self.name} --repo-type dataset --local-dir DIR; "
            "then set name to DIR, or use kind: text on its files"
        )
        train, test = (
            load_split(self.name, self.subset, split, self.columns, fix)
            for split in (self.train_split, self.test_split)
        )
        return in_two([train], [test], self.columns)


def load_split(name: str, subset: str | None, split: str, columns: Columns, fix: str) -> Table:
    """The columns of one split.

    Args:
        name: Of the data set.
        subset: Of the data set, if it has several.
        split: Which split.
        columns: Which columns.
        fix: What to tell a user who cannot load it.

    Raises:
        MissingExtraError: The library is not installed.
        DataError: The data set cannot be had, or has no such column.
    """
    try:
        library = importlib.import_module("datasets")
    except ImportError as e:
        raise MissingExtraError.of("datasets", "llm") from e
    try:
        loaded: Any = library.load_dataset(name, subset, split=split)
    except Exception as e:  # the library raises whatever its network and file layers do
        raise DataError(
            f"cannot load {name} from Hugging Face ({type(e).__name__}: {str(e).splitlines()[0][:200]})",
            fix=fix,
        ) from e
    source = f"{name}, split {split}"
    if missing := [column for column in columns.names if column not in loaded.column_names]:
        raise DataError(
            f"{source}: no column {', '.join(map(repr, missing))}",
            got=f"columns {', '.join(loaded.column_names)}",
            fix="name them by the setting columns, such as {document: article, summary: highlights}",
        )
    return Table(source, range(1, len(loaded) + 1), {c: list(loaded[c]) for c in columns.names})
