"""XSum: BBC articles, each with a one-sentence summary."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from typing_extensions import override

from ..data_root import data_root, place_in_data_root
from ..errors import DataError
from ..extras import require
from ..hub import to_fetch
from ..schema import Schema
from ..tables import First, first_rows, read_table
from .hugging_face import has_split, load_split, pairs_of
from .text import Pairs, TextPairs
from .text_columns import Columns, Roles
from .text_rows import samples_of

NAME = "EdinburghNLP/xsum"
TRAIN, TRAIN_EXTRA, VALIDATION, TEST = "train", "train-extra", "validation", "test"
COLUMNS = Columns(id="id", prompt="document", completion="summary")
KNOWN = ("id", "document", "summary")


class XSum(TextPairs, frozen=True):
    """Extreme summarisation (S. Narayan, S. Cohen, M. Lapata, EMNLP 2018).

    Searched first in ``$VERILOOP_DATA/xsum``: ``train.jsonl.gz`` and ``test.jsonl.gz``, and if present
    ``train-extra.jsonl.gz`` and ``validation.jsonl.gz``, or the same files uncompressed. Such a folder may
    contain only a part of XSum. Results from it cannot be compared with published ones, because its pairs and
    their split are not the official 204,045 + 11,332 + 11,334. Otherwise loaded as ``EdinburghNLP/xsum``,
    which has the official split.

    White space is collapsed, and the few pairs with an empty text are removed and counted. Nothing else is
    changed; encoding errors of the source remain.
    """

    tidy: ClassVar[bool] = True

    @override
    def settings(self) -> Columns:
        return COLUMNS

    @override
    def firsts(self) -> list[First]:
        if files := _files():
            return [first_rows(path) for path in files.values()]
        return [First(NAME, KNOWN, [])]  # known without loading it

    @override
    def pairs(self, roles: Roles) -> Pairs:
        files = _files()
        if not files:
            public = self._public()
            splits = public[TRAIN], public[TEST], public.get(VALIDATION)
            return pairs_of(*splits, roles, NAME, tidy=self.tidy)
        tables = {split: read_table(path, roles.read) for split, path in files.items()}
        parts = {
            "train": [tables[split] for split in (TRAIN, TRAIN_EXTRA) if split in tables],
            "test": [tables[TEST]],
            **({"validation": [tables[VALIDATION]]} if VALIDATION in tables else {}),
        }
        read = {part: samples_of(some, roles, tidy=self.tidy) for part, some in parts.items()}
        rows = sum(len(table.lines) for table in tables.values())
        return Pairs(**read, empty=rows - sum(map(len, read.values())))

    @override
    def check_ahead(self, schema: Schema) -> None:
        super().check_ahead(schema)
        if not _files():
            require("datasets")
        self.downloads()

    @override
    def downloads(self) -> str | None:
        return None if _files() else to_fetch("dataset", NAME, _fix())

    @override
    def sources(self) -> Mapping[str, Path]:
        return {f"xsum/{path.name}": path for path in _files().values()}

    def _public(self) -> dict[str, Any]:
        fix = _fix()
        splits = {split: load_split(NAME, None, split, fix) for split in (TRAIN, TEST)}
        if has_split(splits[TRAIN], VALIDATION):
            splits[VALIDATION] = load_split(NAME, None, VALIDATION, fix)
        return splits


def _fix() -> str:
    return (
        f"looked in {place_in_data_root('xsum')} first; on a machine with a network, download {NAME}, and put"
        " train.jsonl, validation.jsonl and test.jsonl with the keys id, document and summary there"
    )


def _files() -> dict[str, Path]:
    """Return the files in ``$VERILOOP_DATA/xsum`` by split; empty without such a folder."""
    root = data_root()
    if root is None or not (folder := root / "xsum").is_dir():
        return {}
    files = {}
    for split in (TRAIN, TRAIN_EXTRA, TEST, VALIDATION):
        candidates = (folder / f"{split}.jsonl.gz", folder / f"{split}.jsonl")
        path = next((path for path in candidates if path.is_file()), None)
        if path is not None:
            files[split] = path
        elif split in (TRAIN, TEST):
            names = f"{split}.jsonl.gz or {split}.jsonl"
            raise DataError(f"no file {names} in {folder}", fix="put the pairs of XSum there")
    return files
