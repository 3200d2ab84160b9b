"""The kinds of starter plans. A new kind needs a line here, and a function that writes it."""

from collections.abc import Mapping
from pathlib import Path

from .base import Example, Starter, Written
from .digits import digits, human
from .function import function
from .text import text

# Reading data needs packages of extras; the examples above may need others, or none.


def _images(path: Path, plan: Path) -> Written:
    from .images import plan_for_images

    return plan_for_images(path, plan)


def _table(path: Path, plan: Path) -> Written:
    from .tables import plan_for_table

    return plan_for_table(path, plan)


def _array(path: Path, plan: Path) -> Written:
    from .tables import plan_for_arrays

    return plan_for_arrays(path, plan)


KINDS: Mapping[str, Starter] = {
    "images": Starter("a folder of PNG or JPEG files, a sub-folder for each class", _images),
    "table": Starter("a .csv, .parquet or .jsonl file of numbers and categories", _table),
    "array": Starter("an .npz or .npy file of vectors, numbers or images", _array),
}
"""Plans for the user's own data, by the argument of ``veriloop init``."""

EXAMPLES: Mapping[str, Example] = {
    "digits": Example("images of handwritten digits, with and without a verifier", digits),
    "function": Example("a Python function that says which rows are right", function),
    "text": Example("a language model that learns from answers that a function finds right", text),
    "human": Example("people who judge images of digits in the browser", human),
}
"""Examples that include their data, by the argument of ``veriloop init``."""
