"""The units of a comparison: the rounds of one arm of one run, and the variation that the run belongs to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..cards import RunCard
from ..errors import ConfigError, VeriloopError
from ..quantity import Quantity
from ..records import Estimate, RoundRecord
from ..report.summary import by_arm
from ..store.folder import RunFolder
from ..store.manifest import find_run_folders
from .names import named
from .runs import RUNS


@dataclass(frozen=True)
class Chain:
    """An arm of a run.

    Attributes:
        variation: Name of the variation.
        arm: Name of the arm.
        seed: Seed of the run.
        records: Records of the arm, by round.
        folder: Run folder.
        card: Description of the run.
        dataset: Setting of its data; equal settings have the same held-out rows.
        own_arm: Name of the arm in its run, if it is compared under another name.
    """

    variation: str
    arm: str
    seed: int
    records: tuple[RoundRecord, ...]
    folder: RunFolder
    card: RunCard
    dataset: object
    own_arm: str | None = None

    @property
    def arm_of_run(self) -> str:
        """Name of the arm in its run."""
        return self.own_arm or self.arm

    @property
    def is_bound(self) -> bool:
        """Whether the arm is one model trained on all real data."""
        return self.arm_of_run in self.card.bounds

    @property
    def last(self) -> int:
        """Number of its last finished round."""
        return self.records[-1].round

    def estimate(self, quantity: str, round_: int) -> Estimate | None:
        """Return a quantity after a round, on the test split; None if it was not measured."""
        return next((r.metrics.get(quantity) for r in self.records if r.round == round_), None)


def chains_of(variation: str, folder: RunFolder) -> list[Chain]:
    """Return the arms of a run that have finished a round.

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
    """Return the quantities measured in any of them, by name, in the order of the first run with each."""
    found: dict[str, Quantity] = {}
    for chain in chains:
        measured = {name for record in chain.records for name in record.metrics}
        for name in (*chain.card.quantities, *sorted(measured)):
            if name in measured and name not in found:
                quantity = chain.card.quantity(name)
                found[name] = replace(quantity, title=quantity.title or name)
    return found


def existing(paths: Sequence[Path]) -> list[Chain]:
    """Return the arms of existing runs; the settings in which the runs differ define their variations.

    Runs that differ only in their seed are one variation.

    Args:
        paths: Run folders, and folders that contain run folders, directly or in ``runs``.

    Raises:
        RunFolderError: One of the folders contains no run.
        ConfigError: Two of them are the same run, with equal settings and seed.
        VeriloopError: None of them has finished a round.
    """
    folders = [RunFolder.open(run) for path in paths for run in _runs_in(path)]
    manifests = [folder.manifest() for folder in folders]
    names = named([manifest.config for manifest in manifests], [folder.path.name for folder in folders])
    runs: dict[tuple[str, int], RunFolder] = {}
    for name, manifest, folder in zip(names, manifests, folders, strict=True):
        key = name, manifest.seed
        if key in runs:
            raise ConfigError(
                "two runs have the same settings and seed",
                got=f"{runs[key].path} and {folder.path}",
                expected="different runs",
            )
        runs[key] = folder
    chains = [chain for (name, _), folder in runs.items() for chain in chains_of(name, folder)]
    if not chains:
        raise VeriloopError(
            "none of these runs has finished a round", fix="continue them: veriloop resume DIR"
        )
    return chains


def _runs_in(path: Path) -> list[Path]:
    """Return the run folder at ``path``, or those inside it; ``path`` itself if there are none."""
    if RunFolder(path).exists():
        return [path]
    return find_run_folders(path) or find_run_folders(path / RUNS) or [path]
