"""The built-in checks as metrics: the share of texts that each accepts."""

from typing import Annotated

from pydantic import StringConstraints
from typing_extensions import override

from ..checks.command import CommandCheck
from ..checks.json_text import JSONCheck
from ..checks.mathematics import MathCheck
from ..checks.pattern import PatternCheck
from ..checks.python_tests import PythonTests as TestsCheck
from .of_answers import MeanOfAnswers

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]\w*$", max_length=60)]


class Math(MathCheck, MeanOfAnswers, frozen=True):
    """The share of correct answers, see `veriloop.checks.mathematics.MathCheck`."""

    name: Name = "math"

    @property
    @override
    def judged_by(self) -> str:
        return "the check of answers"

    @property
    @override
    def title(self) -> str:
        return "Right answers" if self.name == "math" else super().title


class JSONSchema(JSONCheck, MeanOfAnswers, frozen=True):
    """The share of texts that match a JSON schema, see `veriloop.checks.json_text.JSONCheck`."""

    name: Name = "json_schema"

    @property
    @override
    def judged_by(self) -> str:
        return "the JSON schema"

    @property
    @override
    def title(self) -> str:
        return "Valid JSON" if self.name == "json_schema" else super().title


class PythonTests(TestsCheck, MeanOfAnswers, frozen=True):
    """The share of code that passes its tests, see `veriloop.checks.python_tests.PythonTests`."""

    name: Name = "python_tests"

    @property
    @override
    def judged_by(self) -> str:
        return "the run of the tests"

    @property
    @override
    def title(self) -> str:
        return "Tests passed" if self.name == "python_tests" else super().title


class Regex(PatternCheck, MeanOfAnswers, frozen=True):
    """The share of texts that match a pattern, see `veriloop.checks.pattern.PatternCheck`."""

    name: Name = "regex"

    @property
    @override
    def judged_by(self) -> str:
        return "the pattern"

    @property
    @override
    def title(self) -> str:
        return "Matches the pattern" if self.name == "regex" else super().title


class Command(CommandCheck, MeanOfAnswers, frozen=True):
    """The share of texts that a command accepts, see `veriloop.checks.command.CommandCheck`."""

    name: Name = "command"

    @property
    @override
    def judged_by(self) -> str:
        return "your command"

    @property
    @override
    def title(self) -> str:
        return "Your command" if self.name == "command" else super().title
