"""A plan with a user's function as verifier: a table of rectangles, and a check of their area."""

from pathlib import Path

import numpy as np

from ..rng import Address
from .base import Written, heading

DATA, CHECK = Path("function_data.csv"), Path("function_check.py")

_CHECK = '''\
"""The check of PLAN. Put your own in its place."""


def is_right(row: dict) -> tuple[bool, str]:
    """Whether a row is right, and in a few words why not.

    Return True or False to decide, a number as a score, or None where you cannot tell.
    """
    area = row["width"] * row["height"]
    if abs(row["area"] - area) > 0.1 * area:
        return False, "the area is not width times height"
    return True, ""
'''

_PLAN = """\
# Rectangles, in DATA. The model sees three numbers of each,
# and does not know that one follows from the other two.
dataset:
  kind: array
  path: DATA
  start: 0.1   # of the training rows, for the start model

learner: {kind: table, components: 10}   # a mixture over numbers and categories together

# The share of rows that the check finds right, and whether they still look like the real ones.
metrics:
  - {kind: function, function: "function_check:is_right"}
  - frechet
  - diversity

# Rounds after the start model, and how many samples each round keeps and trains on.
rounds: 3
schedule: {kind: constant, n: 500}

# The function is asked about each row, in processes that are ended when they take too long.
verifier: {kind: function, function: "function_check:is_right", timeout: 10}
acceptance: accept_all   # the function decides; no score needs a rule

# With the verifier, without one, and one model of all real data to compare with.
arms: [verified, unverified, all_real]

evaluation_samples: 500
"""


def function(plan: Path) -> Written:
    """Return the plan of ``veriloop init function``, with a check and 1,000 rows."""
    title = "A function of yours says which generated rows are right, and the model trains on those."
    text = f"{heading(title, 'veriloop init function', plan)}\n{_PLAN}"
    text = text.replace("DATA", str(DATA))
    check = _CHECK.replace("PLAN", str(plan))
    return Written(text, files={DATA: _rectangles(1_000).encode(), CHECK: check.encode()})


def _rectangles(n: int) -> str:
    """Return lines of a CSV file: the sides of n rectangles, and their areas as measured."""
    rng = Address(0, arm="starter").rng()
    width, height = np.exp(rng.normal(1, 0.4, (2, n)))
    area = width * height * np.exp(rng.normal(0, 0.03, n))
    rows = (f"{w:.3f},{h:.3f},{a:.3f}\n" for w, h, a in zip(width, height, area, strict=True))
    return "width,height,area\n" + "".join(rows)
