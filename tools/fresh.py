"""The figure of sixteen rounds of fresh models, from the numbers that are kept of the run.

    python tools/fresh.py

Reads results/mnist-fresh.json, which says by which command the run was made, and writes
docs/figures/mnist-fresh.png.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from veriloop.comparison.figures import MARKERS, round_axis, save_figure
from veriloop.report.palette import USUAL_ARMS

ROOT = Path(__file__).parents[1]
SHOWN = {
    "frechet": "Fréchet distance (lower is better)",
    "nelbo": "Negative ELBO (lower is better)",
    "recall": "Recall (higher is better)",
}


def draw(records: list[dict[str, Any]]) -> Figure:
    """A panel for each quantity, a line for each arm, with bands of two standard errors."""
    figure = Figure(figsize=(11.4, 3.7), layout="constrained")
    panels = figure.subplots(1, len(SHOWN))
    for panel, (metric, title) in zip(panels, SHOWN.items(), strict=True):
        for arm in dict.fromkeys(record["arm"] for record in records):
            chain = sorted((r for r in records if r["arm"] == arm), key=lambda r: r["round"])
            rounds = [record["round"] for record in chain]
            value, se = (np.array([r["metrics"][metric][of] for r in chain], float) for of in ("value", "se"))
            style = USUAL_ARMS[arm]
            marker = MARKERS[style.symbol]
            panel.plot(rounds, value, color=style.colour, marker=marker, markersize=4.5, label=arm)
            low, high = value - 2 * se, value + 2 * se
            panel.fill_between(rounds, low, high, color=style.colour, alpha=0.13, linewidth=0)
        panel.set_title(title, fontsize=10.5)
        round_axis(panel)
    figure.suptitle(
        "Fresh models, the best 10 % of each digit, k x 30,000 kept; one seed, ± 2 standard errors of"
        " measurement",
        fontsize=11,
    )
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return figure


def main() -> None:
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    records = json.loads((ROOT / "results/mnist-fresh.json").read_text())["records"]
    save_figure(draw(records), ROOT / "docs/figures/mnist-fresh.png")


if __name__ == "__main__":
    main()
