"""What forecasts are worth: their intervals, plateaus and stops, against what then happened.

    python benchmarks/forecast_skill.py

Three parts. Rival curves (`_rival_curves.py`): eleven laws with three noises, forecast from 4, 6, 10 and 20
rounds, one, three and ten rounds ahead. Recorded runs: every chain in results/*.json, every quantity, from
every round after the third, one to three rounds ahead; beside the forecast stands the last value. Stop rules
on random linear chains: how much is lost against the best round, and after how many rounds they stop.

Errors and widths are in units of the range of the values that the forecast saw. The priors were chosen on
other seeds of the first part (``--half tuning``), and while looking at the recorded runs.

Writes results/forecast-skill.json and docs/figures/forecast.png. The exit status is 1 if a target is missed.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from _rival_curves import LAWS, NOISES, SEEN, rival
from _stop_regret import stop_regret
from veriloop.advise.forecasting import NOTICEABLE, forecast, regime_of
from veriloop.advise.intervals import bootstrap
from veriloop.cards import RunCard
from veriloop.comparison.figures import round_axis, save_figure
from veriloop.comparison.results import write_results
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
from veriloop.records import RoundRecord

ROOT = Path(__file__).parents[1]
FAMILIES = {"demo": "digits", "mnist": "MNIST", "xsum": "language"}
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
REPEATS = 15
COVERED, GIVEN, HELD, COVERED_RECORDED = 0.9, 0.85, 0.9, 0.9
"""The targets: coverage, numbers given, plateaus that hold the limit, and coverage on recorded runs."""


class Rival(NamedTuple):
    """A forecast of a rival curve beside the truth; one entry for each of `AHEAD` rounds ahead.

    Attributes:
        inside: Whether the interval holds what was measured.
        width: Of the interval.
        error: Of the expected value, and of the last value.
        held: Whether the plateau's interval holds the limit; None where no plateau is given.
        regime: As forecast, and the truth's; the latter is empty where it is not determined.
    """

    law: str
    noise: float
    seen: int
    given: bool
    inside: list[bool]
    width: list[float]
    error: list[float]
    error_of_last: list[float]
    held: bool | None
    regime: str
    true_regime: str


class Recorded(NamedTuple):
    """A forecast of one round of a recorded chain beside what was measured there."""

    family: str
    quantity: str
    chain: str
    ahead: int
    inside: bool
    width: float
    error: float
    error_of_last: float


AHEAD = (1, 3, 10)


def main() -> int:
    parser = argparse.ArgumentParser(description="What forecasts are worth")
    parser.add_argument("--half", choices=("tuning", "reporting"), default="reporting", help="which seeds")
    parser.add_argument("--workers", type=int, default=1, help="processes; the numbers do not depend on it")
    options = parser.parse_args()
    half, began = options.half, time.perf_counter()
    cases = [
        (law, noise, seen, [half == "reporting", number])
        for law in LAWS
        for noise in (NOISES if law != "flat" else (1.0,))
        for seen in SEEN
        for number in range(REPEATS if law != "flat" else len(NOISES) * REPEATS)
    ]
    chains = recorded_chains()
    with ProcessPoolExecutor(options.workers) as pool:
        rivals = list(pool.map(score_rival, *zip(*cases, strict=True), chunksize=20))
        records = [r for scores in pool.map(score_recorded, chains, chains.values()) for r in scores]
    found = {
        "rival curves": {
            "all": summary_of_rivals(rivals),
            **{law: summary_of_rivals(r for r in rivals if r.law == law) for law in LAWS},
            **{f"{n} seen": summary_of_rivals(r for r in rivals if r.seen == n) for n in SEEN},
            **{f"noise {n:g}": summary_of_rivals(r for r in rivals if r.noise == n) for n in (*NOISES, 1.0)},
        }
    }
    families = list(dict.fromkeys(r.family for r in records))
    found["recorded runs"] = {
        "all": summary_of_recorded(records),
        **{
            f"{f}, all quantities": summary_of_recorded(r for r in records if r.family == f) for f in families
        },
        **{
            f"{f}, {q}": summary_of_recorded(r for r in records if (r.family, r.quantity) == (f, q))
            for f, q in dict.fromkeys((r.family, r.quantity) for r in records)
        },
    }
    found["stop rules"] = stop_regret(half == "reporting")
    for part, rows in found.items():
        print(f"\n{part}")
        for name, row in rows.items():
            print(f"  {name}: " + ", ".join(f"{key} {value}" for key, value in row.items()))
    missed = misses(found, families)
    print(*(f"MISSED: {line}" for line in missed), sep="\n")
    if half == "tuning":
        return 0
    draw(chains, ROOT / "docs" / "figures" / "forecast.png")
    write_results(
        ROOT / "results" / "forecast-skill.json",
        "python benchmarks/forecast_skill.py",
        time.perf_counter() - began,
        (),
        missed=missed,
        **found,
    )
    return 1 if missed else 0


def score_rival(law: str, noise: float, seen: int, seed: Sequence[int]) -> Rival:
    """Forecast a rival curve from its first ``seen`` rounds."""
    curve, records = rival(law, noise, seen, seed)
    values = np.array([r.metrics["quantity"].value for r in records])
    found = forecast(records[:seen], "quantity", Quantity(better="lower"), ahead=max(AHEAD))
    unit = float(np.ptp(values[:seen]))
    coming = [found.next[k - 1] for k in AHEAD]
    truth = regime_of(
        curve.truth[None, : seen + max(AHEAD)], np.array([curve.limit]), seen - 1, NOTICEABLE * unit
    )
    return Rival(
        law,
        noise,
        seen,
        bool(found.next),
        inside=[c.low <= values[c.round] <= c.high for c in coming],
        width=[(c.high - c.low) / unit for c in coming],
        error=[abs(c.value - values[c.round]) / unit for c in coming],
        error_of_last=[abs(values[seen - 1] - values[c.round]) / unit for c in coming],
        held=found.plateau and found.plateau.low <= curve.limit <= found.plateau.high,
        regime=found.regime,
        true_regime=str(truth[0]) if not np.isnan(curve.limit) else "",
    )


def summary_of_rivals(rivals: Iterable[Rival]) -> dict[str, Any]:
    rows = list(rivals)
    covered = [float(np.mean(r.inside)) for r in rows]
    held = [r.held for r in rows if r.held is not None]
    called = [r for r in rows if r.regime != "unclear" and r.true_regime]
    over = [r for r in rows if r.regime == "gain_then_plateau"]
    return {
        "curves": len(rows),
        "given": _share(r.given for r in rows),
        "covered": _share(covered),
        "covered_se": round(float(np.std(covered) / np.sqrt(len(covered))), 4),
        **{f"covered_{k}": _share(r.inside[i] for r in rows) for i, k in enumerate(AHEAD)},
        **{f"width_{k}": _median(r.width[i] for r in rows) for i, k in enumerate(AHEAD)},
        **{f"error_{k}": _median(r.error[i] for r in rows) for i, k in enumerate(AHEAD)},
        **{f"error_of_last_{k}": _median(r.error_of_last[i] for r in rows) for i, k in enumerate(AHEAD)},
        "plateaus": len(held),
        "held": _share(held) if held else None,
        "regimes_called": _share(r.regime != "unclear" for r in rows),
        "regime_right_when_called": _share(r.regime == r.true_regime for r in called) if called else None,
        "gain_over_said": len(over),
        "gain_over_said_of_improving": sum(r.true_regime == "improving" for r in over),
    }


def recorded_chains() -> dict[tuple[str, str], list[RoundRecord]]:
    """Every chain of the results that has a round after the first four, by family and name."""
    arms: dict[tuple[str, str], list[RoundRecord]] = {}
    for path in sorted((ROOT / "results").glob("*.json")):
        for line in json.loads(path.read_text()).get("records", []):
            record = RoundRecord.model_validate(
                {k: v for k, v in line.items() if k in RoundRecord.model_fields}
            )
            family = next((f for start, f in FAMILIES.items() if path.stem.startswith(start)), path.stem)
            name = f"{path.stem}, {line['setting']}, seed {line['seed']}, {record.arm}"
            arms.setdefault((family, name), []).append(record)
    chains = {name: sorted(records, key=lambda r: r.round) for name, records in arms.items()}
    return {name: chain for name, chain in chains.items() if chain[-1].round >= min(SEEN)}


def score_recorded(name: tuple[str, str], chain: list[RoundRecord]) -> list[Recorded]:
    """Forecast every quantity of a chain from every round after the third."""
    scores: list[Recorded] = []
    for key in CARDS.wholes(list(chain[-1].metrics)):
        # Those that a forecast reads: of the validation split, where there is one.
        values = np.array([r.decisive[key].value if key in r.decisive else np.nan for r in chain])
        if not np.isfinite(values).all():
            continue
        for seen in range(min(SEEN), len(chain)):
            ahead, unit = min(3, len(chain) - seen), float(np.ptp(values[:seen])) or 1.0
            for k, c in enumerate(forecast(chain[:seen], key, CARDS.quantity(key), ahead=ahead).next, seen):
                errors = abs(c.value - values[k]) / unit, abs(values[seen - 1] - values[k]) / unit
                inside, width = c.low <= values[k] <= c.high, (c.high - c.low) / unit
                scores.append(Recorded(name[0], key, name[1], k - seen + 1, inside, width, *errors))
    return scores


def summary_of_recorded(records: Iterable[Recorded]) -> dict[str, Any]:
    rows = list(records)
    by_chain: dict[str, list[bool]] = {}
    for r in rows:
        by_chain.setdefault(r.chain, []).append(r.inside)
    # Chains are independent, and the rounds of one are not.
    residuals = [
        sum(inside) - len(inside) * np.mean([r.inside for r in rows]) for inside in by_chain.values()
    ]
    return {
        "chains": len(by_chain),
        "forecasts": len(rows),
        "covered": _share(r.inside for r in rows),
        "covered_se": round(float(np.sqrt(np.sum(np.square(residuals))) / len(rows)), 4),
        **{f"covered_{k}": _share(r.inside for r in rows if r.ahead == k) for k in (1, 2, 3)},
        "width": _median(r.width for r in rows),
        "error": _median(r.error for r in rows),
        "error_of_last": _median(r.error_of_last for r in rows),
        "error_less_that_of_last": _difference(rows),
    }


def _difference(rows: Sequence[Recorded]) -> list[float]:
    """Median error less that of the last value, and its 95 % interval over resampled chains."""
    errors: dict[str, list[tuple[float, float]]] = {}
    for r in rows:
        errors.setdefault(r.chain, []).append((r.error, r.error_of_last))
    chains = [np.array(of_chain) for of_chain in errors.values()]

    def difference(units: NDArray[np.int64]) -> float:
        error, of_last = np.median(np.concatenate([chains[unit] for unit in units]), axis=0)
        return float(error - of_last)

    found = bootstrap(difference, len(chains), np.random.default_rng(1), 500)
    return [round(float(x), 4) for x in (found.value, found.low, found.high)]


def misses(found: dict[str, dict[str, dict[str, Any]]], families: Sequence[str]) -> list[str]:
    """The targets that were missed, a line for each."""
    curves, runs = found["rival curves"]["all"], found["recorded runs"]
    missed = [
        f"{what}: {got} is below {target}"
        for what, got, target in (
            ("rival curves, covered", curves["covered"], COVERED),
            ("rival curves, numbers given", curves["given"], GIVEN),
            ("plateaus that hold the limit", curves["held"], HELD),
            ("recorded runs, covered", runs["all"]["covered"], COVERED_RECORDED),
        )
        if got is None or got < target
    ]
    for family in families:
        headline = CARDS.headline_of([name.split(", ")[1] for name in runs if name.startswith(f"{family}, ")])
        for name in (f"{family}, all quantities", f"{family}, {headline}"):
            error, naive = runs[name]["error"], runs[name]["error_of_last"]
            if error > naive:
                missed.append(f"{name}: median error {error}, that of the last value {naive}")
    return missed


def draw(chains: dict[tuple[str, str], list[RoundRecord]], path: Path) -> None:
    """Forecasts from rounds 0 to 3 of the verified digits runs, and from rounds 0 to 5 of rival curves."""
    digits = [(n, c) for (f, n), c in chains.items() if f == "digits" and n.endswith(" verified")]
    shown: list[tuple[str, NDArray[np.float64], list[RoundRecord], str, int]] = [
        (
            f"digits, {name.split(', ')[2]}",
            np.array([r.decisive["frechet"].value for r in c]),
            c,
            "frechet",
            4,
        )
        for name, c in digits
    ]
    for law in ("1/(t + 1)", "logarithm", "theory, n_k = 50 k", "line", "random walk"):
        records = rival(law, NOISES[1], 6, [True, 0])[1][:17]
        shown.append((law, np.array([r.metrics["quantity"].value for r in records]), records, "quantity", 6))
    columns = -(-len(shown) // 2)
    figure = Figure(figsize=(2.3 * columns, 5.2), layout="constrained")
    for panel, (title, values, records, key, seen) in zip(
        figure.subplots(2, columns).flat, shown, strict=False
    ):
        coming = forecast(records[:seen], key, CARDS.quantity(key), ahead=len(values) - seen).next
        at = [c.round for c in coming]
        panel.fill_between(at, [c.low for c in coming], [c.high for c in coming], color="#2f80c8", alpha=0.15)
        panel.plot(at, [c.value for c in coming], color="#2f80c8", label="forecast and 95 % interval")
        panel.plot(values, "o", ms=4, color="#888888", label="measured afterwards")
        panel.plot(values[:seen], "o", ms=4, color="#222222", label="seen")
        panel.set_title(title, fontsize=10)
        round_axis(panel)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    save_figure(figure, path)


def _median(numbers: Iterable[float]) -> float:
    return round(float(np.median(list(numbers))), 4)


def _share(truths: Iterable[float]) -> float:
    return round(float(np.mean(list(truths))), 4)


if __name__ == "__main__":
    sys.exit(main())
