"""The seam between the loop and parts: each call of a part goes through here, and what comes back is checked.

A part may be a stranger's. Its mistakes become one line that names the part and the method, whatever the
part raised or gave back; our own errors, an interrupt and a lack of memory go through as they are. A check
looks at types, lengths and names only, so it costs microseconds.
"""

import math
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..datasets.base import Dataset, RealData, read_off
from ..errors import ContractError, DataError, VeriloopError
from ..executors.base import Executor, Item
from ..executors.threads import limit_again
from ..fitted import Fitted
from ..generator import Generator, Notes
from ..judge import Judge
from ..learners.base import Learner
from ..metrics.base import Evaluation, Metric
from ..parts import Imported, Part
from ..quantity import Quantity
from ..records import Estimate, RowEstimate
from ..rules.policy import DataPolicy
from ..rules.schedule import Schedule
from ..samples import Samples, same_type, type_of
from ..schema import Schema
from ..verdicts import Verdicts
from ..verifiers.base import AsConfigured, Verifier

T = TypeVar("T")
P = TypeVar("P", bound=Part)

ROUNDING = 1e-6
"""By so much, relative to values above 1, a measured number may miss its bounds: sums in float32 do."""

MESSAGE_LENGTH = 300
"""The longest message of a part's own error that is told, in characters."""


def call(part: object, method: str, function: Callable[..., T], *arguments: Any) -> T:
    """``function(*arguments)``, with whatever a part's code raises as one line.

    Args:
        part: Whose code it is, for the line.
        method: Likewise.
        function: What is called: usually ``part``'s method.
        arguments: For it.

    Raises:
        ContractError: It raised an error that is not ours; the error itself is the cause of this one.
        VeriloopError: One of ours. Where the part handed our code something wrong, the line names the part.
    """
    try:
        return function(*arguments)
    except (ContractError, DataError) as e:
        if (place := _place(part, e)) == "" or _raised_by(part, e):
            raise
        what = f"{_named(part)}.{method}{place}: {e.what}"
        raise type(e)(what, got=e.got, expected=e.expected, fix=e.fix) from e
    except (VeriloopError, MemoryError):
        raise
    except (Exception, SystemExit) as e:
        # An exit is for the whole program to decide on, and a part is not: it would end a run without a word.
        message = " ".join(str(e).split())
        if len(message) > MESSAGE_LENGTH:
            message = f"{message[: MESSAGE_LENGTH - 3]}..."
        raised = f"{type(e).__name__}: {message}" if message else type(e).__name__
        raise ContractError(f"{_named(part)}.{method} raised {raised}{_place(part, e)}") from e


def declared(*parts: Part | None) -> None:
    """Check what the classes of parts say of themselves; None for a part that is not there.

    Raises:
        ContractError: A learner or verifier does not name the class of what it makes, or that class cannot be
            made or loaded; or a metric does not say what it measures.
    """
    for part in parts:
        if isinstance(part, Learner):
            _made_type(type(part), "generator_type", Generator)
        elif isinstance(part, Verifier):
            _made_type(type(part), "judge_type", Judge)
        elif isinstance(part, Metric):
            quantities(part)


def load(dataset: Dataset, seed: int) -> RealData:
    """`Dataset.load`, checked.

    Raises:
        ContractError: It gave something else than real data, a split is no `Samples` or empty, or the splits
            have different columns.
    """
    data = call(dataset, "load", dataset.load, seed)
    where = f"{_named(dataset)}.load"
    _expect(where, data, RealData)
    for role in ("start", "train", "test"):
        _expect(f"{where}: {role}", getattr(data, role), Samples)
    for role in ("validation", "conditions", "test_conditions", "validation_conditions"):
        if getattr(data, role) is not None:
            _expect(f"{where}: {role}", getattr(data, role), Samples)
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
            _alike(split, data.train, made, f"{where}: {role}", "train")
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
    """`Dataset.schema`, checked.

    Raises:
        ContractError: It gave something else than a schema.
    """
    if type(dataset).schema is Dataset.schema:
        # Read off the samples: what is wrong with these is load's mistake.
        return call(dataset, "load", read_off, load(dataset, 0))
    return _expect(f"{_named(dataset)}.schema", call(dataset, "schema", dataset.schema), Schema)


