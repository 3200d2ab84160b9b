"""Patterns: does the text match a regular expression?"""

import re
import warnings
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator
from typing_extensions import override

from ..errors import ConfigError
from .base import ReadyCheck


class PatternCheck(ReadyCheck, frozen=True):
    """Accepts a text that matches a regular expression of Python's ``re``.

    A pattern that takes without end on some text, as ``(a+)+$`` does, costs ``timeout`` seconds there, and
    is an abstention.

    Attributes:
        pattern: The expression.
        match: ``full``: the whole text. ``search``: anywhere in it.
        wanted: False rejects what matches, and accepts the others.
        ignore_case: Whether upper and lower case are alike.
        dot_all: Whether a dot is also a line break.
        multi_line: Whether ``^`` and ``$`` are also at line breaks.
    """

    program: ClassVar[str] = "veriloop.checks.programs.pattern:check"

    pattern: str
    match: Literal["full", "search"] = "search"
    wanted: bool = True
    ignore_case: bool = False
    dot_all: bool = False
    multi_line: bool = False
    timeout: Annotated[float, Field(gt=0)] = 1.0

    @model_validator(mode="after")
    def _compiles(self) -> Self:
        try:
            with warnings.catch_warnings(action="ignore"):
                re.compile(self.pattern, self.flags)
        except (re.error, RecursionError, OverflowError) as e:
            expected = "a regular expression of Python's re"
            raise ConfigError("pattern", got=f"{self.pattern} ({e})", expected=expected) from None
        return self

    @property
    def flags(self) -> int:
        """As ``re`` takes them."""
        chosen = {re.I: self.ignore_case, re.S: self.dot_all, re.M: self.multi_line}
        return sum(int(flag) for flag, on in chosen.items() if on)

    @override
    def settings(self) -> Mapping[str, Any]:
        how = {"pattern": self.pattern, "flags": self.flags, "full": self.match == "full"}
        return {"text": self.text, **how, "wanted": self.wanted}
