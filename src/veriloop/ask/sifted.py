"""A finished round's candidates with the outcome for each, as needed for preference data."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..events import SAID
from ..loop.plan import Plan
from ..samples import Samples, concat
from ..store.folder import RunFolder
from ..store.reader import PROVENANCE
from .replay import replay


@dataclass(frozen=True, eq=False)
class Sifted:
    """The candidates of a round, in the order in which they were made.

    Attributes:
        samples: Candidates, with the columns of `PROVENANCE` and with `SAID`, the verifier's remark.
        accepted: 1 for kept candidates, 0 for rejected ones; NaN for abstentions, and for accepted ones that
            did not fit the quota. Shape (n,).
        decision: Decision of the verifier, before the rule; see `veriloop.verdicts.Decision`. Shape (n,).
    """

    samples: Samples
    accepted: NDArray[np.float64]
    decision: NDArray[np.int8]


def sifted(plan: Plan, folder: RunFolder, arm: str, round_: int) -> Sifted:
    """Return the candidates of a finished round, read if they were stored, else made again.

    Raises:
        VeriloopError: See `veriloop.ask.replay.replay`.
    """
    again = replay(plan, folder, arm, round_)
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