def suited(part: P, data: Schema) -> P:
    """`Part.suited_to`, checked.

    Raises:
        ContractError: It gave something else than a part of the same family.
    """
    base = next(base for base in type(part).__mro__ if "family" in vars(base))
    return _expect(f"{_named(part)}.suited_to", call(part, "suited_to", part.suited_to, data), base)


def check_ahead(part: Part, data: Schema) -> list[str]:
    """`Part.check_ahead`, checked.

    Raises:
        ContractError: It gave something else than lines of text, or None.
    """
    notes = call(part, "check_ahead", part.check_ahead, data)
    where = f"{_named(part)}.check_ahead"
    if isinstance(notes, str):
        raise ContractError(where, got="str", expected="a list of lines, or None")
    found = list(_expect(where, notes if notes is not None else (), Sequence, "of lines, or None"))
    return [_expect(where, note, str, "in each place of its list") for note in found]


def check_data(part: Part, real: Samples) -> None:
    """`Part.check_data`."""
    call(part, "check_data", part.check_data, real)


def sources(part: Part) -> Mapping[str, Path]:
    """`Part.sources`, checked.

    Raises:
        ContractError: It gave something else than a `Path` for each name.
    """
    found = call(part, "sources", part.sources)
    where, hint = f"{_named(part)}.sources", 'such as {"words.txt": Path("words.txt")}'
    _expect(where, found, Mapping, hint)
    for name, path in found.items():
        _expect(f"{where}: {name}", path, Path, hint)
    return found


def settled(learner: Learner) -> tuple[Mapping[str, Any], str]:
    """`Learner.settled`, checked.

    Raises:
        ContractError: It gave something else than values of its fields and a reason.
    """
    where, hint = f"{_named(learner)}.settled", 'such as ({"precision": "float32"}, "it is faster")'
    found = call(learner, "settled", learner.settled)
    settings, why = found if isinstance(found, tuple) and len(found) == 2 else (None, None)
    _expect(where, settings, Mapping, hint)
    _expect(f"{where}: why", why, str, hint)
    if unknown := [str(name) for name in settings or () if name not in type(learner).model_fields]:
        raise ContractError(where, got=", ".join(unknown), expected="names of its fields")
    return settings or {}, why or ""


def downloads(part: Part) -> str | None:
    """`Part.downloads`, checked.

    Raises:
        ContractError: It gave something else than a text or None.
    """
    return _expect(f"{_named(part)}.downloads", call(part, "downloads", part.downloads) or "", str)


def fit(learner: Learner, samples: Samples, init: Generator | None, rng: np.random.Generator) -> Generator:
    """`Learner.fit`, checked.

    Raises:
        ContractError: It gave something else than a generator of its ``generator_type``.
    """
    declared(learner)
    made = learner.generator_type  # brings the library that trains, which has to be limited as well
    with limit_again():
        generator = call(learner, "fit", learner.fit, samples, init, rng)
    return _expect(f"{_named(learner)}.fit", generator, made, "its generator_type")


