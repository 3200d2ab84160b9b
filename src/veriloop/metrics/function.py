"""A user's function as metric: how often is the model right?"""

from collections.abc import Sequence

from typing_extensions import override

from ..functions.call import Call
from .of_answers import MeanOfAnswers


class FunctionMean(Call, MeanOfAnswers, frozen=True):
    """The share of texts for held-out prompts that a function accepts, or the mean of its scores.

    The function may also be the verifier. With several functions it is the mean of their weighted sum, next
    to the mean of each.

    Cost: that of the function, for each held-out prompt, plus the decoding, which all text metrics share.
    ``pass_at`` adds the cost of writing and judging ``samples_per_prompt`` texts per prompt.

    The fields are those of `veriloop.functions.call.Call` and of `MeanOfAnswers`.
    """

    @property
    @override
    def judged_by(self) -> str:
        return "the sum of your functions" if self.functions else f"your function {next(iter(self.called()))}"

    @property
    @override
    def parts(self) -> Sequence[str]:
        return list(self.called()) if self.functions else ()

    @property
    @override
    def title(self) -> str:
        return "Your own check" if self.name == "check" else super().title
