"""Checked calls from the loop into parts: every call goes through here, and its result is checked.

A part may be a plug-in. Whatever it raises or returns by mistake becomes one line with the part and the
method; veriloop's own errors, interrupts and memory errors pass through unchanged. Checks look only at types,
lengths and names, so they cost microseconds.
"""

import math
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..datasets.base import Dataset, RealData, read_off
from ..errors import ContractError
from ..executors.base import Executor, Item
from ..executors.threads import limit_again
from ..fitted import Fitted
from ..generator import CUT, Generator, Notes
from ..judge import Judge
from ..learners.base import Learner
from ..metrics.base import Evaluation, Metric
from ..parts import Part
from ..quantity import Quantity
from ..records import Estimate, RowEstimate
from ..rules.policy import DataPolicy
from ..rules.schedule import Schedule
from ..samples import Samples
from ..schema import Schema
from ..verdicts import Verdicts
from ..verifiers.base import AsConfigured, Verifier
from ._calls import alike, call, expect, made_type, named, not_finite

T = TypeVar("T")
P = TypeVar("P", bound=Part)

ROUNDING = 1e-6
"""Tolerance for bounds of measured numbers, relative to values above 1: float32 sums may exceed them."""


def declared(*parts: Part | None) -> None:
    """Check what the classes of parts declare; None for a part that is not used.

    Raises:
        ContractError: A learner or verifier does not declare the class that its fit returns, or that class
            cannot be instantiated or loaded; or a metric does not declare what it measures.
    """
    for part in parts:
        kind: type[Any] = type(part)
        if isinstance(part, Learner):
            made_type(kind, "generator_type", Generator)
        elif isinstance(part, Verifier):
            made_type(kind, "judge_type", Judge)
        elif isinstance(part, Metric):
            quantities(part)


def load(dataset: Dataset, seed: int) -> RealData:
    """Call `Dataset.load` and check the result.

    Raises:
        ContractError: The result is not real data, a split is not `Samples` or is empty, or the splits have
            different columns.
    """
    data = call(dataset, "load", dataset.load, seed)
    where = f"{named(dataset)}.load"
    expect(where, data, RealData)
    for role in ("start", "train", "test"):
        expect(f"{where}: {role}", getattr(data, role), Samples)
    for role in ("validation", "conditions", "test_conditions", "validation_conditions"):
        if getattr(data, role) is not None:
            expect(f"{where}: {role}", getattr(data, role), Samples)
    for role in ("train", "test", "conditions"):
        if getattr(data, role) is not None and not len(getattr(data, role)):
            raise ContractError(f"{where}: {role}", got="no samples", expected="at least one")
    for role in ("start", "test", "validation"):
        split = getattr(data, role)
        if split is not None and not set(split) >= set(data.train):
            raise ContractError(
                f"{where}: columns of {role}",
                got=", ".join(split),
                expected=f"{', '.join(data.train)}, as train",
            )
        if split is not None and len(split):
            made = [name for name in data.train if name not in (data.conditions or ())]
            alike(split, data.train, made, f"{where}: {role}", "train")
    for role in ("test", "validation"):
        split, conditions = getattr(data, role), getattr(data, f"{role}_conditions")
        if split is not None and conditions is not None and len(conditions) != len(split):
            raise ContractError(
                f"{where}: {role}_conditions",
                got=f"{len(conditions)} rows",
                expected=f"{len(split)}, as {role}",
            )
    return data


def schema(dataset: Dataset) -> Schema:
    """Call `Dataset.schema` and check the result.

    Raises:
        ContractError: The result is not a schema, or a column has a name that the loop uses.
    """
    if type(dataset).schema is Dataset.schema:
        # If the schema is derived from the samples, report faults of the samples as faults of load.
        found = call(dataset, "load", read_off, load(dataset, 0))
    else:
        found = expect(f"{named(dataset)}.schema", call(dataset, "schema", dataset.schema), Schema)
    if own := [name for name in found if name.startswith("_")]:
        raise ContractError(
            f"columns of {named(dataset)}",
            got=", ".join(own),
            expected="names without a leading underscore, which the loop uses",
            fix="rename them, or leave them out",
        )
    return found


def suited(part: P, data: Schema) -> P:
    """Call `Part.suited_to` and check the result.

    Raises:
        ContractError: The result is not a part of the same family.
    """
    base = next(base for base in type(part).__mro__ if "family" in vars(base))
    return expect(f"{named(part)}.suited_to", call(part, "suited_to", part.suited_to, data), base)


