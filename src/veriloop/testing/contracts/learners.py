"""The contract suites of learners and of their generators."""

import pickle
import tempfile
from pathlib import Path

import numpy as np

from ...generator import Generator
from ...learners.base import Learner
from ...samples import Samples
from ._common import N, no_pickles, rows_of, same_types, saves_alike, stream, suite, unchanged
from .parts import check_part


@suite
def check_generator(
    generator: Generator, conditions: Samples | None, n: int = N, like: Samples | None = None
) -> None:
    """Check that samples depend only on the stream, look like the data, and survive pickling and saving.

    Args:
        generator: Generator to check.
        conditions: Pool of conditions that it receives, or None.
        n: Number of samples.
        like: Samples that it was trained on, to compare columns and types.
    """
    condition = rows_of(conditions, n)
    with unchanged("sample", condition=condition):
        first = generator.sample(n, stream(), condition)
    assert isinstance(first, Samples), f"sample gave {type(first).__name__}, expected Samples"
    assert len(first) == n, f"asked for {n} samples, got {len(first)}"
    assert not first.same_as(generator.sample(n, stream(1), condition)), (
        "other streams must give other samples"
    )
    assert first.same_as(generator.sample(n, stream(), condition)), "equal streams must give equal samples"
    if condition is not None:
        missing = [name for name in condition if name not in first]
        assert not missing, f"samples must carry their conditions, and lack {', '.join(missing)}"
        assert first.only(list(condition)).same_as(condition), "samples must carry their conditions"
    for name in first:
        column = first[name]
        if isinstance(column, np.ndarray) and column.dtype.kind == "f":
            assert np.isfinite(column).all(), f"column {name!r} holds numbers that are not finite"
    if like is not None:
        assert set(like) == set(first), f"trained on columns {list(like)}, generates {list(first)}"
        same_types(first, like, "samples are unlike the training data")
    for few in (0, 1):
        part = generator.sample(few, stream(), rows_of(conditions, few))
        assert isinstance(part, Samples), f"asked for {few} samples, got {type(part).__name__}"
        assert len(part) == few, f"asked for {few} samples, got {len(part)}"
        assert set(part) == set(first), f"{few} samples have the columns {list(part)}, {n} have {list(first)}"
        same_types(part, first, f"{few} samples")
    copy = pickle.loads(pickle.dumps(generator))
    assert first.same_as(copy.sample(n, stream(), condition)), "a pickled generator must sample the same"
    with tempfile.TemporaryDirectory() as scratch:
        generator.save(Path(scratch))
        no_pickles(Path(scratch), "save")
        saves_alike(Path(scratch), generator.save, "save")
        loaded = type(generator).load(Path(scratch))
    assert isinstance(loaded, type(generator)), f"load gave {type(loaded).__name__}"
    assert first.same_as(loaded.sample(n, stream(), condition)), "a loaded generator must sample the same"
    assert first.same_as(generator.sample(n, stream(), condition)), "a generator must not change by its use"


@suite
def check_learner(learner: Learner, samples: Samples, conditions: Samples | None) -> Generator:
    """Check that fits depend only on the stream, change nothing else, and return valid generators.

    Args:
        learner: Learner to check.
        samples: Training set for it.
        conditions: Pool of conditions that its generators receive, or None.

    Returns:
        A generator trained on ``samples``.
    """
    check_part(learner)
    made = getattr(learner, "generator_type", None)
    assert isinstance(made, type), "generator_type must say what fit returns"
    missing = sorted(getattr(made, "__abstractmethods__", ()))
    assert not missing, f"{made.__name__} lacks {' and '.join(missing)}"
    with unchanged("fit", learner, samples=samples):
        generator = learner.fit(samples, None, stream())
    assert isinstance(generator, made), (
        f"generator_type must say what fit returns: {type(generator).__name__} is not a {made.__name__}"
    )
    condition = rows_of(conditions)
    drawn = generator.sample(N, stream(), condition)
    with unchanged("fit with a warm start", learner, samples=samples):
        learner.fit(samples, generator, stream(1))
    assert drawn.same_as(generator.sample(N, stream(), condition)), "a warm start must not change its init"
    # After another fit, so that hidden state of a learner is detected.
    again = learner.fit(samples, None, stream()).sample(N, stream(), condition)
    assert drawn.same_as(again), "equal streams must train equal models"
    assert drawn.same_as(generator.sample(N, stream(), condition)), "a fit must not change earlier models"
    check_generator(generator, conditions, like=samples)
    return generator
