"""Export samples of a round with their provenance, as Parquet or JSON lines for other tools."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic_core import to_json

from ..errors import ConfigError
from ..loop.plan import Plan
from ..nested import on_one_line
from ..report.hub_cards import DataFile, Subject, data_card
from ..samples import Samples
from ..store.atomic import check_replaceable, write_file
from ..store.folder import RunFolder
from .columns import Columns, Provenance, as_table, columns_of, values_of
from .shapes import Written, messages_of, preference_of, prompt_completion_of, unpaired_of
from .sifted import sifted

Form = Literal["columns", "messages", "prompt-completion", "preference", "unpaired"]
"""The data's columns, or one of the formats of TRL's trainers, see `veriloop.ask.shapes`."""

FORMS: tuple[Form, ...] = get_args(Form)

BOTH: tuple[Form, ...] = ("preference", "unpaired")
"""Formats that need kept and rejected candidates together."""


class Exported(NamedTuple):
    """An exported file: ``path``, with ``card``, the data card, next to it."""

    path: Path
    card: Path
    rows: int


def kept_table(folder: RunFolder, round_: int, arm: str) -> pa.Table:
    """Return the samples that a round of an arm kept, in the form of `columns_of`.

    Raises:
        ConfigError: There is no such finished round, or it keeps no samples.
        CorruptFileError: The file of kept samples cannot be read.
    """
    return as_table(_kept(folder, round_, arm))


def prompt_table(folder: RunFolder, round_: int, arm: str) -> pa.Table:
    """As `kept_table`, with ``prompt`` and ``completion`` instead of their source columns.

    Raises:
        ConfigError: The run's learner has no prompt, or see `kept_table`.
        CorruptFileError: See `kept_table`.
    """
    return as_table(prompt_completion_of(Written.of(_kept(folder, round_, arm), folder.manifest().cards)))


def export(
    folder: RunFolder,
    round_: int,
    arm: str,
    path: Path,
    form: Form = "columns",
    *,
    rejected: bool = False,
    plan: Callable[[], Plan] | None = None,
) -> Exported:
    """Write samples of a round to ``path``, with a data card (``kept.card.md`` for ``kept.jsonl``).

    Args:
        folder: Run folder.
        round_: Number of a finished round.
        arm: Name of the arm.
        path: Output file, ``.parquet`` or ``.jsonl``.
        form: Format of the columns, see `Form`.
        rejected: Whether to export the candidates that the round did not keep instead of the kept ones.
        plan: Function that returns the run's plan, needed to read all candidates or to make them again. None
            refuses to.

    Raises:
        ConfigError: There is nothing to write; or ``path`` has another suffix, or is a link or something else
            that is no file.
        RunFolderError: Candidates are asked for, and neither they nor the round's models are kept.
        StorageError: The files could not be written.
    """
    suffix = path.suffix.lower()
    if suffix not in {".parquet", ".jsonl"}:
        raise ConfigError("file to export to", got=str(path), expected="a name ending in .parquet or .jsonl")
    card = path.with_name(f"{path.stem}.card.md")
    check_replaceable(path)
    check_replaceable(card)
    columns = _columns(folder, round_, arm, form, rejected, plan)
    table = as_table(columns)
    content = _parquet(table) if suffix == ".parquet" else _json_lines(columns)
    about = data_card(folder, Subject(round_, arm), DataFile(path.name, form, rejected, table))
    write_file(path, content)
    write_file(card, about.encode())
    return Exported(path, card, table.num_rows)


def _kept(folder: RunFolder, round_: int, arm: str) -> Columns:
    _check_keeps(folder, round_, arm)
    return columns_of(folder.kept_with_provenance(round_, arm), _provenance(folder, round_, arm))


def _columns(
    folder: RunFolder, round_: int, arm: str, form: Form, rejected: bool, plan: Callable[[], Plan] | None
) -> Columns:
    cards, of = folder.manifest().cards, _provenance(folder, round_, arm)
    if form in BOTH:
        if rejected:
            raise ConfigError(
                f"the form {form!r} holds accepted and rejected candidates", fix="remove --rejected"
            )
        if cards.prompt is None:
            Written.of(_kept(folder, round_, arm), cards)  # says what is missing, before much is made
        shape = preference_of if form == "preference" else unpaired_of
        return shape(sifted(_made(plan), folder, arm, round_), cards, of)
    found = columns_of(_rejected(folder, round_, arm, plan), of) if rejected else _kept(folder, round_, arm)
    if form == "columns":
        return found
    shape = messages_of if form == "messages" else prompt_completion_of
    return shape(Written.of(found, cards))


def _made(plan: Callable[[], Plan] | None) -> Plan:
    if plan is None:
        raise ConfigError("this needs the run's plan", got="none", expected="what makes it, such as plan_of")
    return plan()


def _rejected(folder: RunFolder, round_: int, arm: str, plan: Callable[[], Plan] | None) -> Samples:
    _check_arm(folder, arm)
    stored = folder.rejected(round_, arm)
    if stored is None:
        found = sifted(_made(plan), folder, arm, round_)
        stored = found.samples.select(found.accepted != 1)
    if not len(stored):
        raise ConfigError(
            f"arm {arm!r} rejected no candidate in round {round_}",
            got=f"{len(stored)} rejected",
            expected="a round whose verifier or rule turns some away",
        )
    return stored


def _provenance(folder: RunFolder, round_: int, arm: str) -> Provenance:
    manifest = folder.manifest()
    card = manifest.cards.arms.get(arm)
    return Provenance(round_, arm, manifest.seed, card.verifier if card else None)


def _parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def _json_lines(columns: Columns) -> bytes:
    values = [values_of(column) for column in columns.values()]
    lines: list[str] = []
    for row in zip(*values, strict=True):
        # JSON has no NaN or infinity: they become null.
        line = to_json(dict(zip(columns, row, strict=True)), inf_nan_mode="null").decode()
        lines.append(on_one_line(line) + "\n")
    return "".join(lines).encode()


def _check_arm(folder: RunFolder, arm: str) -> None:
    arms = dict.fromkeys(r.arm for r in folder.records())
    if arm not in arms:
        raise ConfigError(
            f"no finished round of arm {arm!r} in {folder.path}",
            expected=f"one of {', '.join(arms)}" if arms else "a run with a finished round",
        )


def _check_keeps(folder: RunFolder, round_: int, arm: str) -> None:
    _check_arm(folder, arm)
    keeping = sorted(r.round for r in folder.records() if r.arm == arm and r.counts.kept > 0)
    if round_ not in keeping:
        raise ConfigError(
            f"arm {arm!r} keeps no samples in this round",
            got=round_,
            expected=f"one of {', '.join(map(str, keeping))}" if keeping else "an arm that keeps samples",
        )
