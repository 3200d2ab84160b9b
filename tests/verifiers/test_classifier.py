"""A classifier as verifier: contract, what it prefers, and what it refuses."""

import shutil

import numpy as np
import pytest

from veriloop.datasets.digits import Digits
from veriloop.datasets.points import Mixture
from veriloop.errors import ConfigError, CorruptFileError
from veriloop.generator import Generator
from veriloop.metrics.classifiers import WEIGHTS
from veriloop.samples import Samples
from veriloop.schema import Image, Label, Schema
from veriloop.testing import check_verifier
from veriloop.verifiers.classifier import ClassifierScore

DIGITS = Digits(start=500)


class RealDigits(Generator):
    """Draws real images of the asked labels."""

    def __init__(self, pool: Samples) -> None:
        self.pool = pool

    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        assert condition is not None
        rows = [rng.choice(np.flatnonzero(self.pool.array("label") == c)) for c in condition.array("label")]
        return self.pool.select(np.array(rows, np.int64))

    def save(self, directory) -> None: ...

    @classmethod
    def load(cls, directory) -> "RealDigits":
        raise NotImplementedError


@pytest.fixture
def own(tmp_path):
    """A classifier's files under another name, as a user has them."""
    for suffix in (".safetensors", ".json"):
        shutil.copy(WEIGHTS / f"digits{suffix}", tmp_path / f"mine{suffix}")
    return tmp_path / "mine.safetensors"


def test_contract(own):
    real = DIGITS.load(0)
    verifier = ClassifierScore(classifier=str(own)).suited_to(DIGITS.schema())
    check_verifier(verifier, RealDigits(real.train), real.train, real.conditions)
    assert set(verifier.sources().values()) == {own, own.with_suffix(".json")}


def test_it_prefers_images_that_show_their_label():
    real = DIGITS.load(0).test
    verifier = ClassifierScore(classifier="digits").suited_to(DIGITS.schema())
    right = verifier.verify(real, np.random.default_rng(0)).score
    mislabelled = real.with_columns(label=(real.array("label") + 1) % 10)
    wrong = verifier.verify(mislabelled, np.random.default_rng(0)).score
    assert np.mean(right > wrong) > 0.95
    assert right.min() >= 0
    assert right.max() <= 1


def test_misfits_are_refused_ahead(own):
    with pytest.raises(ConfigError, match="digits, mnist, fashion-mnist, or the path"):
        ClassifierScore(classifier="auto").suited_to(DIGITS.schema())
    with pytest.raises(ConfigError, match="needs one column of role image"):
        ClassifierScore(classifier="digits").suited_to(Mixture().schema())
    verifier = ClassifierScore(classifier="mnist").suited_to(DIGITS.schema())
    with pytest.raises(ConfigError, match="got '8x8x1, up to 16, 10 labels', expected 28x28x1, up to 1"):
        verifier.check_ahead(DIGITS.schema())
    many = Schema({"pixels": Image(height=8, width=8, levels=16), "label": Label(classes=12)})
    with pytest.raises(ConfigError, match="12 labels"):
        ClassifierScore(classifier="digits").suited_to(many).check_ahead(many)
    own.with_suffix(".json").unlink()
    with pytest.raises(CorruptFileError, match="card"):
        ClassifierScore(classifier=str(own)).suited_to(DIGITS.schema()).check_ahead(DIGITS.schema())
