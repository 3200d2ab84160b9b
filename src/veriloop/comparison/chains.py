"""What is compared: the rounds of one arm of one run, and the variation that the run belongs to."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..cards import RunCard
from ..errors import ConfigError
from ..quantity import Quantity
from ..records import Estimate, RoundRecord
from ..report.summary import by_arm
from ..store.folder import RunFolder
from ..store.manifest import config_difference
from .variations import AS_GIVEN

NOT_VARIED = re.compile(r"(seed|executor|parallel)(\.|:|$)")
"""Settings that do not make two runs variations of each other."""


@dataclass(frozen=True)
class Chain:
    """An arm of a run.

    Attributes:
        variation: The name of the variation.
        arm: The name of the arm.
        seed: Of the run.
        records: Of the arm, by round.
        folder: Of the run.
        card: What the run is.
        dataset: The setting of its data: equal ones have the same held-out rows.
    """

    variation: str
    arm: str
    seed: int
    records: tuple[RoundRecord, ...]
    folder: RunFolder
    card: RunCard
    dataset: object

    @property
    def is_bound(self) -> bool:
        """Whether the arm is one model of all real data."""
        return self.arm in self.card.bounds

    @property
    def last(self) -> int:
        """Its last finished round."""
        return self.records[-1].round

    def estimate(self, quantity: str, round_: int) -> Estimate | None:
        """A quantity after a round, of the test split; None where it was not measured."""
        return next((r.metrics.get(quantity) for r in self.records if r.round == round_), None)


def chains_of(variation: str, folder: RunFolder) -> list[Chain]:
    """The arms of a run that have finished a round.

    Raises:
        CorruptFileError: The manifest or a record cannot be read.
    """
    manifest, records = folder.manifest(), folder.records()
    return [
        Chain(
            variation,
            arm,
            manifest.seed,
            tuple(chain),
            folder,
            manifest.cards,
            manifest.config.get("dataset"),
        )
        for arm, chain in by_arm(records, manifest.cards.arms).items()
    ]


def quantities_of(chains: Iterable[Chain]) -> dict[str, Quantity]:
    """What was measured of any of them, by name, in the order of the first run that did."""
    found: dict[str, Quantity] = {}
    for chain in chains:
        measured = {name for record in chain.records for name in record.metrics}
        for name in (*chain.card.quantities, *sorted(measured)):
            if name in measured and name not in found:
                quantity = chain.card.quantity(name)
                found[name] = replace(quantity, title=quantity.title or name)
    return found


def existing(paths: Sequence[Path]) -> list[Chain]:
    """The arms of runs that exist; the settings in which the runs differ make their variations.

    Runs that differ in nothing but their seed are one variation.

    Raises:
        RunFolderError: One of the folders holds no run.
        ConfigError: Two of them are the same run: equal settings and seed.
    """
    folders = [RunFolder.open(path) for path in paths]
    configs = [_compared(folder.manifest().config) for folder in folders]
    names = _names(configs, folders)
    runs: dict[tuple[str, int], RunFolder] = {}
    for name, folder in zip(names, folders, strict=True):
        key = name, folder.manifest().seed
        if key in runs:
            raise ConfigError(
                "two runs have the same settings and seed",
                got=f"{runs[key].path} and {folder.path}",
                expected="runs that differ",
            )
        runs[key] = folder
    return [chain for (name, _), folder in runs.items() for chain in chains_of(name, folder)]


def _names(configs: Sequence[Mapping[str, Any]], folders: Sequence[RunFolder]) -> list[str]:
    """A name for each run by the settings that are not equal in all; by its folder where there are many."""
    flat = [_flat(config) for config in configs]
    varied = sorted(
        path
        for path in {path for one in flat for path in one}
        if len({one.get(path, "") for one in flat}) > 1
    )
    if not varied:
        return [AS_GIVEN] * len(configs)
    if len(varied) <= 3:
        return [", ".join(f"{path}={one.get(path, 'none')}" for path in varied) for one in flat]
    # Too many to read: the name of the first folder that has these settings.
    first: dict[str, str] = {}
    for one, folder in zip(flat, folders, strict=True):
        first.setdefault(str(sorted(one.items())), folder.name)
    return [first[str(sorted(one.items()))] for one in flat]


def _flat(config: Mapping[str, Any]) -> dict[str, str]:
    """Each setting by its path, as text."""
    lines = (line.partition(": ") for line in config_difference({}, config))
    return {path: change.partition(" -> ")[2] for path, _, change in lines}


def _compared(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if not NOT_VARIED.match(key)}
