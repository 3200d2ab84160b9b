"""Model cards and data cards in the form of the Hugging Face hub, for a run's models and samples.

A card states how it was made and what was measured, with errors, next to the results of the same rounds
without a verifier. It contains no path of this machine except names in the plan.
"""

import re
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import PurePath
from typing import Any, NamedTuple

import pyarrow as pa
import yaml

from ..cards import RunCard
from ..quantity import Near, Quantity
from ..records import Estimate, RoundRecord
from ..store.folder import RunFolder
from ..store.manifest import Manifest
from .answer import answer
from .names import short
from .summary import by_arm, rounds

_ON_THE_HUB = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
"""Name of a model on the hub: owner and name."""


class Subject(NamedTuple):
    """Subject of a card: a round of an arm."""

    round: int
    arm: str


class DataFile(NamedTuple):
    """An exported file of samples."""

    name: str
    form: str
    rejected: bool
    table: pa.Table


def model_card(folder: RunFolder, of: Subject, library: str | None, load: str) -> str:
    """Return the card of a round's model.

    Args:
        folder: Run folder.
        of: Round and arm of the model.
        library: Hugging Face library that loads it as a language model; None if none does.
        load: Python code that loads it.

    Raises:
        CorruptFileError: The run cannot be read.
    """
    manifest = folder.manifest()
    base = manifest.cards.base_model
    data: dict[str, Any] = {}
    if base and _ON_THE_HUB.fullmatch(base):
        data["base_model"] = base
    if library is not None:
        data |= {"library_name": library, "pipeline_tag": "text-generation"}
    data["tags"] = ["veriloop", "synthetic-data", *(["verified"] if _verifier(manifest, of.arm) else [])]
    start = " This is the start model, before any round." if of.round == 0 else ""
    return _card(
        data,
        f"{folder.name}, {of.arm}, round {of.round}",
        f"A model that veriloop trained in rounds on its own {_judged(manifest, of.arm)} samples.{start}",
        ("Load it", f"```python\n{load}\n```"),
        ("How it was made", _made(folder, manifest, of)),
        ("What was measured", _numbers(folder, manifest.cards, of)),
        ("With and without the verifier", _compared(folder)),
    )


def data_card(folder: RunFolder, of: Subject, file: DataFile) -> str:
    """Return the card of exported samples.

    Raises:
        CorruptFileError: The run cannot be read.
    """
    manifest = folder.manifest()
    configs = [{"config_name": "default", "data_files": file.name}]
    data = {"tags": ["veriloop", "synthetic-data"], "configs": configs}
    which = {
        "preference": "Pairs of a prompt's best accepted and worst rejected candidate",
        "unpaired": "Accepted and rejected candidates, with a label",
    }.get(file.form, "Candidates that were not kept" if file.rejected else "Samples that were kept")
    reader = "parquet" if file.name.endswith(".parquet") else "json"
    return _card(
        data,
        f"{folder.name}, {of.arm}, round {of.round}: {file.table.num_rows:,} rows",
        f"{which}, of round {of.round} of the arm `{of.arm}`. All texts or images in it were made by a model:"
        " the one of the round before.",
        ("Load it", f'```python\nload_dataset("{reader}", data_files="{file.name}", split="train")\n```'),
        ("Columns", _bullets((f"`{field.name}`", str(field.type)) for field in file.table.schema)),
        ("How it was made", _made(folder, manifest, of)),
        (
            "What was measured of the model that was trained on the round",
            _numbers(folder, manifest.cards, of),
        ),
        ("With and without the verifier", _compared(folder)),
    )


def _card(data: Mapping[str, Any], title: str, said: str, *sections: tuple[str, str]) -> str:
    front = yaml.safe_dump(dict(data), sort_keys=False, allow_unicode=True)
    body = "".join(f"\n## {heading}\n\n{text}\n" for heading, text in sections)
    return f"---\n{front}---\n\n# {title}\n\n{said}\n{body}"


