"""The discriminator on tables and on images in colour."""

from pathlib import Path

import numpy as np
import pytest

from veriloop.errors import ConfigError
from veriloop.generator import Generator
from veriloop.samples import Samples
from veriloop.schema import Category, Image, Label, Number, Prompt, Schema
from veriloop.testing import check_verifier
from veriloop.verifiers.discriminator import Discriminator

SCHEMA = Schema({"x": Number(), "c": Category(values=("a", "b")), "k": Category(values=(1, 2, 3))})


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def rows(n: int, seed: int, together: bool) -> Samples:
    """``x`` is large where ``c`` is b; or the two have nothing to do with each other."""
    b = rng(seed).random(n) < 0.5
    other = b if together else rng(seed + 1).random(n) < 0.5
    x = np.where(other, 9.0, 1.0) + rng(seed + 2).normal(size=n)
    return Samples(x=x, c=["b" if v else "a" for v in b], k=rng(seed + 3).integers(1, 4, n))


class Apart(Generator):
    """Makes rows whose columns are independent."""

    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        return rows(n, int(rng.integers(1_000)), together=False)

    def save(self, directory: Path) -> None:
        (directory / "nothing.txt").write_text("nothing")

    @classmethod
    def load(cls, directory: Path) -> "Apart":
        return cls()


@pytest.mark.parametrize("calibration", [None, 0.2])
def test_keeps_the_contract_on_tables(calibration: float | None) -> None:
    verifier = Discriminator(epochs=2, hidden=(8,), calibration=calibration).suited_to(SCHEMA)
    check_verifier(verifier, Apart(), rows(60, 5, together=True), None)


def test_rows_that_do_not_hang_together_are_found_out() -> None:
    verifier = Discriminator(epochs=30, hidden=(32, 16), learning_rate=5e-3).suited_to(SCHEMA)
    judge = verifier.fit(None, Apart(), rows(500, 11, together=True), rng())
    made = Apart().sample(400, rng(77))
    hang_together = (made.array("x") > 5) == (np.array(made.texts("c")) == "b")
    score = judge.verify(made, rng()).score
    assert score[hang_together].mean() > score[~hang_together].mean() + 0.3


def test_data_without_numbers_or_images_are_refused() -> None:
    with pytest.raises(ConfigError, match="'discriminator' needs a generated column of images, numbers"):
        Discriminator().suited_to(Schema({"question": Prompt()}))


def test_colour_is_seen() -> None:
    schema = Schema({"pixels": Image(height=5, width=4, channels=3, levels=255), "label": Label(classes=2)})

    class Red(Apart):
        def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
            pixels = rng.integers(0, 256, (n, 5, 4, 3), np.uint8)
            pixels[..., 0] = 255
            assert condition is not None
            return Samples(pixels=pixels, label=condition.array("label"))

    real = Samples(pixels=rng().integers(0, 256, (200, 5, 4, 3), np.uint8), label=np.arange(200) % 2)
    judge = Discriminator(epochs=20, hidden=(32,)).suited_to(schema).fit(None, Red(), real, rng())
    both = Red().sample(100, rng(1), real.select(slice(100)).only(["label"])), real.select(slice(100))
    made, true = (judge.verify(samples, rng()).score for samples in both)
    assert true.mean() > made.mean() + 0.3
