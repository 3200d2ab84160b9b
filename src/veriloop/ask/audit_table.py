"""Audit tables: generated rows with verdicts, and real rows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..advise.audited import Audit, Audited
from ..advise.auditing import Generator, Rule, audit
from ..arrays import StoredArray, npz_array
from ..errors import ConfigError, DataError
from ..verdicts import Decision
from .embedding import directions, embed_images, embed_texts
from .tables import features_of, numbers, read_frame, verdicts_of


def audit_table(
    table: Path,
    real: Path,
    accepted: str,
    *,
    features: Sequence[str] = (),
    array: str | None = None,
    text: str | None = None,
    image: str | None = None,
    embedding: str | None = None,
    score: str | None = None,
    rule: Rule = "fixed",
    generator: Generator | None = None,
) -> Audited:
    """Audit the verdicts of a table against a table of real rows.

    Args:
        table: .jsonl, .parquet or .csv file of generated rows, or .npz file of arrays.
        real: File of real rows, of the same kind.
        accepted: Column or array with the decisions: true and false, 1 and 0, yes and no; empty or abstain
            for an abstention.
        features: Columns of numbers and categories to audit in.
        array: Array of an .npz file to audit in, rows x features.
        text: Column of texts to audit in, with `veriloop.ask.embedding.embed_texts`.
        image: Column of images, lists of rows of pixels, or array of an .npz file, images x height x width,
            to audit in, with `veriloop.ask.embedding.embed_images`.
        embedding: Embedding of texts or images; the default one when None.
        score: Column or array of scores.
        rule: See `veriloop.advise.audit`.
        generator: See `veriloop.advise.audit`.

    Raises:
        ConfigError: Not just one of ``features``, ``array``, ``text`` and ``image`` is given, there is
            nothing to embed or no such embedding, or no score for the rule.
        DataError: A file cannot be read, or its rows cannot be audited.
        MissingExtraError: The embedding needs a package that is not installed.
    """
    _check_request(features, array, text, image, embedding, score, rule)
    if array or (image and table.suffix.lower() == ".npz"):
        rows, others, names = _of_arrays(table, real, array or "", image or "", embedding)
        said = npz_array(table, accepted)[:]
        scores = None if score is None else npz_array(table, score)[:]
        texts: list[str] = []
        # Of images, their vectors no longer show copies.
        copies = repeated(npz_array(table, image)[:]) if image else None
    else:
        as_text = [text] if text else []
        frame = read_frame(
            table, [name for name in (accepted, *features, text, image, score) if name], as_text
        )
        reference = read_frame(real, [name for name in (*features, text, image) if name], as_text)
        said = _said(frame[accepted])
        scores = None if score is None else numbers(frame, [score], table)[:, 0]
        texts = [] if text is None else _texts(frame[text], table)
        names: list[str] = []
        copies = repeated(texts) if texts else None
        if text is not None:
            rows, others = embed_texts(texts, _texts(reference[text], real), embedding)
        elif image is not None:
            images = _images(frame[image], table), _images(reference[image], real)
            rows, others = embed_images(*images, embedding)
            copies = repeated(images[0])
        else:
            rows, others, names = features_of(frame, reference, features, (table, real))
        names = names or directions(rows)
    found = audit(
        rows, said, others, scores=scores, rule=rule, names=names, generator=generator, copies=copies
    )
    return audited_of(f"{table.name}, column {accepted}", found, names, texts)


def audited_of(subject: str, found: Audit, names: list[str], texts: Sequence[str]) -> Audited:
    """Return the result, with the ``texts`` that illustrate it, if there are any."""
    wanted, unwanted = (
        [texts[row] for row in rows] if texts else [] for rows in (found.wanted, found.unwanted)
    )
    return Audited(subject=subject, names=names, wanted=wanted, unwanted=unwanted, audit=found)


def repeated(samples: list[str] | NDArray[Any]) -> int:
    """Return how many samples equal an earlier one."""
    if isinstance(samples, list):
        return len(samples) - len(set(samples))
    return len(samples) - len({np.ascontiguousarray(sample).tobytes() for sample in samples})


def _check_request(
    features: Sequence[str],
    array: str | None,
    text: str | None,
    image: str | None,
    embedding: str | None,
    score: str | None,
    rule: Rule,
) -> None:
    if sum(map(bool, (features, array, text, image))) != 1:
        raise ConfigError("what to audit in", expected="one of --features, --array, --text and --image")
    if wrong := [name for name in features if not name or features.count(name) > 1]:
        raise ConfigError(
            "--features", got=wrong[0], expected="names of different columns, with commas between"
        )
    if embedding is not None and not (text or image):
        raise ConfigError("--embedding", got=embedding, expected="with --text or --image")
    if rule == "top_fraction" and score is None:
        raise ConfigError(
            "rule top_fraction", got="no --score", expected="the column of scores behind the decisions"
        )


def _of_arrays(
    table: Path, real: Path, array: str, image: str, embedding: str | None
) -> tuple[NDArray[Any] | StoredArray, NDArray[Any] | StoredArray, list[str]]:
    """Return generated and real rows, and the names of their features; arrays may stay on disk."""
    rows, others = npz_array(table, array or image), npz_array(real, array or image)
    if image:
        vectors, real_vectors = embed_images(rows[:], others[:], embedding)
        return vectors, real_vectors, directions(vectors)
    return rows, others, [f"{array}[{j}]" for j in range(rows.shape[1] if len(rows.shape) == 2 else 0)]


def _said(column: pd.Series) -> NDArray[Any]:
    """Return 1 and 0 unchanged, words by their meaning, and NaN for abstentions."""
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(float, na_value=np.nan)
    verdicts = verdicts_of(column)
    return np.where(verdicts.is_(Decision.ABSTAIN), np.nan, verdicts.is_(Decision.ACCEPT))


def _texts(column: pd.Series, path: Path) -> list[str]:
    missing = np.flatnonzero([not isinstance(value, str) for value in column])
    if len(missing):
        raise DataError(
            f"{path}, row {missing[0] + 1}: no text in column {column.name!r}",
            fix="leave out rows without text",
        )
    return column.tolist()


def _images(column: pd.Series, path: Path) -> NDArray[Any]:
    """Return lists of rows of pixels as one array, images x height x width."""
    try:
        images = np.array([np.array(list(map(list, image))) for image in column])
    except (TypeError, ValueError):
        images = np.empty(0, object)
    if images.dtype.kind not in "biuf":
        raise DataError(
            f"{path}, column {column.name!r}: no images", expected="lists of rows of pixels, all of one size"
        )
    # Whole numbers are counts, as classifiers want them.
    counts = images.dtype.kind in "iu" and images.min(initial=0) >= 0 and images.max(initial=0) <= 255
    return images.astype(np.uint8) if counts else images
