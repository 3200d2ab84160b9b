"""What forecasts are worth: from rounds 0 to 3, against what then happened.

    python benchmarks/forecast_skill.py

Two kinds of chains. Linear systems, drawn at random, of which the theory knows the best round, the plateau
and the regime; and the records of real runs in results/*.json, every arm with at least two rounds after the
third, by the run's main metric and by all metrics. Beside the forecast stand two naive ones: the last
value, and a straight line through the last three. Errors are in units of the range of the values that the
forecast saw, so that metrics can be put together.

Writes results/forecast-skill.json and docs/figures/forecast.png. The exit status is 1 unless the forecast
of the main metric beats both naive ones in median error over at least ten arms of digits and MNIST.
"""

import json
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import truncnorm

from veriloop.advise.forecast import forecast
from veriloop.cards import RunCard
from veriloop.experiments.figures import round_axis, save_figure
from veriloop.experiments.results import write_results
from veriloop.metrics.accuracy import Accuracy
from veriloop.metrics.diversity import Diversity
from veriloop.metrics.fid import InceptionFID
from veriloop.metrics.frechet import Frechet
from veriloop.metrics.loss import Loss
from veriloop.metrics.nelbo import NELBO
from veriloop.metrics.parameter_error import ParameterError
from veriloop.metrics.prdc import PRDC
from veriloop.metrics.rouge import Rouge
from veriloop.metrics.text_diversity import TextDiversity
from veriloop.metrics.text_form import TextForm
from veriloop.quantity import Quantity
from veriloop.records import Counts, Estimate, RoundRecord
from veriloop.theory import LinearSystem, best_round, classify, trajectory, transfer_map

ROOT = Path(__file__).parents[1]
RESULTS = {
    "digits": ["demo.json"],
    "MNIST": ["mnist-small.json", "mnist-cpu.json"],
    "language": ["xsum-cpu.json"],
}
# Results hold records, and no cards. Those that stand for a model's quality come first.
CARDS = RunCard(
    quantities={
        **Frechet.quantities,
        **InceptionFID.quantities,
        **Rouge.quantities,
        **Accuracy().quantities,
        **Diversity.quantities,
        **Loss.quantities,
        **NELBO.quantities,
        **ParameterError.quantities,
        **PRDC.quantities,
        **TextDiversity.quantities,
        **TextForm.quantities,
    }
)
SEEN, SYSTEMS, FEWEST_ARMS = 3, 200, 10


class Truth(NamedTuple):
    """The theory's answer for a chain that starts where this one does."""

    best_round: int
    regime: str
    plateau: float


class Chain(NamedTuple):
    """A chain of rounds, one metric of it, and the theory's answer where there is one."""

    name: str
    records: list[RoundRecord]
    metric: str
    truth: Truth | None = None

    @property
    def values(self) -> NDArray[np.float64]:
        """The metric, round by round."""
        return np.array([r.metrics[self.metric].value for r in self.records])


@dataclass(frozen=True)
class Score:
    """A forecast beside what happened; errors and widths in units of the range of what it saw."""

    chain: str
    metric: str
    error: float
    error_of_last_value: float
    error_of_line: float
    covered: float
    width: float
    best_round_error: int
    best_round_error_of_last: int
    regime: str
    true_regime: str | None
    plateau_error: float | None
    plateau_covered: bool | None


