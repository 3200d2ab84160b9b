"""Common base of the built-in checks: a program that checks each row in another process."""

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import ByteSize, Field
from typing_extensions import override

from ..errors import ConfigError
from ..extras import require
from ..functions.ask import Order, answers
from ..functions.check import Check, Said, own_columns
from ..functions.rows import Rows
from ..samples import Samples
from ..schema import ANY_TEXT, Schema

ANSWERS = ("answer", "solution", "ground_truth", "final_answer")
"""Names of columns with correct answers, if no column has the role of a reference."""


class ReadyCheck(Check, frozen=True):
    """A built-in check. It rejects with a reason, and abstains if it cannot decide.

    Class attributes:
        program: Function ``module:name`` to call; it receives the row, and `settings` by name.
        libraries: Libraries that it needs, from the extra ``checks``.
    """

    program: ClassVar[str]
    libraries: ClassVar[tuple[str, ...]] = ()

    memory: Annotated[ByteSize, Field(ge=50_000_000)] | None = ByteSize(2_000_000_000)

    @property
    def text(self) -> str:
        """Name of the column with the text to judge."""
        return self.roles.completion or "completion"

    @abstractmethod
    def settings(self) -> Mapping[str, Any]:
        """Arguments of the program besides the row, as plain JSON values."""

    @property
    def allowed(self) -> float:
        """Seconds allowed per row, including everything the program does."""
        return self.timeout

    @override
    def said(self, samples: Samples) -> Said:
        """Return the results of the program for each sample.

        Raises:
            DataError: A required column is missing.
        """
        for name in {self.text, *self.columns()}:
            _ = samples[name]
        order = Order(self.program, self.allowed, self.memory, form="row", settings=self.settings())
        answered = answers(order, Rows(samples, own_columns(list(samples))), self.workers)
        return Said(answered.answers)

    def columns(self) -> Sequence[str]:
        """Names of the required columns besides the text."""
        return ()

    @override
    def check_call(self, columns: Collection[str]) -> list[str]:
        """Check that the check can work, before there are samples.

        Raises:
            ConfigError: A required column is missing.
            MissingExtraError: A required library is missing.
        """
        require(*self.libraries)
        for name in (self.text, *self.columns()):
            if name not in columns:
                what = f"{type(self).__name__} needs a column"
                raise ConfigError(what, got=name, expected=f"one of {', '.join(own_columns(list(columns)))}")
        return []

    @override
    def source(self) -> dict[str, Path]:
        return {}

    def with_column(self, setting: str, schema: Schema, names: Sequence[str]) -> Self:
        """Return this check with its column ``setting`` filled in: the reference, or a column from ``names``.

        Raises:
            ConfigError: It is set to a column without text, or no column fits.
        """
        named: str | None = getattr(self, setting)
        kind = type(self).__name__
        if named is not None:
            schema.column(named, f"{kind}: {setting}", *ANY_TEXT, "number", "label", "nested")
            return self
        found = [name for name in names if name in schema and name != self.text]
        if not found:
            expected = f"{' or '.join(names)} among {schema.described()}"
            raise ConfigError(f"{kind} needs a column", expected=expected, fix=f"set {setting} to its name")
        return self.model_copy(update={setting: found[0]})
