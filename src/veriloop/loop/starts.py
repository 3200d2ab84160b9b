"""Start models shared by several runs: equal data, learner and seed give equal start models."""

import json
import shutil
import uuid
from pathlib import Path
from typing import NamedTuple

from ..fitted import digest_of
from ..generator import Generator
from ..records import Trained
from ..rng import START, Stage
from ..store.atomic import storage_errors
from ..store.digests import sha256
from . import seam
from .plan import Plan
from .sources import digests_of

TRAINING = "veriloop-training.json"
"""Summary of the training, stored with a start model so that records are equal however it was obtained."""


class Start(NamedTuple):
    """A start model, the summary of its training, and the number of tokens it was trained on."""

    generator: Generator
    training: Trained | None
    tokens: int


class Starts:
    """A folder of start models, which any number of processes may use at the same time.

    Args:
        folder: Path of the folder, created with the first model.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, plan: Plan) -> Start | None:
        """Return the start model of ``plan`` as stored by `put`; None if it is missing or damaged."""
        for path in self._folder.glob(f"{_key(plan)}-*"):
            if digest_of(path) == path.name.partition("-")[2]:
                training, tokens = json.loads((path / TRAINING).read_bytes())
                trained = None if training is None else Trained.model_validate(training)
                return Start(plan.learner.generator_type.load(path), trained, tokens)
        return None

    def put(self, plan: Plan, start: Start) -> None:
        """Store the start model of ``plan`` for other runs.

        Raises:
            StorageError: It could not be written.
        """
        aside = self._folder / f".{uuid.uuid4().hex}"
        with storage_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            seam.save(start.generator, aside)
            trained = None if start.training is None else start.training.model_dump(mode="json")
            (aside / TRAINING).write_text(json.dumps([trained, start.tokens]))
            place = self._folder / f"{_key(plan)}-{digest_of(aside)}"
            if place.exists():
                shutil.rmtree(aside)
            else:
                aside.rename(place)


def _key(plan: Plan) -> str:
    """Return what the start model depends on, as one number."""
    config = plan.config()
    settings = {name: config[name] for name in ("seed", "dataset", "learner", "threads")}
    stream = plan.address(START, 0).at(Stage.FIT)
    content = json.dumps([settings, digests_of(plan), list(stream)], sort_keys=True)
    return sha256(content.encode())[:32]
