"""A run folder of an image run, fabricated through the real `RunFolder`, so that no model is trained."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from veriloop.cards import ArmCard, RunCard
from veriloop.metrics.accuracy import Accuracy
from veriloop.metrics.diversity import Diversity
from veriloop.metrics.frechet import Frechet
from veriloop.metrics.nelbo import NELBO
from veriloop.metrics.prdc import PRDC
from veriloop.records import Counts, Estimate, RoundRecord
from veriloop.report.html import write_report
from veriloop.samples import Samples
from veriloop.schema import Image, Label
from veriloop.store.folder import RunFolder
from veriloop.store.manifest import Manifest

ROUNDS = 6
CONFIG: dict[str, Any] = {
    "seed": 7,
    "rounds": ROUNDS,
    "dataset": {"kind": "digits", "start": 30},
    "arms": {
        "verified": {
            "train_on": "kept",
            "verifier": {"kind": "discriminator", "refit": "once"},
            "acceptance": {"kind": "top_fraction", "fraction": 0.05},
        },
        "unverified": {"train_on": "kept", "verifier": None, "acceptance": {"kind": "accept_all"}},
        "all_real": {"train_on": "real", "verifier": None},
    },
}
CARDS = RunCard(
    arms={
        "verified": ArmCard(verified=True, verifier="discriminator", last_round=ROUNDS),
        "unverified": ArmCard(last_round=ROUNDS),
        "all_real": ArmCard(role="bound", last_round=1),
    },
    quantities={
        **Frechet.quantities,
        **NELBO.quantities,
        **Accuracy().quantities,
        **PRDC.quantities,
        **Diversity.quantities,
    },
    columns={"pixels": Image(height=8, width=8, levels=16), "label": Label(classes=10)},
)
# First value, change per round, standard error.
METRICS = {
    "verified": {
        "frechet": (23.1, -1.8, 0.35),
        "nelbo": (101.0, -2.0, 0.4),
        "accuracy": (0.71, 0.03, 0.008),
        "coverage": (0.42, 0.04, 0.011),
        "diversity": (0.8, -0.01, 0.01),
    },
    "unverified": {
        "frechet": (23.1, 0.8, 0.35),
        "nelbo": (101.0, 1.5, 0.4),
        "accuracy": (0.71, -0.02, 0.009),
        "coverage": (0.42, -0.03, 0.011),
        "diversity": (0.8, -0.03, 0.01),
    },
    "all_real": {
        "frechet": (23.1, -15.2, 0.2),
        "nelbo": (101.0, -22.0, 0.3),
        "accuracy": (0.71, 0.24, 0.004),
        "coverage": (0.42, 0.41, 0.009),
        "diversity": (0.8, 0.15, 0.01),
    },
}


def record(arm: str, round_: int) -> RoundRecord:
    """A made-up record: straight lines, bent a little."""
    metrics = {
        name: Estimate(first + step * round_ * 0.97**round_, se)
        for name, (first, step, se) in METRICS[arm].items()
    }
    if arm == "verified":
        # A number that is missing once, and one that never has an error.
        metrics["recall"] = Estimate(math.nan if round_ == 2 else 0.3 + 0.02 * round_, math.nan)
    counts, seconds = Counts(), {"fit": 0.8, "evaluate": 0.7}
    if arm == "verified" and round_:
        counts = Counts(generated=80_000, accepted=4_000, rejected=75_900, abstained=100, kept=4_000)
        seconds = {"update": 1.9, "generate": 2.2, "verify": 0.9, "fit": 3.1, "evaluate": 0.7}
    elif arm == "unverified" and round_:
        counts = Counts(generated=4_000, accepted=4_000, kept=4_000)
        seconds = {"generate": 0.2, "verify": 0.0, "fit": 3.0, "evaluate": 0.7}
    trained_on = {"verified": 4_000, "unverified": 4_000, "all_real": 1_200}[arm] if round_ else 30
    return RoundRecord(
        arm=arm,
        round=round_,
        counts=counts,
        abstentions={"the function returned <None>": 100} if counts.abstained else {},
        trained_on=trained_on,
        metrics=metrics,
        seconds=seconds,
    )


def images(seed: int, blur: float) -> Samples:
    """100 digits of the bundled set as counts up to 16, with noise in proportion to ``blur``."""
    from sklearn.datasets import load_digits

    flat, labels = (np.asarray(a) for a in load_digits(return_X_y=True))
    rows = [np.flatnonzero(labels == i % 10)[seed + i // 10] for i in range(100)]
    rng = np.random.default_rng(seed)
    pixels = flat[rows].reshape(100, 8, 8) * (1 - blur) + 16 * blur * rng.random((100, 8, 8))
    return Samples(pixels=np.clip(pixels, 0, 16).astype(np.uint8), label=np.arange(100) % 10)


def kept(seed: int) -> Samples:
    """100 kept samples with provenance."""
    return images(seed, 0.1).with_columns(
        _chunk=np.arange(100, dtype=np.int32) // 50,
        _row=np.arange(100, dtype=np.int32) % 50,
        _score=np.linspace(0.5, 0.9, 100) if seed else np.full(100, np.nan),
    )


def build(path: Path) -> RunFolder:
    """A folder with all rounds of three arms."""
    folder = RunFolder(path)
    versions = {"python": "3.11.7", "veriloop": "0.1.0"}
    folder.write_manifest(Manifest(config=CONFIG, seed=7, cards=CARDS, versions=versions))
    images(40, 0.0).save(folder.path / "real.npz")
    for number in range(ROUNDS + 1):
        for arm in METRICS:
            if arm == "all_real" and number > 1:
                continue
            work = folder.work_directory(number, arm)
            blur = {"verified": 0.4 - 0.05 * number, "unverified": 0.4 + 0.07 * number, "all_real": 0.1}[arm]
            images(number, blur if number else 0.4).save(work / "preview.npz")
            if number and arm != "all_real":
                kept(number if arm == "verified" else 0).save(work / "kept.npz")
            folder.commit(record(arm, number), work)
    folder.set_status("finished")
    return folder


@pytest.fixture(scope="session")
def image_run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished run on images. Read only, but for its report."""
    return build(tmp_path_factory.mktemp("runs") / "digits-seed-7")


@pytest.fixture(scope="session")
def report(image_run: RunFolder) -> Path:
    """The report of `image_run`."""
    return write_report(image_run)


@pytest.fixture
def empty_run(tmp_path: Path) -> RunFolder:
    """A run that has not finished a round."""
    folder = RunFolder(tmp_path / "young")
    folder.write_manifest(Manifest(config=CONFIG, seed=7, cards=CARDS))
    return folder
