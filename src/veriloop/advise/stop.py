"""Stop rules: decide from an arm's records alone whether it has had its last round."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from ..errors import ConfigError
from ..parts import Checked, did_you_mean
from ..quantity import Quantity
from ..records import Estimate, RoundRecord
from .forecasting import chance_of_gain

CERTAINTY = 0.9
"""Default probability that no gain comes, from which a forecast stops an arm."""


class Decision(NamedTuple):
    """Why an arm ends: in words, and the numbers behind it."""

    reason: str
    evidence: dict[str, float]


class Stop(Checked, frozen=True):
    """Ends an arm before its last round.

    A change counts as a gain or a loss if it exceeds both ``min_gain`` and two standard errors of the
    difference of the two measurements, so noise of the metric alone neither stops an arm nor keeps it going.
    Numbers are those of the validation split, so that decisions do not use the test split; without a
    validation split, those of the test split.

    Attributes:
        when: ``plateau``: the last ``patience`` rounds brought no gain over the best before them.
            ``reversal``: each of them was worse. ``forecast``: with ``certainty``, none of the next
            ``patience`` rounds brings a gain, see `chance_of_gain`. ``budget``: another round as expensive as
            the last one would exceed ``seconds`` or ``candidates``.
        quantity: Name of a measured quantity with a direction; for ``plateau``, ``reversal`` and
            ``forecast``.
        patience: Number of rounds to look back, or ahead.
        min_gain: Smallest gain that counts, in units of the quantity.
        certainty: Required probability that no such gain comes; for ``forecast``.
        seconds: Limit over all stages and workers. The only rule whose result depends on the machine.
        candidates: Limit on candidates generated in all rounds.
    """

    when: Literal["plateau", "reversal", "forecast", "budget"]
    quantity: str | None = None
    patience: Annotated[int, Field(gt=0)] = 2
    min_gain: Annotated[float, Field(ge=0)] = 0.0
    certainty: Annotated[float, Field(ge=0.5, lt=1)] = CERTAINTY
    seconds: Annotated[float, Field(gt=0)] | None = None
    candidates: Annotated[int, Field(gt=0)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _new_word(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and "metric" in data:
            raise ConfigError(
                "metric",
                got=data["metric"],
                expected="the key quantity",
                fix=f"write quantity: {data['metric']}",
            )
        return data

    @model_validator(mode="after")
    def _complete(self) -> Self:
        limited = self.seconds is not None or self.candidates is not None
        if self.when == "budget" and not limited:
            raise ConfigError("no budget", expected="seconds, or candidates, or both")
        if self.when != "budget" and limited:
            raise ConfigError("seconds or candidates", got=f"when: {self.when}", expected="when: budget")
        # Checked by value, because a manifest also contains defaults.
        if self.when != "forecast" and self.certainty != CERTAINTY:
            raise ConfigError("certainty", got=f"when: {self.when}", expected="when: forecast")
        if self.when != "budget" and self.quantity is None:
            raise ConfigError("no quantity", expected="the name of a quantity that the run measures")
        return self

    def decide(self, chain: Sequence[RoundRecord], quantities: Mapping[str, Quantity]) -> Decision | None:
        """Return why the arm ends after these rounds, or None to continue.

        Args:
            chain: Records of the arm, by round.
            quantities: Measured quantities, by name.

        Raises:
            ConfigError: The rule's quantity is not among them, or has no direction.
        """
        if self.when == "budget":
            return self._by_budget(chain)
        quantity = self.checked_among(quantities)
        if self.when == "forecast":
            return self._by_forecast(chain, quantity)
        return self._by_quantity(chain, quantity)

    def checked_among(self, quantities: Mapping[str, Quantity]) -> Quantity:
        """Return the rule's quantity among those that the run measures.

        Raises:
            ConfigError: The rule has none, it is not among them, or it has no direction.
        """
        return with_direction(self.quantity or "", quantities)

    def _by_quantity(self, chain: Sequence[RoundRecord], quantity: Quantity) -> Decision | None:
        name = self.quantity or ""
        measured: list[tuple[RoundRecord, Estimate]] = [
            (r, found)
            for r in chain
            if (found := r.decisive.get(name)) is not None and math.isfinite(found.value)
        ]
        if len(measured) <= self.patience:
            return None
        values = np.array([found.value for _, found in measured])
        errors = np.nan_to_num(np.array([found.se for _, found in measured]))
        losses = quantity.loss(values)
        best = int(np.argmin(losses[: -self.patience]))
        gains = losses[best] - losses[-self.patience :]
        noise = 2 * np.hypot(errors[best], errors[-self.patience :])
        counts = np.abs(gains) > np.maximum(self.min_gain, noise)
        over = not np.any(counts & (gains > 0)) if self.when == "plateau" else np.all(counts & (gains < 0))
        if not over:
            return None
        last = "the last round" if self.patience == 1 else f"the last {self.patience} rounds"
        what = "brought no gain over" if self.when == "plateau" else "were worse than"
        at, best_round, at_best = measured[best][0], measured[best][0].round, float(values[best])
        split = "validation" if at.validation else "test"
        return Decision(
            f"{self.when}: {last} {what} round {best_round}, by {name} of {split} data ({at_best:.4g} there)",
            {
                "best_round": best_round,
                "best": at_best,
                **{f"round_{r.round}": found.value for r, found in measured[-self.patience :]},
            },
        )

    def _by_forecast(self, chain: Sequence[RoundRecord], quantity: Quantity) -> Decision | None:
        name = self.quantity or ""
        chance = chance_of_gain(chain, name, quantity, ahead=self.patience, min_gain=self.min_gain)
        if chance is None or chance > 1 - self.certainty:
            return None
        coming = "the next round" if self.patience == 1 else f"the next {self.patience} rounds"
        split = "validation" if chain[-1].validation else "test"
        return Decision(
            f"forecast: {coming} will bring no gain, {1 - chance:.0%} probable by {name} of {split} data",
            {"chance_of_gain": chance},
        )

    def _by_budget(self, chain: Sequence[RoundRecord]) -> Decision | None:
        costs = {
            "seconds": (self.seconds, [sum(r.seconds.values()) for r in chain]),
            "candidates": (self.candidates, [float(r.counts.generated) for r in chain]),
        }
        if len(chain) < 2:
            return None  # The start model does not show what a round costs.
        for unit, (limit, spent) in costs.items():
            total, last = sum(spent), spent[-1]
            if limit is not None and total + last > limit:
                reason = (
                    f"budget: {total:,.0f} of {limit:,.0f} {unit} spent, and the last round took {last:,.0f}"
                )
                return Decision(reason, {"spent": total, "last_round": last, "limit": float(limit)})
        return None


def with_direction(name: str, quantities: Mapping[str, Quantity]) -> Quantity:
    """Return the quantity ``name`` of a run, which must have a direction.

    Raises:
        ConfigError: It is not among them, or has no direction.
    """
    found = quantities.get(name)
    if found is None:
        raise ConfigError(
            "quantity",
            got=name or None,
            expected=f"one of {', '.join(quantities) or '(the run has no metrics)'}",
            fix=did_you_mean(name, quantities),
        )
    if found.better is None:
        ways = [name for name, quantity in quantities.items() if quantity.better is not None]
        raise ConfigError(
            "quantity",
            got=f"{name}, which has no better direction",
            expected=f"a quantity with a direction{': ' if ways else ''}{', '.join(ways)}",
            fix='its metric can declare one: Quantity(better="higher"), "lower" or Near(1.0)',
        )
    return found
