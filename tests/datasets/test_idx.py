import contextlib
import gzip
import importlib.util
import os
import struct
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from veriloop.datasets.idx import MNIST, FashionMNIST, GreyImages, IdxFolder
from veriloop.datasets.idx_files import FILES, read_idx
from veriloop.errors import ConfigError, DataError, MissingExtraError
from veriloop.schema import Schema
from veriloop.testing import check_dataset

GREY = np.random.default_rng(0).integers(0, 256, (40, 8, 12), np.uint8)
LABEL = (np.arange(40) % 10).astype(np.uint8)
HELD = np.random.default_rng(1).integers(0, 256, (40, 8, 12), np.uint8)
"""The published test images of the folders written here."""

needs_data = pytest.mark.skipif(
    not os.environ.get("VERILOOP_DATA"), reason="needs the real files: set VERILOOP_DATA to their folder"
)


def idx(array: NDArray[np.uint8]) -> bytes:
    header = bytes([0, 0, 8, array.ndim])
    return header + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_folder(
    folder: Path,
    grey: NDArray[np.uint8] = GREY,
    label: NDArray[np.uint8] = LABEL,
    held: NDArray[np.uint8] = HELD,
    held_label: NDArray[np.uint8] = LABEL,
) -> Path:
    splits = ((grey, label), (held, held_label))
    for packed, names, split in zip((True, False), FILES.values(), splits, strict=True):
        for name, array in zip(names, split, strict=True):
            content = idx(array)
            path = folder / (f"{name}.gz" if packed else name)
            path.write_bytes(gzip.compress(content) if packed else content)
    return folder


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_round_trip_plain_and_packed(tmp_path: Path, pack: type[bytes]) -> None:
    path = tmp_path / "file"
    for array in (GREY, LABEL, GREY[:0]):
        path.write_bytes(pack(idx(array)))
        assert np.array_equal(read_idx(path, array.ndim), array)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an idx file"),
        (b"\0\0\x08", "not an idx file"),
        (b"PNG\0" + bytes(100), "first bytes 504e4700"),
        (b"\0\0\x0d\x03" + bytes(12), "type 0x0d with 3 axes"),
        (idx(LABEL), "type 0x08 with 1 axes"),
        (idx(GREY)[:10], "does not match its header"),
        (idx(GREY)[:-1], "got '3855 bytes', expected 3856 for shape"),
        (idx(GREY) + b"x", "does not match"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "does not match"),
        (gzip.compress(idx(GREY), mtime=0)[:-20], "cannot read"),
        (gzip.compress(idx(GREY), mtime=0)[:5], "cannot read"),
        (b"\x1f\x8b" + bytes(30), "cannot read"),
    ],
)
def test_damaged_files_are_refused_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "images"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_idx(path, 3)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot read"):
        read_idx(tmp_path / "none", 3)


@given(st.binary(max_size=80) | st.binary(max_size=40).map(lambda b: b"\0\0\x08\x01" + b), st.booleans())
def test_no_content_whatever_gives_anything_but_an_array_or_a_data_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, pack: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz"
    path.write_bytes(gzip.compress(content) if pack else content)
    for axes in (1, 3):
        with contextlib.suppress(DataError):
            assert read_idx(path, axes).ndim == axes


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_flipped_byte_in_a_packed_file_never_goes_unnoticed_as_another_error(
    tmp_path_factory: pytest.TempPathFactory, position: int, value: int
) -> None:
    content = bytearray(gzip.compress(idx(GREY), mtime=0))
    content[position % len(content)] = value
    path = tmp_path_factory.getbasetemp() / "flipped"
    path.write_bytes(content)
    with contextlib.suppress(DataError):
        # What the checksum of gzip does not cover, such as its time stamp, does no harm.
        assert np.array_equal(read_idx(path, 3), GREY)


def test_a_folder_of_ones_own_keeps_the_contract(tmp_path: Path, check_schema) -> None:
    dataset = IdxFolder(path=write_folder(tmp_path), start=20)
    check_dataset(dataset)
    check_schema(dataset)
    column = dataset.schema()["pixels"]
    assert (column.height, column.width, column.levels) == (8, 12, 1)


