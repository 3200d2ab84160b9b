"""The family of data sets: where real samples come from, and how they are split."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from ..parts import Part
from ..samples import Samples


@dataclass(frozen=True)
class RealData:
    """Real samples, split by role.

    Attributes:
        start: The few that the start model is trained on; a part of ``train``.
        train: All real training samples: what a verifier may learn from, and what the ``all_real`` arm
            is trained on.
        test: Held out: metrics only.
        conditions: The pool of conditions to generate from (the classes, or prompts), one row each, or
            None for an unconditional model.
        test_conditions: The conditions of ``test``, row by row, for the metrics to generate from; None
            where those of the training data will do, as classes do.
    """

    start: Samples
    train: Samples
    test: Samples
    conditions: Samples | None
    test_conditions: Samples | None = None


class Dataset(Part, frozen=True):
    """A source of real data. Its fields say which and how it is split."""

    family: ClassVar[str] = "veriloop.datasets"

    @abstractmethod
    def load(self, seed: int) -> RealData:
        """Load and split; the split depends on ``seed`` and the fields only.

        Raises:
            DataError: The data are missing or not what they should be; the message says where they
                were looked for.
        """
