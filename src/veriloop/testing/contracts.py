"""Contract suites: what every part of a family must do, ours or a plug-in's.

Each function takes a part and real samples that suit it, and raises AssertionError with a reason. They
are made to be called from a test:

    from veriloop.testing import check_verifier

    def test_my_verifier_keeps_the_contract():
        check_verifier(MyVerifier(), generator, real, conditions)
"""

import pickle
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..datasets.base import Dataset
from ..errors import DataError
from ..executors.base import Executor
from ..generator import Generator
from ..judge import Judge
from ..learners.base import Learner
from ..metrics.base import Evaluation, Metric
from ..parts import Part
from ..rng import Address
from ..rules.acceptance import Acceptance, Group
from ..rules.policy import DataPolicy
from ..rules.schedule import Schedule
from ..samples import Samples, concat
from ..verdicts import Decision, Verdicts
from ..verifiers.base import Verifier


def _rng(chunk: int = 0) -> np.random.Generator:
    return Address(20251016, "contract", chunk=chunk).rng()


def check_part(part: Part) -> None:
    """A part equals its copy by configuration, by pickle, and cannot be changed."""
    again = type(part).model_validate(part.model_dump(mode="json"))
    assert again == part, f"{part!r} is not what its configuration {part.model_dump()} builds"
    assert pickle.loads(pickle.dumps(part)) == part, "a part must survive pickling"
    for field in type(part).model_fields:
        try:
            setattr(part, field, None)
        except ValueError:
            continue
        raise AssertionError(f"field {field!r} can be changed; parts are frozen")


def check_generator(generator: Generator, conditions: Samples | None, n: int = 24) -> None:
    """Samples are addressed by the stream, and survive pickling and a save."""
    condition = None if conditions is None else conditions.select(np.arange(n) % len(conditions))
    first = generator.sample(n, _rng(), condition)
    assert len(first) == n, f"asked for {n} samples, got {len(first)}"
    assert first.same_as(generator.sample(n, _rng(), condition)), "equal streams must give equal samples"
    assert not first.same_as(generator.sample(n, _rng(1), condition)), "other streams must give other samples"
    if condition is not None:
        assert first.only(list(condition)).same_as(condition), "samples must carry their conditions"
    copy = pickle.loads(pickle.dumps(generator))
    assert first.same_as(copy.sample(n, _rng(), condition)), "a pickled generator must sample alike"
    with tempfile.TemporaryDirectory() as scratch:
        generator.save(Path(scratch))
        assert list(Path(scratch).glob("*.safetensors")), "weights belong in *.safetensors"
        loaded = type(generator).load(Path(scratch))
    assert first.same_as(loaded.sample(n, _rng(), condition)), "a loaded generator must sample alike"


def check_learner(learner: Learner, samples: Samples, conditions: Samples | None) -> Generator:
    """Fits are addressed by the stream, leave their arguments alone, and give sound generators."""
    check_part(learner)
    before = samples.to_bytes()
    generator = learner.fit(samples, None, _rng())
    assert isinstance(generator, learner.generator_type), "generator_type must say what fit returns"
    condition = None if conditions is None else conditions.select(np.arange(24) % len(conditions))
    drawn = generator.sample(24, _rng(), condition)
    again = learner.fit(samples, None, _rng()).sample(24, _rng(), condition)
    assert drawn.same_as(again), "equal streams must train equal models"
    assert samples.to_bytes() == before, "fit must not change its samples"
    learner.fit(samples, generator, _rng(1))
    assert drawn.same_as(generator.sample(24, _rng(), condition)), "a warm start must not change its init"
    assert set(samples) == set(drawn), f"trained on columns {list(samples)}, generates {list(drawn)}"
    check_generator(generator, conditions)
    return generator


def check_verifier(
    verifier: Verifier, generator: Generator, real: Samples, conditions: Samples | None
) -> Judge:
    """Verdicts are one each, addressed, independent of the company, and survive pickling and a save."""
    check_part(verifier)
    before = pickle.dumps(verifier)
    judge = verifier.fit(None, generator, real, _rng())
    assert pickle.dumps(verifier) == before, (
        "fit must not change the verifier: what is learned is the judge's"
    )
    assert isinstance(judge, verifier.judge_type), "judge_type must say what fit returns"
    condition = None if conditions is None else conditions.select(np.arange(24) % len(conditions))
    samples = generator.sample(24, _rng(), condition)
    verdicts = judge.verify(samples, _rng())
    _assert_same(verdicts, judge.verify(samples, _rng()), "equal streams must give equal verdicts")
    again = verifier.fit(None, generator, real, _rng())
    _assert_same(verdicts, again.verify(samples, _rng()), "equal streams must train equal judges")
    assert len(verdicts) == len(samples), f"{len(samples)} samples, {len(verdicts)} verdicts"
    empty = judge.verify(samples.select(slice(0)), _rng())
    assert len(empty) == 0, "no samples, no verdicts"
    copy = pickle.loads(pickle.dumps(judge))
    _assert_same(verdicts, copy.verify(samples, _rng()), "pickling must change nothing")
    with tempfile.TemporaryDirectory() as scratch:
        judge.save(Path(scratch))
        loaded = verifier.load(Path(scratch))
    _assert_same(verdicts, loaded.verify(samples, _rng()), "a saved and loaded judge must judge alike")
    return judge


