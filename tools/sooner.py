"""How many rounds sooner: five rounds filtered by three discriminators against ten by one.

    python tools/sooner.py --ten RUN ... --five RUN ...

Takes finished runs of examples/mnist-filters.yaml and examples/mnist-sooner.yaml, of equal seeds in equal
order; the examples say which commands make them. Prints a table, and writes results/mnist-sooner.json and
docs/figures/mnist-sooner.png.
"""

import argparse
import shlex
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from veriloop.cards import RunCard
from veriloop.comparison.differences import mean_interval
from veriloop.comparison.figures import DASHES, MARKERS, round_axis, save_figure
from veriloop.comparison.results import Measured, write_results
from veriloop.recipes.studies import Line
from veriloop.records import RoundRecord
from veriloop.report.palette import OTHER_ARMS, USUAL_ARMS
from veriloop.store.folder import RunFolder

ROOT = Path(__file__).parents[1]
LINES = (
    Line("one discriminator, best 10 %", "ten", "top_10"),
    Line("the same, 12,000 kept", "five", "one_top_10_12000"),
    Line("three, best 10 %", "five", "three_top_10"),
    Line("three, best 3 %", "five", "three_top_3"),
    Line("three, best 3 %, 12,000 kept", "five", "three_top_3_12000"),
)
STYLES = (USUAL_ARMS["verified"], *OTHER_ARMS)
DRAWN = ("frechet", "nelbo")
TOLD = (*DRAWN, "accuracy", "recall", "coverage", "diversity")


class Run(NamedTuple):
    """A finished run: its seed, what it is, and its records."""

    seed: int
    cards: RunCard
    records: list[RoundRecord]

    def chain(self, line: Line) -> list[RoundRecord]:
        """The records of a line's arm, from the start model on."""
        return sorted((r for r in self.records if r.arm == line.arm), key=lambda r: r.round)


Runs = dict[str, list[Run]]


def opened(path: Path) -> Run:
    folder = RunFolder.open(path)
    manifest = folder.manifest()
    return Run(manifest.seed, manifest.cards, folder.records())


def values(runs: Runs, line: Line, metric: str, of: str = "value") -> np.ndarray:
    """A metric of a line, or its standard errors (``se``), shape (seeds, rounds + 1)."""
    estimates = [[r.metrics[metric] for r in run.chain(line)] for run in runs[line.setting]]
    return np.array([[getattr(e, of) for e in chain] for chain in estimates], float)


def draw(runs: Runs) -> Figure:
    """A column for each seed, as seeds differ more than the lines do; a level where the first line ends."""
    figure = Figure(figsize=(11.4, 6.2), layout="constrained")
    rows = figure.subplots(len(DRAWN), len(runs["ten"]), sharey="row", squeeze=False)
    for metric, panels in zip(DRAWN, rows, strict=True):
        quantity = runs["ten"][0].cards.quantity(metric)
        panels[0].set_ylabel(f"{quantity.title} ({quantity.remark})")
        for at, panel in enumerate(panels):
            for line, style in zip(LINES, STYLES, strict=True):
                shown, half = values(runs, line, metric)[at], 2 * values(runs, line, metric, "se")[at]
                look = {
                    "color": style.colour,
                    "linestyle": DASHES[style.dash],
                    "marker": MARKERS[style.symbol],
                }
                panel.plot(shown, **look, markersize=4.5, linewidth=1.7, label=line.label)
                rounds = np.arange(len(shown))
                panel.fill_between(
                    rounds, shown - half, shown + half, color=style.colour, alpha=0.13, linewidth=0
                )
                if line is LINES[0]:
                    panel.axhline(shown[-1], color=style.colour, linewidth=0.8, alpha=0.6)
            panel.set_title(f"seed {runs['ten'][at].seed}", fontsize=10.5)
            round_axis(panel)
    figure.suptitle("6,000 samples kept a round unless said; ± 2 standard errors of measurement", fontsize=11)
    handles, labels = rows[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(LINES), frameon=False)
    return figure


def table(runs: Runs) -> list[dict[str, object]]:
    """Of each line: its last round, by how much it differs from the first line's, and what it cost."""
    rows: list[dict[str, object]] = []
    for line in LINES:
        rounds = [run.chain(line)[1:] for run in runs[line.setting]]
        row: dict[str, object] = {"line": line.label, "rounds": len(rounds[0])}
        for metric in TOLD:
            last, goal = (values(runs, of, metric)[:, -1] for of in (line, LINES[0]))
            row[metric] = _told(last)
            if line is not LINES[0]:
                row[f"{metric}, less the first line's, seed by seed"] = _told(last - goal)
        near = values(runs, line, "frechet") <= values(runs, LINES[0], "frechet")[:, -1:]
        row["rounds until the first line's last Fréchet distance"] = [
            int(seed.argmax()) if seed.any() else None for seed in near
        ]
        row["candidates a round"] = rounds[0][0].counts.generated
        seconds = float(np.mean([sum(r.seconds.values()) for run in rounds for r in run]))
        row["seconds a round"] = round(seconds, 1)
        rows.append(row)
    return rows


def _told(of_seeds: np.ndarray) -> list[float]:
    """The mean over the seeds, and half its 95 % interval."""
    mean, low, _ = mean_interval(of_seeds)
    return [float(f"{x:.4g}") for x in (mean, mean - low)]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for setting in ("ten", "five"):
        parser.add_argument(f"--{setting}", type=Path, nargs="+", required=True, metavar="RUN")
    given = parser.parse_args()
    runs = {setting: [opened(path) for path in getattr(given, setting)] for setting in ("ten", "five")}
    if [run.seed for run in runs["ten"]] != [run.seed for run in runs["five"]]:
        sys.exit("error: the seeds of --ten and --five differ: give runs of equal seeds in equal order")
    rows = table(runs)
    for row in rows:
        for key, value in row.items():
            print(f"  {key:<60}{value}" if key != "line" else value)
    measured = [
        Measured(record, run.seed, setting)
        for setting in runs
        for run in runs[setting]
        for record in run.records
    ]
    seconds = sum(sum(m.record.seconds.values()) for m in measured)
    command = shlex.join(["python", "tools/sooner.py", *sys.argv[1:]])
    write_results(ROOT / "results" / "mnist-sooner.json", command, seconds, measured, table=rows)
    save_figure(draw(runs), ROOT / "docs" / "figures" / "mnist-sooner.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
