"""Texts as vectors: TF-IDF of their words, reduced to a few directions."""

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError

DIRECTIONS = 16
"""Few enough for a covariance from a few hundred accepted texts."""

_WORDS = 20_000
_FITTED = 10_000
"""Texts of each kind that the words and directions are learned from; the others only use them."""


def embed(generated: list[str], real: list[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Vectors of both, in one space: latent semantic analysis (S. Deerwester et al., 1990).

    Returns:
        Shapes (len(generated), k) and (len(real), k), for k of at most `DIRECTIONS`.

    Raises:
        DataError: The texts have too few words in common.
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(max_features=_WORDS, sublinear_tf=True, min_df=2)
    sample = [*_spaced(generated), *_spaced(real)]
    try:
        fitted = words.fit_transform(sample)
    except ValueError as e:  # what scikit-learn says of texts without words
        raise DataError("texts without words to tell them apart", got=str(e)) from e
    k = min(DIRECTIONS, fitted.shape[1] - 1)
    if k < 1:
        raise DataError("texts of one single word", expected="texts that differ")
    svd = TruncatedSVD(k, random_state=0).fit(fitted)
    return svd.transform(words.transform(generated)), svd.transform(words.transform(real))


def _spaced(texts: list[str]) -> list[str]:
    """At most `_FITTED` of the texts, evenly over all."""
    return [texts[i] for i in np.unique(np.linspace(0, len(texts) - 1, min(len(texts), _FITTED)).astype(int))]
