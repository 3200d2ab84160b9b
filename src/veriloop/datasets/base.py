"""The family of data sets: sources of real samples, and how they are split."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from ..errors import ConfigError
from ..parts import Part
from ..samples import Column, Samples, type_of
from ..schema import (
    TEXT_ROLES,
    Category,
    ColumnType,
    Completion,
    Image,
    Label,
    Number,
    Schema,
    Vector,
    schema_of,
)


@dataclass(frozen=True)
class RealData:
    """Real samples, split by role.

    Attributes:
        start: Samples that the start model is trained on; a part of ``train``.
        train: All real training samples, for verifiers to learn from and for the ``all_real`` arm to train
            on.
        test: Held-out samples, for reported numbers.
        conditions: Pool of conditions to generate from (classes or prompts), one row each, or None for an
            unconditional model.
        test_conditions: Conditions of ``test``, row by row, for the metrics to generate from; None if those
            of the training data will do, as for classes.
        validation: Held-out samples for decisions: stop rules, forecasts and the round to ship. None to let
            the loop take half of ``test``; empty to disable decisions.
        validation_conditions: Conditions of ``validation``, like ``test_conditions``.
        duplicates: Number of rows left out because an equal row is in another split, by split.
        left_out: Number of rows left out because of their content, by reason.

    Raises:
        ContractError: There are no start, training or test samples.
    """

    start: Samples
    train: Samples
    test: Samples
    conditions: Samples | None = None
    test_conditions: Samples | None = None
    validation: Samples | None = None
    validation_conditions: Samples | None = None
    duplicates: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)


def check_start(start: int, available: int) -> None:
    """Refuse a start set that is larger than the training set.

    Args:
        start: Number of rows in the start set.
        available: Largest possible number of training rows.

    Raises:
        ConfigError: It is larger.
    """
    if start > available:
        raise ConfigError(
            "start set larger than the training set",
            got=f"start={start}",
            expected=f"at most {available}",
            fix="lower start, or raise train",
        )


class Dataset(Part, frozen=True):
    """A source of real data. Its fields define the data and their split."""

    family: ClassVar[str] = "veriloop.datasets"

    @abstractmethod
    def load(self, seed: int) -> RealData:
        """Load and split; the split depends only on ``seed`` and the fields.

        Raises:
            DataError: The data are missing or invalid; the message says where they were searched.
        """

    def schema(self) -> Schema:  # pyright: ignore[reportIncompatibleMethodOverride]  # pydantic's old one
        """Return the type of each column. Inferred from the samples unless overridden."""
        return read_off(self.load(0))


def read_off(data: RealData) -> Schema:
    """Infer the schema of ``data``, for a data set that does not declare one."""
    # Generators may write a column that the training data lack; the start set then has it, without rows.
    lacking = {
        name: column.model_copy(update={"in_data": False}) if isinstance(column, Completion) else column
        for name, column in schema_of(data.start, data.conditions).items()
    }
    return Schema({**lacking, **schema_of(data.train, data.conditions)})


def misfit(values: Column, column: ColumnType) -> str:
    """Describe how ``values`` differ from the type that a schema gives their column; empty if they match.

    Args:
        values: All or some of the column's values.
        column: Its type, see `veriloop.schema`.
    """
    if column.role in TEXT_ROLES:
        return "numbers, expected text" if isinstance(values, np.ndarray) else ""
    if isinstance(column, Category):
        unknown = set(values if isinstance(values, list) else values.tolist()) - set(column.values)
        return f"{sorted(map(str, unknown))[0]} is none of its values" if unknown else ""
    if not isinstance(column, Image | Label | Vector | Number):
        return ""
    if isinstance(values, list):
        return "text, expected numbers"
    shape = values.shape[1:]
    match column:
        case Image(height=height, width=width, channels=channels, levels=levels):
            if (*shape, 1)[:3] != (height, width, channels):
                return f"shape {shape}, expected {height} x {width} x {channels}"
            if values.dtype != np.uint8:
                return f"{values.dtype}, expected uint8"
            return f"{values.max()} of {levels} levels" if values.max(initial=0) > levels else ""
        case Label(classes=classes):
            if shape or values.dtype.kind not in "iu":
                return f"{type_of(values)}, expected whole numbers"
            if len(values) and (values.min() < 0 or values.max() >= classes):
                return f"{values.min()} to {values.max()}, expected 0 to {classes - 1}"
        case Vector(p=p) if int(np.prod(shape)) != p:
            return f"shape {shape}, expected {p} numbers"
        case Number() if shape:
            return f"shape {shape}, expected one number"
        case _:
            pass
    return ""
