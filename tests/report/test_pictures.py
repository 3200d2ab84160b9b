import base64
import io

import numpy as np
import pytest
from PIL import Image

from veriloop.errors import CorruptFileError
from veriloop.report.pictures import contact_sheet, gallery
from veriloop.samples import Samples
from veriloop.store.folder import RunFolder


def test_ink_is_in_proportion_to_the_largest_count() -> None:
    pixels = np.zeros((12, 32, 32))
    pixels[0], pixels[11] = 8, 16
    sheet = np.asarray(contact_sheet(pixels, largest=16))
    assert sheet.shape == (2 * 34 - 2, 10 * 34 - 2, 2)
    ink = sheet[..., 1]
    assert set(ink[:32, :32].ravel()) == {128}
    assert set(ink[34:66, 34:66].ravel()) == {255}
    assert np.count_nonzero(ink) == 2 * 32 * 32
    assert not sheet[..., 0].any()


def test_counts_beyond_the_largest_real_one_are_full_ink() -> None:
    assert np.asarray(contact_sheet(np.full((1, 8, 8), 99.0), largest=16))[..., 1].min() == 255


def test_small_images_are_enlarged_by_a_whole_factor() -> None:
    pixels = np.eye(8)[None]
    ink = np.asarray(contact_sheet(pixels, largest=1))[..., 1]
    assert np.array_equal(ink, np.kron(np.eye(8), np.ones((4, 4))) * 255)


@pytest.mark.parametrize("colour", [(), (3,)])
def test_photographs_keep_their_light_and_the_page_shows_between(colour: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 32, 32, *colour), np.uint8)
    sheet = np.asarray(contact_sheet(pixels, largest=255))
    assert sheet.shape == (2 * 34 - 2, 10 * 34 - 2, 4 if colour else 2)
    light = sheet[34:66, 34:66, :-1].reshape(32, 32, *colour)
    assert np.array_equal(light, pixels[11])
    assert np.count_nonzero(sheet[..., -1]) == 12 * 32 * 32


def test_each_arm_is_shown_at_its_first_middle_and_last_round(image_run: RunFolder) -> None:
    shown = gallery(image_run)
    assert shown is not None
    assert [p.title for p in shown.references] == ["real images", "start model", "all_real"]
    assert {arm: [p.title for p in row] for arm, row in shown.arms.items()} == {
        "verified": ["round 1", "round 3", "round 6"],
        "unverified": ["round 1", "round 3", "round 6"],
    }
    picture = shown.arms["verified"][0]
    assert picture.alt == "Grid of 100 samples of verified, round 1"
    png = base64.b64decode(picture.source.removeprefix("data:image/png;base64,"))
    assert Image.open(io.BytesIO(png)).size == (picture.width, picture.height)


def test_no_gallery_without_pixels(empty_run: RunFolder) -> None:
    assert gallery(empty_run) is None
    Samples(text=["a", "b"]).save(empty_run.path / "real.npz")
    assert gallery(empty_run) is None


def test_a_torn_file_of_images_is_named(empty_run: RunFolder) -> None:
    (empty_run.path / "real.npz").write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(CorruptFileError, match=r"real\.npz"):
        gallery(empty_run)