def sample(
    generator: Generator,
    n: int,
    rng: np.random.Generator,
    condition: Samples | None,
    like: Samples | None,
) -> Samples:
    """`Generator.sample`, checked.

    Args:
        generator: As in `Generator.sample`.
        n: Likewise.
        rng: Likewise.
        condition: Likewise.
        like: Real samples, whose columns and types the samples must have; None to look at neither.

    Raises:
        ContractError: It gave something else than ``n`` samples of this kind.
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
    """`sample`, and what the generator notes beside, if it does."""
    # Not by isinstance, which looks through the whole protocol each time: most generators note nothing.
    own: Any = getattr(generator, "sample_with_notes", None)
    if own is None:
        return sample(generator, n, rng, condition, like), None
    samples, notes = call(generator, "sample_with_notes", own, n, rng, condition)
    _expect(f"{_named(generator)}.sample_with_notes: notes", notes, Notes)
    return _drawn(generator, samples, n, condition, like), notes


def _drawn(
    generator: Generator,
    samples: Samples,
    n: int,
    condition: Samples | None,
    like: Samples | None,
) -> Samples:
    where = f"{_named(generator)}.sample"
    _expect(where, samples, Samples)
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
    if condition is not None and not samples.only(list(condition)).same_as(condition):
        # Samples of another class or prompt than was asked for would be judged and balanced as that one.
        raise ContractError(
            where, got="other conditions", expected=f"{', '.join(condition)} row for row as they were given"
        )
    if like is not None:
        # Joined with the real ones, samples of another type would change theirs, and with it the bits.
        _alike(
            samples, like, [name for name in like if name not in (condition or ())], where, "the real data"
        )
    return samples


def judge(
    verifier: Verifier, previous: Judge | None, generator: Generator, real: Samples, rng: np.random.Generator
) -> Judge:
    """`Verifier.fit`, checked.

    Raises:
        ContractError: It gave something else than a judge of its ``judge_type``.
    """
    declared(verifier)
    fitted = call(verifier, "fit", verifier.fit, previous, generator, real, rng)
    return _expect(f"{_named(verifier)}.fit", fitted, verifier.judge_type, "its judge_type")


def verify(judge: Judge, samples: Samples, rng: np.random.Generator) -> Verdicts:
    """`Judge.verify`, checked.

    Raises:
        ContractError: It gave something else than one verdict for each sample.
    """
    part = judge.verifier if isinstance(judge, AsConfigured) else judge
    verdicts = call(part, "verify", judge.verify, samples, rng)
    where = f"{_named(part)}.verify"
    _expect(where, verdicts, Verdicts)
    if len(verdicts) != len(samples):
        raise ContractError(where, got=f"{len(verdicts)} verdicts", expected=len(samples))
    return verdicts


def measure(metric: Metric, evaluation: Evaluation, rng: np.random.Generator) -> Mapping[str, Estimate]:
    """`Metric.measure`, checked.

    Raises:
        ContractError: It gave something else than one `Estimate` for each of its quantities.
    """
    promised = quantities(metric)
    measured = call(metric, "measure", metric.measure, evaluation, rng)
    where = f"{_named(metric)}.measure"
    _expect(where, measured, Mapping, f"such as {{{next(iter(promised))!r}: Estimate(value, se)}}")
    if set(measured) != set(promised):
        raise ContractError(
            where,
            got=", ".join(map(str, measured)) or "nothing",
            expected=f"its quantities {', '.join(promised)}",
        )
    for name, estimate in measured.items():
        _expect(f"{where}: {name}", estimate, Estimate)
        if estimate.se < 0 or math.isinf(estimate.se):
            expected = "0 or more and finite, or NaN for none"
            raise ContractError(f"{where}: {name}: standard error", got=estimate.se, expected=expected)
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
    """Whether a quantity may have this value; NaN with NaN beside it is what cannot be measured."""
    value, (low, high) = estimate.value, quantity.bounds
    if math.isnan(value):
        return math.isnan(estimate.se)
    # A sum of shares may miss its bound by rounding.
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
    """`DataPolicy.training_set`, checked.

    Raises:
        ContractError: It gave something else than samples with the columns of the start set, at least one.
    """
    training = call(policy, "training_set", policy.training_set, start, kept, rng)
    where = f"{_named(policy)}.training_set"
    _expect(where, training, Samples)
    if not len(training):
        raise ContractError(where, got="no samples", expected="at least one")
    if missing := [name for name in start if name not in training]:
        raise ContractError(
            where, got=f"columns {', '.join(training)}", expected=f"{', '.join(missing)} as well"
        )
    return training


def wanted(schedule: Schedule, round_: int) -> int:
    """`Schedule.wanted`, checked.

    Raises:
        ContractError: It gave something else than a whole number of at least 1.
    """
    n = call(schedule, "wanted", schedule.wanted, round_)
    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise ContractError(
            f"{_named(schedule)}.wanted({round_})", got=repr(n), expected="a whole number of at least 1"
        )
    return n


def mapped(
    executor: Executor, function: Callable[[Any, Item], T], items: Sequence[Item], shared: Any
) -> Iterator[T]:
    """`Executor.map`, checked; of ours only counted, so that what fails in it keeps its traceback.

    Raises:
        ContractError: It raised an error, or gave fewer or more results than there are items.
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
        raise ContractError(f"{_named(executor)}.map", got=got, expected=len(items))


