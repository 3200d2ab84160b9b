"""A model with its card: the round to ship, or the one that is named."""

from pathlib import Path

import pytest

from veriloop.cards import Gate
from veriloop.errors import ConfigError, CorruptFileError
from veriloop.report.models import export_model, to_ship
from veriloop.store.folder import RunFolder

from .conftest import ROUNDS


def with_models(folder: RunFolder) -> RunFolder:
    for arm in ("verified", "unverified"):
        for round_ in range(ROUNDS + 1):
            (path := folder.round_directory(round_, arm) / "generator").mkdir(parents=True, exist_ok=True)
            (path / "weights.txt").write_text(f"{arm} {round_}")
    return folder
