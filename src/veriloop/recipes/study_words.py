"""Results of studies, in numbers and in words: the claim, and the end of each study."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..comparison.chains import Chain
from ..report.names import short, signed
from .studies import MAIN, Study, apart, coin, over_seeds, summary, values_of

LONG = 4
"""Least number of rounds of a chain for which its two halves are compared."""

Numbers = dict[str, Any]


def claim_numbers(study: Study, metrics: Sequence[str], chains: Sequence[Chain]) -> dict[str, Numbers]:
    """Return for each metric the `summary` of the main study's first two arms, and their final difference.

    ``apart`` compares their intervals; ``difference`` is the paired difference of the arms, which share a
    start for each seed. The result is empty if the study has no runs.
    """
    claim: dict[str, Numbers] = {}
    lines = [study.of_line(line, chains) for line in study.lines[:2]]
    for metric in metrics:
        values = [found for own in lines if (found := values_of(own, metric)) is not None]
        if len(values) == 2:
            quantity = study.quantity(metric)
            told = {
                own[0].arm: summary(found, [c.seed for c in own], quantity)
                for own, found in zip(lines, values, strict=True)
            }
            first, second = told.values()
            difference = over_seeds(values[0][:, -1] - values[1][:, -1])
            claim[metric] = {**told, "apart": apart(first["last"], second["last"]), "difference": difference}
            if quantity.better is not None:
                claim[metric]["coin"] = coin(lines[0], lines[1], metric, quantity).line
    return claim


def claim_words(study: Study, claim: Mapping[str, Numbers]) -> list[str]:
    """Return the claim in a few lines."""
    words: list[str] = []
    for metric, numbers in claim.items():
        title = study.quantity(metric).title
        arms = [arm for arm in numbers if arm not in {"apart", "difference", "coin"}]
        if "coin" in numbers:
            words.append(numbers["coin"])
        words += [f"{title}, {arm}: {course(numbers[arm])}" for arm in arms]
        if numbers["apart"] is not None:
            words.append(
                f"{title}: the arms' last 95 % intervals {'are' if numbers['apart'] else 'are not'} apart; "
                f"{arms[0]} less {arms[1]} on equal seeds: {_change(numbers['difference'])}"
            )
    return words


def course(numbers: Numbers) -> str:
    """Return ``417 → 198 after 6 rounds (x0.47, 95 % interval 0.41 to 0.53), best 190 in round 5``."""
    start, last, best = (numbers[key]["mean"] for key in ("start", "last", "best"))
    ratio = numbers["ratio"]
    alone = len(numbers["seeds"]) == 1
    sure = ", one seed" if alone else f", 95 % interval {ratio['low']:.2f} to {ratio['high']:.2f}"
    where = f"{short(best)} in round {numbers['best_round']}" if numbers["best_round"] else "at the start"
    return (
        f"{short(start)} → {short(last)} after {_rounds(numbers['last_round'])}"
        f" (x{ratio['mean']:.2f}{sure}), best {where}{_late(numbers)}"
    )


def _late(numbers: Numbers) -> str:
    """Return ``; from round 7 on +0.003 (95 % interval -0.001 to +0.007)``; empty for a short chain."""
    if numbers["last_round"] < LONG:
        return ""
    return f"; from round {numbers['late_from']} on {_change(numbers['late'])}"


def _change(over_seeds: Numbers) -> str:
    """Return ``+0.003 (95 % interval -0.001 to +0.007)``; for one seed only the change."""
    mean, low, high = (signed(float(over_seeds[key])) for key in ("mean", "low", "high"))
    return mean if len(over_seeds["values"]) == 1 else f"{mean} (95 % interval {low} to {high})"


def study_words(studies: Mapping[str, Study], metric: str, outcomes: Sequence[Numbers]) -> list[str]:
    """Return a line on each study except `MAIN`, with the final ``metric`` of its lines."""
    words: list[str] = []
    for study in studies.values():
        rows = [row for row in outcomes if row["study"] == study.name and metric in row]
        if study.name != MAIN and rows:
            ends = "; ".join(f"{row['line']}: {short(row[metric]['last']['mean'])}" for row in rows)
            after = _rounds(rows[0][metric]["last_round"])
            words.append(f"{study.title} ({study.quantity(metric).title} after {after}): {ends}")
    return words


def _rounds(n: int) -> str:
    return f"{n} round" if n == 1 else f"{n} rounds"
