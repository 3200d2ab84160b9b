"""The result first: what report, page, ``list``, ``show`` and the end of ``run`` show, in one order."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..advise.forecasting import Forecast, forecast
from ..cards import RunCard
from ..records import Estimate, RoundRecord
from ..store.folder import RunFolder
from .answer import Answer, answer, first_arm
from .audits import audits
from .names import short
from .standing import DIED, Standing, standing
from .summary import by_arm

LEAST_FALL = 0.05
"""Relative fall since the start below which there is no warning."""


class Overview(NamedTuple):
    """The main results of a run.

    Attributes:
        standing: Status of the run.
        answer: Whether the verified arm is better than the unverified one, and the round to ship.
        next_step: Whether to continue or stop, in one line; empty if nothing is measured or it was not
            requested.
        worries: Warnings, one line each, with their numbers.
    """

    standing: Standing
    answer: Answer
    next_step: str
    worries: tuple[str, ...]

    def lines(self) -> list[str]:
        """Return all lines in display order: the status if it matters, then the answer."""
        found = self.answer
        stands = [self.standing.sentence] if self.standing.status == DIED else []
        ship = [found.ship.verdict] if found.ship is not None else []
        at_ship = [found.at_ship.line] if found.at_ship is not None else []
        step = [self.next_step] if self.next_step else []
        return [*stands, found.line, *at_ship, *ship, *step, *(f"Worry: {worry}" for worry in self.worries)]

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        found = self.answer
        coins = {"coin": found.coin, "coin_at_ship": found.at_ship}
        return {
            "status": self.standing.status,
            "reason": self.standing.line or None,
            "go_on_with": self.standing.command or None,
            "verdict": found.line,
            **{name: coin and coin.model_dump(mode="json") for name, coin in coins.items()},
            "ship": found.ship and found.ship.round,
            "next_step": self.next_step or None,
            "worries": list(self.worries),
        }


def overview(folder: RunFolder, forecasts: bool = True) -> Overview:
    """Return the main results of the run in ``folder``, from the rounds finished so far.

    Args:
        folder: Run folder.
        forecasts: Whether to compute the next step, which takes most of the time.

    Raises:
        CorruptFileError: Something in the folder cannot be read.
    """
    records, cards, found = folder.records(), folder.manifest().cards, answer(folder)
    chains = {arm: chain for arm, chain in by_arm(records, cards.arms).items() if arm not in cards.bounds}
    worries = [*_of_quantities(chains, cards), *_of_silence(chains), *_of_audits(folder)]
    step = _next_step(chains, cards, found) if forecasts else ""
    return Overview(standing(RunFolder(folder.path)), found, step, tuple(worries))


def _next_step(chains: dict[str, list[RoundRecord]], cards: RunCard, found: Answer) -> str:
    if found.ship is None or cards.quantity(found.ship.quantity).better is None:
        return ""
    chain, name = chains[first_arm(cards, chains)], found.ship.quantity
    return step_of(forecast(chain, name, cards.quantity(name), shipped=found.ship))


def step_of(found: Forecast) -> str:
    """Return whether to continue or stop, according to a forecast."""
    if not found.next:
        return found.verdict
    sure = f" (probability {found.probabilities.get(found.regime, math.nan):.2f})"
    match found.regime:
        case "improving":
            return f"Continue: still improving{sure}."
        case "gain_then_plateau":
            return f"Stop: the gain is over, or nearly{sure}."
        case "gain_then_reversal" if found.best_round is not None and found.best_round >= found.next[0].round:
            return f"Continue to about round {found.best_round}, then stop{sure}."
        case "gain_then_reversal":
            return f"Stop: it helped up to about round {found.best_round}, then gets worse{sure}."
        case "harmful":
            return f"Stop: no round is better than the start model by its curve{sure}."
    likely = max(found.probabilities, key=lambda name: found.probabilities[name])
    words = "no change" if likely == "unclear" else likely.replace("_", " ")
    p = found.probabilities[likely]
    return (
        f"Cannot tell whether to continue or stop: the most likely course is {words} (probability {p:.2f})."
    )


def _of_quantities(chains: dict[str, list[RoundRecord]], cards: RunCard) -> Iterator[str]:
    """Yield warnings defined by a quantity's card, for the arms with a verifier, or all arms without one."""
    verified = [arm for arm in chains if arm in cards.arms and cards.arms[arm].verified] or list(chains)
    for arm in verified:
        start, last = chains[arm][0], chains[arm][-1]
        for name in cards.wholes(list(last.metrics)):
            quantity, now = cards.quantity(name), last.metrics[name]
            about = f"{quantity.title} of {arm}"
            unit = f" {quantity.unit}" if quantity.unit else ""
            if quantity.least is not None and now.value < quantity.least:
                yield (
                    f"{about} is very low: {short(now.value)}{unit} after round {last.round},"
                    f" below {quantity.least:g}."
                )
            if quantity.watch_falls and last.round > start.round and name in start.metrics:
                before = start.metrics[name]
                if _fell(before, now):
                    yield (
                        f"{about} has fallen: {short(before.value)} → {short(now.value)}{unit}"
                        f" by round {last.round}."
                    )


def _fell(before: Estimate, now: Estimate) -> bool:
    noise = 2 * math.hypot(before.se, now.se)
    fall = before.value - now.value
    return fall > LEAST_FALL * abs(before.value) and not fall <= noise


def _of_silence(chains: dict[str, list[RoundRecord]]) -> Iterator[str]:
    for arm, chain in chains.items():
        silent = [record for record in chain if record.silent]
        if silent:
            last = silent[-1]
            yield (
                f"candidates of {arm} were not distinguished in {len(silent)} of {chain[-1].round} rounds;"
                f" round {last.round}: {last.silent[0]}."
            )


def _of_audits(folder: RunFolder) -> Iterator[str]:
    for shown in audits(folder):
        regime = shown.found.audit.regime
        if regime.value in ("harmful", "divergent", "gain_then_reversal") and regime.probability is not None:
            course = regime.value.replace("_", " ")
            sure = f"probability {regime.probability:.2f}"
            yield f"the audit of {shown.found.subject} expects: {course} ({sure})."
