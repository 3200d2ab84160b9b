"""The figures of docs/guide/will-my-verifier-help.md: audits of verifiers whose future theory knows.

    python tools/audit_figures.py [--out docs/figures]

- audit-plane.svg: one round of rows in the plane with their verdicts, and what the audit makes of them.
- audit-regimes.svg: the distance from the real mean, predicted from one round for any generator, beside the
  theory's, whose generator keeps its spread.
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from veriloop.advise import Audit, audit
from veriloop.comparison.figures import round_axis, save_figure
from veriloop.theory import transfer_map

ROWS, ROUNDS, HALF_WIDTH = 4_000, 8, 1.1
SHOWN = 1_000
START = np.array([1.1, 0.6])
REAL = {
    "improving": (0.0, 0.0),
    "gain_then_plateau": (-0.4, -0.2),
    "gain_then_reversal": (0.5, 0.25),
    "harmful": (1.5, 0.9),
}
"""Where the real mean lies, for a verifier that accepts what is within `HALF_WIDTH` of 0 along both axes."""
BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#b5b5b5"


def audited(name: str) -> tuple[NDArray, NDArray[np.bool_], Audit]:
    """The rows of one round, which were accepted, and their audit."""
    rng = np.random.default_rng(0)
    x = START + rng.standard_normal((ROWS, 2))
    real = REAL[name] + rng.standard_normal((ROWS, 2))
    accepted = np.asarray((np.abs(x) <= HALF_WIDTH).all(axis=1))
    return x, accepted, audit(x, accepted, real, rounds=ROUNDS)


def true_means() -> NDArray:
    means = [START]
    for _ in range(ROUNDS):
        means.append(transfer_map(means[-1], HALF_WIDTH))
    return np.array(means)


def plane() -> Figure:
    x, accepted, found = audited("gain_then_reversal")
    figure = Figure(figsize=(5.4, 5.1), layout="constrained")
    axes = figure.add_subplot(aspect="equal", xlim=(-1.8, 3.2), ylim=(-1.8, 2.4))
    for mask, colour, label in ((~accepted, GREY, "rejected"), (accepted, BLUE, "accepted")):
        axes.scatter(*x[:SHOWN][mask[:SHOWN]].T, s=7, color=colour, alpha=0.45, linewidths=0, label=label)
    side = 2 * HALF_WIDTH
    axes.add_patch(
        Rectangle((-HALF_WIDTH, -HALF_WIDTH), side, side, fill=False, edgecolor=BLUE, linewidth=0.8)
    )
    means = np.array([x.mean(axis=0), *(p.mean for p in found.trajectory)])
    axes.plot(*means.T, "o-", color=ORANGE, markersize=4, label="predicted means, rounds 0 to 8")
    axes.plot(*REAL["gain_then_reversal"], "*", color=GREEN, markersize=13, label="real mean")
    assert found.center is not None
    low, value, high = found.center.low, found.center.value, found.center.high
    errors = np.stack([value - low, high - value])
    axes.errorbar(
        *value, xerr=errors[:, :1], yerr=errors[:, 1:], color="black", capsize=3, label="knowledge center"
    )
    figure.legend(loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    axes.set_xlabel("feature 1")
    axes.set_ylabel("feature 2")
    return figure


def regimes() -> Figure:
    figure = Figure(figsize=(9, 2.9), layout="constrained")
    panels: list[Axes] = list(figure.subplots(1, len(REAL), sharey=True))
    for axes, name in zip(panels, REAL, strict=True):
        found = audited(name)[2]
        round_axis(axes)
        rounds = np.arange(ROUNDS + 1)
        truth = np.linalg.norm(true_means() - REAL[name], axis=1)
        axes.plot(rounds, truth, color=GREY, linewidth=4, label="theory")
        seen = rounds[: len(found.distances)]
        axes.plot(seen, found.distances, "o", color=ORANGE, markersize=4, label="audit")
        axes.fill_between(
            seen,
            found.distances_low,
            found.distances_high,
            color=ORANGE,
            alpha=0.18,
            linewidth=0,
            label="95 %",
        )
        said = found.regime
        sure = "" if said.probability is None else f" ({said.probability:.2f})"
        axes.set_title(said.value + sure, fontsize=9)
    panels[0].set_ylim(0, 2.1)
    panels[0].set_ylabel("spreads from the real mean")
    panels[0].legend(fontsize=8, loc="upper right")
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs" / "figures")
    out = parser.parse_args().out
    save_figure(plane(), out / "audit-plane.svg")
    save_figure(regimes(), out / "audit-regimes.svg")


if __name__ == "__main__":
    main()
