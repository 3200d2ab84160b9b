"""The built-in checks as verifiers; see each check for what it accepts."""

from ..checks.command import CommandCheck
from ..checks.json_text import JSONCheck
from ..checks.mathematics import MathCheck
from ..checks.pattern import PatternCheck
from ..checks.python_tests import PythonTests as TestsCheck
from .of_check import CheckVerifier


class Math(MathCheck, CheckVerifier, frozen=True):
    """`veriloop.checks.mathematics.MathCheck`: whether the answer is correct."""


class JSONSchema(JSONCheck, CheckVerifier, frozen=True):
    """`veriloop.checks.json_text.JSONCheck`: whether the text is JSON that matches a schema."""


class PythonTests(TestsCheck, CheckVerifier, frozen=True):
    """`veriloop.checks.python_tests.PythonTests`: whether code passes the prompt's tests."""


class Regex(PatternCheck, CheckVerifier, frozen=True):
    """`veriloop.checks.pattern.PatternCheck`: whether the text matches a pattern."""


class Command(CommandCheck, CheckVerifier, frozen=True):
    """`veriloop.checks.command.CommandCheck`: the result of a program run on the text."""
