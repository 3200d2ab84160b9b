"""A plan bound to its data: every part has seen what the columns are, and filled in what it left open."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import ConfigError, DataError
from ..schema import Extra, Schema
from ..verifiers.base import PLACE
from .data import load_schema
from .plan import Plan


def suited(plan: Plan) -> Plan:
    """The plan that is run: each part suited to the schema of the data. Computes nothing else.

    Raises:
        ConfigError: A part cannot work on such data; the message names the part.
    """
    schema = load_schema(plan.dataset)
    arms = {}
    for name, arm in plan.arms.items():
        changes: dict[str, Any] = {}
        with named(f"arms.{name}.acceptance"):
            changes["acceptance"] = arm.acceptance.suited_to(schema)
        if arm.verifier is not None:
            with named(f"arms.{name}.verifier"):
                changes["verifier"] = arm.verifier.suited_to(with_place(schema))
        arms[name] = arm.model_copy(update=changes)
    with named("learner"):
        learner = plan.learner.suited_to(schema)
    metrics = []
    for metric in plan.metrics:
        with named(f"metrics.{metric.kind}"):
            metrics.append(metric.suited_to(schema))
    return plan.model_copy(update={"arms": arms, "learner": learner, "metrics": tuple(metrics)})


def with_place(schema: Schema) -> Schema:
    """What a verifier is given: the data's columns, and those that say where a candidate was made."""
    return Schema({**schema, **{name: Extra() for name in PLACE}})


@contextmanager
def named(part: str) -> Iterator[None]:
    """A mistake inside is told with the part's name before it."""
    try:
        yield
    except (ConfigError, DataError) as e:
        raise type(e)(f"{part}: {e.what}", got=e.got, expected=e.expected, fix=e.fix) from None