def save(fitted: Fitted, directory: Path) -> None:
    """`Fitted.save` into the new folder ``directory``, with a full disk told as such.

    Raises:
        ContractError: It raised an error that is neither ours nor the system's, or opened no file of its own.
        OSError: Writing failed.
    """
    directory.mkdir()
    try:
        call(fitted, "save", fitted.save, directory)
    except ContractError as e:
        if isinstance(e.__cause__, OSError) and not isinstance(e.__cause__, FileNotFoundError):
            raise e.__cause__ from None
        # A library written in Rust, such as safetensors, tells the system's error in words.
        if number := re.search(r"os error (\d+)", str(e.__cause__)):
            raise OSError(int(number[1]), os.strerror(int(number[1]))) from None
        raise


def quantities(metric: Metric) -> Mapping[str, Quantity]:
    """`Metric.quantities`, checked.

    Raises:
        ContractError: They are missing, or are no mapping from names to a `Quantity` each.
    """
    own: Any = getattr(metric, "quantities", None)
    sound = isinstance(own, Mapping) and own
    if not sound or not all(isinstance(name, str) and isinstance(q, Quantity) for name, q in own.items()):
        raise ContractError(
            f"{_named(metric)} does not declare its quantities",
            got=None if own is None else f"{own!r}"[:80],
            expected="a class attribute quantities: each number's name with a Quantity",
            fix='such as quantities = {"quality": Quantity(better="higher")}',
        )
    return own


@cache
def _made_type(part: type[Part], attribute: str, base: type[Fitted]) -> None:
    """Check a class once: what is wrong is raised, and so not remembered."""
    owners = (vars(kind) for kind in part.__mro__ if attribute in vars(kind))
    if isinstance(next(owners, {}).get(attribute), Imported):
        return  # one of ours, whose libraries only training needs
    made: Any = getattr(part, attribute, None)
    if not (isinstance(made, type) and issubclass(made, base)):
        raise ContractError(
            f"{part.__name__} does not say what its fit makes",
            got=None if made is None else f"{attribute} {getattr(made, '__name__', repr(made))}",
            expected=f"a class attribute {attribute}, a subclass of {base.__name__}",
        )
    if missing := sorted(getattr(made, "__abstractmethods__", ())):
        lacks = " and ".join(missing)
        raise ContractError(
            f"{part.__name__}.{attribute}: {made.__name__} lacks {lacks}",
            expected=f"a subclass of {base.__name__} that defines all of its methods",
        )


def _alike(samples: Samples, like: Samples, names: Sequence[str], where: str, whose: str) -> None:
    """Refuse columns of other types than ``whose`` have."""
    for name in names:
        if not same_type(samples[name], like[name]):
            got, wanted = type_of(samples[name]), type_of(like[name])
            raise ContractError(f"{where}: column {name!r}", got=got, expected=f"{wanted}, as in {whose}")


def _expect(where: str, got: Any, wanted: type[Any], hint: str = "") -> Any:
    if not isinstance(got, wanted):
        expected = f"{wanted.__name__}, {hint}" if hint else wanted.__name__
        raise ContractError(where, got=type(got).__name__, expected=expected)
    return got


def _named(part: object) -> str:
    return type(part).__name__


def _raised_by(part: object, error: BaseException) -> bool:
    """Whether ``part``'s package itself raised ``error``, and so chose its words."""
    frames = error.__traceback__
    while frames is not None and frames.tb_next is not None:
        frames = frames.tb_next
    package = type(part).__module__.partition(".")[0]
    return frames is not None and str(frames.tb_frame.f_globals.get("__name__")).partition(".")[0] == package


def _place(part: object, error: BaseException) -> str:
    """Where in ``part``'s package ``error`` came from, for who has no traceback to look at; none in ours."""
    package, place = type(part).__module__.partition(".")[0], ""
    frames = error.__traceback__ if package != "veriloop" else None
    while frames is not None:
        if str(frames.tb_frame.f_globals.get("__name__")).partition(".")[0] == package:
            place = f" ({Path(frames.tb_frame.f_code.co_filename).name}, line {frames.tb_lineno})"
        frames = frames.tb_next
    return place
