"""The change of each arm from its first to its last round."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..cards import RunCard
from ..quantity import Quantity
from ..records import Estimate, RoundRecord
from ..store.folder import RunFolder
from .names import short

Verdict = Literal["better", "worse", "cannot tell"]


@dataclass(frozen=True)
class Change:
    """One quantity of an arm, first against last round."""

    quantity: Quantity
    first: Estimate
    last: Estimate

    @property
    def ratio(self) -> float:
        """Last value divided by first; NaN if the first is 0 or their signs differ."""
        a, b = self.first.value, self.last.value
        return b / a if a * b > 0 else math.nan

    @property
    def verdict(self) -> Verdict | None:
        """Whether the change exceeds two standard errors, and how; None without a better direction."""
        noise = 2 * math.hypot(self.first.se, self.last.se)
        values = np.array([self.first.value, self.last.value])
        if self.quantity.better is None:
            return None
        if not math.isfinite(noise + values.sum()):
            return "cannot tell"
        before, after = self.quantity.loss(values)
        if abs(before - after) <= noise:
            return "cannot tell"
        return "better" if after < before else "worse"

    def remark(self) -> str:
        """Ratio and verdict, such as ``×0.54, better``; empty if neither exists."""
        ratio = [] if math.isnan(self.ratio) else [f"\N{MULTIPLICATION SIGN}{self.ratio:.2f}"]
        return ", ".join([*ratio, *([self.verdict] if self.verdict else [])])


@dataclass(frozen=True)
class ArmSummary:
    """An arm's first and last finished round.

    Attributes:
        arm: Name of the arm.
        first: Record of its first round, usually round 0.
        last: Record of its last finished round.
        cards: Description of the run.
    """

    arm: str
    first: RoundRecord
    last: RoundRecord
    cards: RunCard

    @property
    def is_bound(self) -> bool:
        """Whether the arm trains on all real data: an upper bound, not a chain of rounds."""
        return self.arm in self.cards.bounds

    @property
    def changes(self) -> dict[str, Change]:
        """Changes by quantity name, for quantities that both rounds have."""
        return {
            name: Change(self.cards.quantity(name), self.first.metrics[name], estimate)
            for name, estimate in self.last.metrics.items()
            if name in self.first.metrics
        }

    @property
    def rounds(self) -> int:
        """Number of rounds after the first one."""
        return self.last.round - self.first.round

    def sentence(self) -> str:
        """Return the result in one line, without the arm's name."""
        changes = self.changes
        name = self.cards.headline_of(list(changes))
        if name is None:
            return f"{rounds(self.last.round)} done, nothing measured"
        change, title = changes[name], changes[name].quantity.title
        if self.rounds == 0:
            return f"{title} {short(change.last.value)}, no round after the start model yet"
        if self.is_bound:
            return f"{title} {short(change.last.value)}, trained on all real data"
        aside = f" ({remark})" if (remark := change.remark()) else ""
        move = f"{short(change.first.value)} → {short(change.last.value)}"
        return f"{title} {move}{aside} over {rounds(self.rounds)}"


def summarise(folder: RunFolder) -> list[ArmSummary]:
    """Return a summary of each arm with a finished round, in the order of the plan.

    Raises:
        CorruptFileError: The manifest or a record cannot be read.
    """
    cards = folder.manifest().cards
    return [
        ArmSummary(arm, chain[0], chain[-1], cards)
        for arm, chain in by_arm(folder.records(), cards.arms).items()
    ]


def by_arm(records: Sequence[RoundRecord], order: Iterable[str] = ()) -> dict[str, list[RoundRecord]]:
    """Return the records of each arm by round; arms in the order of ``order``, others after them."""
    names = dict.fromkeys([*order, *(r.arm for r in records)])
    chains = {name: sorted((r for r in records if r.arm == name), key=lambda r: r.round) for name in names}
    return {name: chain for name, chain in chains.items() if chain}


def rounds(n: int) -> str:
    """Format a number of rounds: ``1 round``, ``3 rounds``."""
    return f"{n} round" if n == 1 else f"{n} rounds"