def main() -> int:
    began = time.perf_counter()
    groups = {"linear": [score(linear_chain(number)) for number in range(SYSTEMS)]}
    chains = {
        name: [c for file in files for c in read(ROOT / "results" / file)] for name, files in RESULTS.items()
    }
    for name, found in chains.items():
        groups[f"{name}, main metric"] = [score(c) for c in found if c.metric == main_metric(c)]
        groups[f"{name}, all metrics"] = [score(c) for c in found]
    groups["digits and MNIST, main metric"] = groups["digits, main metric"] + groups["MNIST, main metric"]
    summaries = {name: summary(scores) for name, scores in groups.items() if scores}
    for name, found in summaries.items():
        print(name, *(f"  {key}: {value}" for key, value in found.items()), sep="\n")
    claim = summaries["digits and MNIST, main metric"]
    naive = (claim["median_error_of_last_value"], claim["median_error_of_line"])
    met = claim["arms"] >= FEWEST_ARMS and claim["median_error"] < min(naive)
    print("met" if met else "MISSED")
    draw(chains["digits"], ROOT / "docs" / "figures" / "forecast.png")
    write_results(
        ROOT / "results" / "forecast-skill.json",
        "python benchmarks/forecast_skill.py",
        time.perf_counter() - began,
        (),
        seen=SEEN,
        met=met,
        summaries=summaries,
        scores={name: [asdict(s) for s in scores] for name, scores in groups.items() if "all" not in name},
    )
    return 0 if met else 1


def linear_chain(number: int) -> Chain:
    """One chain of a random linear system: the truth has the distance ``bias`` from the knowledge center."""
    rng = np.random.default_rng([4, number])
    dimension, rounds, n = int(rng.integers(2, 9)), int(rng.integers(6, 11)), int(rng.integers(50, 2_000))
    bias = rng.choice([0.0, 1.0], p=[0.2, 0.8]) * rng.uniform(0, 0.5)
    direction = rng.standard_normal(dimension)
    star = bias * direction / np.linalg.norm(direction)
    mu = np.sqrt(rng.integers(20, 400))
    system = LinearSystem(star, np.zeros(dimension), bias + rng.uniform(0, 0.8), singular_values=mu)
    start = star + rng.standard_normal(dimension) / mu
    theta, b, records = start, system.half_width, []
    for k in range(rounds + 1):
        # sigma is 1 and the directions are the axes, so each coordinate is a chain of its own.
        if k:
            accepted = truncnorm.rvs(-b - theta, b - theta, theta, size=(n, dimension), random_state=rng)
            theta = np.asarray(accepted).mean(axis=0)
        error = Estimate(float(np.sum((theta - star) ** 2)), 0.0)
        records.append(
            RoundRecord(
                arm="verified",
                round=k,
                counts=Counts(),
                trained_on=n,
                metrics={"parameter_error": error},
                seconds={},
            )
        )
    path = [start]
    for _ in range(rounds):
        path.append(transfer_map(path[-1], b))
    expected = np.sum((np.array(path) - star) ** 2, axis=1)
    regime = str(classify(expected, np.asarray(bias**2)))
    truth = Truth(int(best_round(expected)), regime, trajectory(system, n, rounds).floor)
    return Chain(f"system {number}", records, "parameter_error", truth)


def read(path: Path) -> list[Chain]:
    """Every arm of a results file that went on for two rounds after those seen, with each of its metrics."""
    if not path.exists():
        print(f"{path.name} is not there: left out")
        return []
    arms: dict[str, list[RoundRecord]] = {}
    for line in json.loads(path.read_text())["records"]:
        record = RoundRecord.model_validate({k: v for k, v in line.items() if k in RoundRecord.model_fields})
        arms.setdefault(f"{line['setting']}, seed {line['seed']}, {record.arm}", []).append(record)
    chains = {name: sorted(records, key=lambda r: r.round) for name, records in arms.items()}
    return [
        Chain(name, records, metric)
        for name, records in chains.items()
        if records[-1].round >= SEEN + 2
        for metric in CARDS.wholes(list(records[-1].metrics))
        if all(metric in r.metrics and np.isfinite(r.metrics[metric].value) for r in records)
    ]


def main_metric(chain: Chain) -> str | None:
    return CARDS.headline_of(list(chain.records[-1].metrics))


def best_of(quantity: Quantity, values: NDArray[np.float64]) -> int:
    """The round that measured best; 0, as a forecast says, where neither way is better."""
    return int(np.argmin(quantity.loss(values))) if quantity.better is not None else 0


