"""Tests of code: does the generated code pass them?"""

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import ByteSize, Field
from typing_extensions import override

from ..errors import ConfigError
from ..schema import Schema
from .base import ReadyCheck

TESTS = ("tests", "test", "test_list", "test_cases")
"""Names of columns with tests."""

STARTED = 30.0
"""Seconds allowed for starting and ending a process, besides its own time, on a busy machine."""


class PythonTests(ReadyCheck, frozen=True):
    """Accepts code that passes the prompt's tests.

    The tests are Python: statements with ``assert``, functions ``test_...``, classes of ``unittest``, or a
    function ``check(candidate)`` as in HumanEval. They run after the code, in its namespace, or import from
    the module ``solution``. In a text with fenced blocks, the last block is the code.

    Each text has its own process and an empty folder. Code that takes too long, needs too much memory, starts
    a process, uses the network, or writes outside its folder is rejected, and so is code that ends its
    process before the tests finish: what it prints or writes proves nothing. If bubblewrap (``bwrap``) works,
    the system enforces these limits; if not, only Python's audit hooks do, and code written to evade them
    can; ``validate`` reports which.

    Attributes:
        tests: Name of the column with tests; None uses ``tests``, ``test``, ``test_list`` or ``test_cases``.
        call: Name of the column with the name of the function that ``check(candidate)`` is called with.
        prompt_first: Whether the prompt is the start of the code, if the text has no fenced block.
        files: Largest size of a file that the code may write.
        processes: Number of processes it may start.
        sandbox: ``auto`` uses bubblewrap if it works; ``bubblewrap`` refuses to run without it.
    """

    program: ClassVar[str] = "veriloop.checks.programs.python_tests:check"

    tests: str | None = None
    call: str | None = None
    prompt_first: bool = False
    files: Annotated[ByteSize, Field(ge=0)] = ByteSize(10_000_000)
    processes: Annotated[int, Field(ge=0)] | None = 0
    sandbox: Literal["auto", "bubblewrap"] = "auto"

    @property
    @override
    def allowed(self) -> float:
        return self.timeout + STARTED

    @override
    def seeing(self, schema: Schema) -> Self:
        seen = super().seeing(schema).with_column("tests", schema, TESTS)
        if seen.call is None and "entry_point" in schema:
            return seen.model_copy(update={"call": "entry_point"})
        return seen

    @override
    def columns(self) -> Sequence[str]:
        named = (self.tests or "tests", self.call, self._prompt)
        return [name for name in named if name is not None]

    @override
    def check_call(self, columns: Collection[str]) -> list[str]:
        from .programs.sandbox import bubblewrap

        notes = super().check_call(columns)
        if bubblewrap() is not None:
            return [*notes, "bubblewrap sandboxes the tested code"]
        missing = "bubblewrap (bwrap) is missing, or not permitted here"
        if self.sandbox == "bubblewrap":
            raise ConfigError(missing, fix="install it, or set sandbox: auto, which runs the code without it")
        return [*notes, f"{missing}: tested code has limits, but could evade them"]

    @override
    def settings(self) -> Mapping[str, Any]:
        limits = {"timeout": self.timeout, "memory": self.memory, "files": self.files}
        columns = {"text": self.text, "tests": self.tests or "tests", "call": self.call}
        return {**columns, "prompt": self._prompt, **limits, "processes": self.processes}

    @property
    def _prompt(self) -> str | None:
        return (self.roles.prompt or "prompt") if self.prompt_first else None
