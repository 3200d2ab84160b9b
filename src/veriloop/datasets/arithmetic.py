"""Generated arithmetic problems with one correct answer, for language models and checks."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from typing_extensions import override

from ..errors import ConfigError
from ..rng import Address
from ..schema import Schema
from ..tables import FIRST, First, Table
from .base import check_start
from .splits import Size, count
from .text import Pairs, TextPairs
from .text_columns import Columns, Roles
from .text_rows import samples_of

QUESTION, ANSWER = "question", "answer"

SOURCE = "arithmetic"
"""Name of the rows in error messages."""

Digits = Annotated[int, Field(ge=1, le=8)]


class Arithmetic(TextPairs, frozen=True):
    """Problems with two whole numbers: the question ``34 + 7 =`` with the answer ``41``.

    All problems are different, and the same for every seed. A number with one digit is 1 to 9, one with two
    digits 10 to 99, and so on. A difference may be negative.

    Attributes:
        problems: Number of problems.
        operations: Operations; about equally many problems use each.
        digits: Number of digits of the first and of the second number.
        held_out: Number or share of problems to hold out.

    The other fields are those of `veriloop.datasets.text.TextPairs`.
    """

    problems: Annotated[int, Field(ge=3, le=1_000_000)] = 2_000
    operations: Annotated[tuple[Literal["+", "-", "*"], ...], Field(min_length=1)] = ("+",)
    digits: tuple[Digits, Digits] = (2, 2)
    held_out: Size = 0.1

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if len(set(self.operations)) < len(self.operations):
            raise ConfigError("operations: duplicate", got=", ".join(self.operations))
        if self.problems > self._different:
            raise ConfigError(
                "problems",
                got=self.problems,
                expected=f"at most {self._different:,}, all that there are with these digits and operations",
                fix="lower problems, or use numbers with more digits",
            )
        held = count(self.held_out, self.problems)
        if not 0 < held < self.problems:
            raise ConfigError(
                "held_out leaves no problems for training or none for measuring",
                got=f"held_out={self.held_out} of {self.problems} problems",
                expected="a share or number that leaves some on both sides",
            )
        return self

    @property
    def _counts(self) -> tuple[int, int]:
        """Return how many numbers have as many digits as the first and as the second number."""
        first, second = (9 * 10 ** (digits - 1) for digits in self.digits)
        return first, second

    @property
    def _different(self) -> int:
        first, second = self._counts
        return len(self.operations) * first * second

    @override
    def settings(self) -> Columns:
        return Columns(prompt=QUESTION, completion=ANSWER)

    @override
    def firsts(self) -> Sequence[First]:
        rows = [
            (line, {QUESTION: question, ANSWER: answer})
            for line, (question, answer) in enumerate(islice(self._problems(), FIRST), 1)
        ]
        return [First(SOURCE, (QUESTION, ANSWER), rows)]

    @override
    def check_ahead(self, schema: Schema) -> None:
        super().check_ahead(schema)
        if isinstance(self.start, int):
            check_start(self.start, self.problems - count(self.held_out, self.problems))

    @override
    def pairs(self, roles: Roles) -> Pairs:
        questions, answers = zip(*self._problems(), strict=True)
        columns = {QUESTION: list(questions), ANSWER: list(answers)}
        rows = samples_of([Table(SOURCE, range(1, self.problems + 1), columns)], roles)
        held = count(self.held_out, self.problems)
        return Pairs(rows.select(slice(held, None)), rows.select(slice(held)))

    def _problems(self) -> Iterator[tuple[str, str]]:
        """Yield questions and answers. The address does not contain the run's seed: the same for all."""
        rng = Address(seed=0, arm=SOURCE).rng()
        first, second = self._counts
        for number in rng.choice(self._different, self.problems, replace=False).tolist():
            rest, i = divmod(number, second)
            operation, j = divmod(rest, first)
            a, b, sign = first // 9 + j, second // 9 + i, self.operations[operation]
            answer = {"+": a + b, "-": a - b, "*": a * b}[sign]
            yield f"{a} {sign} {b} =", str(answer)
