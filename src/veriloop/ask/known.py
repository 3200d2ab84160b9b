"""Test a run's verifier on samples that are known to be good or bad."""

import contextlib
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..advise.calibrated import FOLDER, Calibrated
from ..advise.calibration import calibrate
from ..advise.preference import preference
from ..datasets.base import RealData
from ..errors import ConfigError, DataError, ReadOnlyError
from ..executors.threads import limit_threads
from ..generator import Generator
from ..loop.data import load_data, load_schema
from ..loop.plan import Plan
from ..loop.stores import load_state
from ..rng import Address, Stage
from ..samples import Column, Samples, concat
from ..store.folder import RunFolder
from .replay import judge_of, round_of

Bad = Literal["start", "shuffled", "mislabelled"]

KNOWN = "known samples"
"""Name under which their random numbers are drawn. Arm names contain no spaces."""

BAD_ARE: dict[Bad, str] = {
    "start": "samples of the start model, with the conditions of the real ones",
    "shuffled": "the real samples with their pixels or words in random order",
    "mislabelled": "the real samples with the conditions of other samples",
}
"""Descriptions of the known bad samples."""


def calibrate_arm(
    plan: Plan, folder: RunFolder, arm: str, round_: int | None, bad: Bad, most: int, at: float | None = None
) -> Calibrated:
    """Calibrate the verifier of ``arm`` as it was in a round, and write the result to the run folder.

    The result is not written if the folder is read-only.

    Known good samples are held-out real ones, which neither the models nor the verifier were trained on.
    People cannot be asked now: `calibrate_people` reads what they said of known samples on the way.

    Args:
        plan: Plan of the run.
        folder: Run folder.
        arm: Name of the arm.
        round_: Number of a finished round; None for the last one.
        bad: Kind of known bad samples.
        most: Largest number of good samples, and of bad ones.
        at: See `veriloop.advise.calibration.calibrate`.

    Raises:
        ConfigError: There is no such finished round, the arm has no verifier, or bad samples of this kind
            cannot be made.
        CorruptFileError: A file cannot be read.
        StorageError: The result could not be written.
    """
    asked = plan.arms[arm].verifier if arm in plan.arms else None
    if asked is not None and asked.kind == "human":
        from ..verifiers.human.verifier import Human  # with the database, an extra
        from .people import calibrate_people

        assert isinstance(asked, Human)
        return calibrate_people(asked, folder, arm, plan.seed)
    plan = plan.suited_to(load_schema(plan.dataset))
    number, kind = round_of(plan, folder, arm, round_)
    judge = judge_of(plan, folder, arm, number)
    data = load_data(plan.dataset, plan.seed)
    good = concat([data.test, *([data.validation] if data.validation else [])]).select(slice(most))
    address = Address(plan.seed, KNOWN, number)
    with limit_threads(plan.threads):
        made = known_bad(data, good, bad, _start_model(plan, folder, arm), address.at(Stage.GENERATE).rng())
        both = concat([good.only(list(made)), made])
        verdicts = judge.verify(both, address.at(Stage.VERIFY).rng())
    is_good = np.arange(len(both)) < len(good)
    texts = {name: column for name in _contents(data, both) if isinstance(column := both[name], list)}
    found = Calibrated(
        subject=f"{arm}, round {number}: {kind}",
        good_are="held-out real samples",
        bad_are=BAD_ARE[bad],
        calibration=calibrate(verdicts, is_good, at),
        preferences={
            f"length of {name}": preference(verdicts.score, np.array([*map(len, column)], float), is_good)
            for name, column in texts.items()
        },
    )
    path = folder.path / FOLDER / f"{arm}-round_{number}-{bad}.json"
    with contextlib.suppress(ReadOnlyError):
        folder.write_finding(path, found.model_dump_json(indent=1).encode())
    return found


def known_bad(data: RealData, good: Samples, bad: Bad, start: Generator, rng: np.random.Generator) -> Samples:
    """Return as many known bad samples as ``good`` has, see `BAD_ARE`.

    Raises:
        ConfigError: There is nothing to shuffle, or no condition to exchange.
    """
    conditions = [name for name in data.conditions or () if name in good]
    if bad == "start":
        return start.sample(len(good), rng, good.only(conditions) if conditions else None)
    if bad == "shuffled":
        shuffled = {name: _shuffled(good[name], rng) for name in _contents(data, good)}
        changed = {name: column for name, column in shuffled.items() if column is not None}
        if not changed:
            raise ConfigError(
                "--bad", got=bad, expected="'start' or 'mislabelled': nothing here can be shuffled"
            )
        return good.with_columns(**changed)
    if not conditions:
        raise ConfigError(
            "--bad", got=bad, expected="'start' or 'shuffled': these samples have no conditions"
        )
    others = good.only(conditions).select(_other_rows(good[conditions[0]]))
    return good.with_columns(**dict(others))


def _contents(data: RealData, samples: Samples) -> Sequence[str]:
    """Return the columns that are generated, not given."""
    return [name for name in samples if name not in (data.conditions or ())]


def _shuffled(column: Column, rng: np.random.Generator) -> Column | None:
    if isinstance(column, np.ndarray):
        if column.ndim == 1:
            return None
        return rng.permuted(column.reshape(len(column), -1), axis=1).reshape(column.shape)
    return [" ".join(rng.permutation(words).tolist()) if (words := text.split()) else text for text in column]


def _other_rows(values: Column) -> NDArray[np.int64]:
    """Return for each row another row with a different value: sorted, then shifted by the largest group."""
    array = np.asarray(values)
    order, largest = np.argsort(array, kind="stable"), int(np.unique_counts(array).counts.max())
    if 2 * largest > len(array):
        raise DataError("more than half of the samples have the same condition", fix="use another --bad")
    other = np.empty(len(array), np.int64)
    other[order] = np.roll(order, -largest)
    return other


def _start_model(plan: Plan, folder: RunFolder, arm: str) -> Generator:
    return load_state(plan, folder, arm, 0).generator
