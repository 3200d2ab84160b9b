"""What a comparison says, in words."""

import math

import numpy as np

from veriloop.comparison.differences import Table, table
from veriloop.comparison.sentence import alone, cells, last_cells, sentences
from veriloop.quantity import Quantity

from .planted import chains

ERROR = Quantity("Error", better="lower")


def many(means: list[float], seeds: int = 6, spread: float = 0.1) -> Table:
    """Variations a, b, ... with these means in round 1, for a number of seeds."""
    rng = np.random.default_rng(0)
    values = {
        (chr(97 + at), seed): [9.0, mean + spread * rng.standard_normal()]
        for at, mean in enumerate(means)
        for seed in range(seeds)
    }
    return table("error", chains(values))


def test_two_that_differ() -> None:
    (line,) = sentences(ERROR, many([1, 2]))
    assert line.startswith("Error of verified after round 1: a is better than b (-0.9")
    assert line.endswith("95 % intervals over 6 seeds, paired by seed.")


def test_two_that_may_not() -> None:
    (line,) = sentences(ERROR, many([1, 1.01]))
    assert "cannot tell a from b (" in line
    assert "a difference of this size needs about " in line


def test_a_quantity_without_a_direction_is_higher_or_lower() -> None:
    (line,) = sentences(Quantity("Spread"), many([1, 2]))
    assert "a is lower than b" in line
    assert [row[6] for row in cells(Quantity("Spread"), many([1, 2]))] == ["a is", "lower"]
    assert [row[6] for row in cells(ERROR, many([1, 2]))] == ["a is", "better"]


def test_of_many_the_best_is_named_and_pairs_are_counted() -> None:
    found = many([5, 1, 1.02, 3, 4])
    (line,) = sentences(ERROR, found)
    assert ": b is best (" in line or ": c is best (" in line
    assert "better than 3 of 4 others; cannot tell it from " in line
    apart = sum(d.told_apart for d in found.differences)
    assert f"In {apart} of all 10 pairs one is better. " in line
    assert "wide enough for 10 comparisons together" in line
    (neither,) = sentences(Quantity("Spread"), found)
    assert ": a is highest (" in neither
    assert len(sentences(ERROR, many([1.0] * 12))[0]) < 500


def test_what_nothing_touches_is_said_once() -> None:
    one = chains({("a", 0): [3, 2], ("b", 0): [3, 1]}, se=0.1)
    other = chains({("a", 0): [3, 2], ("b", 0): [3, 2]}, arm="unverified")
    lines = sentences(ERROR, table("error", [*one, *other]))
    assert lines[1] == "unverified: equal in all variations."
    rows = last_cells({"error": "Error"}, {"error": table("error", [*one, *other])})
    assert [row[:2] for row in rows[1:]] == [["a", "verified"], ["b", "verified"], ["all", "unverified"]]


def test_no_interval_is_said_in_words() -> None:
    found = table("error", chains({("a", 0): [3, 2], ("b", 0): [3, 1]}))
    assert cells(ERROR, found)[1][5:7] == ["none", "cannot tell"]
    (line,) = sentences(ERROR, found)
    assert "cannot tell a from b (+1.00). One seed: " in line


def test_a_long_table_is_cut_to_the_pairs_of_the_best() -> None:
    found = many([5, 1, 1.02, 3, 4])
    assert len(cells(ERROR, found)) == 1 + 10
    _, *rows = cells(ERROR, found, most=9)
    assert len(rows) == 4
    assert len({name for row in rows for name in row[1:3]}) == 5


def test_one_variation_says_what_its_arms_have_come_to() -> None:
    found = table("error", chains({("as given", 0): [3, 2], ("as given", 1): [3, 2.2]}))
    assert sentences(ERROR, found) == []
    assert alone(ERROR, found).startswith(
        "Error, one variation, 2 seeds: verified 2.10 (0.829 to 3.37 after round 1)"
    )
    apart = table("error", chains({("a", 0): [3, 2], ("b", 1): [3, math.nan]}))
    assert "no two variations share an arm and a seed" in alone(ERROR, apart)


def test_the_table_holds_a_variation_that_has_measured_nothing() -> None:
    found = table("error", chains({("a", 0): [3, 2], ("b", 0): [math.nan] * 2}))
    assert [row[0] for row in last_cells({"error": "Error"}, {"error": found})] == ["variation", "a"]
