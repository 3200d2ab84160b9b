"""The family of data sets: where real samples come from, and how they are split."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from ..errors import ConfigError
from ..parts import Part
from ..samples import Samples
from ..schema import Completion, Schema, schema_of


@dataclass(frozen=True)
class RealData:
    """Real samples, split by role.

    Attributes:
        start: The few that the start model is trained on; a part of ``train``.
        train: All real training samples: what a verifier may learn from, and what the ``all_real`` arm
            is trained on.
        test: Held out, for the numbers that are reported.
        conditions: The pool of conditions to generate from (the classes, or prompts), one row each, or
            None for an unconditional model.
        test_conditions: The conditions of ``test``, row by row, for the metrics to generate from; None
            where those of the training data will do, as classes do.
        validation: Held out, for decisions: stop rules, forecasts and the round to ship. None leaves it to
            the loop to take half of ``test``; empty for none, and then nothing can be decided by it.
        validation_conditions: As ``test_conditions``, of ``validation``.
        duplicates: How many rows were left out because an equal one is on another side, by where they were.
        left_out: How many rows were left out for what they hold, by the reason.

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
        start: How many rows it wants.
        available: How many rows there are to train on, at most.

    Raises:
        ConfigError: It is.
    """
    if start > available:
        raise ConfigError(
            "start set larger than the training set",
            got=f"start={start}",
            expected=f"at most {available}",
            fix="lower start, or raise train",
        )


class Dataset(Part, frozen=True):
    """A source of real data. Its fields say which and how it is split."""

    family: ClassVar[str] = "veriloop.datasets"

    @abstractmethod
    def load(self, seed: int) -> RealData:
        """Load and split; the split depends on ``seed`` and the fields only.

        Raises:
            DataError: The data are missing or not what they should be; the message says where they
                were looked for.
        """

    def schema(self) -> Schema:  # pyright: ignore[reportIncompatibleMethodOverride]  # pydantic's old one
        """What each column of the samples is. Read off the samples themselves, unless overridden."""
        return read_off(self.load(0))


def read_off(data: RealData) -> Schema:
    """What the columns of ``data`` look like, for a data set that does not say it itself."""
    # Generators may write a column that the training data lack: the start set then has it, without rows.
    lacking = {
        name: column.model_copy(update={"in_data": False}) if isinstance(column, Completion) else column
        for name, column in schema_of(data.start, data.conditions).items()
    }
    return Schema({**lacking, **schema_of(data.train, data.conditions)})
