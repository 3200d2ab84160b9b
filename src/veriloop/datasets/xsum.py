"""XSum: BBC articles, each with a summary in one sentence."""

import os
from pathlib import Path

from ..errors import DataError
from ..samples import Samples
from .hugging_face import load_split
from .text import Columns, TextPairs, in_two
from .text_files import Table, read_table

NAME = "EdinburghNLP/xsum"
TRAIN, TRAIN_EXTRA, TEST = "train", "train-extra", "test"
COLUMNS = Columns(id="id")


class XSum(TextPairs, frozen=True):
    """Extreme summarisation (S. Narayan, S. Cohen, M. Lapata, EMNLP 2018).

    Looked for first in ``$VERILOOP_DATA/xsum``: ``train.jsonl.gz``, ``train-extra.jsonl.gz`` where there
    is one, and ``test.jsonl.gz``, or the same unpacked. Such a folder may hold a part of XSum only. Then
    numbers from it cannot be compared with published ones: the pairs and their split are not the official
    204,045 + 11,334. Otherwise loaded as ``EdinburghNLP/xsum``, which has the official split.

    White space is collapsed, and the few pairs with an empty text are left out. Nothing else is changed;
    encoding errors of the source stay.
    """

    def pairs(self) -> tuple[Samples, Samples]:
        """From ``$VERILOOP_DATA/xsum``, else from Hugging Face."""
        root = os.environ.get("VERILOOP_DATA")
        folder = Path(root) / "xsum" if root else None
        if folder is not None and folder.is_dir():
            train = [_read(folder, TRAIN)]
            if _find(folder, TRAIN_EXTRA) is not None:
                train.append(_read(folder, TRAIN_EXTRA))
            test = _read(folder, TEST)
        else:
            fix = (
                f"looked in {folder or '$VERILOOP_DATA/xsum (VERILOOP_DATA is not set)'} first; where there "
                f"is a network, download {NAME}, and put train.jsonl and test.jsonl with the keys id, "
                "document and summary there"
            )
            train, test = (load_split(NAME, None, split, COLUMNS, fix) for split in (TRAIN, TEST))
            train = [train]
        return in_two(train, [test], COLUMNS, collapse=True, drop_empty=True)


def _find(folder: Path, split: str) -> Path | None:
    candidates = (folder / f"{split}.jsonl.gz", folder / f"{split}.jsonl")
    return next((path for path in candidates if path.is_file()), None)


def _read(folder: Path, split: str) -> Table:
    path = _find(folder, split)
    if path is None:
        raise DataError(
            f"no file {split}.jsonl.gz or {split}.jsonl in {folder}", fix="put the pairs of XSum there"
        )
    return read_table(path, COLUMNS.names)
