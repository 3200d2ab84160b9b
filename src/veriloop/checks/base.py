"""What the ready checks share: a program of ours that is asked about each row in another process."""

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import ByteSize, Field
from typing_extensions import override

from ..errors import ConfigError
from ..functions.ask import Order, answers
from ..functions.check import Check, Said, own_columns
from ..functions.rows import Rows
from ..parts import require
from ..samples import Samples
from ..schema import ANY_TEXT, Schema

ANSWERS = ("answer", "solution", "ground_truth", "final_answer")
"""Names by which right answers are known where no column has the role of a reference."""


class ReadyCheck(Check, frozen=True):
    """A check of ours. It rejects with its reason, and abstains where it cannot tell.

    Class attributes:
        program: The function ``module:name`` that is asked; it gets the row, and `settings` by name.
        libraries: What it needs beside, of the extra ``checks``.
    """

    program: ClassVar[str]
    libraries: ClassVar[tuple[str, ...]] = ()

    memory: Annotated[ByteSize, Field(ge=50_000_000)] | None = ByteSize(2_000_000_000)

    @property
    def text(self) -> str:
        """The column of the text that is judged."""
        return self.roles.completion or "completion"

    @abstractmethod
    def settings(self) -> Mapping[str, Any]:
        """What the program gets beside the row, as plain JSON values."""

    @property
    def allowed(self) -> float:
        """Seconds for a row, all that the program does itself included."""
        return self.timeout

    @override
    def said(self, samples: Samples) -> Said:
        """What the program says of each sample.

        Raises:
            DataError: A column that it needs is missing.
        """
        for name in {self.text, *self.columns()}:
            _ = samples[name]
        order = Order(self.program, self.allowed, self.memory, form="row", settings=self.settings())
        answered = answers(order, Rows(samples, own_columns(list(samples))), self.workers)
        return Said(answered.answers)

    def columns(self) -> Sequence[str]:
        """The columns that it needs beside the text."""
        return ()

    @override
    def check_call(self, columns: Collection[str]) -> list[str]:
        """Find out before any sample is there whether the check can work.

        Raises:
            ConfigError: A column that it needs is missing.
            MissingExtraError: A library is.
        """
        require("checks", *self.libraries)
        for name in (self.text, *self.columns()):
            if name not in columns:
                what = f"{type(self).__name__} needs a column"
                raise ConfigError(what, got=name, expected=f"one of {', '.join(own_columns(list(columns)))}")
        return []

    @override
    def source(self) -> dict[str, Path]:
        return {}

    def with_column(self, setting: str, schema: Schema, names: Sequence[str]) -> Self:
        """The same with its column ``setting`` found: the reference, or a column with one of ``names``.

        Raises:
            ConfigError: It is set to no column of text, or there is none such.
        """
        named: str | None = getattr(self, setting)
        kind = type(self).__name__
        if named is not None:
            schema.column(named, f"{kind}: {setting}", *ANY_TEXT, "number", "label", "nested")
            return self
        found = [name for name in names if name in schema and name != self.text]
        if not found:
            expected = f"{' or '.join(names)} among {schema.described()}"
            raise ConfigError(f"{kind} needs a column", expected=expected, fix=f"name it in {setting}")
        return self.model_copy(update={setting: found[0]})
