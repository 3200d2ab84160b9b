"""The check of a whole plan before anything is computed, from its data to its executor."""

from typing import NamedTuple

from ..cards import RunCard
from ..datasets.base import Dataset, RealData
from ..errors import ConfigError
from ..parts import Part, at
from ..schema import Schema
from . import seam
from .cards import run_card
from .data import load_data, load_schema
from .plan import Arm, Plan, seen_by_verifiers
from .sources import sources_of

SMALL = 2**22
"""Data files of up to this many bytes are read whole by the check."""


class CheckedPlan(NamedTuple):
    """A plan in which no mistake was found.

    Attributes:
        plan: Each of its parts suited to the data: what computes takes this one.
        schema: What the columns of the data are.
        cards: What a run of the plan is.
    """

    plan: Plan
    schema: Schema
    cards: RunCard


def checked(plan: Plan) -> CheckedPlan:
    """Check ``plan`` from the data to the stop rules, files and functions included. Trains nothing.

    Raises:
        VeriloopError: The first mistake; its message begins with the part's path, such as
            ``arms.verified.verifier``.
    """
    with at("dataset"):
        schema = _schema(plan)
        seam.check_ahead(plan.dataset, schema)
        if _is_small(plan.dataset):
            load_data(plan.dataset, plan.seed)
    suited = plan.suited_to(schema)
    for name, path in sources_of(suited).items():
        if not path.exists():
            raise ConfigError(f"no such file or folder: {name}", fix="check the path")
    with at("executor"):
        seam.check_ahead(suited.executor, schema)
    with at("learner"):
        seam.check_ahead(suited.learner, schema)
    known: list[Part] = []
    for name, arm in suited.arms.items():
        _check_arm(name, arm, schema, known)
    for metric in suited.metrics:
        with at(f"metrics.{metric.kind}"):
            seam.check_ahead(metric, schema)
    return CheckedPlan(suited, schema, run_card(suited, schema))


def check_data(plan: Plan, data: RealData) -> None:
    """Let the verifiers and metrics of ``plan``, suited to ``data``, look at the data themselves.

    Raises:
        VeriloopError: The first mistake; its message begins with the part's path.
    """
    known: list[Part] = []
    for name, arm in plan.arms.items():
        if arm.train_on == "kept" and arm.verifier is not None and arm.verifier not in known:
            known.append(arm.verifier)
            with at(f"arms.{name}.verifier"):
                seam.check_data(arm.verifier, data.train if data.conditions is None else data.conditions)
    for metric in plan.metrics:
        with at(f"metrics.{metric.kind}"):
            seam.check_data(metric, data.test)


def _schema(plan: Plan) -> Schema:
    schema = load_schema(plan.dataset)
    if not schema.made:
        raise ConfigError("no column to make", got=schema.described(), expected="one that is not given")
    return schema


def _is_small(dataset: Dataset) -> bool:
    """Whether its files take no time to read: then a mistake in their last row is found, too."""
    files = [path for path in dataset.sources().values() if path.is_file()]
    return bool(files) and sum(path.stat().st_size for path in files) <= SMALL


def _check_arm(name: str, arm: Arm, schema: Schema, known: list[Part]) -> None:
    """Let the parts of ``arm`` look for mistakes, but for ``known`` ones, which an arm before has."""
    if arm.train_on == "real":
        return
    parts: dict[str, tuple[Part | None, Schema]] = {
        "verifier": (arm.verifier, seen_by_verifiers(schema)),
        "acceptance": (arm.acceptance, schema),
        "policy": (arm.policy, schema),
    }
    for field, (part, seen) in parts.items():
        if part is not None and part not in known:
            known.append(part)
            with at(f"arms.{name}.{field}"):
                seam.check_ahead(part, seen)