def score(chain: Chain) -> Score:
    """Forecast a chain to its end from what was seen of it."""
    values, last = chain.values, chain.records[-1].round
    seen, rounds = values[: SEEN + 1], np.arange(SEEN + 1)
    quantity = CARDS.quantity(chain.metric)
    found = forecast(chain.records[: SEEN + 1], chain.metric, quantity, ahead=last - SEEN)
    unit = np.ptp(seen) or 1.0
    line = np.polyval(np.polyfit(rounds[-3:], seen[-3:], 1), last)
    best = chain.truth.best_round if chain.truth else best_of(quantity, values)
    end = found.next[-1]
    plateau = found.plateau if chain.truth else None
    return Score(
        chain=chain.name,
        metric=chain.metric,
        error=abs(end.value - values[last]) / unit,
        error_of_last_value=abs(seen[-1] - values[last]) / unit,
        error_of_line=abs(line - values[last]) / unit,
        covered=float(np.mean([c.low <= values[c.round] <= c.high for c in found.next])),
        width=(end.high - end.low) / unit,
        best_round_error=abs((found.best_round or 0) - best),
        best_round_error_of_last=last - best,
        regime=found.regime,
        true_regime=chain.truth.regime if chain.truth else None,
        plateau_error=abs(plateau.value - chain.truth.plateau) / unit if plateau and chain.truth else None,
        plateau_covered=plateau.low <= chain.truth.plateau <= plateau.high
        if plateau and chain.truth
        else None,
    )


def summary(scores: list[Score]) -> dict[str, float]:
    """Medians and shares over chains."""
    told = {
        "arms": len(scores),
        "median_error": _median(s.error for s in scores),
        "median_error_of_last_value": _median(s.error_of_last_value for s in scores),
        "median_error_of_line": _median(s.error_of_line for s in scores),
        "better_than_last_value": _share(s.error < s.error_of_last_value for s in scores),
        "better_than_line": _share(s.error < s.error_of_line for s in scores),
        "covered_of_95": _share(s.covered for s in scores),
        "median_width": _median(s.width for s in scores),
        "best_round_within_1": _share(s.best_round_error <= 1 for s in scores),
        "last_round_within_1_of_best": _share(s.best_round_error_of_last <= 1 for s in scores),
        "unclear": _share(s.regime == "unclear" for s in scores),
    }
    called = [s for s in scores if s.true_regime and s.regime != "unclear"]
    plateaus = [s for s in scores if s.plateau_error is not None]
    if called:
        told |= {"regime_right_when_called": _share(s.regime == s.true_regime for s in called)}
    if plateaus:
        told |= {
            "plateau_given": len(plateaus) / len(scores),
            "plateau_median_error": _median(s.plateau_error or 0.0 for s in plateaus),
            "plateau_covered_of_95": _share(bool(s.plateau_covered) for s in plateaus),
        }
    return told


def draw(chains: list[Chain], path: Path) -> None:
    """The forecasts of the verified arms of the digits runs, beside what happened."""
    shown = [c for c in chains if c.metric == main_metric(c) and c.name.endswith(" verified")]
    figure = Figure(figsize=(11.4, 2.9), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(shown), sharey=True))
    for panel, chain in zip(panels, shown, strict=True):
        quantity, ahead = CARDS.quantity(chain.metric), chain.records[-1].round - SEEN
        coming = forecast(chain.records[: SEEN + 1], chain.metric, quantity, ahead=ahead).next
        at = [c.round for c in coming]
        panel.fill_between(at, [c.low for c in coming], [c.high for c in coming], color="#2f80c8", alpha=0.15)
        panel.plot(at, [c.value for c in coming], color="#2f80c8", label="forecast and 95 % interval")
        panel.plot(chain.values, "o", color="#888888", label="measured afterwards")
        panel.plot(chain.values[: SEEN + 1], "o", color="#222222", label="seen")
        panel.set_title(chain.name.removesuffix(", verified"), fontsize=10)
        round_axis(panel)
    panels[0].set_ylabel("Fréchet distance")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    save_figure(figure, path)


def _median(numbers: Iterable[float]) -> float:
    return round(float(np.median(list(numbers))), 4)


def _share(truths: Iterable[float]) -> float:
    return round(float(np.mean(list(truths))), 4)


if __name__ == "__main__":
    sys.exit(main())
