"""A function of the user's own as verifier: tests for code, an exact answer, a pattern, a reward."""

from typing_extensions import override

from ..functions.call import Call
from .of_check import CheckVerifier


class FunctionCheck(Call, CheckVerifier, frozen=True):
    """Judges by a function: True and False decide, a score leaves it to the acceptance rule.

    The function may be a reward function for TRL or verl as it is, or there may be several with weights. What
    it may return and do is said in `veriloop.functions.call.Call`, whose fields these are. The round's record
    tells the commonest reasons for abstaining; numbers that it logs are events of the run.

    A worker starts in about 50 ms, beside the import of the function's module, for each chunk of candidates.
    """

    @property
    @override
    def only_scores(self) -> bool:
        return bool(self.functions)
