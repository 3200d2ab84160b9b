"""Judge: a fitted verifier. Made by verifiers, asked by the loop."""

from abc import abstractmethod

import numpy as np

from .fitted import Fitted
from .samples import Samples
from .verdicts import Verdicts


class Judge(Fitted):
    """Judges samples as its verifier's configuration says, with all that it has learned."""

    @property
    def in_pieces(self) -> bool:
        """Whether samples may be put before it in several calls: it is slow or costly, and draws nothing.

        The loop then asks about a few first, and stops asking where it abstains on all of them.
        """
        return False

    @abstractmethod
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        """Judge every one of ``samples``: one verdict each, in the same order.

        A verdict must depend on the sample and ``rng`` only, not on which other samples stand beside it.
        The loop adds columns that say where a sample was made (`veriloop.verifiers.base.PLACE`), for
        verifiers that show it to somebody; a verdict must not depend on them.

        Args:
            samples: The candidates, n rows.
            rng: All randomness comes from it.

        Raises:
            AwaitingVerdicts: People have to judge some of the samples first.
        """
