"""Check a whole plan, from its data to its executor, before anything is computed."""

from collections import Counter
from typing import NamedTuple

import numpy as np

from ..cards import RunCard
from ..datasets.base import Dataset, RealData
from ..errors import ConfigError
from ..nested import Nested
from ..parts import Part, at
from ..samples import Samples
from ..schema import Schema
from ..turns import LEADING
from . import seam
from .cards import run_card
from .data import held_out_seen, load_data, load_schema, read_by
from .per_prompt import draw, prompts_of
from .plan import Arm, Plan, seen_by_verifiers
from .sources import downloads_of, sources_of

SMALL = 2**22
"""Largest size in bytes of data files that the check reads in full."""


class CheckedPlan(NamedTuple):
    """A plan in which no mistake was found.

    Attributes:
        plan: Plan with each part adapted to the data; this is the one to run.
        schema: Type of each data column.
        cards: Description of a run of the plan.
        downloads: Descriptions of what the run would download.
        notes: Remarks of parts on how they will work, such as how a function is called: lines by the
            part's path.
        seen: Summary of the data; None if the files are too large for the check to read.
    """

    plan: Plan
    schema: Schema
    cards: RunCard
    downloads: tuple[str, ...]
    notes: dict[str, list[str]]
    seen: "Seen | None" = None


class Seen(NamedTuple):
    """Summary of real data.

    Attributes:
        rows: Number of rows by split; the start set is part of the training rows.
        turns: Number of chat turns over all rows, by column.
        system: Number of rows that start with a system prompt, by column.
    """

    rows: dict[str, int]
    turns: dict[str, int]
    system: dict[str, int]


def checked(plan: Plan) -> CheckedPlan:
    """Check ``plan`` from its data to its stop rules, including files and functions. Trains nothing.

    Raises:
        VeriloopError: The first mistake found; its message starts with the part's path, such as
            ``arms.verified.verifier``.
    """
    notes: dict[str, list[str]] = {}
    with at("dataset"):
        schema = _schema(plan)
        notes["dataset"] = seam.check_ahead(plan.dataset, schema)
        data = load_data(plan.dataset, plan.seed) if _is_small(plan.dataset) else None
    suited = plan.suited_to(schema)
    for name, path in sources_of(suited).items():
        if not path.exists():
            raise ConfigError(f"no such file or folder: {name}", fix="check the path")
    with at("executor"):
        notes["executor"] = seam.check_ahead(suited.executor, schema)
    for tracker in suited.tracker:
        with at(path := f"tracker.{tracker.kind}"):
            notes[path] = seam.check_ahead(tracker, schema)
    with at("learner"):
        notes["learner"] = seam.check_ahead(suited.learner, schema)
    known: list[Part] = []
    for name, arm in suited.arms.items():
        notes |= _check_arm(name, arm, schema, known)
    for metric in suited.metrics:
        with at(path := f"metrics.{metric.kind}"):
            notes[path] = [*notes.get(path, []), *seam.check_ahead(metric, schema)]
    if data is not None:
        check_data(suited, data)
    said = {path: lines for path, lines in notes.items() if lines}
    seen = None if data is None else seen_in(data, schema)
    return CheckedPlan(suited, schema, run_card(suited, schema), downloads_of(suited), said, seen)


def check_data(plan: Plan, data: RealData) -> None:
    """Check the data themselves: rows must be held out, and verifiers, policies and metrics must accept them.

    Args:
        plan: Plan adapted to ``data``.
        data: Real data.

    Raises:
        VeriloopError: The first mistake found; its message starts with the part's path.
    """
    with at("dataset"):
        held_out_seen(data, load_schema(plan.dataset), type(plan.dataset).__name__)
    known: list[Part] = []
    for name, arm in plan.arms.items():
        asked: dict[str, tuple[Part | None, Samples]] = {
            "verifier": (arm.verifier, data.train if data.conditions is None else data.conditions),
            "policy": (arm.policy, read_by(arm.policy, data)),
        }
        if data.conditions is not None:
            with at(f"arms.{name}"):
                _check_prompts(arm, plan.rounds, data.conditions, load_schema(plan.dataset))
        for field, (part, real) in asked.items() if arm.train_on == "kept" else ():
            if part is not None and part not in known:
                known.append(part)
                with at(f"arms.{name}.{field}"):
                    seam.check_data(part, real)
    for metric in plan.metrics:
        with at(f"metrics.{metric.kind}"):
            seam.check_data(metric, data.test)


def seen_in(data: RealData, schema: Schema) -> Seen:
    """Count the rows of real data, and the chat turns in them."""
    splits = {"start": data.start, "train": data.train, "validation": data.validation, "test": data.test}
    rows = {name: len(split) for name, split in splits.items() if split is not None}
    turns, system = Counter[str](), Counter[str]()
    for name in schema.named("messages"):
        for split in (data.train, data.validation, data.test):
            column = split[name] if split is not None else None
            for chat in column.values() if isinstance(column, Nested) else ():
                turns[name] += len(chat)
                system[name] += chat[0]["role"] in LEADING
    return Seen(rows, dict(turns), dict(system))


def _check_prompts(arm: Arm, rounds: int, conditions: Samples, schema: Schema) -> None:
    """Check that there are enough prompts for the number of samples each round of ``arm`` keeps.

    Raises:
        ConfigError: There are not enough, which would end the arm.
    """
    n = arm.samples_per_prompt
    if n is None or arm.schedule is None or arm.on_exhausted == "train_with_fewer":
        return
    prompts = len(draw(conditions, np.arange(len(conditions)), prompts_of(schema), None, None).rows)
    wanted = max(arm.schedule.wanted(round_) for round_ in range(1, rounds + 1))
    if wanted > (most := prompts * (arm.keep_per_prompt or n)):
        raise ConfigError(
            "schedule asks for more texts than possible",
            got=f"{wanted:,} texts to keep in a round",
            expected=f"at most {most:,}: {prompts:,} prompts with {arm.keep_per_prompt or n} texts each",
            fix="lower the schedule, raise samples_per_prompt and keep_per_prompt, or set on_exhausted: "
            "train_with_fewer",
        )


def _schema(plan: Plan) -> Schema:
    schema = load_schema(plan.dataset)
    if not schema.made:
        raise ConfigError("no column to generate", got=schema.described(), expected="one that is not given")
    return schema


def _is_small(dataset: Dataset) -> bool:
    """Whether its files are quick to read; mistakes are then found even in their last row.

    A data set that must be loaded to get its schema is loaded in any case.
    """
    if type(dataset).schema is Dataset.schema:
        return True
    files = [path for path in dataset.sources().values() if path.is_file()]
    return bool(files) and sum(path.stat().st_size for path in files) <= SMALL


def _check_arm(name: str, arm: Arm, schema: Schema, known: list[Part]) -> dict[str, list[str]]:
    """Let the parts of ``arm`` check themselves, except those in ``known``, which an earlier arm has.

    Returns:
        Their notes.
    """
    notes: dict[str, list[str]] = {}
    if arm.train_on == "real":
        return notes
    parts: dict[str, tuple[Part | None, Schema]] = {
        "verifier": (arm.verifier, seen_by_verifiers(schema)),
        "acceptance": (arm.acceptance, schema),
        "policy": (arm.policy, schema),
    }
    for field, (part, seen) in parts.items():
        if part is not None and part not in known:
            known.append(part)
            with at(path := f"arms.{name}.{field}"):
                notes[path] = seam.check_ahead(part, seen)
    return notes
