"""Forecasts in front of people: which arm and metric, and a line for each."""

from collections.abc import Sequence
from typing import NamedTuple

from ..advise.direction import better
from ..advise.forecast import Forecast, forecast
from ..advise.intervals import Interval
from ..errors import ConfigError
from ..records import RoundRecord
from ..store.folder import RunFolder
from .names import headline, short, whole
from .summary import ArmSummary, by_arm


class Cell(NamedTuple):
    """A number and its interval, as people read them."""

    value: str
    interval: str


class Shown(NamedTuple):
    """An arm's forecast of a metric on a page."""

    found: Forecast
    next: Cell
    plateau: Cell | None


def cell(interval: Interval) -> Cell:
    """A number with three digits, and its interval."""
    return Cell(short(interval.value), f"{short(interval.low)} to {short(interval.high)}")


def chain_of(folder: RunFolder, arm: str | None, metric: str | None) -> tuple[list[RoundRecord], str]:
    """The records of an arm, and the metric to forecast.

    Args:
        folder: Of the run.
        arm: The first arm with a verifier when None, or else the first one.
        metric: The one that stands for a model's quality when None.

    Raises:
        ConfigError: There is no such arm or metric, or no round has finished.
        CorruptFileError: The manifest or a record cannot be read.
    """
    arms = folder.manifest().config.get("arms", {})
    chains = by_arm(folder.records(), arms)
    if not chains:
        raise ConfigError(f"nothing to forecast in {folder.path}: no round has finished")
    name = arm or next((name for name in chains if arms.get(name, {}).get("verifier")), next(iter(chains)))
    if name not in chains:
        raise ConfigError("--arm", got=name, expected=f"one of {', '.join(chains)}")
    chain = chains[name]
    known = list(dict.fromkeys(metric for record in chain for metric in record.metrics))
    chosen = metric or headline(known)
    if chosen is None or chosen not in known:
        raise ConfigError(
            "--metric", got=chosen, expected=f"one of {', '.join(whole(known)) or '(none measured)'}"
        )
    return chain, chosen


def forecasts(
    records: Sequence[RoundRecord], summaries: Sequence[ArmSummary], metrics: Sequence[str]
) -> dict[str, dict[str, Shown]]:
    """The forecasts by metric and arm, the main metric first.

    Left out are arms with too few rounds, bounds, which have no chain, and metrics that are neither better
    nor worse by themselves.
    """
    chains, main = by_arm(records), headline(list(metrics))
    arms = [s.arm for s in summaries if not s.is_bound]
    found: dict[str, dict[str, Shown]] = {}
    for metric in sorted(metrics, key=lambda name: name != main):
        if metric != main and not better(metric):
            continue
        coming = {arm: forecast(chains[arm], metric) for arm in arms}
        if shown := {arm: _shown(f) for arm, f in coming.items() if f.next}:
            found[metric] = shown
    return found


def _shown(found: Forecast) -> Shown:
    return Shown(found, cell(found.next[0]), found.plateau and cell(found.plateau))
