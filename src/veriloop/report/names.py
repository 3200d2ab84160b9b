"""Numbers and durations as people read them."""

import math
from typing import Protocol

from ..records import Counts, Estimate

MISSING = "\N{EN DASH}"
"""Stands where there is no number."""


def short(x: float) -> str:
    """``x`` with three significant digits, and no exponent where people would not write one."""
    if not math.isfinite(x):
        return MISSING
    if 1_000 <= abs(x) < 1e7:
        return f"{x:,.0f}"
    return f"{x:#.3g}".rstrip(".")


def signed(x: float) -> str:
    """`short` with a sign: ``+0.012``, ``-3.40``."""
    return f"+{short(x)}" if x > 0 else short(x)


def with_error(estimate: Estimate) -> str:
    """An estimate and its standard error, to the digits that the error leaves: ``12.4 ± 0.3``."""
    value, se = estimate.value, estimate.se
    if not (math.isfinite(value) and math.isfinite(se) and se > 0):
        return short(value)
    # One digit of the error, two when it begins with 1, as the Particle Data Group rounds.
    power = math.floor(math.log10(se))
    places = max(0, -power + (se / 10**power < 1.95))
    return f"{value:,.{places}f} ± {se:,.{places}f}"


class Judged(Protocol):
    """A round's candidates, as its record or its preview tells of them."""

    @property
    def counts(self) -> Counts:
        """What became of them."""
        ...

    @property
    def abstentions(self) -> dict[str, int]:
        """On how many the verifier abstained, by its commonest reasons."""
        ...


def why_abstained(record: Judged) -> str:
    """Such as ``abstained on 12 of 400: took longer than 10 s (9), KeyError: 'answer' (3)``; or nothing."""
    if not record.abstentions:
        return ""
    reasons = ", ".join(f"{reason} ({n:,})" for reason, n in record.abstentions.items())
    others = record.counts.abstained - sum(record.abstentions.values())
    more = f", other reasons ({others:,})" if others else ""
    return f"abstained on {record.counts.abstained:,} of {record.counts.generated:,}: {reasons}{more}"


def duration(seconds: float) -> str:
    """Such as ``30 ms``, ``0.4 s``, ``38 s``, ``2 min 05 s``, ``3 h 10 min``."""
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
