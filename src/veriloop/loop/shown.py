"""Judged candidates for viewing: some of each outcome, with the best and worst scores."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..nested import Nested
from ..samples import Samples
from ..schema import Schema
from ..store.reader import FATE, FATES, REASON, SCORE
from ..turns import shown as read
from ..verdicts import Decision, Verdicts
from .guard import reasons_of, shown

OF_EACH = 10
"""Largest number set aside per outcome: half with the best scores, half with the worst."""


LONGEST = 400
"""Number of characters of a text that are shown."""

INK = " .:-=+*#%@"
"""Characters from no ink to full ink."""

WIDEST = 32
"""Images with more columns are drawn with fewer."""


def set_aside(samples: Samples, verdicts: Verdicts, kept: NDArray[np.int64], of_each: int) -> Samples:
    """Set aside some candidates of each outcome with their verdicts, best scores first.

    Without scores, the first candidates are taken.

    Args:
        samples: Candidates, n rows.
        verdicts: Verdicts on them.
        kept: Rows that are kept.
        of_each: Largest number per outcome.
    """
    n = len(verdicts)
    fate = np.ones(n, np.int8)
    fate[verdicts.is_(Decision.ABSTAIN)] = 2
    fate[kept] = 0
    rows = [_ends(np.flatnonzero(fate == number), verdicts.score, of_each) for number in range(len(FATES))]
    chosen = np.concatenate(rows)
    mask = np.zeros(n, bool)
    mask[chosen] = True
    reasons = dict(zip(np.flatnonzero(mask).tolist(), reasons_of(verdicts, mask), strict=True))
    said = {
        FATE: fate[chosen],
        SCORE: verdicts.score[chosen],
        REASON: [reasons[row] for row in chosen.tolist()],
    }
    return samples.select(chosen).with_columns(**said)


def _ends(rows: NDArray[np.int64], score: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Return the best and the worst of ``rows``, at most ``most`` in total, best first."""
    of = np.where(np.isnan(score[rows]), -np.inf, score[rows])
    order = rows[np.lexsort((rows, -of))]
    if len(order) <= most:
        return order
    best = (most + 1) // 2
    return np.concatenate([order[:best], order[len(order) - (most - best) :]])


def as_text(samples: Samples, row: int, schema: Schema) -> dict[str, str]:
    """Return a candidate by column for display: the model's input first, texts in full, images drawn."""
    names = [name for name in samples if name not in (FATE, SCORE, REASON)]
    names.sort(key=lambda name: name in schema and not schema[name].given)
    return {name: _value(samples, name, row, schema) for name in names}


def _value(samples: Samples, name: str, row: int, schema: Schema) -> str:
    column = samples[name]
    value: Any = column[row]
    if isinstance(column, Nested) and name in schema and schema[name].role == "messages":
        value = read(column.value(row))
    if isinstance(value, str):
        return value if len(value) <= LONGEST else f"{value[:LONGEST]} …"
    if name in schema and schema[name].role == "image" and np.ndim(value) == 2:
        return drawn(value, max(float(schema[name].levels), 1.0))
    return shown(samples.only([name]), row)[name]


def drawn(pixels: NDArray[Any], full: float) -> str:
    """Draw an image with characters, twice as many per row as rows, because characters are narrow.

    Args:
        pixels: Array of shape (height, width).
        full: Value that is drawn as full ink.
    """
    step = -(-pixels.shape[1] // WIDEST)
    small = np.clip(pixels[:: 2 * step, ::step] / full, 0, 1)
    ink = (small * (len(INK) - 1)).round().astype(int)
    return "\n".join("".join(INK[i] for i in line).rstrip() for line in ink)