def _made(folder: RunFolder, manifest: Manifest, of: Subject) -> str:
    cards, record = manifest.cards, _record(folder, of)
    lines = {"veriloop": manifest.versions.get("veriloop") or version("veriloop")}
    if cards.base_model:
        lines["base model"] = _name(cards.base_model)
    lines["verifier"] = _verifier(manifest, of.arm) or "none"
    lines["arms"] = ", ".join(_arm(manifest, arm) for arm in cards.arms)
    lines["seed"] = str(manifest.seed)
    lines["run began"] = manifest.created
    if record and of.round:
        counts = record.counts
        lines["this round"] = (
            f"{counts.generated:,} candidates, {counts.accepted:,} accepted, {counts.rejected:,} rejected,"
            f" {counts.abstained:,} without a verdict; {counts.kept:,} kept ({counts.distinct:,} distinct),"
            f" trained on {record.trained_on:,}"
        )
    others = {name: shown for name, shown in manifest.versions.items() if name != "veriloop"}
    lines["other versions"] = ", ".join(f"{name} {shown}" for name, shown in others.items())
    for name, digest in manifest.digests.items():
        lines[f"depends on {_name(name)}"] = f"SHA-256 {digest[:16]}"
    return _bullets(lines.items())


def _bullets(lines: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"- {name}: {text}" for name, text in lines)


def _name(source: str) -> str:
    """Return the name of a file or folder without its location, which is private."""
    return PurePath(source).name if PurePath(source).is_absolute() else source


def _arm(manifest: Manifest, arm: str) -> str:
    card = manifest.cards.arms[arm]
    if card.role == "bound":
        return f"`{arm}` (trained on all real data, once)"
    return f"`{arm}` ({_verifier(manifest, arm) or 'no verifier'}, {rounds(card.last_round)})"


def _verifier(manifest: Manifest, arm: str) -> str | None:
    card = manifest.cards.arms.get(arm)
    return card.verifier if card else None


def _judged(manifest: Manifest, arm: str) -> str:
    return "verified" if _verifier(manifest, arm) else "unverified"


def _record(folder: RunFolder, of: Subject) -> RoundRecord | None:
    return next((r for r in folder.records() if (r.round, r.arm) == of), None)


def _numbers(folder: RunFolder, cards: RunCard, of: Subject) -> str:
    """Return a row per quantity: the start, this round, and the same round of the other chains."""
    chains = {arm: c for arm, c in by_arm(folder.records(), cards.arms).items() if arm not in cards.bounds}
    columns: dict[str, RoundRecord] = {}
    for arm in sorted(chains, key=lambda name: name != of.arm):
        for record in chains[arm]:
            if record.round == 0:
                columns.setdefault("start", record)
            elif record.round == of.round:
                columns[f"{arm}, round {record.round}"] = record
    names = dict.fromkeys(name for record in columns.values() for name in record.metrics)
    if not names:
        return "Nothing was measured."
    rows = [
        [f"{cards.quantity(name).title} (`{name}`{_better(cards.quantity(name))})"]
        + [_with_band(record.metrics.get(name)) for record in columns.values()]
        for name in cards.wholes(list(names))
    ]
    head = ["On the test split", *columns]
    lines = [head, ["---"] * len(head), *rows]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return f"{table}\n\nIn brackets: the 95 % interval over held-out rows. Other seeds would differ by more."


def _with_band(estimate: Estimate | None) -> str:
    if estimate is None:
        return ""
    low, high = estimate.band
    shown = short(estimate.value)
    return f"{shown} [{short(low)}, {short(high)}]" if low == low and high == high else shown


def _better(quantity: Quantity) -> str:
    match quantity.better:
        case None:
            return ""
        case Near(near=value):
            return f", best at {value:g}"
        case way:
            return f", {way} is better"


def _compared(folder: RunFolder) -> str:
    found = answer(folder)
    lines = [found.ship.verdict if found.ship else None, found.at_ship and found.at_ship.line, found.line]
    return "\n\n".join(line for line in lines if line)
