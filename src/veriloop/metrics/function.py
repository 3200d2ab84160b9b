"""A function of the user's own as metric: how often is the model right?"""

from collections.abc import Sequence

from typing_extensions import override

from ..functions.call import Call
from .of_answers import MeanOfAnswers


class FunctionMean(Call, MeanOfAnswers, frozen=True):
    """The share of texts for held-out prompts that a function accepts, or the mean of its scores.

    The function may be the one that is the verifier; of several functions it is the mean of their weighted
    sum, beside each one's own.

    Cost: the function's, for each held-out prompt, beside the decoding, which all metrics of text share. With
    ``pass_at`` that of writing and judging ``samples_per_prompt`` texts more for each.

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
