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

    A pattern that runs very long on some texts, such as ``(a+)+$``, is stopped after ``timeout`` seconds,
    which is an abstention.

    Attributes:
        pattern: Regular expression.
        match: ``full`` to match the whole text, ``search`` to match anywhere in it.
        wanted: Whether matching texts are accepted; False accepts the others.
        ignore_case: Whether to ignore case.
        dot_all: Whether a dot also matches a line break.
        multi_line: Whether ``^`` and ``$`` also match at line breaks.
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
        """Flags for ``re``."""
        chosen = {re.I: self.ignore_case, re.S: self.dot_all, re.M: self.multi_line}
        return sum(int(flag) for flag, on in chosen.items() if on)

    @override
    def settings(self) -> Mapping[str, Any]:
        how = {"pattern": self.pattern, "flags": self.flags, "full": self.match == "full"}
        return {"text": self.text, **how, "wanted": self.wanted}
