"""The kinds of starter plans. A new kind needs a line here, and a function that writes it."""

from collections.abc import Mapping

from .base import Example, Starter
from .digits import digits, human
from .function import function
from .images import plan_for_images
from .tables import plan_for_arrays, plan_for_table
from .text import text

KINDS: Mapping[str, Starter] = {
    "images": Starter("a folder of PNG or JPEG files, a sub-folder for each class", plan_for_images),
    "table": Starter("a .csv, .parquet or .jsonl file of numbers and categories", plan_for_table),
    "array": Starter("an .npz or .npy file of vectors, numbers or images", plan_for_arrays),
}
"""Plans for the user's own data, by the argument of ``veriloop init``."""

EXAMPLES: Mapping[str, Example] = {
    "digits": Example("images of handwritten digits, with and without a verifier", digits),
    "function": Example("a Python function that says which rows are right", function),
    "text": Example("a language model that learns from answers that a function finds right", text),
    "human": Example("people who judge images of digits in the browser", human),
}
"""Examples that include their data, by the argument of ``veriloop init``."""
