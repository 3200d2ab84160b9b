"""What the ship gate is worth: its error on runs that bring nothing, its power, and its regret.

    python benchmarks/ship.py

Three parts.

1. 1,000 null runs of 6 to 40 rounds: flat ones, ones that drift, and random walks, each judged by its own
   truth. Rows are correlated from round to round and share the difficulty of their sample; they are normal,
   skewed, or right and wrong answers. Each run is judged by its rows, and again by values and standard errors
   alone. An error is a run in which any round ever passes the gate that is not truly better than the start.
2. Power: ten rounds that approach a gain of 2, 5 or 10 % of the start's value.
3. Regret: 500 chains of random linear systems, whose exact parameter error is the truth. It is measured as it
   is, as a run of a linear system records it; with an independent noise of 2 % of the start's (the Fréchet
   distance of the digits has that); and as squared errors of prediction on held-out rows. The gate ships
   after as many rounds as patience 3 takes: that ends a run after three rounds without a new best, and ships
   the best as measured. Regret is the excess of the shipped round's true error over the least of these
   rounds, in units of the start's. Beside it is what one test with 5 % error loses that knows which round is
   best, is asked about that one alone, and ships the start where it cannot tell.

Exits with 1 unless errors are at most 5 % and two standard errors, and the gate's mean regret is not above
that of patience 3, however the error is measured.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import truncnorm

from veriloop.advise.intervals import wilson
from veriloop.advise.ship import Ship, ship
from veriloop.comparison.results import write_results
from veriloop.metrics.standard_errors import mean
from veriloop.quantity import Quantity
from veriloop.records import Counts, Estimate, RoundRecord
from veriloop.theory import LinearSystem

ROOT = Path(__file__).parents[1]
RUNS, CHAINS, TRIES, PATIENCE = 1_000, 500, 200, 3
HELD_OUT = 500
"""Rows, as many as a validation split of a small data set has."""
MORE = (5_000, 20_000)
NOISE = 0.02
MEASURED = ("exactly", "with noise", HELD_OUT, *MORE)
"""How the error of linear chains is measured: by numbers, or by this many held-out rows."""

HIGHER, LOWER = Quantity("score", better="higher"), Quantity("error", better="lower")

Floats = NDArray[np.float64]


class Case(NamedTuple):
    """A run: each round's rows, shape (rounds + 1, n), and how much better it truly is than the start."""

    rows: Floats
    truth: Floats


def main() -> int:
    began = time.perf_counter()
    found = {"null": null_runs(), "power": power(), "regret": [regret(n) for n in MEASURED]}
    most = 0.05 + 2 * np.sqrt(0.05 * 0.95 / RUNS)
    met = {
        **{f"error by {by}": share["all"]["value"] <= most for by, share in found["null"].items()},
        **{f"regret, {r['measured']}": r["difference"] <= 0 for r in found["regret"]},
    }
    met = {name: bool(holds) for name, holds in met.items()}
    for name, holds in met.items():
        print(name, "met" if holds else "MISSED")
    write_results(
        ROOT / "results" / "ship.json",
        "python benchmarks/ship.py",
        time.perf_counter() - began,
        (),
        most_errors=round(float(most), 4),
        met=met,
        **found,
    )
    return 0 if all(met.values()) else 1


# -- what is asked ---------------------------------------------------------------------------------------


