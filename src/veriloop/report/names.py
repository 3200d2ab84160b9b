"""What metrics are called in front of people."""

import math
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from ..advise.direction import Better, better
from ..records import Counts, Estimate

MISSING = "\N{EN DASH}"
"""Stands where there is no number."""


class MetricName(NamedTuple):
    """How a metric is shown.

    Attributes:
        title: A few words, for headings and sentences.
        better: Which way is better; empty when neither is, by itself.
        meaning: One sentence for who has not met it before.
    """

    title: str
    better: Better
    meaning: str

    @property
    def hint(self) -> str:
        """Which way is better, in words; empty when neither is."""
        if self.better == "near one":
            return "closer to 1 is better"
        return f"{self.better} is better" if self.better else ""


_NAMES = {
    "frechet": (
        "Fréchet distance",
        "How far the samples are from held-out real data, in the features of a small classifier.",
    ),
    "fid": ("FID", "The Fréchet distance in Inception features."),
    "nelbo": ("Negative ELBO", "How badly the model explains held-out real data: reconstruction plus KL."),
    "reconstruction": ("Reconstruction", "The part of the negative ELBO that is lost in decoding."),
    "kl": ("KL", "The part of the negative ELBO that the latent code costs."),
    "accuracy": ("Label accuracy", "How often a classifier reads in a sample the class it was made for."),
    "precision": ("Precision", "The share of samples that lie among real data."),
    "recall": ("Recall", "The share of real data that lie among samples."),
    "density": ("Density", "How densely real data surround the samples."),
    "coverage": ("Coverage", "The share of real data with a sample close by."),
    "diversity": ("Diversity", "The spread of samples within a class, relative to that of real data."),
    "rouge1": ("ROUGE-1", "How many words the texts share with the references (F1)."),
    "rouge2": ("ROUGE-2", "How many pairs of neighbouring words they share with the references (F1)."),
    "rougeL": ("ROUGE-L", "The longest sequence of words, with gaps, in common with the references (F1)."),
    "distinct1": ("Distinct-1", "The share of different words among all words written."),
    "distinct2": ("Distinct-2", "The share of different word pairs among all written."),
    "bigram_entropy": ("Bigram entropy", "How evenly the word pairs that are written are used, in bits."),
    "length": ("Length", "How many words a text has."),
    "check": ("Your own check", "The share of texts that your function accepts, or its mean score."),
    "check_abstained": ("Not checked", "The share of texts on which your function could not tell."),
    "empty": ("Empty texts", "The share of texts without a word."),
    "copied": (
        "Copied texts",
        "The share of texts of which more than half stands in the source, in one piece.",
    ),
    "loss": ("Held-out loss", "How unlikely the model finds people's texts, in nats a token."),
}


def metric_name(metric: str) -> MetricName:
    """How ``metric`` is shown; a metric we do not know is shown by its key."""
    title, meaning = _NAMES.get(metric, (metric, ""))
    return MetricName(title, better(metric), meaning)


def headline(metrics: list[str]) -> str | None:
    """The one of ``metrics`` that stands for a model's quality, or None when there are none."""
    return next(
        (name for name in ("frechet", "fid", "rouge1") if name in metrics), metrics[0] if metrics else None
    )


def parts_of(metric: str, metrics: Iterable[str]) -> list[str]:
    """Those of ``metrics`` that are ``metric`` for one class each, such as ``accuracy_3`` of ``accuracy``."""
    return [name for name in metrics if re.fullmatch(re.escape(metric) + r"_\d+", name)]


def whole(metrics: Sequence[str]) -> list[str]:
    """``metrics`` without those that are `parts_of` another one."""
    parts = {part for metric in metrics for part in parts_of(metric, metrics)}
    return [name for name in metrics if name not in parts]


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
