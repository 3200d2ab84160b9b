# ruff: noqa: E402 - what follows the imports of the standard library has to come before veriloop's parts
"""The CVAE on MNIST against a plain loop, measured in the same run.

    VERILOOP_DATA=... python benchmarks/mnist.py [--out results/bench-mnist.json]

The baseline is what one writes first: a map-style data set and a DataLoader, batches of 128, an eager float32
network of nn.Conv2d and nn.ConvTranspose2d, Adam at 1e-3, at most 200 epochs with a patience of 5 on the
training loss. Ours is of the same size. Both use all cores: the baseline by the threads of one process, ours
also by a process for each of several models, as a run does with its arms and seeds. All baselines run first,
in a process whose memory is managed as the C library does it. Run it on an idle machine: the load at the
start is printed, and seconds are wall-clock. Targets are about ours in float32, as the baseline is; bfloat16,
which a processor may multiply itself or not, is measured beside. The exit status is 1 when one is missed.
"""

import argparse
import dataclasses
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from _plain import BATCH, CHANNELS, LATENT, SIDE, Plain
from veriloop import allocator

# Parts call it when they are imported; here it has to wait until the baseline ran.
keep_freed_memory = allocator.keep_freed_memory
allocator.keep_freed_memory = lambda: None

from veriloop.comparison.results import write_results
from veriloop.datasets.idx import MNIST
from veriloop.errors import DataError
from veriloop.executors.process import Process
from veriloop.executors.serial import Serial
from veriloop.executors.threads import limit_threads
from veriloop.learners._cvae_fast import FastNetwork
from veriloop.learners._cvae_generator import CVAEGenerator
from veriloop.learners._cvae_network import Architecture
from veriloop.learners.cvae import CVAE
from veriloop.loop.gather import Candidates, gather, quota
from veriloop.networks import initialise
from veriloop.rng import Address
from veriloop.rules.acceptance import TopFraction
from veriloop.samples import Samples
from veriloop.verifiers._discriminator_judge import DiscriminatorJudge
from veriloop.verifiers.discriminator import Discriminator

IMAGES, KEPT, FRACTION = 5000, 8000, 0.1
PAPER = CVAE(levels=1, classes=10, latent_dim=LATENT, channels=CHANNELS, batch_size=BATCH)
FEW = PAPER.model_copy(update={"epochs": 3})
QUICK = PAPER.model_copy(
    update={"batch_size": 64, "learning_rate": 3e-3, "averaging": 0.2, "epochs": 12, "patience": None}
)
"""The recipe for time to quality: more and larger steps, and the average of the last fifth of them."""

LOWER = {"precision": "bfloat16"}
"""Faster where the processor multiplies it itself: Linux lists amx_bf16 among the flags in /proc/cpuinfo."""


class Images(Dataset):
    """One image at a time, as a DataLoader asks for them."""

    def __init__(self, samples: Samples) -> None:
        self.pixels, self.label = samples.array("pixels"), samples.array("label")

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        return torch.tensor(self.pixels[i], dtype=torch.float32)[None], int(self.label[i])


