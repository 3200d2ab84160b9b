"""Format numbers and durations for people."""

import math
from typing import Protocol

from ..events import RowsProgress, TrainingProgress
from ..records import Counts, Estimate, RoundRecord

MISSING = "\N{EN DASH}"
"""Shown in place of a missing number."""


def short(x: float) -> str:
    """Format ``x`` with three significant digits, avoiding exponents for ordinary numbers."""
    if not math.isfinite(x):
        return MISSING
    if 1_000 <= abs(x) < 1e7:
        return f"{x:,.0f}"
    return f"{x:#.3g}".rstrip(".")


def signed(x: float) -> str:
    """Format as `short`, with a sign: ``+0.012``, ``-3.40``."""
    return f"+{short(x)}" if x > 0 else short(x)


def with_error(estimate: Estimate) -> str:
    """Format an estimate and its standard error, to the digits that the error allows: ``12.4 ± 0.3``."""
    value, se = estimate.value, estimate.se
    if not (math.isfinite(value) and math.isfinite(se) and se > 0):
        return short(value)
    # One digit of the error, or two if it starts with 1, as the Particle Data Group rounds.
    power = math.floor(math.log10(se))
    places = max(0, -power + (se / 10**power < 1.95))
    return f"{value:,.{places}f} ± {se:,.{places}f}"


def how_far(event: RowsProgress | TrainingProgress) -> str:
    """Format progress such as ``312/2,000 rows, 210 tokens/s`` or ``step 12/75, loss 2.31``."""
    words = [f"{event.done:,}/{event.of:,}"]
    if isinstance(event, TrainingProgress):
        words[0] = f"step {words[0]}"
        named = {"loss": event.loss, "gradient norm": event.gradient_norm}
        words += [f"{name} {short(value)}" for name, value in named.items() if value is not None]
    else:
        words[0] += " rows"
    if event.tokens and event.seconds > 0:
        words.append(rate(event.tokens / event.seconds))
    return ", ".join(words)


def how_trained(record: RoundRecord) -> str:
    """Format a training such as ``loss 2.31 → 1.90, gradient norm 1.40``; empty without a loss."""
    trained = record.training
    if trained is None or not math.isfinite(trained.loss_last):
        return ""
    words = [f"loss {short(trained.loss_first)} → {short(trained.loss_last)}"]
    if math.isfinite(trained.gradient_norm):
        words.append(f"gradient norm {short(trained.gradient_norm)}")
    if tokens := tokens_per_second(record, "fit"):
        words.append(rate(tokens))
    return ", ".join(words)


def tokens_per_second(record: RoundRecord, stage: str) -> float | None:
    """Return the tokens per second that a round wrote or trained on; None if there were none."""
    tokens, seconds = record.tokens.get(stage, 0), record.seconds.get(stage, 0.0)
    return tokens / seconds if tokens and seconds > 0 else None


def rate(tokens: float) -> str:
    """Format tokens per second."""
    return f"{tokens:,.0f} tokens/s"


class Judged(Protocol):
    """Judged candidates of a round, in its record or its preview."""

    @property
    def counts(self) -> Counts:
        """What became of them."""
        ...

    @property
    def abstentions(self) -> dict[str, int]:
        """Numbers of abstentions, by the most frequent reasons."""
        ...


def why_abstained(record: Judged) -> str:
    """Format abstentions such as ``abstained on 12 of 400: took longer than 10 s (9), no number (3)``."""
    if not record.abstentions:
        return ""
    reasons = ", ".join(f"{reason} ({n:,})" for reason, n in record.abstentions.items())
    others = record.counts.abstained - sum(record.abstentions.values())
    more = f", other reasons ({others:,})" if others else ""
    return f"abstained on {record.counts.abstained:,} of {record.counts.generated:,}: {reasons}{more}"


def duration(seconds: float) -> str:
    """Format a duration such as ``30 ms``, ``0.4 s``, ``38 s``, ``2 min 05 s``, ``3 h 10 min``."""
    if not math.isfinite(seconds):
        return MISSING
    if 0 < seconds < 0.095:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
