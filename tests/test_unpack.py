"""Packed files hold no more than they may."""

import gzip
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from veriloop.arrays import npz_array
from veriloop.datasets.idx_files import read_idx
from veriloop.errors import ConfigError, CorruptFileError, DataError
from veriloop.samples import Samples
from veriloop.unpack import most_unpacked, open_gzip


@pytest.mark.parametrize(("text", "bytes_"), [("", 4 * 2**30), ("100", 100), ("5 kb", 5120), ("2GB", 2**31)])
def test_the_limit_is_a_setting(text: str, bytes_: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERILOOP_MAX_UNPACKED", text)
    assert most_unpacked() == bytes_


@pytest.mark.parametrize("text", ["much", "-1", "1TBs", "1e9", "9" * 30])
def test_a_limit_that_is_no_number_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERILOOP_MAX_UNPACKED", text)
    with pytest.raises(ConfigError, match="VERILOOP_MAX_UNPACKED"):
        most_unpacked()


def test_reading_stops_at_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "zeros.gz"
    path.write_bytes(gzip.compress(bytes(10_000_000)))
    monkeypatch.setenv("VERILOOP_MAX_UNPACKED", "1MB")
    for size in (-1, 10_000_000):
        with open_gzip(path) as file, pytest.raises(DataError, match="too large when unpacked"):
            file.read(size)
    monkeypatch.setenv("VERILOOP_MAX_UNPACKED", "10MB")
    with open_gzip(path) as file:
        assert len(file.read()) == 10_000_000


def _idx(shape: tuple[int, ...], content: bytes) -> bytes:
    return bytes([0, 0, 8, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape) + content


def test_an_idx_file_is_unpacked_as_far_as_its_header_says(tmp_path: Path) -> None:
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(_idx((2, 3, 3), bytes(100_000_000))))
    with pytest.raises(DataError, match="more than 34 bytes"):
        read_idx(path, 3)
    path.write_bytes(gzip.compress(_idx((2, 3, 3), bytes(18))))
    assert read_idx(path, 3).shape == (2, 3, 3)


def test_an_idx_header_that_asks_for_too_much_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "images"
    for content, why in (
        (b"", "does not match its header"),
        (b"packed", "too large when unpacked"),
    ):
        whole = _idx((2**31, 2**31, 2**31), content)
        path.write_bytes(gzip.compress(whole) if content else whole)
        with pytest.raises(DataError, match=why):
            read_idx(path, 3)


def _bomb(path: Path, name: str, shape: tuple[int, ...], content: int) -> None:
    """An .npz file of zeros, packed well, with a header that says ``shape``."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}.npy", header.getvalue() + bytes(content))


def test_arrays_are_unpacked_within_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "samples.npz"
    monkeypatch.setenv("VERILOOP_MAX_UNPACKED", "1MB")
    _bomb(path, "x.array", (5_000_000,), 5_000_000)
    with pytest.raises(CorruptFileError, match="too large when unpacked"):
        Samples.load(path)
    with pytest.raises(DataError, match="too large when unpacked"):
        npz_array(path, "x.array")
    _bomb(path, "x.array", (10**15,), 10)
    with pytest.raises(CorruptFileError, match="cannot be read"):
        Samples.load(path)
    with pytest.raises(DataError, match="truncated"):
        npz_array(path, "x.array")


def test_samples_that_are_packed_well_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERILOOP_MAX_UNPACKED", "1KB")
    whole = Samples(x=np.random.default_rng(0).integers(0, 2, 100_000).astype(np.uint8))
    whole.save(tmp_path / "samples.npz")
    assert Samples.load(tmp_path / "samples.npz").same_as(whole)
