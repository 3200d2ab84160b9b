"""Stop rules: when an arm has had its last round, by its records alone."""

import math
from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from ..errors import ConfigError
from ..parts import Checked
from ..records import RoundRecord
from .direction import better, loss_of


class Decision(NamedTuple):
    """Why an arm ends: in words, and the numbers that say so."""

    reason: str
    evidence: dict[str, float]


class Stop(Checked, frozen=True):
    """Ends an arm before its last round.

    A change counts as a gain, or as a loss, when it exceeds both ``min_gain`` and two standard errors of the
    difference of the two measurements; so noise of the metric alone neither stops an arm nor keeps it going.

    Attributes:
        when: ``plateau``: the last ``patience`` rounds brought no gain over the best before them.
            ``reversal``: each of them lost against it. ``budget``: another round as dear as the last one
            would exceed ``seconds`` or ``candidates``.
        metric: Which one, measured on held-out real data; for ``plateau`` and ``reversal``.
        patience: How many rounds it takes.
        min_gain: In units of the metric.
        seconds: Of all stages and workers together. The only rule whose outcome depends on the machine.
        candidates: Generated in all rounds.
    """

    when: Literal["plateau", "reversal", "budget"]
    metric: str | None = None
    patience: Annotated[int, Field(gt=0)] = 2
    min_gain: Annotated[float, Field(ge=0)] = 0.0
    seconds: Annotated[float, Field(gt=0)] | None = None
    candidates: Annotated[int, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        limited = self.seconds is not None or self.candidates is not None
        if self.when == "budget" and not limited:
            raise ConfigError("no budget", expected="seconds, or candidates, or both")
        if self.when != "budget" and limited:
            raise ConfigError("seconds or candidates", got=f"when: {self.when}", expected="when: budget")
        if self.when != "budget" and self.metric is None:
            raise ConfigError("no metric", expected="the name of a metric of the run")
        return self

    def decide(self, chain: Sequence[RoundRecord]) -> Decision | None:
        """Whether the arm ends after these rounds: why, or None to go on.

        Args:
            chain: The records of the arm, by round.
        """
        return self._by_budget(chain) if self.when == "budget" else self._by_metric(chain)

    def _by_metric(self, chain: Sequence[RoundRecord]) -> Decision | None:
        assert self.metric is not None  # _complete checks it.
        measured = [
            r for r in chain if self.metric in r.metrics and math.isfinite(r.metrics[self.metric].value)
        ]
        if len(measured) <= self.patience:
            return None
        values = np.array([r.metrics[self.metric].value for r in measured])
        errors = np.nan_to_num(np.array([r.metrics[self.metric].se for r in measured]))
        losses = loss_of(better(self.metric))(values)
        best = int(np.argmin(losses[: -self.patience]))
        gains = losses[best] - losses[-self.patience :]
        noise = 2 * np.hypot(errors[best], errors[-self.patience :])
        counts = np.abs(gains) > np.maximum(self.min_gain, noise)
        over = not np.any(counts & (gains > 0)) if self.when == "plateau" else np.all(counts & (gains < 0))
        if not over:
            return None
        last = "the last round" if self.patience == 1 else f"the last {self.patience} rounds"
        what = "brought no gain over" if self.when == "plateau" else "were worse than"
        best_round, at_best = measured[best].round, float(values[best])
        recent = zip(measured[-self.patience :], values[-self.patience :], strict=True)
        return Decision(
            f"{self.when}: {last} {what} round {best_round}, by {self.metric} ({at_best:.4g} there)",
            {"best_round": best_round, "best": at_best, **{f"round_{r.round}": float(x) for r, x in recent}},
        )

    def _by_budget(self, chain: Sequence[RoundRecord]) -> Decision | None:
        costs = {
            "seconds": (self.seconds, [sum(r.seconds.values()) for r in chain]),
            "candidates": (self.candidates, [float(r.counts.generated) for r in chain]),
        }
        if len(chain) < 2:
            return None  # The start model does not say what a round costs.
        for unit, (limit, spent) in costs.items():
            total, last = sum(spent), spent[-1]
            if limit is not None and total + last > limit:
                reason = (
                    f"budget: {total:,.0f} of {limit:,.0f} {unit} spent, and the last round took {last:,.0f}"
                )
                return Decision(reason, {"spent": total, "last_round": last, "limit": float(limit)})
        return None
