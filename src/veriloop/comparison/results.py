"""Results files: the measurements of an experiment, with the command that made them."""

import json
import os
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..records import RoundRecord
from ..store.atomic import write_file
from ..store.manifest import package_versions


class Measured(NamedTuple):
    """A record, with what distinguishes its run from the others of the experiment."""

    record: RoundRecord
    seed: int
    setting: str


def write_results(
    path: Path, command: str, seconds: float, measured: Iterable[Measured], **more: Any
) -> None:
    """Write ``path``: command, versions, machine, seconds, records, and anything in ``more``.

    Each record is a `RoundRecord` with two more keys, ``seed`` and ``setting``.
    """
    records = [(m.record, {"seed": m.seed, "setting": m.setting}) for m in measured]
    write_content(path, content_of(command, seconds, records, **more))


def content_of(
    command: str, seconds: float, records: Iterable[tuple[RoundRecord, Mapping[str, Any]]], **more: Any
) -> dict[str, Any]:
    """Return command, versions, machine, seconds, anything in ``more``, and records with their keys."""
    return {
        "command": command,
        "versions": package_versions(),
        "machine": {"cpus": os.cpu_count(), "architecture": platform.machine(), "system": platform.system()},
        "seconds": round(seconds, 1),
        **more,
        "records": [{**record.model_dump(mode="json"), **keys} for record, keys in records],
    }


def write_content(path: Path, content: Mapping[str, Any]) -> None:
    """Write `content_of` with one record per line, for readable diffs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    head = json.dumps({k: v for k, v in content.items() if k != "records"}, indent=1)[:-2]
    lines = ",\n  ".join(json.dumps(record) for record in content["records"])
    write_file(path, f'{head},\n "records": [\n  {lines}\n ]\n}}\n'.encode())