def check_ahead(part: Part, data: Schema) -> list[str]:
    """Call `Part.check_ahead` and check the result.

    Raises:
        ContractError: The result is not lines of text or None.
    """
    notes = call(part, "check_ahead", part.check_ahead, data)
    where = f"{named(part)}.check_ahead"
    if isinstance(notes, str):
        raise ContractError(where, got="str", expected="a list of lines, or None")
    found = list(expect(where, notes if notes is not None else (), Sequence, "of lines, or None"))
    return [expect(where, note, str, "in each place of its list") for note in found]


def check_data(part: Part, real: Samples) -> None:
    """Call `Part.check_data`."""
    call(part, "check_data", part.check_data, real)


def sources(part: Part) -> Mapping[str, Path]:
    """Call `Part.sources` and check the result.

    Raises:
        ContractError: The result does not map each name to a `Path`.
    """
    found = call(part, "sources", part.sources)
    where, hint = f"{named(part)}.sources", 'such as {"words.txt": Path("words.txt")}'
    expect(where, found, Mapping, hint)
    for name, path in found.items():
        expect(f"{where}: {name}", path, Path, hint)
    return found


def settled(learner: Learner) -> tuple[Mapping[str, Any], str]:
    """Call `Learner.settled` and check the result.

    Raises:
        ContractError: The result is not a pair of field values and a reason.
    """
    where, hint = f"{named(learner)}.settled", 'such as ({"precision": "float32"}, "it is faster")'
    found = call(learner, "settled", learner.settled)
    settings, why = found if isinstance(found, tuple) and len(found) == 2 else (None, None)
    expect(where, settings, Mapping, hint)
    expect(f"{where}: why", why, str, hint)
    if unknown := [str(name) for name in settings or () if name not in type(learner).model_fields]:
        raise ContractError(where, got=", ".join(unknown), expected="names of its fields")
    return settings or {}, why or ""


def downloads(part: Part) -> str | None:
    """Call `Part.downloads` and check the result.

    Raises:
        ContractError: The result is not a text or None.
    """
    return expect(f"{named(part)}.downloads", call(part, "downloads", part.downloads) or "", str)


def fit(learner: Learner, samples: Samples, init: Generator | None, rng: np.random.Generator) -> Generator:
    """Call `Learner.fit` and check the result.

    Raises:
        ContractError: The result is not of the learner's ``generator_type``.
    """
    declared(learner)
    made = learner.generator_type  # imports the training library, whose threads must be limited, too
    with limit_again():
        generator = call(learner, "fit", learner.fit, samples, init, rng)
    return expect(f"{named(learner)}.fit", generator, made, "its generator_type")


def sample(
    generator: Generator,
    n: int,
    rng: np.random.Generator,
    condition: Samples | None,
    like: Samples | None,
) -> Samples:
    """Call `Generator.sample` and check the result.

    Args:
        generator: Generator to sample.
        n: Number of samples.
        rng: Source of randomness.
        condition: Rows to condition on, or None.
        like: Real samples whose columns and types the result must have; None to skip this check.

    Raises:
        ContractError: The result is not ``n`` samples of this kind.
    """
    samples = call(generator, "sample", generator.sample, n, rng, condition)
    return _drawn(generator, samples, n, condition, like)


def sample_with_notes(
    generator: Generator,
    n: int,
    rng: np.random.Generator,
    condition: Samples | None,
    like: Samples | None,
) -> tuple[Samples, Notes | None]:
    """Call `sample`, and return the generator's notes as well, if it makes any."""
    # Not with isinstance, which examines the whole protocol each time; most generators make no notes.
    own: Any = getattr(generator, "sample_with_notes", None)
    if own is None:
        return sample(generator, n, rng, condition, like), None
    samples, notes = call(generator, "sample_with_notes", own, n, rng, condition)
    expect(f"{named(generator)}.sample_with_notes: notes", notes, Notes)
    return _drawn(generator, samples, n, condition, like), notes


