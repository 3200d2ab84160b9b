"""The file of a round's rows: what each adds to each measured number, see `veriloop.records.RowEstimate`."""

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import CorruptFileError
from ..records import Split
from ..samples import UNCOMPRESSED
from ..unpack import check_zip
from .digests import RESTORE

ROWS = "rows.npz"
"""The file's name, beside a round's model. A round whose metrics give no rows has none."""

Rows = Mapping[Split, Mapping[str, NDArray[np.float32]]]
"""By split and by the quantity's name, shape (n,) each."""


def rows_to_bytes(rows: Rows) -> bytes:
    """The content of a file of rows; equal rows give equal bytes."""
    arrays = {f"{split}/{name}": own for split, named in rows.items() for name, own in named.items()}
    buffer = io.BytesIO()
    small = sum(array.nbytes for array in arrays.values()) <= UNCOMPRESSED
    (np.savez if small else np.savez_compressed)(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def read_rows(path: Path, split: Split, name: str) -> NDArray[np.float32] | None:
    """One quantity's rows of a file, shape (n,); None where the file has none of it.

    Raises:
        CorruptFileError: It is missing, cut short or changed.
    """
    key = f"{split}/{name}"
    try:
        with zipfile.ZipFile(path) as archive:
            check_zip(path, archive)
        with np.load(path, allow_pickle=False) as stored:
            return stored[key] if key in stored.files else None
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError) as e:
        raise CorruptFileError(f"rows {path} cannot be read ({e})", fix=RESTORE) from e
