"""Forty rounds of MNIST: gather runs of recipes/mnist/forty.yaml into results, models and a figure.

    veriloop run recipes/mnist/forty.yaml --out runs/mnist-forty-0                  # seed 0
    veriloop run recipes/mnist/forty.yaml --set seed=1 --out runs/mnist-forty-1
    python tools/forty.py runs/mnist-forty-0 runs/mnist-forty-1

Writes results/mnist-forty.json; seeds that it already holds stay unless they are given again. In rounds 0,
10, 20, 30 and 40 it also measures the decoder's means, as the paper does: records of these rounds get
``frechet_of_means`` and so on. For seed 0 it copies the verified generators of rounds 10, 20 and 40 to
results/models/mnist-forty/. Prints a table, and draws docs/figures/mnist-forty.png.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from veriloop.comparison.figures import DASHES, MARKERS, round_axis, save_figure
from veriloop.comparison.results import Measured, write_results
from veriloop.config import plan_from
from veriloop.events import RunStarted
from veriloop.learners._cvae_generator import CVAEGenerator
from veriloop.metrics import PRDC, Accuracy, Frechet, OfMeans
from veriloop.metrics.base import Evaluation
from veriloop.records import RoundRecord, RowEstimate
from veriloop.report.palette import USUAL_ARMS
from veriloop.rng import Stage
from veriloop.store.folder import RunFolder

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results" / "mnist-forty.json"
MODELS = ROOT / "results" / "models" / "mnist-forty"
COMMAND = "veriloop run recipes/mnist/forty.yaml --set seed=SEED --out runs/mnist-forty-SEED"
OF_MEANS = (0, 10, 20, 30, 40)
KEPT = (10, 20, 40)
SHOWN = ("frechet", "nelbo", "accuracy", "recall", "coverage", "diversity")
SAMPLES = 10_000


class Run(NamedTuple):
    """A run of one seed: its records, and its seconds by the clock."""

    seed: int
    records: list[RoundRecord]
    seconds: float


def opened(path: Path) -> Run:
    """Read a run, and measure the means of some of its models."""
    folder = RunFolder.open(path)
    plan = plan_from(folder.manifest().config)
    data = plan.dataset.load(plan.seed)
    metric = OfMeans(metrics=(Frechet(), Accuracy(), PRDC())).suited_to(plan.dataset.schema())
    records: list[RoundRecord] = []
    for record in folder.records():
        if record.round in OF_MEANS:
            generator = CVAEGenerator.load(folder.round_directory(record.round, record.arm) / "generator")
            rng = plan.address(record.arm, record.round).at(Stage.EVALUATE).rng()
            some = data.test.select(slice(SAMPLES))
            drawn = generator.sample(len(some), rng, some.only(["label"]))
            found = metric.measure(Evaluation(generator, drawn, some), rng)
            means = {name: e.alone for name, e in found.items() if isinstance(e, RowEstimate)}
            record = record.model_copy(update={"metrics": {**record.metrics, **means}})
        records.append(record)
    return Run(plan.seed, records, seconds(folder))


def seconds(folder: RunFolder) -> float:
    """The time from start to end by the clock, without the pauses between a kill and the resume."""
    total, last = 0.0, None
    for event in folder.events()[0]:
        total += 0.0 if last is None or isinstance(event, RunStarted) else event.at - last
        last = event.at
    return total


def kept_from_before(seeds: set[int]) -> list[Run]:
    """The runs of other seeds in the results file."""
    if not RESULTS.exists():
        return []
    content = json.loads(RESULTS.read_text())
    found = []
    for seed, took in content["seconds_by_seed"].items():
        own = [r for r in content["records"] if r["seed"] == int(seed)]
        records = [
            RoundRecord.model_validate({k: v for k, v in r.items() if k not in ("seed", "setting")})
            for r in own
        ]
        found += [Run(int(seed), records, took)] if int(seed) not in seeds else []
    return found


def chain(run: Run, arm: str) -> list[RoundRecord]:
    """Records of an arm from the start model on."""
    return sorted((r for r in run.records if r.arm == arm), key=lambda r: r.round)


def table(runs: list[Run]) -> Table:
    """Samples' and means' numbers of some rounds, for each seed."""
    printed = Table("seed", "arm", "round", *SHOWN, "frechet of means", "accuracy", "recall", "coverage")
    for run in runs:
        for arm in ("verified", "unverified"):
            for record in chain(run, arm):
                if record.round in OF_MEANS:
                    names = [
                        *SHOWN,
                        *(f"{n}_of_means" for n in ("frechet", "accuracy", "recall", "coverage")),
                    ]
                    numbers = (record.metrics[name] for name in names)
                    cells = [f"{e.value:.3g} ± {e.se:.1g}" for e in numbers]
                    printed.add_row(str(run.seed), arm, str(record.round), *cells)
    return printed


def draw(runs: list[Run], titles: dict[str, str]) -> Figure:
    """A panel for each quantity of the samples, a curve for each seed and arm."""
    figure = Figure(figsize=(12, 6.4), layout="constrained")
    for panel, name in zip(figure.subplots(2, 3).ravel(), SHOWN, strict=True):
        for arm in ("verified", "unverified"):
            style = USUAL_ARMS[arm]
            for at, run in enumerate(runs):
                records = chain(run, arm)
                panel.plot(
                    [r.round for r in records],
                    [r.metrics[name].value for r in records],
                    color=style.colour,
                    linestyle=DASHES[style.dash],
                    marker=MARKERS[style.symbol],
                    markersize=3,
                    label=arm if at == 0 else None,
                )
        panel.set_title(titles[name], fontsize=10.5)
        round_axis(panel)
    figure.axes[0].legend(frameon=False)
    seeds = "one seed" if len(runs) == 1 else f"{len(runs)} seeds"
    figure.suptitle(f"Forty rounds of MNIST from 500 real images, {seeds}, drawn pixels", fontsize=11)
    return figure


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    paths = parser.parse_args().runs
    given = [opened(path) for path in paths]
    runs = sorted([*given, *kept_from_before({run.seed for run in given})], key=lambda run: run.seed)
    measured = [Measured(record, run.seed, "forty") for run in runs for record in run.records]
    by_seed = {str(run.seed): round(run.seconds, 1) for run in runs}
    write_results(RESULTS, COMMAND, sum(by_seed.values()), measured, seconds_by_seed=by_seed)
    for path, run in zip(paths, given, strict=True):
        for number in KEPT if run.seed == 0 else ():
            source = RunFolder.open(path).round_directory(number, "verified") / "generator"
            if source.exists():
                shutil.copytree(source, MODELS / f"round_{number}", dirs_exist_ok=True)
    Console(width=200).print(table(runs))
    cards = RunFolder.open(paths[0]).manifest().cards
    titles = {name: f"{cards.quantity(name).title} ({cards.quantity(name).hint})" for name in SHOWN}
    save_figure(draw(runs, titles), ROOT / "docs" / "figures" / "mnist-forty.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
