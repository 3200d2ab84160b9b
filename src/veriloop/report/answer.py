"""The main result of a run: is the verified arm better than the unverified one, and which round to ship?"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..advise.paired import Reading, RowsOf, Track
from ..advise.ship import Ship, ship
from ..advise.versus import Versus, versus
from ..cards import RunCard
from ..records import RoundRecord, Split
from ..rng import START
from ..store.manifest import Manifest
from .summary import by_arm

START_MODEL = "the start model"


class Run(Protocol):
    """A run folder, or a run in memory."""

    def manifest(self) -> Manifest:
        """Return the description of the run."""
        ...

    def records(self) -> list[RoundRecord]:
        """Return its finished rounds."""
        ...

    def rows(self, round_: int, arm: str, name: str, split: Split) -> NDArray[np.floating] | None:
        """Return the rows of a quantity."""
        ...


class Answer(NamedTuple):
    """The main result of a run.

    Attributes:
        line: Whether the verified arm is better than the unverified one, in one line.
        coin: The comparison in numbers, after the last common round; None if there is nothing to compare.
        at_ship: The comparison after the round to ship, if that is another round.
        ship: The gate's answer for the verified arm; None if no quantity is measured.
    """

    line: str
    coin: Versus | None = None
    at_ship: Versus | None = None
    ship: Ship | None = None


def answer(run: Run, quantity: str | None = None) -> Answer:
    """Return the main result of a run, from the rounds finished so far.

    Args:
        run: Run to describe.
        quantity: Quantity to use; that of the plan, or the headline, when None.

    Raises:
        CorruptFileError: The manifest, a record or rows cannot be read.
    """
    records, cards = run.records(), run.manifest().cards
    chains = {arm: chain for arm, chain in by_arm(records, cards.arms).items() if arm not in cards.bounds}
    if not any(record.round for chain in chains.values() for record in chain):
        return Answer("No round has finished after the start model yet.")
    arm = first_arm(cards, chains)
    name = quantity or cards.ship.quantity or cards.headline_of(list(chains[arm][-1].metrics))
    if name is None:
        return Answer(f"Nothing is measured, so {arm} cannot be judged.")
    shipped = gate(run.rows, chains, cards, arm, name)
    if cards.quantity(name).better is None:
        return Answer(f"{name} has no better direction, so the arms are not compared.", ship=shipped)
    unverified = (a for a, card in cards.arms.items() if a in chains and not card.verified)
    other = next((a for a in unverified if a != arm), None)
    coin, at_ship = _compared(run.rows, chains, cards, (arm, other), name, shipped.round)
    if coin is None:
        return Answer(f"{name} has not been measured for {arm} after the start model.", ship=shipped)
    alone = "" if other else " There is no unverified arm to compare with."
    return Answer(coin.line + alone, coin, at_ship, shipped)


def first_arm(cards: RunCard, chains: Mapping[str, Sequence[RoundRecord]]) -> str:
    """Return the arm of interest: the first one with a verifier, or else the first one."""
    verified = (arm for arm, card in cards.arms.items() if card.verified and arm in chains)
    return next(verified, next(iter(chains)))


def gate(
    rows: RowsOf | None,
    chains: Mapping[str, Sequence[RoundRecord]],
    cards: RunCard,
    arm: str,
    name: str,
    error: float | None = None,
) -> Ship:
    """Return the gate's answer for one arm and quantity, with the settings of the run's plan.

    Args:
        rows: Function that looks up rows, or None.
        chains: Records of each arm.
        cards: Description of the run.
        arm: Name of one of ``chains``.
        name: Name of a quantity.
        error: Error probability that replaces the plan's, if not None.
    """
    rule = cards.ship
    than = chains.get(rule.than) if rule.than not in (START, arm) else None
    quantity = cards.quantity(name)
    return ship(chains[arm], name, quantity, rows=rows, than=than, error=error or rule.error)


def _compared(
    rows: RowsOf,
    chains: Mapping[str, Sequence[RoundRecord]],
    cards: RunCard,
    arms: tuple[str, str | None],
    name: str,
    shipped: int,
) -> tuple[Versus | None, Versus | None]:
    """Compare one arm with the other, or with its start, after the last common round and ``shipped``."""

    # Reported numbers are from the test split, which no decision uses.
    def measured(arm: str | None) -> set[int]:
        """Return the rounds in which the quantity was measured."""
        return set(Track.of(chains.get(arm or "", ()), name, None, "test").readings)

    def reading(arm: str, number: int) -> Reading | None:
        """Return the reading of one round; None if it was not measured."""
        # Of the rounds that are compared alone, because reading rows takes most of a list's time.
        chain = [record for record in chains[arm] if record.round == number]
        return Track.of(chain, name, rows, "test").readings.get(number)

    def after(number: int) -> Versus | None:
        """Compare the two after round ``number``; None if a value is missing."""
        new = reading(arms[0], number)
        old = reading(arms[1], number) if arms[1] else reading(arms[0], 0)
        if new is None or old is None:
            return None
        names = arms[0], arms[1] or START_MODEL
        return versus([(new, old)], name, cards.quantity(name), arms=names, round_=number)

    common = measured(arms[0]) & measured(arms[1]) if arms[1] else measured(arms[0])
    last = max(common, default=0)
    if last == 0:
        return None, None
    return after(last), after(shipped) if shipped not in (0, last) else None
