"""Describe a comparison in sentences: which variations are better or worse, and how many seeds are needed."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ..advise.versus import MOST
from ..quantity import Near, Quantity
from ..records import Estimate
from ..report.names import short, signed, with_error
from .differences import Difference, Table

MOST_PAIRS = 3
"""Largest number of pairs that are all named; otherwise only those with the best variation are."""

MOST_NAMES = 4


def sentences(quantity: Quantity, table: Table) -> list[str]:
    """Return a line per arm: which variations are better or worse by ``quantity``, and which it cannot tell.

    Args:
        quantity: Quantity to compare by.
        table: Its table.
    """
    arms = dict.fromkeys(difference.arm for difference in table.differences)
    of_arm = {arm: [d for d in table.differences if d.arm == arm] for arm in arms}
    equal = [arm for arm, of in of_arm.items() if all(d.equal for d in of)]
    lines: list[str] = []
    said = ""
    for differences in (of for arm, of in of_arm.items() if arm not in equal):
        by = _by(differences, table.comparisons)
        lines.append(_line(quantity, differences, table) + (f" {by}" if by != said else ""))
        said = by
    return [*lines, *_equal({arm: of_arm[arm] for arm in equal}, table)]


def _equal(of_arm: Mapping[str, Sequence[Difference]], table: Table) -> list[str]:
    """Return lines for the arms that are equal in all variations, up to their last common round."""
    arms: dict[str, list[str]] = {}
    for arm, differences in of_arm.items():
        last = max(d.round for d in differences)
        longest = max(row.round for row in table.rows if row.arm == arm)
        arms.setdefault(f" up to round {last}, the last that all have" if last < longest else "", []).append(
            arm
        )
    return [f"{', '.join(those)}: equal in all variations{until}." for until, those in arms.items()]


def alone(quantity: Quantity, table: Table) -> str:
    """Describe a single variation, or variations without a common seed: the last value of each arm."""
    last = {(row.variation, row.arm): row for row in sorted(table.rows, key=lambda row: row.round)}
    several = len({row.variation for row in table.rows}) > 1
    parts = [
        f"{f'{variation}, ' if several else ''}{arm} {short(row.mean)} ({_range(row.low, row.high)}"
        f" after round {row.round})"
        for (variation, arm), row in last.items()
    ]
    n = max((row.n for row in table.rows), default=0)
    why = "no two variations share an arm and a seed" if several else "one variation"
    return f"{quantity.title}, {why}, {n} seed{'s' if n != 1 else ''}: {'; '.join(parts)}."


def _range(low: float, high: float) -> str:
    return f"{short(low)} to {short(high)}" if low <= high else "no interval"


def _line(quantity: Quantity, differences: Sequence[Difference], table: Table) -> str:
    rounds = sorted({d.round for d in differences})
    after = f"round {rounds[0]}" if len(rounds) == 1 else f"rounds {rounds[0]} to {rounds[-1]}"
    if len(differences) <= MOST_PAIRS:
        found = [_apart(quantity, d) for d in differences if d.told_apart]
        said = "; ".join([*found, *(_together(d) for d in differences if not d.told_apart)])
    else:
        said = _of_many(quantity, differences, table)
    of = f"{quantity.title} of {differences[0].arm} after {after}"
    return f"{of}: {said}."


def _best(quantity: Quantity, differences: Sequence[Difference], table: Table) -> tuple[str, float]:
    """Return the best variation of an arm with its last mean; the highest if there is no direction."""
    names = {name for d in differences for name in (d.a, d.b)}
    means = {
        row.variation: row.mean
        for row in sorted(table.rows, key=lambda row: row.round)
        if row.arm == differences[0].arm and row.variation in names
    }
    values = np.array(list(means.values()))
    best = list(means)[int(np.argmin(quantity.loss(values) if quantity.better else -values))]
    return best, means[best]


def _of_many(quantity: Quantity, differences: Sequence[Difference], table: Table) -> str:
    """Describe the best variation against the others, and in how many of all pairs one is better."""
    best, mean = _best(quantity, differences, table)
    word, than = ("best", "better") if quantity.better else ("highest", "higher")
    own = [d for d in differences if best in (d.a, d.b)]
    close = [d for d in own if not d.told_apart]
    beaten = f"{len(own) - len(close)} of {len(own)} others"
    said = f"{best} is {word} ({short(mean)}), and {than} than {beaten}"
    if close:
        others = [f"{d.a if d.b == best else d.b}{_seeds(d)}" for d in close[:MOST_NAMES]]
        more = [f"{len(close) - MOST_NAMES} more"] if len(close) > MOST_NAMES else []
        said += f"; cannot tell it from {', '.join(others + more)}"
    apart = sum(d.told_apart for d in differences)
    return f"{said}. In {apart} of all {len(differences)} pairs one is {than}"


def _seeds(d: Difference) -> str:
    if d.equal or d.by != "seeds" or d.mean == 0:
        return " (equal)" if d.equal or d.mean == 0 else ""
    return f" (about {d.seeds_needed:,} seeds)" if d.seeds_needed else f" (more than {MOST:,} seeds)"


def _apart(quantity: Quantity, d: Difference) -> str:
    change = f"{signed(d.mean)}, {signed(d.low)} to {signed(d.high)}"
    return f"{d.a} is {_outcome(quantity, d)} than {d.b} ({change})"


def _outcome(quantity: Quantity, d: Difference) -> str:
    """Return whether ``a`` is better or worse than ``b``; higher or lower without a direction."""
    if not d.told_apart:
        return "cannot tell"
    match quantity.better:
        case "higher" | "lower" as better:
            return "better" if (d.mean > 0) == (better == "higher") else "worse"
        case Near() | None:
            return "higher" if d.mean > 0 else "lower"


def _together(d: Difference) -> str:
    if d.equal or d.low == d.high == 0:
        return f"{d.a} and {d.b} are equal in every seed"
    seeds = ""
    if d.by == "seeds":
        n = f"about {d.seeds_needed:,}" if d.seeds_needed else f"more than {MOST:,}"
        seeds = f"; a difference of this size needs {n} seeds"
    return f"cannot tell {d.a} from {d.b} ({signed(d.mean)}{seeds})"


def _by(differences: Iterable[Difference], comparisons: int) -> str:
    """Describe the intervals, and how many comparisons they account for."""
    many = f", wide enough for {comparisons} comparisons together" if comparisons > 1 else ""
    seeds = sorted({d.n for d in differences})
    if seeds == [1]:
        many = f"{many}," if many else ""
        return f"One seed: the 95 % intervals{many} apply to these runs, not to other seeds."
    n = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    return f"95 % intervals over {n} seeds, paired by seed{many}."


def cells(quantity: Quantity, table: Table, most: int | None = None) -> list[list[str]]:
    """Return the differences as text with a header, without arms that no variation affects.

    Args:
        quantity: Quantity to compare by.
        table: Its table.
        most: Number of rows above which only those of each arm's best variation are returned.
    """
    title = quantity.title
    heading = ["arm", "a", "b", "round", f"{title}, a minus b", "interval", "a is", "seeds needed"]
    shown = [d for d in table.differences if not d.equal]
    if most is not None and len(shown) > most:
        of_arm = {arm: [d for d in shown if d.arm == arm] for arm in dict.fromkeys(d.arm for d in shown)}
        best = {arm: _best(quantity, of, table)[0] for arm, of in of_arm.items()}
        shown = [d for d in shown if best[d.arm] in (d.a, d.b)]
    rows = [
        [
            d.arm,
            d.a,
            d.b,
            str(d.round),
            signed(d.mean),
            f"{signed(d.low)} to {signed(d.high)}" if d.low <= d.high else "none",
            _outcome(quantity, d),
            "" if d.told_apart or d.seeds_needed is None else f"{d.seeds_needed:,}",
        ]
        for d in shown
    ]
    return [heading, *rows]


def last_cells(titles: Mapping[str, str], tables: Mapping[str, Table]) -> list[list[str]]:
    """Return the last values of each variation and arm with half their intervals, one column per quantity.

    An arm that no variation affects has one row.
    """
    keys = dict.fromkeys((row.variation, row.arm) for table in tables.values() for row in table.rows)
    heading = ["variation", "arm", "round", "seeds", *titles.values()]
    rows: list[list[str]] = []
    for variation, arm in keys:
        last = {
            name: max(mine, key=lambda row: row.round)
            for name, table in tables.items()
            if (mine := [row for row in table.rows if (row.variation, row.arm) == (variation, arm)])
        }
        any_row = next(iter(last.values()))
        values = [
            with_error(Estimate(row.mean, (row.high - row.low) / 2)) if (row := last.get(name)) else ""
            for name in titles
        ]
        rows.append([variation, arm, str(any_row.round), str(any_row.n), *values])
    return [heading, *_once(rows, tables)]


def _once(rows: Sequence[list[str]], tables: Mapping[str, Table]) -> list[list[str]]:
    """Return ``rows`` with one row per arm that is equal in all variations and rounds."""
    found: list[list[str]] = []
    for row in rows:
        arm = row[1]
        differences = [d for table in tables.values() for d in table.differences if d.arm == arm]
        alike = all(other[1:] == row[1:] for other in rows if other[1] == arm)
        if differences and alike and all(d.equal for d in differences):
            row = ["all", *row[1:]]
        if row not in found:
            found.append(row)
    return found
