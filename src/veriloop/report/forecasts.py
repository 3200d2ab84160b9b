"""Forecasts for display: the arm and quantity, and a line for each."""

from collections.abc import Sequence
from typing import NamedTuple

from ..advise.forecasting import ALIVE, Forecast, forecast
from ..advise.intervals import Interval
from ..advise.paired import RowsOf
from ..cards import RunCard
from ..errors import ConfigError
from ..records import RoundRecord
from .answer import Run, first_arm, gate
from .names import short
from .summary import by_arm

FAMILIES = {
    "exponential": "exponential",
    "power": "power law",
    "logarithm": "logarithm",
    "line": "straight line",
    "sigmoid": "sigmoid",
    "drift": "drift without end",
    "walk": "random walk",
    "noise_floor": "noise floor of a growing schedule",
}
"""Readable names of the families of curves."""


class Cell(NamedTuple):
    """A number and its interval, as text."""

    value: str
    interval: str


class Shown(NamedTuple):
    """An arm's forecast of a quantity on a page.

    Attributes:
        found: The forecast.
        last: Number from which it continues.
        next: Next round.
        plateau: Final value, if known.
        possible: Families of curves that it may follow, in words.
    """

    found: Forecast
    last: float
    next: Cell
    plateau: Cell | None
    possible: str


def cell(interval: Interval) -> Cell:
    """Return a number with three digits, and its interval."""
    return Cell(short(interval.value), f"{short(interval.low)} to {short(interval.high)}")


def possible(found: Forecast) -> str:
    """Return the possible families of curves, most likely first, with their probabilities."""
    alive = {name: p for name, p in found.families.items() if p >= ALIVE}
    return ", ".join(f"{FAMILIES[name]} {p:.0%}" for name, p in alive.items())


def chain_of(run: Run, arm: str | None, name: str | None) -> tuple[list[RoundRecord], str]:
    """Return the records of an arm, and the name of the quantity to forecast.

    Args:
        run: Run folder, or a run in memory.
        arm: Name of the arm; when None, the first arm with a verifier, or else the first arm.
        name: Name of the quantity; the one that stands for a model's quality when None.

    Raises:
        ConfigError: There is no such arm or quantity, or no round has finished.
        CorruptFileError: The manifest or a record cannot be read.
    """
    cards = run.manifest().cards
    chains = by_arm(run.records(), cards.arms)
    if not chains:
        raise ConfigError("nothing is measured yet: no round of this run has finished")
    shown = arm or first_arm(cards, chains)
    if shown not in chains:
        raise ConfigError("arm", got=shown, expected=f"one of {', '.join(chains)}")
    chain = chains[shown]
    known = list(dict.fromkeys(name for record in chain for name in record.decisive))
    chosen = name or cards.headline_of(known)
    if chosen is None or chosen not in known:
        raise ConfigError(
            "quantity", got=chosen, expected=f"one of {', '.join(cards.wholes(known)) or '(none measured)'}"
        )
    return chain, chosen


def forecasts(
    records: Sequence[RoundRecord], cards: RunCard, names: Sequence[str], rows: RowsOf | None = None
) -> dict[str, dict[str, Shown]]:
    """Return the forecasts by quantity and arm, the headline first; ``rows`` looks up rows.

    Arms with too few rounds, bounds, and quantities without a direction (except the headline) are left out.
    """
    main = cards.headline_of(names)
    chains = {arm: chain for arm, chain in by_arm(records, cards.arms).items() if arm not in cards.bounds}
    found: dict[str, dict[str, Shown]] = {}
    for name in sorted(names, key=lambda name: name != main):
        quantity = cards.quantity(name)
        if name != main and quantity.better is None:
            continue
        coming = {
            arm: forecast(chain, name, quantity, shipped=gate(rows, chains, cards, arm, name))
            for arm, chain in chains.items()
        }
        if shown := {arm: _shown(f, chains[arm], name) for arm, f in coming.items() if f.next}:
            found[name] = shown
    return found


def _shown(found: Forecast, chain: Sequence[RoundRecord], name: str) -> Shown:
    last = next(r.decisive[name].value for r in chain if r.round == found.next[0].round - 1)
    return Shown(found, last, cell(found.next[0]), found.plateau and cell(found.plateau), possible(found))
