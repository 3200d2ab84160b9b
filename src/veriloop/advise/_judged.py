"""Generated rows with verdicts, as given."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ConfigError, DataError
from ._rows import Rows

Rule = Literal["fixed", "top_fraction"]

FEWEST = 20
"""Least number of accepted rows for an audit."""


@dataclass(frozen=True, eq=False)
class Judged:
    """Generated rows with verdicts.

    Attributes:
        rows: Generated rows, n rows of d features.
        accepted: Whether each row was accepted, shape (n,).
        judged: Shape (n,); False where the verifier abstained.
        best_first: Judged rows by falling score if the best are kept; None if each row was decided
            separately.
    """

    rows: Rows
    accepted: NDArray[np.bool_]
    judged: NDArray[np.bool_]
    best_first: NDArray[np.int64] | None


def judged(rows: Rows, accepted: ArrayLike, scores: ArrayLike | None, rule: Rule) -> Judged:
    """Read the verdicts of ``rows``; arguments as of `veriloop.advise.audit`.

    Raises:
        ConfigError: ``top_fraction`` without scores.
        DataError: Verdicts of another shape or kind, hardly any or all accepted, or not the best by score.
    """
    try:
        said = np.asarray(accepted, np.float64)
    except (TypeError, ValueError):
        said = np.full(rows.n, np.inf)
    if said.shape != (rows.n,):
        raise DataError("accepted", got=f"shape {said.shape}", expected=f"({rows.n},), one per generated row")
    odd = ~np.isnan(said) & (said != 0) & (said != 1)
    if odd.any():
        at = int(np.argmax(odd))
        raise DataError(
            f"accepted, row {at + 1}",
            got=str(np.asarray(accepted, object)[at]),
            expected="True or False, or missing where the verifier abstained",
        )
    given, yes = ~np.isnan(said), said == 1
    n = int(yes.sum())
    if n < FEWEST:
        raise DataError(
            "too few accepted rows for an audit", got=n, expected=f"{FEWEST} or more", fix="generate more"
        )
    if n == given.sum():
        raise DataError(
            "every judged row was accepted",
            got=f"{n:,} of {n:,}",
            fix="a verifier that accepts everything has no center and no effect",
        )
    return Judged(rows, yes, given, _best_first(yes, given, scores) if rule == "top_fraction" else None)


def _best_first(
    yes: NDArray[np.bool_], judged: NDArray[np.bool_], scores: ArrayLike | None
) -> NDArray[np.int64]:
    """Return the judged rows by falling score; for equal scores, accepted rows first."""
    if scores is None:
        raise ConfigError("rule top_fraction", got="no scores", expected="a score for each row")
    score = np.asarray(scores, np.float64)
    if score.shape != yes.shape or not np.isfinite(score[judged]).all():
        raise DataError("scores", expected=f"a finite number for each of {int(judged.sum())} judged rows")
    ahead = int(np.count_nonzero(score[judged & ~yes] > score[yes].min()))
    if ahead:
        raise DataError(
            f"{ahead} rejected rows score higher than an accepted one",
            expected="the best share of all accepted",
            fix="use the rule fixed, or pass the scores behind the decisions",
        )
    order = np.lexsort((~yes, -np.where(judged, score, 0.0)))
    return order[judged[order]]
