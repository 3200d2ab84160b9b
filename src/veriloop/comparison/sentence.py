"""A comparison in plain sentences: which variations can be distinguished, and how many seeds would do."""

from collections.abc import Iterable, Mapping, Sequence

from ..advise.versus import MOST
from ..quantity import Near, Quantity
from ..records import Estimate
from ..report.names import signed, with_error
from .differences import Difference, Table


def sentences(quantity: Quantity, table: Table) -> list[str]:
    """A line for each arm: which variations can be distinguished by ``quantity``, and which cannot.

    Args:
        quantity: What is compared by.
        table: Its table.
    """
    arms = dict.fromkeys(difference.arm for difference in table.differences)
    of_arm = {arm: [d for d in table.differences if d.arm == arm] for arm in arms}
    equal = [arm for arm, differences in of_arm.items() if all(d.equal for d in differences)]
    lines = [_line(quantity, of_arm[arm], table.comparisons) for arm in arms if arm not in equal]
    if equal:
        lines.append(f"{', '.join(equal)}: equal in all variations, since none of them touches it.")
    return lines


def _line(quantity: Quantity, differences: Sequence[Difference], comparisons: int) -> str:
    apart = [d for d in differences if d.told_apart]
    rest = [d for d in differences if not d.told_apart]
    rounds = sorted({d.round for d in differences})
    after = f"round {rounds[0]}" if len(rounds) == 1 else f"rounds {rounds[0]} to {rounds[-1]}"
    found = "; ".join(_apart(quantity, d) for d in apart) or "no two variations can be distinguished"
    line = f"{quantity.title} of {differences[0].arm} after {after}: {found}"
    if rest:
        line += f". Not distinguished: {'; '.join(map(_together, rest))}"
    return f"{line}. {_by(differences, comparisons)}"


def _apart(quantity: Quantity, d: Difference) -> str:
    change = f"{signed(d.mean)}, {signed(d.low)} to {signed(d.high)}"
    match quantity.better:
        case "higher" | "lower" as better:
            word = "better" if (d.mean > 0) == (better == "higher") else "worse"
        case Near() | None:
            word = "higher" if d.mean > 0 else "lower"
    return f"{d.a} is {word} than {d.b} ({change})"


def _together(d: Difference) -> str:
    pair = f"{d.a} and {d.b} ({signed(d.mean)}"
    if d.equal:
        return f"{pair}, equal in every seed)"
    if d.by == "seeds" and d.seeds_needed:
        return f"{pair}; a difference of this size takes about {d.seeds_needed:,} seeds)"
    return (
        f"{pair}; a difference of this size takes more than {MOST:,} seeds)"
        if d.by == "seeds"
        else f"{pair})"
    )


def _by(differences: Iterable[Difference], comparisons: int) -> str:
    """What the intervals are, and for how many comparisons they hold together."""
    many = f", wide enough for {comparisons} comparisons together" if comparisons > 1 else ""
    seeds = sorted({d.n for d in differences})
    if seeds == [1]:
        return f"One seed: the 95 % intervals{many} are for these runs, not for other seeds."
    n = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    return f"95 % intervals over {n} seeds, paired by seed{many}."


def cells(title: str, table: Table) -> list[list[str]]:
    """The differences as text under a heading row."""
    heading = ["arm", "a", "b", "round", f"{title}, a less b", "interval", "distinguished", "seeds needed"]
    rows = [
        [
            d.arm,
            d.a,
            d.b,
            str(d.round),
            signed(d.mean),
            f"{signed(d.low)} to {signed(d.high)}",
            "yes" if d.told_apart else "no",
            "" if d.told_apart or d.seeds_needed is None else f"{d.seeds_needed:,}",
        ]
        for d in table.differences
    ]
    return [heading, *rows]


def last_cells(titles: Mapping[str, str], tables: Mapping[str, Table]) -> list[list[str]]:
    """The last values of each variation and arm with half their intervals, a column for each quantity."""
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
    return [heading, *rows]
