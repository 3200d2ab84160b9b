"""The contract suite of verifiers and of their judges."""

import pickle
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...generator import Generator
from ...judge import Judge
from ...samples import Samples
from ...verdicts import Verdicts
from ...verifiers.base import PLACE, Verifier
from ._common import N, drawn, in_company, no_pickles, rows_of, saves_alike, stream, suite, unchanged
from .parts import check_part

ROUNDING = 1e-5
"""Tolerance of scores, because batches of other sizes round differently."""


@suite
def check_verifier(
    verifier: Verifier, generator: Generator, real: Samples, conditions: Samples | None
) -> Judge:
    """Check that there is one verdict per sample, from stream and sample alone, unchanged by saving.

    Args:
        verifier: Verifier to check.
        generator: Generator of the samples to judge.
        real: Real samples that it may learn from.
        conditions: Pool of conditions that ``generator`` receives, or None.

    Returns:
        The judge that it made.
    """
    assert not callable(getattr(verifier, "update", None)), (
        "a verifier has no update: it overrides fit, which returns what was learned as a judge"
    )
    check_part(verifier)
    condition = rows_of(conditions)
    samples = generator.sample(N, stream(), condition)
    with unchanged("fit", verifier, real=real):
        judge = verifier.fit(None, generator, real, stream())
    assert isinstance(judge, verifier.judge_type), (
        f"judge_type must be what fit returns: {type(judge).__name__} is not a {verifier.judge_type.__name__}"
    )
    assert samples.same_as(generator.sample(N, stream(), condition)), "fit must not change the generator"
    with unchanged("verify", verifier, samples=samples, real=real):
        verdicts, draws = drawn(stream(), lambda rng: judge.verify(samples, rng))
    assert isinstance(verdicts, Verdicts), f"verify gave {type(verdicts).__name__}, expected Verdicts"
    assert len(verdicts) == N, f"{N} samples, {len(verdicts)} verdicts"
    _company(judge, samples, verdicts, draws)
    _assert_same(verdicts, judge.verify(samples, stream()), "equal streams must give equal verdicts")
    copy = pickle.loads(pickle.dumps(judge))
    _assert_same(verdicts, copy.verify(samples, stream()), "pickling must change nothing")
    with tempfile.TemporaryDirectory() as scratch:
        judge.save(Path(scratch))
        no_pickles(Path(scratch), "save of the judge")
        saves_alike(Path(scratch), judge.save, "save of the judge")
        # Another judge in between, so that hidden state of a verifier or its class is detected.
        others = real.select(stream(2).integers(len(real), size=len(real)))
        with unchanged("fit", verifier, real=others):
            verifier.fit(judge, generator, others, stream(1))
        _assert_same(
            verdicts, judge.verify(samples, stream()), "a later fit must not change its previous judge"
        )
        loaded = pickle.loads(pickle.dumps(verifier)).load(Path(scratch))
    _assert_same(verdicts, loaded.verify(samples, stream()), "a saved and loaded judge must judge the same")
    again = verifier.fit(None, generator, real, stream())
    _assert_same(verdicts, again.verify(samples, stream()), "equal streams must train equal judges")
    return judge


def _company(judge: Judge, samples: Samples, verdicts: Verdicts, draws: bool) -> None:
    n = len(samples)
    empty = judge.verify(samples.select(slice(0)), stream())
    assert len(empty) == 0, f"no samples, {len(empty)} verdicts"
    place = (["verified"] * n, np.ones(n, np.int64), np.zeros(n, np.int64), np.arange(n))
    placed = samples.with_columns(**dict(zip(PLACE, place, strict=True)))
    _assert_same(
        verdicts, judge.verify(placed, stream()), "a verdict must not depend on where a sample was made"
    )
    why = "a verdict must not depend on the other samples of its chunk"
    for company, rows, stays in in_company(n):
        beside = judge.verify(samples.select(rows), stream())
        _assert_same(_only(verdicts, stays), _only(beside, stays), f"{why} ({company})")
    if draws:
        return  # which numbers a sample gets depends on its place, so it cannot be moved
    ways = {
        "judged in another order": [stream(3).permutation(n)],
        "judged in halves": np.array_split(np.arange(n), 2),
        "judged alone": [np.array([i]) for i in range(0, n, 5)],
    }
    for way, parts in ways.items():
        for rows in parts:
            _assert_alike(
                _only(verdicts, rows), judge.verify(samples.select(rows), stream()), f"{why} ({way})"
            )


def _only(verdicts: Verdicts, rows: NDArray[np.int64]) -> Verdicts:
    return Verdicts(verdicts.score[rows], verdicts.decision[rows])


def _assert_same(a: Verdicts, b: Verdicts, why: str) -> None:
    assert np.array_equal(a.score, b.score, equal_nan=True), why
    assert np.array_equal(a.decision, b.decision), why


def _assert_alike(a: Verdicts, b: Verdicts, why: str) -> None:
    scale = np.abs(a.score[np.isfinite(a.score)]).max(initial=0.0)
    assert len(a) == len(b), why
    assert np.allclose(a.score, b.score, rtol=ROUNDING, atol=ROUNDING * scale, equal_nan=True), why
    assert np.array_equal(a.decision, b.decision), why