def null_runs() -> dict[str, Any]:
    """The share of runs with an error: by how they are judged, and by what they are."""
    wrong: dict[str, dict[str, list[bool]]] = {"rows": {}, "errors": {}}
    for number in range(RUNS):
        rng = np.random.default_rng([1, number])
        course = ("flat", "drift", "walk")[number % 3]
        kind = ("normal", "skewed", "answers")[number // 3 % 3]
        case = null_case(course, kind, rng)
        for by, errors in wrong.items():
            shown = passed(case.rows, HIGHER, paired=by == "rows")
            mistaken = any(case.truth[k] <= 0 for k in shown)
            for group in ("all", course, kind):
                errors.setdefault(group, []).append(mistaken)
    shares = {
        by: {group: wilson(sum(w), len(w)).model_dump() for group, w in errors.items()}
        for by, errors in wrong.items()
    }
    for by, groups in shares.items():
        print("errors by", by, {group: round(share["value"], 4) for group, share in groups.items()})
    return shares


def null_case(course: str, kind: str, rng: np.random.Generator) -> Case:
    rounds, n = int(rng.integers(6, 41)), int(rng.choice([40, 200, 1_000]))
    unit = 0.5 / np.sqrt(n)  # a step that one look can hardly see
    steps = {
        "flat": np.zeros(rounds),
        "drift": np.full(rounds, unit * rng.uniform(-1, 0.3)),
        "walk": unit * rng.standard_normal(rounds),
    }[course]
    truth = np.concatenate([[0.0], np.cumsum(steps)])
    return Case(scores(truth, n, kind, rng), truth)


def scores(truth: Floats, n: int, kind: str, rng: np.random.Generator) -> Floats:
    """Scores of n rows in each round, with the mean ``truth`` but for a constant; about 1 in spread."""
    hardness, own = rng.standard_normal(n), rng.standard_normal(n)
    latent = [own]
    for _ in truth[1:]:
        # A model resembles the one before it.
        own = 0.8 * own + 0.6 * rng.standard_normal(n)
        latent.append(own)
    mixed = np.sqrt(0.6) * hardness + np.sqrt(0.4) * np.array(latent)
    if kind == "normal":
        return truth[:, None] + mixed
    if kind == "skewed":
        # Log-normal of variance 1: a few rows count for much.
        s = 0.694
        spread = np.sqrt((np.exp(s**2) - 1) * np.exp(s**2))
        return truth[:, None] + (np.exp(s * mixed) - np.exp(s**2 / 2)) / spread
    share = np.clip(0.5 + truth, 0.02, 0.98)
    return (mixed < ndtri(share)[:, None]).astype(float)


def power() -> list[dict[str, Any]]:
    """How often a gain is found, by its size, the number of rows, and how it is judged."""
    table: list[dict[str, Any]] = []
    for effect in (0.02, 0.05, 0.1):
        for n in (200, 1_000, 5_000):
            truth = effect * (1 - 0.6 ** np.arange(11))
            found = {"rows": 0, "errors": 0}
            for number in range(TRIES):
                rng = np.random.default_rng([2, int(1_000 * effect), n, number])
                # A value of 1 at the start, with a spread of 0.5 over the rows.
                rows = 1 + truth[:, None] + 0.5 * scores(np.zeros(11), n, "normal", rng)
                for by in found:
                    found[by] += bool(passed(rows, HIGHER, paired=by == "rows"))
            table.append({"effect": effect, "rows": n, **{f"by_{by}": k / TRIES for by, k in found.items()}})
            print(table[-1])
    return table


def regret(measured: str | int) -> dict[str, Any]:
    """Mean regrets of the gate and of patience on the same rounds, one of `MEASURED`.

    ``worse`` are the shares of chains in which a round is shipped that is not truly better than the start.
    """
    regrets: dict[str, list[float]] = {"gate": [], "patience_3": []}
    worse, missed = dict.fromkeys(regrets, 0), []
    for number in range(CHAINS):
        rng = np.random.default_rng([4, number])
        theta, star = linear_chain(rng)
        error = ((theta - star) ** 2).sum(axis=1)
        if isinstance(measured, str):
            se = NOISE * error[0] if measured == "with noise" else 0.0
            values = error + se * rng.standard_normal(len(error))
            last = patient(values)
            shipped = ship(chain_of([Estimate(v, se) for v in values[: last + 1]]), "score", LOWER).round
            spread = np.full(len(error), np.sqrt(2) * se)
        else:
            x = rng.standard_normal((measured, len(star)))
            rows = (x @ star + rng.standard_normal(measured) - theta @ x.T) ** 2
            values = rows.mean(axis=1)
            last = patient(values)
            shipped = asked(rows[: last + 1], LOWER, paired=True).round
            spread = (rows - rows[0]).std(axis=1, ddof=1) / np.sqrt(measured)
        missed.append(least_missed((error[0] - error[: last + 1]) / error[0], spread / error[0]))
        for rule, k in {"gate": shipped, "patience_3": int(np.argmin(values[: last + 1]))}.items():
            regrets[rule].append(float((error[k] - error[: last + 1].min()) / error[0]))
            worse[rule] += bool(k and error[k] >= error[0])
    less = np.array(regrets["gate"]) - np.array(regrets["patience_3"])
    found = {
        "measured": measured if isinstance(measured, str) else f"on {measured:,} rows",
        **{rule: round(float(np.mean(own)), 5) for rule, own in regrets.items()},
        "difference": round(float(less.mean()), 5),
        "difference_se": round(float(less.std(ddof=1) / np.sqrt(CHAINS)), 5),
        "least_of_one_test": round(float(np.mean(missed)), 5),
        "worse": {rule: k / CHAINS for rule, k in worse.items()},
    }
    print("regret", found, flush=True)
    return found


def least_missed(gains: Floats, spread: Floats) -> float:
    """The gain of the best round times the chance that a one-sided test with 5 % error does not see it."""
    best = int(np.argmax(gains))
    if not best or not spread[best]:
        return 0.0
    return float(gains[best] * ndtr(ndtri(0.95) - gains[best] / spread[best]))


def linear_chain(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """A chain of a random linear system, exact but for its draws: its parameters by round, and the truth."""
    p, rounds, kept = int(rng.integers(2, 9)), int(rng.integers(8, 21)), int(rng.integers(50, 2_000))
    bias = rng.choice([0.0, 1.0], p=[0.2, 0.8]) * rng.uniform(0, 0.5)
    direction = rng.standard_normal(p)
    star = bias * direction / np.linalg.norm(direction)
    b = LinearSystem(star, np.zeros(p), bias + rng.uniform(0, 0.8), singular_values=10.0).half_width
    path = [star + rng.standard_normal(p) / np.sqrt(rng.integers(20, 400))]
    for _ in range(rounds):
        # sigma is 1 and the directions are the axes, so each coordinate is a chain by itself.
        here = path[-1]
        accepted = truncnorm.rvs(-b - here, b - here, here, size=(kept, p), random_state=rng)
        path.append(np.asarray(accepted).mean(axis=0))
    return np.array(path), star


def patient(values: Floats) -> int:
    """The last round of who stops after `PATIENCE` rounds without a new best."""
    best = 0
    for k in range(1, len(values)):
        if values[k] < values[best]:
            best = k
        elif k - best >= PATIENCE:
            return k
    return len(values) - 1


# -- the gate, as a run asks it --------------------------------------------------------------------------


def passed(rows: Floats, quantity: Quantity, paired: bool) -> list[int]:
    """The rounds that are shown to be better."""
    return [look.round for look in asked(rows, quantity, paired).evidence if look.shown]


def asked(rows: Floats, quantity: Quantity, paired: bool) -> Ship:
    """The gate's answer to rows of shape (rounds + 1, n), or to their means and standard errors alone."""
    stored = (lambda k, *_: rows[k]) if paired else None
    return ship(chain_of([mean(own) for own in rows]), "score", quantity, rows=stored)


def chain_of(values: Sequence[Estimate]) -> list[RoundRecord]:
    """Records with ``score``, round by round."""
    return [
        RoundRecord(
            arm="verified",
            round=k,
            counts=Counts(),
            trained_on=1,
            metrics={"score": Estimate(found.value, found.se)},
            seconds={},
        )
        for k, found in enumerate(values)
    ]


if __name__ == "__main__":
    sys.exit(main())
