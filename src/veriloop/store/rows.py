"""The file of a round's rows: their contributions to each number, see `veriloop.records.RowEstimate`."""

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
"""File name, in the folder of a round. A round whose metrics return no rows has no such file."""

Rows = Mapping[Split, Mapping[str, NDArray[np.float32]]]
"""By split and quantity name, shape (n,) each."""


def rows_to_bytes(rows: Rows) -> bytes:
    """Return the content of a rows file; equal rows give equal bytes."""
    arrays = {f"{split}/{name}": own for split, named in rows.items() for name, own in named.items()}
    buffer = io.BytesIO()
    small = sum(array.nbytes for array in arrays.values()) <= UNCOMPRESSED
    (np.savez if small else np.savez_compressed)(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def read_rows(path: Path, split: Split, name: str) -> NDArray[np.float32] | None:
    """Return one quantity's rows from a file, shape (n,); None if the file does not have them.

    Raises:
        CorruptFileError: The file is missing, truncated or changed.
    """
    key = f"{split}/{name}.npy"
    try:
        with zipfile.ZipFile(path) as archive:
            check_zip(path, archive)
            if key not in archive.namelist():
                return None
            content = io.BytesIO(archive.read(key))
            return np.lib.format.read_array(content, allow_pickle=False)
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError) as e:
        raise CorruptFileError(f"rows {path} cannot be read ({e})", fix=RESTORE) from e