def test_the_published_test_images_are_halved_alike_for_every_seed(tmp_path: Path) -> None:
    dataset = IdxFolder(path=write_folder(tmp_path), start=20, binarize="threshold")
    one, other = dataset.load(0), dataset.load(1)
    assert one.validation is not None
    assert other.validation is not None
    assert one.test.same_as(other.test)
    assert one.validation.same_as(other.validation)
    assert set(np.bincount(one.validation.array("label"))) == set(np.bincount(one.test.array("label"))) == {2}
    smaller = dataset.model_copy(update={"validation": 10, "test": 10}).load(0)
    assert smaller.validation is not None
    assert smaller.validation.same_as(one.validation.select(slice(10)))
    assert set(np.bincount(smaller.test.array("label"))) == {1}
    whole = dataset.model_copy(update={"validation": 0}).load(0)
    assert whole.validation is not None
    assert len(whole.validation) == 0
    assert np.array_equal(whole.test.array("pixels"), HELD > 127)


def test_training_images_that_are_held_out_are_left_out_and_counted(tmp_path: Path) -> None:
    """Grey values tell, not the bits that are drawn of them."""
    held = HELD.copy()
    held[3], held[17], held[20] = GREY[1], GREY[30], held[19]
    data = IdxFolder(path=write_folder(tmp_path, held=held), start=10).load(0)
    assert data.validation is not None
    assert data.duplicates["train"] == 2
    assert len(data.train) == 38
    assert len(data.validation) + len(data.test) + data.duplicates.get("validation", 0) == 40


def test_of_equal_train_and_test_files_a_fifth_is_held_out_and_dotted_names_are_read(tmp_path: Path) -> None:
    write_folder(tmp_path, held=GREY)
    for file in list(tmp_path.iterdir()):
        file.rename(file.with_name(file.name.replace("-idx", ".idx")))
    dataset = IdxFolder(path=tmp_path, start=10)
    check_dataset(dataset)
    data = dataset.load(0)
    assert data.validation is not None
    assert (len(data.train), len(data.test), len(data.validation)) == (32, 4, 4)
    assert data.left_out == {"a test image is a training image": 32}


def test_twelve_classes_are_counted_from_the_labels(tmp_path: Path) -> None:
    label = (np.arange(40) % 12).astype(np.uint8)
    dataset = IdxFolder(path=write_folder(tmp_path, label=label), start=12)
    assert dataset.schema()["label"].classes == 12
    assert len(dataset.load(0).conditions or ()) == 12


def test_images_of_two_sizes_have_no_schema(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="got '8x12 and 8x8', expected images of one size"):
        IdxFolder(path=write_folder(tmp_path, held=HELD[:, :, :8])).schema()


def test_the_schema_of_a_known_data_set_needs_no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VERILOOP_DATA", raising=False)
    schema = MNIST().schema()
    assert (schema["pixels"].height, schema["pixels"].width, schema["label"].classes) == (28, 28, 10)
    assert MNIST().sources() == {}


def test_sources_are_named_as_the_user_names_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    write_folder(tmp_path / "mine")
    monkeypatch.setenv("VERILOOP_DATA", str(tmp_path))
    sources = IdxFolder(path=Path("mine")).sources()
    assert sources["mine/train-images-idx3-ubyte.gz"] == tmp_path / "mine" / "train-images-idx3-ubyte.gz"
    assert len(sources) == 4
    assert all(path.is_file() for path in sources.values())


def test_a_relative_folder_is_looked_for_in_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    write_folder(tmp_path / "mine")
    monkeypatch.setenv("VERILOOP_DATA", str(tmp_path))
    assert len(IdxFolder(path=Path("mine"), start=10).load(0).train) == 40
    with pytest.raises(DataError, match=r"looked in other and .*other"):
        IdxFolder(path=Path("other")).load(0)


def test_sampled_pixels_are_bits_with_the_grey_values_as_their_means(tmp_path: Path) -> None:
    grey = np.repeat(np.array([0, 51, 128, 255], np.uint8), 3000)[:, None, None] * np.ones(
        (1, 8, 8), np.uint8
    )
    label = np.zeros(len(grey), np.uint8)
    folder = write_folder(tmp_path, held=grey, held_label=label)
    data = IdxFolder(path=folder, start=10, validation=0).load(0)
    pixels = data.test.array("pixels").reshape(4, -1)
    p = np.array([0, 51, 128, 255]) / 255
    assert set(np.unique(pixels)) == {0, 1}
    assert np.abs(pixels.mean(1) - p).max() <= 5 * np.sqrt(0.25 / pixels.shape[1])
    assert (pixels[0].max(), pixels[3].min()) == (0, 1), "black and white are certain"


