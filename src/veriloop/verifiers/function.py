"""A user's function as verifier: tests for code, an exact answer, a pattern, a reward."""

from typing_extensions import override

from ..functions.call import Call
from .of_check import CheckVerifier


class FunctionCheck(Call, CheckVerifier, frozen=True):
    """Judges with a function: True and False decide, a score leaves the decision to the acceptance rule.

    The function may be an unchanged reward function for TRL or verl, or there may be several with weights.
    `veriloop.functions.call.Call`, which defines the fields, describes what it may return and do. The round's
    record lists the most frequent reasons for abstaining; numbers that it logs are events of the run.

    For each chunk of candidates a worker starts, in about 50 ms plus the import of the function's module.
    """

    @property
    @override
    def only_scores(self) -> bool:
        return bool(self.functions)
