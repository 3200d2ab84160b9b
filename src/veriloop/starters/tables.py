"""A plan for a table of numbers and categories, or for arrays."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..datasets.array_file import read
from ..datasets.own_images import found
from ..datasets.table_columns import Table, Wishes, settle
from ..errors import DataError, VeriloopError
from ..schema import Image
from .base import LOOP, Written, balanced, heading, listed, quoted
from .images import Amounts, learner_and_metrics, loop

FEW = 40
"""Number of held-out rows below which results are rough."""


def plan_for_table(path: Path, plan: Path) -> Written:
    """Return the plan for a file of rows."""
    return _plan(path, plan, "table")


def plan_for_arrays(path: Path, plan: Path) -> Written:
    """Return the plan for a file of arrays."""
    return _plan(path, plan, "array")


def _plan(path: Path, plan: Path, kind: str) -> Written:
    """Return the plan for the file ``path``, with its usable columns.

    Raises:
        DataError: The file cannot be read, or has no usable columns.
    """
    table = read(found(path, "file", Path.is_file), str(path))
    used, left_out = _sorted_out(table)
    columns = settle(table._replace(columns={name: table.columns[name] for name in used}), Wishes())
    n = len(table.line)
    made = [name for name, column in columns.types.items() if not column.given]
    images = [name for name in made if isinstance(columns.types[name], Image)]
    command = f"veriloop init {kind} --path {quoted(path)}"
    title = "Retrain a model on its own samples, with and without a verifier."
    lines = [
        heading(title, command, plan),
        "dataset:",
        "  kind: array",
        f"  path: {quoted(path)}",
        f"  # Found in {n:,} rows:",
        *(f"  #   {quoted(name)}: {_told(column)}" for name, column in columns.types.items()),
    ]
    if left_out or (images and len(images) < len(made)):
        shown = used if not images else [*images[:1], *filter(None, [columns.label])]
        lines += [f"  columns: {listed(shown)}"]
        lines += [f"  # Left out: {quoted(name)}: {why}" for name, why in left_out.items()]
    few = n < 5 * FEW
    held = max(2, n // 4)
    if few:
        lines.append(f"  held_out: {held}   # never trained on; the others are")
        lines.append("  validation: 0   # so few rows are all needed for the report")
    lines.append(f"  start: {0.5 if n < 1_000 else 0.1}   # of the training rows, for the start model")
    lines.append("")
    test = held if few else round(0.1 * n)
    if images:
        if columns.label is None:
            raise DataError(
                f"images in {path} without classes",
                got=", ".join(used),
                expected="an array of whole numbers from 0, called label",
                fix="add one, of zeros if there are no classes",
            )
        image = columns.types[images[0]]
        amounts = Amounts(n - held, test, columns.types[columns.label].classes)
        lines += [*learner_and_metrics(image, amounts), loop(amounts, image, columns.label)]
    else:
        lines += [*_learner_and_metrics(test), _loop(n, columns.label)]
    notes = [f"left out {name}: {why}" for name, why in left_out.items()]
    if test < FEW:
        notes.append(f"only {test} rows are held out to measure with: numbers will be rough")
    return Written("\n".join(lines), tuple(notes))


def _sorted_out(table: Table) -> tuple[list[str], dict[str, str]]:
    """Return the usable columns, and why the others cannot be used.

    Raises:
        VeriloopError: No column can be used.
    """
    used: list[str] = []
    left_out: dict[str, str] = {}
    first: VeriloopError | None = None
    for name in table.columns:
        try:
            values = settle(table._replace(columns={name: table.columns[name]}), Wishes(given=())).values[
                name
            ]
        except VeriloopError as e:
            if name == "label" and isinstance(table.columns[name], Sequence | np.ndarray):
                used.append(name)  # classes alone cannot be generated; next to others they are given
                continue
            first = first or e
            left_out[name] = f"{e.got}" if e.got is not None else e.what
            continue
        if _numbers_the_rows(name, values):
            left_out[name] = "it numbers the rows"
        else:
            used.append(name)
    if not [name for name in used if name != "label"]:
        raise first or DataError(f"no columns to make in {table.source}", got=", ".join(table.columns))
    return used, left_out


def _numbers_the_rows(name: str, values: Any) -> bool:
    array = np.asarray(values)
    if array.ndim != 1 or array.dtype.kind != "i" or len(array) < 3:
        return False
    counts = bool((np.diff(array) == 1).all())
    return counts or (name.lower() in {"id", "index"} and len(np.unique(array)) == len(array))


def _told(column: Any) -> str:
    match column.role:
        case "category":
            most = [str(v) for v in column.values[:5]]
            return f"a category: {', '.join(most)}{', ...' if len(column.values) > 5 else ''}"
        case "vector":
            return f"vectors of {column.p} numbers"
        case "image":
            return f"images of {column.height}x{column.width}, {column.channels} channels"
        case "label":
            return f"{column.classes} classes, given to the model"
        case role:
            return f"a {role}"


def _learner_and_metrics(test: int) -> list[str]:
    return [
        "learner: {kind: table, components: 10}   # a mixture over numbers and categories together",
        "",
        "# Quality: frechet and precision. Diversity: recall, coverage and diversity. Numbers are compared",
        "# in their standard deviations; two rows that differ in a category are a distance of 1 apart.",
        f"metrics: [frechet, {{kind: prdc, k: {max(1, min(5, test - 1))}}}, diversity]",
        "",
    ]


def _loop(n: int, label: str | None) -> str:
    balance = "" if label is None else balanced(label)
    kept = int(np.clip(n, 200, 2_000))
    return LOOP.format(
        rounds=5, fraction=0.3, kept=kept, epochs=10, balance=balance, evaluated=max(500, min(2_000, n))
    )
