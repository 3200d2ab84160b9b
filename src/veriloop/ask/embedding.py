"""Embed texts and images as vectors of a few directions, the same for generated and real ones."""

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, DataError
from ..extras import require
from ..samples import Samples

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

DIRECTIONS = 16
"""Number of directions, few enough for a covariance from a few hundred accepted samples."""

_WORDS = 20_000
_FITTED = 10_000
"""Number of texts of each kind used to learn the directions."""

_WORDLESS, _OWN = 0.5, 0.2
"""Words say too little where more of the distinct texts share none, or fewer have a set of their own."""

_OTHER_FEATURES = "use --embedding sentence-transformers:NAME, or numbers of your own with --features"

_TRACE = 1e-10
"""A direction with less than this share of the largest one's variance is rounding."""

Vectors = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Generated and real ones, shapes (n, k) and (m, k) for k of at most `DIRECTIONS`."""


def embed_texts(generated: list[str], real: list[str], embedding: str | None = None) -> Vectors:
    """Return vectors of texts.

    Args:
        generated: n texts.
        real: m texts.
        embedding: ``tfidf``, the default: words weighted by TF-IDF, reduced by latent semantic analysis
            (S. Deerwester et al., 1990). ``sentence-transformers:NAME``: that model's vectors, reduced by
            principal components.

    Raises:
        ConfigError: There is no such embedding.
        DataError: The texts have too few words in common.
        MissingExtraError: scikit-learn or sentence-transformers is not installed.
    """
    kind, _, name = (embedding or "tfidf").partition(":")
    if kind == "tfidf" and not name:
        return _of_words(generated, real)
    if kind == "sentence-transformers" and name:
        return principal(*_of_sentences(generated, real, name))
    raise ConfigError("embedding of texts", got=embedding, expected="tfidf, or sentence-transformers:NAME")


def embed_images(generated: NDArray[Any], real: NDArray[Any], embedding: str | None = None) -> Vectors:
    """Return vectors of images, reduced by principal components.

    Args:
        generated: Generated images, shape (n, height, width), or (n, height, width, channels).
        real: Real images, m of them, of the same form.
        embedding: ``pixels``, the default: as they are. ``classifier:NAME``: the last hidden layer of a
            classifier, see `veriloop.metrics.classifiers.FeatureName`; pixels then are its counts, in
            uint8.

    Raises:
        ConfigError: There is no such embedding or classifier.
        DataError: They are not images of one size, or not of the classifier's size.
        MissingExtraError: torch is not installed.
    """
    for pixels in (generated, real):
        if pixels.ndim not in (3, 4) or pixels.shape[1:] != generated.shape[1:]:
            expected = "n x height x width, or n x height x width x channels, all of one size"
            raise DataError("images", got=f"shape {pixels.shape}", expected=expected)
    kind, _, name = (embedding or "pixels").partition(":")
    if kind == "pixels" and not name:
        return principal(generated.reshape(len(generated), -1), real.reshape(len(real), -1))
    if kind == "classifier" and name:
        return principal(_seen(generated, name), _seen(real, name))
    raise ConfigError("embedding of images", got=embedding, expected="pixels, or classifier:NAME")


def directions(vectors: NDArray[Any]) -> list[str]:
    """Return names of the columns."""
    return [f"direction {j}" for j in range(1, vectors.shape[1] + 1)]


def _seen(pixels: NDArray[Any], classifier: str) -> NDArray[np.float64]:
    """Return the last hidden layer of a classifier, shape (n, features)."""
    require("torch")
    from ..metrics.classifiers import SHIPPED
    from ..metrics.features import see

    if classifier not in SHIPPED and not classifier.endswith(".safetensors"):
        known = f"one of {', '.join(SHIPPED)}, or the path of a .safetensors file"
        raise ConfigError("classifier", got=classifier, expected=known)
    return see(Samples(pixels=pixels, label=np.zeros(len(pixels), np.int64)), classifier).features


def principal(generated: NDArray[Any], real: NDArray[Any]) -> Vectors:
    """Return both along the principal components of all rows, the largest first."""
    rows = np.concatenate([generated, real]).astype(np.float64)
    rows -= (middle := rows.mean(axis=0))
    sizes, components = np.linalg.eigh(rows.T @ rows)
    chosen = components[:, sizes > _TRACE * sizes.max()][:, ::-1][:, :DIRECTIONS]
    return (generated - middle) @ chosen, (real - middle) @ chosen


def _of_words(generated: list[str], real: list[str]) -> Vectors:
    require("sklearn")
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(max_features=_WORDS, sublinear_tf=True, min_df=2)
    try:
        rows = words.fit_transform([*generated, *real]).tocsr()
    except ValueError as e:  # what scikit-learn says where no word is in two of them
        raise DataError(
            "texts without words to tell them apart",
            got=f"{len(generated) + len(real):,} texts, and no word that two of them share",
            fix=_OTHER_FEATURES,
        ) from e
    k = min(DIRECTIONS, rows.shape[1] - 1)
    if k < 1:
        raise DataError("texts of one single word", expected="texts that differ")
    n = len(generated)
    _check_words(generated, rows[:n])
    some = np.concatenate([_spaced(0, n), _spaced(n, n + len(real))])
    vectors = TruncatedSVD(k, random_state=0).fit(rows[some]).transform(rows)
    return vectors[:n], vectors[n:]


def _check_words(texts: list[str], rows: "csr_matrix") -> None:
    """Refuse texts that share no words, or hardly any but the same ones.

    Raises:
        DataError: Words do not show which text is which.
    """
    distinct = np.unique(np.array(texts, object), return_index=True)[1]
    shared = np.flatnonzero(np.bincount(rows.indices) > 1)
    found = rows[distinct][:, shared]
    found.sort_indices()
    pieces = zip(
        np.split(found.indices, found.indptr[1:-1]), np.split(found.data, found.indptr[1:-1]), strict=True
    )
    sets = [(words.tobytes(), weights.round(6).tobytes()) for words, weights in pieces if len(words)]
    n = len(distinct)
    if len(sets) < (1 - _WORDLESS) * n or len(set(sets)) < _OWN * n:
        raise DataError(
            "short texts that share hardly any words",
            got=f"{n:,} distinct texts, {n - len(sets):,} without a word that another has,"
            f" {len(set(sets)):,} that words keep apart",
            fix=_OTHER_FEATURES,
        )


def _of_sentences(generated: list[str], real: list[str], name: str) -> Vectors:
    package = "sentence_transformers"
    require(package)
    try:
        model = importlib.import_module(package).SentenceTransformer(name)
    except (OSError, ValueError) as e:  # no such model, or no network to fetch it
        raise ConfigError(f"sentence-transformers:{name}", got=str(e).splitlines()[0]) from e
    vectors = [np.asarray(model.encode(texts), np.float64) for texts in (generated, real)]
    return vectors[0], vectors[1]


def _spaced(start: int, end: int) -> NDArray[np.int64]:
    """Return at most `_FITTED` of the rows, evenly spaced."""
    return np.unique(np.linspace(start, end - 1, min(end - start, _FITTED)).astype(np.int64))
