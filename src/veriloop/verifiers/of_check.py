"""A verifier that is a check: the result of the check is the verdict."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from typing_extensions import override

from ..functions.check import Check, verdicts_of
from ..samples import Samples
from ..schema import Schema
from ..verdicts import Verdicts
from .base import Verifier


class CheckVerifier(Verifier, Check, frozen=True):
    """Judges with a check; it learns nothing."""

    @property
    @override
    def in_pieces(self) -> bool:
        return True

    @override
    def suited_to(self, schema: Schema) -> Self:
        return super().suited_to(schema).seeing(schema)

    @override
    def check_ahead(self, schema: Schema) -> Sequence[str]:
        return self.check_call(schema)

    @override
    def sources(self) -> Mapping[str, Path]:
        return self.source()

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        """Run the check.

        Raises:
            ConfigError: It cannot be run.
            DataError: A required column is missing.
        """
        return verdicts_of(self.said(samples))