def _drawn(
    generator: Generator,
    samples: Samples,
    n: int,
    condition: Samples | None,
    like: Samples | None,
) -> Samples:
    where = f"{named(generator)}.sample"
    expect(where, samples, Samples)
    if len(samples) != n:
        raise ContractError(where, got=f"{len(samples)} samples", expected=n)
    missing = [name for name in (*(condition or ()), *(like or ())) if name not in samples]
    if missing:
        raise ContractError(
            where,
            got=f"columns {', '.join(samples)}",
            expected=f"{', '.join(dict.fromkeys(missing))} as well",
            fix="samples have the columns of the training data and of the condition",
        )
    if own := [name for name in samples if name.startswith("_") and name != CUT]:
        raise ContractError(
            where, got=f"columns {', '.join(own)}", expected="names without a leading underscore"
        )
    if condition is not None and not samples.only(list(condition)).same_as(condition):
        # Samples of a class or prompt that was not requested would be judged and balanced as the requested
        # one.
        raise ContractError(
            where, got="other conditions", expected=f"{', '.join(condition)} row for row as they were given"
        )
    if like is not None:
        # Joined with real samples, another type would change theirs, and with it the bits.
        alike(samples, like, [name for name in like if name not in (condition or ())], where, "the real data")
    return samples


def judge(
    verifier: Verifier, previous: Judge | None, generator: Generator, real: Samples, rng: np.random.Generator
) -> Judge:
    """Call `Verifier.fit` and check the result.

    Raises:
        ContractError: The result is not of the verifier's ``judge_type``.
    """
    declared(verifier)
    fitted = call(verifier, "fit", verifier.fit, previous, generator, real, rng)
    return expect(f"{named(verifier)}.fit", fitted, verifier.judge_type, "its judge_type")


def verify(judge: Judge, samples: Samples, rng: np.random.Generator) -> Verdicts:
    """Call `Judge.verify` and check the result.

    Raises:
        ContractError: The result is not one verdict per sample.
    """
    part = judge.verifier if isinstance(judge, AsConfigured) else judge
    try:
        verdicts = call(part, "verify", judge.verify, samples, rng)
    except ContractError as e:
        if not (broken := not_finite(samples)):
            raise
        # A diverged model is at fault here, not the verifier that is asked about its samples.
        raise type(e)(
            e.what,
            got=e.got,
            expected=e.expected,
            fix=f"the samples contain numbers that are not finite: {broken}",
        ) from e.__cause__ or e
    where = f"{named(part)}.verify"
    expect(where, verdicts, Verdicts)
    if len(verdicts) != len(samples):
        raise ContractError(where, got=f"{len(verdicts)} verdicts", expected=len(samples))
    return verdicts


def measure(metric: Metric, evaluation: Evaluation, rng: np.random.Generator) -> Mapping[str, Estimate]:
    """Call `Metric.measure` and check the result.

    Raises:
        ContractError: The result is not one `Estimate` for each of its quantities.
    """
    promised = quantities(metric)
    measured = call(metric, "measure", metric.measure, evaluation, rng)
    where = f"{named(metric)}.measure"
    expect(where, measured, Mapping, f"such as {{{next(iter(promised))!r}: Estimate(value, se)}}")
    if set(measured) != set(promised):
        raise ContractError(
            where,
            got=", ".join(map(str, measured)) or "nothing",
            expected=f"its quantities {', '.join(promised)}",
        )
    for name, estimate in measured.items():
        expect(f"{where}: {name}", estimate, Estimate)
        if estimate.se < 0 or math.isinf(estimate.se):
            expected = "0 or more and finite, or NaN for none"
            raise ContractError(f"{where}: {name}: standard error", got=estimate.se, expected=expected)
        if estimate.interval and estimate.interval[0] > estimate.interval[1]:
            low, high = estimate.interval
            raise ContractError(
                f"{where}: {name}: interval", got=f"{low:g} to {high:g}", expected="the lower end first"
            )
        if not _is_possible(estimate, promised[name]):
            low, high = promised[name].bounds
            raise ContractError(
                f"{where}: {name}",
                got=estimate.value,
                expected=f"a finite number from {low:g} to {high:g}, as the quantity declares; or "
                "Estimate(nan, nan) where it cannot be measured",
            )
        if isinstance(estimate, RowEstimate):
            _check_rows(f"{where}: {name}: rows", estimate)
    return measured


