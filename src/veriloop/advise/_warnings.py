"""Warnings about an audit, in sentences."""

import numpy as np

from ._bracket import LITTLE, Bracket
from ._judged import Judged
from ._path import Path
from ._prognosis import FOREIGN
from ._rows import Rows
from ._tilt import FEW, Tilt

_COPIES = 0.01
"""Share of repeated rows from which a warning about copies is given."""

_OFF = 0.1
"""Number of standard deviations, where the generated rows do not vary, that is a difference in kind."""

_LONG = 3.0
"""Excess of a fourth moment over a Gaussian's, along any direction, that counts as a long tail."""


def warnings(
    tilt: Tilt, judged: Judged, path: Path, real: Rows, rivals: Bracket, copies: int | None
) -> list[str]:
    """Return all warnings that apply."""
    rows, n_accepted = tilt.rows, int(judged.accepted.sum())
    found = []
    if tilt.shrinkage:
        found.append(
            f"{n_accepted:,} accepted rows are few for {rows.d} features (fewer than {FEW} each): covariances"
            f" are shrunk towards their diagonals by {tilt.shrinkage:.0%}, and R with them."
        )
    if missing := rows.d - len(tilt.inverse):
        found.append(
            f"Along {missing} of {rows.d} directions the rows hardly vary, because features repeat or combine"
            " others: these directions are left out, and distances are within the others."
        )
    away = (real.mean - rows.mean) / np.sqrt(rows.covariance.diagonal())
    within = tilt.root @ tilt.whiten(real.mean - rows.mean) / np.sqrt(rows.covariance.diagonal())
    if missing and np.abs(away - within).max() > _OFF:
        found.append("The real rows differ from the generated ones where those do not vary.")
    if rivals.hull.distances[0] > FOREIGN:
        found.append(
            f"The real mean is {rivals.hull.distances[0]:.1f} spreads away from the generated one: are the"
            " real rows of the same kind, in the same units?"
        )
    if path.widened > 1:
        # A log-concave acceptance narrows a Gaussian along all directions (H. Brascamp and E. Lieb, 1976).
        found.append(
            f"Along some direction the variance of the accepted rows is {path.widened:.1f} times that of all:"
            " either the generated rows are far from Gaussian, or the verifier wants more than one thing."
            " Do not trust the knowledge center."
        )
    if rivals.tails > _LONG:
        found.append(
            "The generated rows have long tails, which a refitted model may lose or keep: spreads and later"
            " rounds are rough."
        )
    if rivals.explained < LITTLE:
        found.append(
            f"The features explain {max(rivals.explained, 0):.1%} of the verdicts. A missing feature"
            " may decide, and then the pull may end with round 1: the intervals allow for that."
        )
    copies = _copies(rows) if copies is None else copies
    if copies > _COPIES * rows.n:
        found.append(
            f"{copies / rows.n:.0%} of the generated rows repeat another one: if they are copies and not"
            " independent draws, the intervals are too narrow."
        )
    return found


def _copies(rows: Rows) -> int:
    # Any direction without structure separates rows, and copies not.
    code = rows.project(np.sqrt(np.arange(2, rows.d + 2)) / np.sqrt(rows.covariance.diagonal()))
    return rows.n - len(np.unique(code))
