"""A finished round's candidates with what became of each: what preference data are made of."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..events import SAID
from ..samples import Samples, concat
from ..store.folder import PROVENANCE, RunFolder
from .again import round_again
from .plan import Plan


@dataclass(frozen=True, eq=False)
class Sifted:
    """A round's candidates, in the order in which they were made.

    Attributes:
        samples: With the columns of `PROVENANCE`, and `SAID`: what the verifier said of each.
        accepted: 1 for those that were kept, 0 for those that were rejected; NaN where the verifier
            abstained, or accepted one for which there was no place. Shape (n,).
        decision: Of the verifier itself, before the rule; see `veriloop.verdicts.Decision`. Shape (n,).
    """

    samples: Samples
    accepted: NDArray[np.float64]
    decision: NDArray[np.int8]


def sifted(plan: Plan, folder: RunFolder, arm: str, round_: int) -> Sifted:
    """The candidates of a finished round, read where they were kept, or else made again.

    Raises:
        VeriloopError: See `veriloop.loop.again.round_again`.
    """
    again = round_again(plan, folder, arm, round_)
    pieces, verdicts, _ = zip(*again.chunks, strict=True)
    sizes = [len(piece) for piece in pieces]
    accepted = np.full(sum(sizes), np.nan)
    accepted[again.remade.number] = again.remade.accepted
    chunk = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    row = np.concatenate([np.arange(size, dtype=np.int32) for size in sizes])
    score = np.concatenate([v.score for v in verdicts])
    said = [reason for v in verdicts for reason in v.reason or [""] * len(v)]
    columns = dict(zip((*PROVENANCE, SAID), (chunk, row, score, said), strict=True))
    decision = np.concatenate([v.decision for v in verdicts])
    return Sifted(concat(pieces).with_columns(**columns), accepted, decision)
