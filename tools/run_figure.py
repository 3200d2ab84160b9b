"""Draw metrics of a finished run over its rounds, a line for each arm: RUN, the file, and the metrics.

    python tools/run_figure.py RUN docs/figures/NAME.png frechet nelbo recall --title TITLE

The band around a line is two standard errors of the measurement; it says nothing about other seeds.
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from veriloop.comparison.figures import round_axis, save_figure
from veriloop.experiments.studies import Curve, Line
from veriloop.experiments.study_figures import band_words, draw_curve
from veriloop.report.palette import OTHER_ARMS, USUAL_ARMS
from veriloop.store.folder import RunFolder


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("to", type=Path)
    parser.add_argument("metrics", nargs="+", metavar="METRIC")
    parser.add_argument("--title", required=True)
    given = parser.parse_args()
    folder = RunFolder.open(given.run)
    manifest, records = folder.manifest(), folder.records()
    figure = Figure(figsize=(3.8 * len(given.metrics), 3.8), layout="constrained")
    panels = figure.subplots(1, len(given.metrics), squeeze=False)[0]
    for panel, metric in zip(panels, given.metrics, strict=True):
        others = iter(OTHER_ARMS)
        for arm in dict.fromkeys(record.arm for record in records):
            chain = [r.metrics[metric] for r in records if r.arm == arm]
            values, errors = (
                np.array([[getattr(e, part) for e in chain]], float) for part in ("value", "se")
            )
            shown = Curve(Line(arm, given.run.name, arm), (manifest.seed,), values, errors)
            draw_curve(panel, shown, USUAL_ARMS.get(arm) or next(others), len(chain), bound=False)
        quantity = manifest.cards.quantity(metric)
        panel.set_title(
            f"{quantity.title} ({quantity.remark})" if quantity.remark else quantity.title, fontsize=10.5
        )
        round_axis(panel)
    figure.suptitle(f"{given.title}; {band_words(1)}", fontsize=11)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    save_figure(figure, given.to)


if __name__ == "__main__":
    main()