def test_the_draw_is_fixed_for_every_seed_and_differs_between_the_splits(tmp_path: Path) -> None:
    dataset = IdxFolder(path=write_folder(tmp_path), start=10)
    one, two = dataset.load(1), dataset.load(2)
    assert one.test.same_as(two.test)

    def bits(pixels: NDArray[np.uint8]) -> set[bytes]:
        return {p.tobytes() for p in pixels}

    assert bits(one.train.array("pixels")) == bits(two.train.array("pixels"))
    assert bits(one.train.array("pixels")) != bits(one.test.array("pixels"))


def test_threshold(tmp_path: Path) -> None:
    data = IdxFolder(path=write_folder(tmp_path), start=10, binarize="threshold", validation=0).load(0)
    assert np.array_equal(data.test.array("pixels"), HELD > 127)


def test_counts_that_do_not_match_are_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, label=LABEL[:-1])
    with pytest.raises(DataError, match="do not match"):
        IdxFolder(path=folder).load(0)


def test_an_empty_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="do not match"):
        IdxFolder(path=write_folder(tmp_path, GREY[:0], LABEL[:0])).load(0)


def test_a_missing_file_in_the_folder_is_named(tmp_path: Path) -> None:
    next(write_folder(tmp_path).glob("t10k-labels*")).unlink()
    with pytest.raises(DataError, match=r"no file t10k-labels-idx1-ubyte\.gz or t10k"):
        IdxFolder(path=tmp_path).load(0)


def test_another_file_than_the_published_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mnist").mkdir()
    write_folder(tmp_path / "mnist")
    monkeypatch.setenv("VERILOOP_DATA", str(tmp_path))
    with pytest.raises(
        DataError, match=r"not the published file: got 'md5 .*f68b3c2dcbeaaa9fbdd348bbdeb94873"
    ):
        MNIST().load(0)


def test_without_files_and_library_the_error_says_where_it_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VERILOOP_DATA", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=rf"looked in {tmp_path}/mnist.*ylecun/mnist"):
        MNIST().load(0)
    monkeypatch.delenv("VERILOOP_DATA")
    with pytest.raises(MissingExtraError, match=r"VERILOOP_DATA is not set.*zalando-datasets/fashion_mnist"):
        FashionMNIST().load(0)


def test_without_files_it_loads_by_the_public_name(monkeypatch: pytest.MonkeyPatch) -> None:
    splits = {"train": {"image": list(GREY), "label": LABEL.tolist()}}
    splits["test"] = {"image": list(HELD), "label": LABEL.tolist()}
    library = SimpleNamespace(load_dataset=lambda name: splits if name == "ylecun/mnist" else {})
    monkeypatch.delenv("VERILOOP_DATA", raising=False)
    monkeypatch.setattr(importlib, "import_module", lambda name: library)
    assert len(MNIST(start=10).load(0).train) == 40
    with pytest.raises(DataError, match=r"then for zalando-datasets/fashion_mnist .*KeyError"):
        FashionMNIST().load(0)


@needs_data
@pytest.mark.parametrize("dataset", [MNIST(), FashionMNIST(start=100, train=1000)])
def test_the_real_files(dataset: GreyImages) -> None:
    data = dataset.load(0)
    assert len(data.train) == (dataset.train or 60_000)
    assert data.validation is not None
    assert (len(data.validation), len(data.test)) == (5_000, 5_000)
    assert (
        np.abs(np.bincount(data.test.array("label")) - np.bincount(data.validation.array("label"))).max() <= 1
    )
    assert data.duplicates == {}
    assert set(np.bincount(data.start.array("label"))) == {dataset.start // 10}
    assert data.train.array("pixels").max() == 1


@needs_data
def test_more_start_images_than_the_cap_are_refused() -> None:
    with pytest.raises(ConfigError, match="start set larger"):
        MNIST(start=500, train=100).load(0)


def test_a_start_set_that_cannot_be_filled_is_refused_ahead(tmp_path: Path) -> None:
    folder = write_folder(tmp_path)
    IdxFolder(path=folder, start=40).check_ahead(Schema({}))
    for dataset in (
        IdxFolder(path=folder, start=41),
        IdxFolder(path=folder, start=40, train=39),
        MNIST(start=60_001),
    ):
        with pytest.raises(ConfigError, match="start set larger than the training set"):
            dataset.check_ahead(Schema({}))