def check_acceptance(rule: Acceptance, real: Samples) -> None:
    """Selections keep the quota and no more, count every candidate once, and honour what is decided."""
    check_part(rule)
    quota: dict[Group, int] = {0: 5, 1: 7}
    selection = rule.open(quota, real, None)
    scores, decisions, groups = [], [], []
    for chunk in range(400):
        if not selection.shortfall():
            break
        rng = _rng(chunk)
        group = rng.integers(2, size=30)
        drawn = rng.choice([Decision.OPEN, Decision.REJECT, Decision.ABSTAIN], size=30, p=[0.8, 0.1, 0.1])
        score = np.where(drawn == Decision.ABSTAIN, np.nan, rng.random(30))
        candidates = real.select(rng.integers(len(real), size=30))
        selection.offer(Verdicts(score, drawn), candidates, group, rng)
        scores, decisions, groups = [*scores, *score], [*decisions, *drawn], [*groups, *group]
    counts, kept = selection.counts(), selection.kept()
    assert selection.shortfall() == 0, "12 samples of thousands of good candidates should be found"
    assert counts.generated == len(scores) == counts.accepted + counts.rejected + counts.abstained
    assert counts.abstained == decisions.count(Decision.ABSTAIN), "an abstention is counted as one"
    assert counts.kept == len(kept) == 12, f"the quota is 12, counted {counts.kept} and kept {len(kept)}"
    assert set(kept) <= set(selection.retained()), "what is kept must have been retained"
    assert {decisions[i] for i in kept} == {Decision.OPEN}, "rejected and abstained samples are not kept"
    assert [sum(groups[i] == g for i in kept) for g in quota] == list(quota.values()), "quota by group"


def check_policy(policy: DataPolicy, start: Samples, kept: Sequence[Samples]) -> None:
    """Training sets are addressed and hold nothing but real and kept samples."""
    check_part(policy)
    training = policy.training_set(start, kept, _rng())
    assert len(training) > 0
    assert training.same_as(policy.training_set(start, kept, _rng())), "equal streams, equal training sets"
    known = concat([start, *kept])
    name = next(iter(known))
    rows = {np.asarray(row).tobytes() for row in known.array(name)}
    assert {np.asarray(row).tobytes() for row in training.array(name)} <= rows, "an unknown sample"


def check_schedule(schedule: Schedule) -> None:
    """Every round wants a positive whole number."""
    check_part(schedule)
    for round_ in (1, 2, 3, 40):
        wanted = schedule.wanted(round_)
        assert isinstance(wanted, int), f"round {round_} wants {wanted!r}, not a whole number"
        assert wanted >= 1, f"round {round_} wants {wanted}"


def check_metric(metric: Metric, evaluation: Evaluation) -> None:
    """All promised numbers, finite, with standard errors, and addressed by the stream."""
    check_part(metric)
    fresh = Evaluation(evaluation.generator, evaluation.generated, evaluation.real)
    measured = metric.measure(evaluation, _rng())
    assert set(measured) == set(metric.quantities), (
        f"promised {tuple(metric.quantities)}, measured {tuple(measured)}"
    )
    for name, estimate in measured.items():
        assert np.isfinite(estimate.value), f"{name} is {estimate.value}"
        assert estimate.se >= 0, f"the standard error of {name} is {estimate.se}"
    assert measured == metric.measure(fresh, _rng()), "equal streams must give equal numbers"


def check_dataset(dataset: Dataset) -> None:
    """Splits are addressed by the seed, share their columns, and the test split shares no sample."""
    check_part(dataset)
    data, again = dataset.load(1), dataset.load(1)
    for role in ("start", "train", "test"):
        split = getattr(data, role)
        assert len(split) > 0, f"the {role} split is empty"
        assert split.same_as(getattr(again, role)), f"equal seeds must give equal {role} splits"
        assert list(split) == list(data.train), "all splits have the same columns"
    assert not dataset.load(2).start.same_as(data.start), "other seeds must give other start sets"
    train, start = _rows(data.train), _rows(data.start)
    assert start <= train, "the start set is a part of the training set"


def check_executor(executor: Executor) -> None:
    """Results come in the order of the items, and errors come through as themselves."""
    check_part(executor)
    assert list(executor.map(_times, range(7), 3)) == [0, 3, 6, 9, 12, 15, 18]
    assert list(executor.map(_times, [], 3)) == []
    raised: Exception | None = None
    try:
        list(executor.map(_refuse, [1], 2))
    except DataError as e:
        raised = e
    assert str(raised) == "item: got 1, expected 2", "an error of the function must arrive whole"


def _times(shared: float, item: float) -> float:
    return shared * item


def _refuse(shared: float, item: float) -> float:
    raise DataError("item", got=item, expected=shared)


def _assert_same(a: Verdicts, b: Verdicts, why: str) -> None:
    assert np.array_equal(a.score, b.score, equal_nan=True), why
    assert np.array_equal(a.decision, b.decision), why


def _rows(samples: Samples) -> set[bytes]:
    columns = [samples.array(name) for name in samples if isinstance(samples[name], np.ndarray)]
    return {b"".join(np.asarray(c[i]).tobytes() for c in columns) for i in range(len(samples))}
