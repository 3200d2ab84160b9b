"""Texts and images as vectors."""

import importlib.util

import numpy as np
import pytest
from numpy.typing import NDArray

from veriloop.ask.embedding import DIRECTIONS, directions, embed_images, embed_texts, principal
from veriloop.datasets.digits import Digits
from veriloop.errors import ConfigError, DataError, MissingExtraError


def test_principal_components_keep_distances_of_what_has_few() -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((50, 3)) @ rng.standard_normal((3, 40))
    a, b = principal(rows[:30], rows[30:])
    assert a.shape == (30, 3)
    assert directions(a) == ["direction 1", "direction 2", "direction 3"]

    def distances(x: NDArray, y: NDArray) -> NDArray:
        return np.linalg.norm(x[:, None] - y[None], axis=2)

    np.testing.assert_allclose(distances(a, b), distances(rows[:30], rows[30:]), rtol=1e-9)
    whole = np.concatenate([a, b])
    # Uncorrelated, around 0, the largest first: what principal components are.
    np.testing.assert_allclose(whole.mean(axis=0), 0, atol=1e-9)
    covariance = whole.T @ whole
    np.testing.assert_allclose(covariance, np.diag(covariance.diagonal()), atol=1e-9 * covariance.max())
    assert (np.diff(covariance.diagonal()) < 0).all()


def test_texts_of_two_topics_lie_apart() -> None:
    rng = np.random.default_rng(1)
    topics = [["sun", "sea", "sand", "beach"], ["code", "bug", "test", "loop"]]
    generated, real = ([" ".join(rng.choice(topics[i % 2], 6)) for i in range(n)] for n in (80, 40))
    a, b = embed_texts(generated, real)
    unit = a / np.linalg.norm(a, axis=1, keepdims=True)
    likeness = unit @ unit.T
    assert likeness[::2, ::2].mean() > 0.3 > abs(likeness[::2, 1::2]).max()
    assert (len(a), len(b)) == (80, 40)
    np.testing.assert_allclose(embed_texts(generated, real, "tfidf")[1], b)


def test_a_classifier_tells_digits_apart_better_than_pixels() -> None:
    data = Digits().load(0)
    pixels, label = data.train.array("pixels")[:600], data.train.array("label")[:600]
    spread = {}
    for kind in ("pixels", "classifier:digits"):
        vectors, others = embed_images(pixels, pixels[:50], kind)
        assert vectors.shape == (600, DIRECTIONS)
        np.testing.assert_allclose(vectors[:50], others, rtol=1e-6, atol=1e-6)
        means = np.array([vectors[label == digit].mean(axis=0) for digit in range(10)])
        spread[kind] = np.var(means, axis=0).sum() / np.var(vectors, axis=0).sum()
    assert spread["classifier:digits"] > spread["pixels"]


IMAGES = np.zeros((5, 8, 8), np.uint8)


@pytest.mark.parametrize(
    ("kind", "error", "message"),
    [
        ("classifier:digit", ConfigError, "got 'digit'"),
        ("classifier", ConfigError, "pixels, or classifier:NAME"),
        ("tfidf", ConfigError, "pixels, or classifier:NAME"),
        ("classifier:mnist", DataError, "differ in size"),
    ],
)
def test_embeddings_of_images_that_there_are_not(kind: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        embed_images(IMAGES, IMAGES, kind)


@pytest.mark.parametrize("real", [IMAGES[:, :4], IMAGES.reshape(5, 64)])
def test_images_of_two_sizes(real: NDArray) -> None:
    with pytest.raises(DataError, match="all of one size"):
        embed_images(IMAGES, real)


def test_embeddings_of_texts_that_there_are_not() -> None:
    for kind in ("word2vec", "sentence-transformers", "pixels"):
        with pytest.raises(ConfigError, match="tfidf, or sentence-transformers:NAME"):
            embed_texts(["a b"], ["a b"], kind)
    for texts in (["...", "!"], ["word", "word"]):
        with pytest.raises(DataError, match="texts"):
            embed_texts(texts, texts)
    with pytest.raises(DataError, match=r"no word that two of them share'\. Use --embedding"):
        embed_texts(["own words"], ["others here"])


@pytest.mark.skipif(
    importlib.util.find_spec("sentence_transformers") is not None, reason="sentence-transformers is installed"
)
def test_sentence_transformers_are_an_extra() -> None:
    with pytest.raises(MissingExtraError, match=r"veriloop\[embeddings\]"):
        embed_texts(["a b"], ["a b"], "sentence-transformers:all-MiniLM-L6-v2")
