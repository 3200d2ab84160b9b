"""Folders of pictures: what is read, what is left alone, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Picture

from veriloop.datasets.base import Dataset, RealData
from veriloop.datasets.image_folder import ImageFolder
from veriloop.datasets.pictures import to_levels
from veriloop.errors import ConfigError, DataError
from veriloop.schema import Image
from veriloop.testing import check_dataset


def pictures(n: int, *shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (n, *shape), np.uint8)


def write(folder: Path, pixels: NDArray[np.uint8], ending: str = "png") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i, one in enumerate(pixels):
        Picture.fromarray(one).save(folder / f"{i}.{ending}")
    return folder


@pytest.fixture
def two_classes(tmp_path: Path) -> Path:
    pixels = pictures(40, 9, 6, 3)
    write(tmp_path / "cat", pixels[:20])
    write(tmp_path / "dog", pixels[20:])
    return tmp_path


def test_keeps_the_contract_and_the_pixels(
    two_classes: Path, check_schema: Callable[[Dataset], RealData]
) -> None:
    dataset = ImageFolder(path=two_classes)
    check_dataset(dataset)
    data = dataset.load(0)
    assert dataset.schema()["pixels"] == Image(height=9, width=6, channels=3, levels=255)
    assert data.validation is not None
    assert (len(data.train), len(data.validation), len(data.test)) == (32, 4, 4)
    for split in (data.test, data.validation):
        assert np.bincount(split.array("label")).tolist() == [2, 2]
    published = {x.tobytes(): i // 20 for i, x in enumerate(pictures(40, 9, 6, 3))}
    for pixels, label in zip(data.train.array("pixels"), data.train.array("label"), strict=True):
        assert published[pixels.tobytes()] == label


def test_hidden_files_other_files_and_empty_folders_do_not_count(two_classes: Path) -> None:
    before = ImageFolder(path=two_classes).load(0)
    (two_classes / "notes.txt").write_text("mine")
    (two_classes / "cat" / ".hidden.png").write_bytes(b"none")
    (two_classes / "cat" / "Thumbs.db").write_bytes(b"none")
    write(two_classes / ".cache", pictures(2, 9, 6, 3))
    (two_classes / "empty").mkdir()
    assert ImageFolder(path=two_classes).load(0).train.same_as(before.train)


def test_grey_pictures_have_no_channels_and_colour_can_be_asked_for(tmp_path: Path) -> None:
    write(tmp_path, pictures(10, 8, 8))
    grey = ImageFolder(path=tmp_path)
    check_dataset(ImageFolder(path=tmp_path, start=4))
    assert grey.load(0).train.array("pixels").shape[1:] == (8, 8)
    assert set(grey.load(0).train.array("label").tolist()) == {0}
    coloured = ImageFolder(path=tmp_path, colour="rgb").load(0).train.array("pixels")
    assert coloured.shape[1:] == (8, 8, 3)
    assert np.array_equal(coloured[..., 0], coloured[..., 2])


def test_one_picture_in_colour_makes_all_of_them_so(tmp_path: Path) -> None:
    write(tmp_path, pictures(9, 8, 8))
    Picture.fromarray(pictures(1, 8, 8, 3)[0]).save(tmp_path / "z.png")
    assert ImageFolder(path=tmp_path).schema()["pixels"].channels == 3
    assert ImageFolder(path=tmp_path, colour="grey").schema()["pixels"].channels == 1


@pytest.mark.parametrize(
    ("mode", "pixel", "expected"),
    [
        ("RGBA", (10, 20, 30, 255), (10, 20, 30)),
        ("RGBA", (10, 20, 30, 0), (255, 255, 255)),
        ("LA", (40, 255), 40),
        ("1", 1, 255),
        ("I;16", 256 * 77 + 3, 77),
        ("CMYK", (0, 0, 0, 0), (255, 255, 255)),
        ("P", 3, None),
    ],
)
def test_every_usual_mode_becomes_bytes(tmp_path: Path, mode: str, pixel: object, expected: object) -> None:
    ending = "jpg" if mode == "CMYK" else "png"
    for i in range(6):
        picture = Picture.new(mode, (8, 8), pixel)  # pyright: ignore[reportArgumentType]
        if mode == "P":
            picture.putpalette([0, 0, 0, 1, 1, 1, 2, 2, 2, 200, 100, 50])
            expected = (200, 100, 50)
        picture.save(tmp_path / f"{i}.{ending}")
    # All are equal, which no split can be made of: they are read one by one.
    dataset = ImageFolder(path=tmp_path)
    held = dataset.pictures()["train"]
    pixels = held.read(0, dataset._form(dataset.pictures()))
    assert pixels.reshape(64, -1)[5].tolist() == np.atleast_1d(expected).tolist()  # pyright: ignore[reportArgumentType, reportCallIssue]


def test_levels_are_the_nearest(tmp_path: Path) -> None:
    pixels = np.tile(np.arange(256, dtype=np.uint8).reshape(16, 16), (6, 1, 1))
    pixels[:, 0, 0] = np.arange(6) * 40
    write(tmp_path, pixels)
    train = ImageFolder(path=tmp_path, levels=15, start=1).load(0).train.array("pixels")
    expected = np.floor(np.arange(256) * 15 / 255 + 0.5).reshape(16, 16)
    assert np.array_equal(train[0].ravel()[1:], expected.ravel()[1:])
    assert to_levels(np.array([0, 127, 128, 255], np.uint8), 1).tolist() == [0, 0, 1, 1]


def test_sizes_are_one_or_are_set(tmp_path: Path) -> None:
    write(tmp_path / "a", pictures(5, 20, 10, 3))
    write(tmp_path / "b", pictures(5, 10, 30, 3))
    with pytest.raises(
        DataError, match=r"several sizes.* of 20x10 and .* of 10x30.*Set size, such as size: 20"
    ):
        ImageFolder(path=tmp_path).schema()
    sized = ImageFolder(path=tmp_path, size=8)
    check_dataset(sized)
    assert sized.load(0).train.array("pixels").shape[1:] == (8, 8, 3)
    assert ImageFolder(path=tmp_path, size=(6, 4)).schema()["pixels"].width == 4
    write(tmp_path / "large", pictures(3, 65, 65))
    with pytest.raises(DataError, match=r"large pictures.*at most 64.*Set size: 64"):
        ImageFolder(path=tmp_path / "large").schema()


def test_a_camera_s_mark_turns_the_picture(tmp_path: Path) -> None:
    for i, one in enumerate(pictures(8, 6, 10, 3)):
        exif = Picture.Exif()
        exif[0x0112] = 6
        Picture.fromarray(one).save(tmp_path / f"{i}.jpg", exif=exif)
    assert ImageFolder(path=tmp_path).schema()["pixels"] == Image(height=10, width=6, channels=3, levels=255)
    assert ImageFolder(path=tmp_path).load(0).test.array("pixels").shape[1:] == (10, 6, 3)


def test_folders_of_splits_hold_the_splits(tmp_path: Path) -> None:
    pixels = pictures(30, 8, 8)
    for split, rows in (("train", slice(20)), ("test", slice(20, 26)), ("val", slice(26, 30))):
        for k, name in enumerate(("a", "b")):
            write(tmp_path / split / name, pixels[rows][k::2])
    dataset = ImageFolder(path=tmp_path)
    check_dataset(dataset)
    data = dataset.load(0)
    assert data.validation is not None
    assert (len(data.train), len(data.validation), len(data.test)) == (20, 4, 6)
    write(tmp_path / "other", pictures(1, 8, 8))
    with pytest.raises(DataError, match="split folders and others"):
        dataset.schema()


def test_copies_stay_on_one_side(two_classes: Path) -> None:
    for i in range(10):
        (two_classes / "cat" / f"copy{i}.png").write_bytes((two_classes / "cat" / f"{i}.png").read_bytes())
    check_dataset(ImageFolder(path=two_classes))


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda f: (f / "cat" / "3.png").write_bytes(b"\x89PNG\r\n"), r"picture .*3\.png cannot be read"),
        (lambda f: write(f, pictures(1, 9, 6, 3)), "pictures next to class folders"),
        (lambda f: Picture.new("F", (6, 9)).save(f / "cat" / "f.tiff"), None),
    ],
)
def test_what_cannot_be_used_is_named(
    two_classes: Path, break_it: Callable[[Path], object], message: str
) -> None:
    break_it(two_classes)
    if message is None:
        ImageFolder(path=two_classes).schema()
        return
    with pytest.raises(DataError, match=message):
        ImageFolder(path=two_classes).schema()


def test_a_picture_that_is_cut_short_is_named(two_classes: Path) -> None:
    file = two_classes / "dog" / "7.png"
    file.write_bytes(file.read_bytes()[:-60])
    with pytest.raises(DataError, match=r"picture .*7\.png cannot be read"):
        ImageFolder(path=two_classes).load(0)


def test_too_little_is_refused_before_a_run(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="no pictures in"):
        ImageFolder(path=tmp_path / "none").schema()
    write(tmp_path / "two", pictures(2, 8, 8))
    two = ImageFolder(path=tmp_path / "two")
    with pytest.raises(DataError, match=r"too few rows.*got 2, expected at least 3"):
        two.check_ahead(two.schema())
    write(tmp_path / "ten", pictures(10, 8, 8))
    large = ImageFolder(path=tmp_path / "ten", start=9)
    with pytest.raises(ConfigError, match="start set larger than the training set"):
        large.check_ahead(large.schema())
    with pytest.raises(DataError, match=r"no folder .*gone.*looked in"):
        ImageFolder(path=tmp_path / "gone").schema()
