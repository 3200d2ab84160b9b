"""Audit a run's verifier in a round of one of its arms."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..advise.audited import FOLDER, Audit, Audited
from ..advise.auditing import Generator, audit
from ..encoding import Encoding
from ..errors import ConfigError, DataError, ReadOnlyError
from ..executors.threads import limit_threads
from ..loop.plan import Plan
from ..rules.acceptance import TopFraction
from ..samples import Samples
from ..store.folder import RunFolder
from .audit_table import audited_of, repeated
from .embedding import Vectors, directions, embed_images, embed_texts, principal
from .replay import Remade, replayed


def audit_run(
    plan: Plan, folder: RunFolder, arm: str, round_: int | None, generator: Generator | None = None
) -> tuple[Audited, Path | None]:
    """Audit the verifier of ``arm`` in a round, and write the result to the run folder.

    The round's candidates are made again, including rejected ones, and compared with the held-out real
    samples: texts by `embed_texts`; images by the last hidden layer of a bundled classifier that suits them,
    or else by their pixels; points and tables (as in `veriloop.encoding`) by principal components. If the
    best share is kept within several groups, a sample's score is its rank within its group.

    Args:
        plan: Plan of the run.
        folder: Run folder.
        arm: Name of the arm.
        round_: Number of a finished round; None for the last one.
        generator: How the learner refits, if known; see `veriloop.advise.audit`.

    Returns:
        The result, and the file that holds it; None if the folder is read-only.

    Raises:
        ConfigError: There is no such arm or finished round, the arm has no verifier, or the samples come with
            covariates of their own.
        CorruptFileError: A file cannot be read.
        DataError: The round cannot carry an answer.
        StorageError: The result could not be written.
    """
    made = replayed(plan, folder, arm, round_)
    with limit_threads(plan.threads):
        found, names = audit_remade(made, isinstance(plan.arms[arm].acceptance, TopFraction), generator)
    contents = _contents(made)
    content = made.samples[contents[0]]
    texts = content if len(contents) == 1 and isinstance(content, list) else []
    audited = audited_of(f"{arm}, round {made.round}: {made.verifier}", found, names, texts)
    path = folder.path / FOLDER / f"{arm}-round_{made.round}.json"
    try:
        folder.write_finding(path, audited.to_bytes())
    except ReadOnlyError:
        return audited, None
    return audited, path


def audit_remade(made: Remade, by_score: bool, generator: Generator | None = None) -> tuple[Audit, list[str]]:
    """Audit a round's candidates; returns the result and the names of the features.

    Args:
        made: Candidates with their verdicts.
        by_score: Whether the best share was kept.
        generator: How the learner refits, if known.

    Raises:
        ConfigError: The samples come with covariates of their own.
        DataError: The round cannot carry an answer.
    """
    contents = _contents(made)
    if len(contents) > 1:
        rows, real, copies = _of_tables(made, contents)
    else:
        rows, real = _vectors(made, contents[0])
        content = made.samples[contents[0]]
        copies = repeated(content if isinstance(content, list) else made.samples.array(contents[0]))
    names = directions(rows)
    found = audit(
        rows,
        made.accepted,
        real,
        scores=_places(made) if by_score else None,
        rule="top_fraction" if by_score else "fixed",
        names=names,
        generator=generator,
        copies=copies,
    )
    return found, names


def _contents(made: Remade) -> list[str]:
    """Return the columns that are generated, not given; several for a table."""
    conditions = made.data.conditions or {}
    covariates = [name for name in conditions if np.asarray(conditions[name]).dtype.kind == "f"]
    if covariates:
        raise ConfigError(
            f"samples are numbers for given covariates {', '.join(covariates)}, whose mean says nothing",
            fix="audit a table of what they are to estimate",
        )
    contents = [name for name in made.samples if name not in conditions]
    missing = [name for name in contents if name not in made.data.test]
    if not contents or missing:
        real = ", ".join(made.data.test)
        raise DataError(
            "samples to compare",
            got=f"columns {', '.join(contents)}; real ones {real}",
            expected="the same ones of both",
        )
    return contents


def _of_tables(made: Remade, columns: list[str]) -> tuple[NDArray[Any], NDArray[Any], int]:
    """Return rows of numbers and categories along their principal components, and the number of copies."""
    numbers = [name for name in columns if not isinstance(made.samples[name], list)]
    categories = [name for name in columns if name not in numbers]
    encoding = Encoding.learned(made.data.test, numbers, categories)
    rows, real = encoding.encode(made.samples), encoding.encode(made.data.test)
    return *principal(rows, real), repeated(rows)


def _vectors(made: Remade, column: str) -> Vectors:
    generated, real = made.samples[column], made.data.test[column]
    if isinstance(generated, list) and isinstance(real, list):
        return embed_texts(generated, real)
    rows, others = made.samples.array(column), made.data.test.array(column)
    if rows.ndim == 3:
        return embed_images(rows, others, _classifier(made.data.test))
    return principal(rows.reshape(len(rows), -1), others.reshape(len(others), -1))


def _classifier(real: Samples) -> str:
    """Return the embedding by the bundled classifier that suits the images best, or else by pixels."""
    from ..metrics.features import familiar_classifier

    try:
        return f"classifier:{familiar_classifier(real)}"
    except DataError:
        return "pixels"


def _places(made: Remade) -> NDArray[np.float64]:
    """Return how far each sample is above the edge of its group's best share, between -1 and 1."""
    places = np.full(len(made.groups), np.nan)
    for value in np.unique(made.groups):
        for accepted in (1, 0):
            rows = np.flatnonzero((made.groups == value) & (made.accepted == accepted))
            best_first = rows[np.argsort(-made.score[rows], kind="stable")]
            places[best_first] = accepted - (np.arange(len(rows)) + 0.5) / max(len(rows), 1)
    return places
