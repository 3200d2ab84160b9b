"""Mathematics: is the answer correct?"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field
from typing_extensions import override

from ..schema import Schema
from .base import ANSWERS, ReadyCheck


class MathCheck(ReadyCheck, frozen=True):
    r"""Accepts a text whose answer equals the correct one mathematically: ``0.5``, ``1/2``, ``\frac{1}{2}``.

    Answers are found and compared by math-verify (extra ``checks``): in boxes, after "the answer is", or at
    the end. A text without an answer is rejected; a reference that is not mathematics gives an abstention.

    Attributes:
        reference: Name of the column with the correct answer; None uses the data's reference, or else
            ``answer``, ``solution`` or ``ground_truth``. In a solution in GSM8K's form, the part after
            ``####`` counts.
        rounding: Number of decimals to which numbers are compared.
        strict: Whether to distinguish sets from intervals, and variables by name.
    """

    program: ClassVar[str] = "veriloop.checks.programs.mathematics:check"
    libraries: ClassVar[tuple[str, ...]] = ("math_verify",)

    reference: str | None = None
    rounding: Annotated[int, Field(ge=0)] = 6
    strict: bool = True

    @override
    def seeing(self, schema: Schema) -> Self:
        seen = super().seeing(schema)
        known = [seen.roles.reference] if seen.roles.reference else []
        return seen.with_column("reference", schema, [*known, *ANSWERS])

    @override
    def columns(self) -> Sequence[str]:
        return (self.reference or "reference",)

    @override
    def settings(self) -> Mapping[str, Any]:
        (reference,) = self.columns()
        how = {"rounding": self.rounding, "strict": self.strict}
        return {"text": self.text, "reference": reference, **how}