def plain_epoch(plain: Plain, optimizer: torch.optim.Optimizer, loader: DataLoader) -> float:
    """Train one epoch; returns the mean training loss."""
    total = 0.0
    for pixels, label in loader:
        loss = plain.bound(pixels, label, torch.randn(len(label), LATENT)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(label)
    return total / len(loader.dataset)  # pyright: ignore[reportArgumentType]


def plain_nelbo(plain: Plain, test: Samples) -> float:
    generator, total = torch.Generator().manual_seed(1), 0.0
    with torch.inference_mode():
        for pixels, label in DataLoader(Images(test), batch_size=256):
            total += float(
                plain.bound(pixels, label, torch.randn(len(label), LATENT, generator=generator)).sum()
            )
    return total / len(test)


def our_nelbo(generator: CVAEGenerator, test: Samples) -> float:
    bound = generator.elbo(test, np.random.default_rng(1))
    return float(np.mean(bound.reconstruction + bound.kl))


class Report:
    """Prints each figure beside its target, and remembers them all."""

    def __init__(self) -> None:
        self.figures: dict[str, float] = {}
        self.missed: list[str] = []

    def line(
        self, name: str, value: float, unit: str = "", least: float = -math.inf, most: float = math.inf
    ) -> None:
        """Print ``value`` beside its target."""
        met = least <= value <= most
        target = f">= {least:g}" if least > -math.inf else f"<= {most:g}" if most < math.inf else ""
        verdict = ("met" if met else "MISSED") if target else ""
        print(f"{name:<62}{value:>12.5g} {unit:<9}{target:>10} {verdict}", flush=True)
        self.figures[name.strip()] = float(f"{value:.6g}")
        if not met:
            self.missed.append(name.strip())


def best_seconds(function: Callable[[], object], repeats: int = 5) -> float:
    """The best of several timings, after one call to warm up."""
    function()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return min(times)


class Curve(NamedTuple):
    """Held-out NELBO after each epoch, and the seconds of training until then."""

    seconds: list[float]
    nelbo: list[float]


def plain_training(train: Samples, test: Samples, epochs: int) -> tuple[Plain, Curve]:
    torch.manual_seed(0)
    plain, curve = Plain(), Curve([], [])
    optimizer = torch.optim.Adam(plain.parameters(), 1e-3)
    loader = DataLoader(Images(train), batch_size=BATCH, shuffle=True)
    best, waited, spent = math.inf, 0, 0.0
    for _ in range(epochs):
        began = time.perf_counter()
        loss = plain_epoch(plain, optimizer, loader)
        spent += time.perf_counter() - began
        curve.seconds.append(spent)
        curve.nelbo.append(plain_nelbo(plain, test))
        best, waited = (loss, 0) if loss < best else (best, waited + 1)
        if waited >= 5:
            break
    return plain, curve


class Baseline(NamedTuple):
    """What the plain loop takes.

    Attributes:
        plain: Its trained network.
        curve: Of its training.
        train: Images trained on a second.
        filter: Images generated, scored and filtered a second.
    """

    plain: Plain
    curve: Curve
    train: float
    filter: float


def measure_baseline(train: Samples, test: Samples, judge: nn.Module, epochs: int) -> Baseline:
    plain, curve = plain_training(train, test, epochs)
    part = train.select(slice(20 * BATCH))
    loader = DataLoader(Images(part), batch_size=BATCH, shuffle=True)
    fresh = Plain()
    optimizer = torch.optim.Adam(fresh.parameters(), 1e-3)
    epoch = best_seconds(lambda: plain_epoch(fresh, optimizer, loader))
    filtering = best_seconds(lambda: plain_filter(plain, judge, KEPT), 3)
    return Baseline(plain, curve, len(part) / epoch, KEPT / FRACTION / filtering)


def bench_quality(report: Report, baseline: Baseline, train: Samples, test: Samples) -> CVAEGenerator:
    curve = baseline.curve
    final = curve.nelbo[-1]
    reached = next(s for s, nelbo in zip(*curve, strict=True) if nelbo <= final)
    report.line("baseline: epochs until it stops", len(curve.nelbo))
    report.line("baseline: held-out NELBO at its end", final, "nats")
    report.line("baseline: seconds to its end", curve.seconds[-1], "s")
    report.line("baseline: seconds until it first was as good", reached, "s")
    generator, seconds, nelbo = our_training(QUICK, train, test)
    report.line("ours: held-out NELBO at the end", nelbo, "nats", most=final)
    report.line("ours: seconds", seconds, "s")
    report.line("time to quality, times fewer seconds", curve.seconds[-1] / seconds, "x", least=4)
    # The recipe's steps do not depend on how many follow: after fewer epochs it is where it passed by.
    shorter = (QUICK.model_copy(update={"epochs": e}) for e in range(1, QUICK.epochs))
    trained = (our_training(recipe, train, test) for recipe in shorter)
    until = next((taken for _, taken, bound in trained if bound <= final), seconds)
    report.line("ours: seconds until it was as good as that end", until, "s")
    report.line("  times fewer than until the baseline first was", reached / until, "x")
    _, lower, nelbo = our_training(QUICK.model_copy(update=LOWER), train, test)
    report.line("ours in bfloat16: held-out NELBO at the end", nelbo, "nats", most=final)
    report.line("ours in bfloat16: seconds", lower, "s")
    return generator


def our_training(recipe: CVAE, train: Samples, test: Samples) -> tuple[CVAEGenerator, float, float]:
    """The model, the seconds of its training, and its held-out NELBO."""
    began = time.perf_counter()
    generator = recipe.fit(train, None, np.random.default_rng(0))
    seconds = time.perf_counter() - began
    return generator, seconds, our_nelbo(generator, test)


def bench_throughput(report: Report, baseline: Baseline, train: Samples) -> None:
    a = torch.randn(1024, 1024)
    peak = 2 * 1024**3 / best_seconds(lambda: a @ a, 20)
    part = train.select(slice(20 * BATCH))
    alone = len(part) * FEW.epochs / best_seconds(lambda: FEW.fit(part, None, np.random.default_rng(0)))
    cores = os.cpu_count() or 1
    each, lower = (
        len(part)
        * FEW.epochs
        * cores
        / best_seconds(lambda r=r: list(Process().map(fit_on_one_thread, range(cores), (r, part))))
        for r in (FEW, FEW.model_copy(update=LOWER))
    )
    report.line("matrix-multiply peak, float32", peak / 1e9, "GFLOP/s")
    report.line("training at batch 128: baseline", baseline.train, "images/s")
    report.line("training at batch 128: ours, one model", alone, "images/s")
    report.line("training at batch 128: ours, a model a core", each, "images/s")
    report.line("  training in float32: ratio", max(alone, each) / baseline.train, "x", least=1.25)
    report.line("  ours as a share of the peak", max(alone, each) * training_flops() / peak)
    report.line("training at batch 128: ours in bfloat16, a model a core", lower, "images/s")
    report.line("  training in bfloat16: ratio", lower / baseline.train, "x")


def fit_on_one_thread(shared: tuple[CVAE, Samples], seed: int) -> None:
    """What a worker does with one of several arms or seeds."""
    recipe, part = shared
    with limit_threads(1):
        recipe.fit(part, None, np.random.default_rng(seed))


def training_flops() -> float:
    """Multiplications and additions of the layers for one image: forward, and twice that backward."""
    narrow, wide = CHANNELS
    half, quarter = (SIDE // 2) ** 2, (SIDE // 4) ** 2
    convolutions = 2 * (half * 16 * narrow + quarter * 16 * narrow * wide)
    linear = (wide * quarter + 10) * 2 * LATENT + (LATENT + 10) * wide * quarter
    return 3 * 2 * (convolutions + linear)


def bench_equal_losses(report: Report, train: Samples) -> None:
    generator = torch.Generator().manual_seed(0)
    network = FastNetwork(Architecture(SIDE, SIDE, 1, 10, LATENT, CHANNELS, 4))
    initialise(network, generator)
    plain = Plain().same_as(network)
    ours, theirs = (torch.optim.Adam(n.parameters(), 1e-3, fused=n is network) for n in (network, plain))
    pixels, label = torch.tensor(train.array("pixels")), torch.tensor(train.array("label"))
    differences = []
    for rows in torch.randperm(40 * BATCH, generator=generator).remainder(len(train)).split(BATCH):
        noise = torch.randn(len(rows), LATENT, generator=generator)
        mine = sum(network.bound(pixels[rows], label[rows], noise)).mean()  # pyright: ignore[reportAttributeAccessIssue]
        other = plain.bound(pixels[rows].float()[:, None], label[rows], noise).mean()
        for optimizer, loss in ((ours, mine), (theirs, other)):
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        differences.append(abs(mine.item() / other.item() - 1))
    report.line(
        "largest relative difference of the loss over 40 equal steps", max(differences), "", most=1e-3
    )


def plain_filter(plain: Plain, judge: nn.Module, wanted: int) -> None:
    """Generate in batches, score from a data set, and keep the best tenth of each digit."""
    images, labels = [], []
    with torch.no_grad():
        for _ in range(math.ceil(wanted / FRACTION / BATCH)):
            label = torch.randint(10, (BATCH,))
            logits = plain.decode(torch.randn(BATCH, LATENT), F.one_hot(label, 10).float())
            images.append(torch.bernoulli(torch.sigmoid(logits)))
            labels.append(label)
        made = Samples(pixels=torch.cat(images)[:, 0].numpy(), label=torch.cat(labels).numpy())
        loader = DataLoader(Images(made), batch_size=BATCH)
        score = torch.cat(
            [torch.sigmoid(judge(pixels.flatten(1), label)) for pixels, label in loader]
        ).numpy()
    for digit in range(10):
        rows = np.flatnonzero(made["label"] == digit)
        made.select(rows[np.argsort(-score[rows])[: wanted // 10]])


def bench_filter(
    report: Report, baseline: Baseline, judge: DiscriminatorJudge, generator: CVAEGenerator, real: Samples
) -> None:
    conditions = Samples(label=np.arange(1000) % 10)

    def ours(executor: Serial | Process, generator: CVAEGenerator) -> None:
        gather(
            Candidates("verified", generator, judge, conditions, Address(0), threads=1),
            TopFraction(fraction=FRACTION).open(quota(KEPT, conditions, "label"), real, "label"),
            balance="label",
            chunk_size=10_000,
            limit=10**9,
            keep_rejected=False,
            executor=executor,
            report=lambda counts: None,
        )

    lower = FastNetwork(dataclasses.replace(generator.architecture, **LOWER))
    lower.load_state_dict(generator.network.state_dict())
    runs = ((Serial(), generator), (Process(), generator), (Process(), CVAEGenerator(lower)))
    made = KEPT / FRACTION
    serial, processes, rounded = (made / best_seconds(lambda r=r: ours(*r), 3) for r in runs)
    report.line("generate, score, filter: baseline", baseline.filter, "images/s")
    report.line("generate, score, filter: ours, one thread", serial, "images/s")
    report.line("generate, score, filter: ours, a process a core", processes, "images/s")
    report.line("  filtering in float32: ratio", max(serial, processes) / baseline.filter, "x", least=2)
    report.line("generate, score, filter: ours in bfloat16, a process a core", rounded, "images/s")
    report.line("  filtering in bfloat16: ratio", rounded / baseline.filter, "x")


def bench_memory(report: Report) -> None:
    script = Path(__file__).with_name("_memory.py")
    printed = subprocess.run([sys.executable, str(script), "1000000"], capture_output=True, check=True).stdout
    report.line(
        "peak memory of keeping 1,000,000 images and training",
        json.loads(printed)["peak"] / 1e9,
        "GB",
        most=2,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    parser.add_argument("--epochs", type=int, default=200, help="of the baseline, at most (default: 200)")
    arguments = parser.parse_args()
    try:
        data = MNIST().load(0)
    except DataError as e:
        print(f"cannot run: {e}")
        return 0
    train, test = data.train.select(slice(IMAGES)), data.test
    load, began, report = os.getloadavg()[0], time.perf_counter(), Report()
    report.line("load of the machine at the start", load)
    start = PAPER.model_copy(update={"epochs": 1}).fit(train, None, np.random.default_rng(0))
    verifier = Discriminator(epochs=1).suited_to(MNIST().schema())
    judge = verifier.fit(None, start, train, np.random.default_rng(0))
    assert isinstance(judge, DiscriminatorJudge)
    baseline = measure_baseline(train, test, judge.network, arguments.epochs)
    keep_freed_memory()
    generator = bench_quality(report, baseline, train, test)
    bench_throughput(report, baseline, train)
    bench_equal_losses(report, train)
    bench_filter(report, baseline, judge, generator, train)
    bench_memory(report)
    if arguments.out:
        command = f"python benchmarks/mnist.py --out {arguments.out}"
        write_results(
            arguments.out,
            command,
            time.perf_counter() - began,
            [],
            figures=report.figures,
            missed=report.missed,
        )
    return int(bool(report.missed))


if __name__ == "__main__":
    sys.exit(main())