def _is_possible(estimate: Estimate, quantity: Quantity) -> bool:
    """Whether a quantity may have this value; NaN with standard error NaN means it cannot be measured."""
    value, (low, high) = estimate.value, quantity.bounds
    if math.isnan(value):
        return math.isnan(estimate.se)
    # A sum of shares may exceed its bound by rounding.
    slack = ROUNDING * max(1.0, abs(value))
    return math.isfinite(value) and low - slack <= value <= high + slack


def _check_rows(where: str, estimate: RowEstimate) -> None:
    rows, value = estimate.rows, estimate.value
    if rows.ndim != 1 or not len(rows) or not np.isfinite(rows).all():
        raise ContractError(where, got=f"shape {rows.shape}", expected="shape (n,), of finite numbers")
    if abs(mean := float(rows.mean()) - value) > 1e-6 * max(1.0, abs(value), float(np.abs(rows).max())):
        raise ContractError(where, got=f"mean {mean + value:g}", expected=f"its value, {value:g}")


def training_set(
    policy: DataPolicy, start: Samples, kept: Sequence[Samples], rng: np.random.Generator
) -> Samples:
    """Call `DataPolicy.training_set` and check the result.

    Raises:
        ContractError: The result is not at least one sample with the columns and types of the start set.
    """
    training = call(policy, "training_set", policy.training_set, start, kept, rng)
    where = f"{named(policy)}.training_set"
    expect(where, training, Samples)
    if not len(training):
        raise ContractError(where, got="no samples", expected="at least one")
    if missing := [name for name in start if name not in training]:
        raise ContractError(
            where, got=f"columns {', '.join(training)}", expected=f"{', '.join(missing)} as well"
        )
    alike(training, start, list(start), where, "the start set")
    return training


def wanted(schedule: Schedule, round_: int) -> int:
    """Call `Schedule.wanted` and check the result.

    Raises:
        ContractError: The result is not a positive integer.
    """
    n = call(schedule, "wanted", schedule.wanted, round_)
    if not isinstance(n, int | np.integer) or isinstance(n, bool) or n < 1:
        raise ContractError(
            f"{named(schedule)}.wanted({round_})", got=repr(n), expected="a whole number of at least 1"
        )
    return int(n)


def mapped(
    executor: Executor, function: Callable[[Any, Item], T], items: Sequence[Item], shared: Any
) -> Iterator[T]:
    """Call `Executor.map` and check the result; built-in executors are only counted, to keep tracebacks.

    Raises:
        ContractError: It raised an error, or returned fewer or more results than there are items.
    """
    theirs = not type(executor).__module__.startswith("veriloop.executors.")
    results = iter(call(executor, "map", executor.map, function, items, shared))
    over, given = object(), 0
    while (
        result := call(executor, "map", next, results, over) if theirs else next(results, over)
    ) is not over:
        given += 1
        if given > len(items):
            break
        yield result  # pyright: ignore[reportReturnType]
    if given != len(items):
        got = f"{given} results" if given < len(items) else "more results"
        raise ContractError(f"{named(executor)}.map", got=got, expected=len(items))


def save(fitted: Fitted, directory: Path) -> None:
    """Call `Fitted.save` for the new folder ``directory``, reporting a full disk as such.

    Raises:
        ContractError: It raised an error that comes from neither veriloop nor the system, or wrote no file.
        OSError: Writing failed.
    """
    directory.mkdir()
    try:
        call(fitted, "save", fitted.save, directory)
    except ContractError as e:
        if isinstance(e.__cause__, OSError) and not isinstance(e.__cause__, FileNotFoundError):
            raise e.__cause__ from None
        # Libraries written in Rust, such as safetensors, give the system's error as text.
        if number := re.search(r"os error (\d+)", str(e.__cause__)):
            raise OSError(int(number[1]), os.strerror(int(number[1]))) from None
        raise


def quantities(metric: Metric) -> Mapping[str, Quantity]:
    """Call `Metric.quantities` and check the result.

    Raises:
        ContractError: They are missing, or do not map each name to a `Quantity`.
    """
    own: Any = getattr(metric, "quantities", None)
    sound = isinstance(own, Mapping) and own
    if not sound or not all(isinstance(name, str) and isinstance(q, Quantity) for name, q in own.items()):
        raise ContractError(
            f"{named(metric)} does not declare its quantities",
            got=None if own is None else f"{own!r}"[:80],
            expected="a class attribute quantities: each number's name with a Quantity",
            fix='such as quantities = {"quality": Quantity(better="higher")}',
        )
    return own
