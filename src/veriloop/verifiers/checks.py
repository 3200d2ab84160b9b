"""The ready checks as verifiers; what each accepts is said where it is made."""

from ..checks.command import CommandCheck
from ..checks.json_text import JSONCheck
from ..checks.mathematics import MathCheck
from ..checks.pattern import PatternCheck
from ..checks.python_tests import PythonTests as TestsCheck
from .of_check import CheckVerifier


class Math(MathCheck, CheckVerifier, frozen=True):
    """`veriloop.checks.mathematics.MathCheck`: whether the answer is right."""


class JSONSchema(JSONCheck, CheckVerifier, frozen=True):
    """`veriloop.checks.json_text.JSONCheck`: whether the text is JSON that fits a schema."""


class PythonTests(TestsCheck, CheckVerifier, frozen=True):
    """`veriloop.checks.python_tests.PythonTests`: whether code passes the prompt's tests."""


class Regex(PatternCheck, CheckVerifier, frozen=True):
    """`veriloop.checks.pattern.PatternCheck`: whether the text matches a pattern."""


class Command(CommandCheck, CheckVerifier, frozen=True):
    """`veriloop.checks.command.CommandCheck`: what a program says of the text."""
