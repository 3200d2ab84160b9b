"""The kinds of plans to begin with. To add one is a line here, and a function that writes it."""

from collections.abc import Mapping

from .base import Starter
from .images import plan_for_images
from .tables import plan_for_arrays, plan_for_table

KINDS: Mapping[str, Starter] = {
    "images": Starter("a folder of PNG or JPEG files, a sub-folder for each class", plan_for_images),
    "table": Starter("a .csv, .parquet or .jsonl file of numbers and categories", plan_for_table),
    "array": Starter("an .npz or .npy file of vectors, numbers or images", plan_for_arrays),
}
"""By the word that ``veriloop init`` takes."""
