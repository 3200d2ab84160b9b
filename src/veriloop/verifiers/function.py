"""A function of the user's own as verifier: tests for code, an exact answer, a pattern."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from typing_extensions import override

from ..functions.call import Call
from ..samples import Samples
from ..schema import Schema
from ..verdicts import Verdicts
from .base import Verifier


class FunctionCheck(Verifier, Call, frozen=True):
    """Judges by a function: True and False decide, a score leaves it to the acceptance rule.

    What the function may return and do is said in `veriloop.functions.call.Call`, whose fields these are. The
    round's record tells the commonest reasons for abstaining.

    A worker starts in about 50 ms, beside the import of the function's module, for each chunk of candidates.
    """

    @property
    @override
    def in_pieces(self) -> bool:
        return True

    @override
    def check_ahead(self, schema: Schema) -> None:
        self.check_call(schema)

    @override
    def sources(self) -> Mapping[str, Path]:
        return self.source()

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        """Ask the function.

        Raises:
            ConfigError: It cannot be imported.
            DataError: A column of ``columns`` is missing.
        """
        said = self.answers(samples)
        score, decision, reason = zip(*said, strict=True) if said else ((), (), ())
        return Verdicts(score, decision, reason)
