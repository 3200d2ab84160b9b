"""Judge: a fitted verifier. Verifiers make it; the loop calls it."""

from abc import abstractmethod

import numpy as np

from .fitted import Fitted
from .samples import Samples
from .verdicts import Verdicts


class Judge(Fitted):
    """Judges samples with the verifier's configuration and everything it has learned."""

    @property
    def in_pieces(self) -> bool:
        """Whether samples may be passed in several calls: the judge is slow or costly, and draws no numbers.

        The loop then judges a few samples first, and stops if the judge abstains on all of them.
        """
        return False

    @abstractmethod
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        """Judge all ``samples``: one verdict each, in the same order.

        A verdict must depend only on the sample and ``rng``, not on the samples next to it. The loop adds
        columns that say where a sample was made (`veriloop.verifiers.base.PLACE`), for verifiers that show
        this to people; a verdict must not depend on them.

        Args:
            samples: Candidates, n rows.
            rng: The only source of randomness.

        Raises:
            AwaitingVerdicts: People have to judge some of the samples first.
        """
