"""The results of an audit: `Audit`, and `Audited`, which adds a description of its subject."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np

from ..showing import Showing, in_short
from ._prognosis import Regime
from ._rivals import Generator
from ._rows import Floats
from .intervals import Interval

FOLDER = "audits"
"""Folder in a run folder with one JSON file per `Audited`."""


class Predicted(NamedTuple):
    """The model after a round.

    Attributes:
        round: Round number; 1 is the audited round: the mean of its accepted rows.
        mean: Means, shape (d,), in the features' own units.
        low: Lower ends of the 95 % intervals, shape (d,).
        high: Upper ends.
        spread: Standard deviations of the features, shape (d,).
        ess: Effective number of accepted rows around that mean.
    """

    round: int
    mean: Floats
    low: Floats
    high: Floats
    spread: Floats
    ess: float


class Center(NamedTuple):
    """The knowledge center: the mean at which the verifier's choices have no further effect.

    Attributes:
        value: Center, shape (d,), in the features' own units.
        low: Lower ends of the 95 % intervals, shape (d,).
        high: Upper ends.
        newton: Center by one Newton step from the current model: good near the center, rough far away.
        extrapolated: Whether it is beyond the reach of the rows, and so a Newton step from the last round in
            reach.
    """

    value: Floats
    low: Floats
    high: Floats
    newton: Floats
    extrapolated: bool


@dataclass(frozen=True, eq=False, repr=False)
class Audit(Showing):
    """Results of auditing one round of verdicts. Lengths are in spreads of the model: sqrt(x^T S^-1 x).

    Attributes:
        n_generated: Number of rows, judged or not.
        n_accepted: Number of accepted rows.
        acceptance_rate: Share of all generated rows that was accepted.
        told_from_coin: P-value of these verdicts under a coin with the same acceptance rate.
        explained: Share of the verdicts' log-loss that the features explain, on rows not seen.
        eigenvalues: Eigenvalues of the contraction R = dT/dm, largest first: the share of the distance to the
            center that remains after a round.
        half_lives: Number of rounds that halve that distance, for each eigenvalue; infinite from 1 on.
        neutral: Number of directions in which the verifier neither pulls nor narrows, as far as the rows
            show.
        pull: Mean of accepted rows minus mean of all, in standard deviations of each feature.
        wanted: Accepted rows farthest along the pull, farthest first.
        unwanted: Rejected rows farthest against it.
        variance_ratio: Variance of the accepted rows relative to all, averaged over the model's directions.
        entropy_change: Entropy of a Gaussian with the accepted rows' covariance minus that for all rows, in
            nats.
        center: Knowledge center; None if there is none.
        bias: Real mean minus center, shape (d,); None without a center.
        bias_norm: Length of the bias in spreads, corrected for the part that errors add on average.
        models: Future rounds, for each way to refit the generator.
        agree_until: Last predicted round up to which the models' intervals overlap in all features.
        trajectory: Future rounds whichever model is true: from the lowest to the highest end, widened for a
            trained model.
        trajectory_ended: Whether the rows reach no further.
        gain_one_round: Decrease of the distance from the real mean by round 1, in spreads.
        distances: Distances of rounds 0, 1, ... from the real mean, in spreads; in the middle of the models.
        distances_low: Lower ends of their 95 % intervals, whichever model is true.
        distances_high: Upper ends.
        best_round: Predicted round nearest to the real mean; 0 if none helps, NaN if the regime is unknown.
        enough: Round by which 95 % of the gain is made.
        plateau: Distance in spreads that remains after the last round of the trajectory; None if that is the
            first.
        regime: What happens to the distance, with its probability, or why it is unknown.
        verdict: Summary in plain language.
        warnings: Warnings, in sentences.
    """

    n_generated: int
    n_accepted: int
    acceptance_rate: float
    told_from_coin: float
    explained: float
    eigenvalues: Floats
    half_lives: Floats
    neutral: int
    pull: Floats
    wanted: list[int]
    unwanted: list[int]
    variance_ratio: float
    entropy_change: float
    center: Center | None
    bias: Floats | None
    bias_norm: Interval | None
    models: dict[Generator, list[Predicted]]
    agree_until: int
    trajectory: list[Predicted]
    trajectory_ended: bool
    gain_one_round: Interval
    distances: Floats
    distances_low: Floats
    distances_high: Floats
    best_round: Interval
    enough: int
    plateau: Interval | None
    regime: Regime
    verdict: str
    warnings: list[str]

    def __repr__(self) -> str:
        kept = f"{self.n_accepted:,} of {self.n_generated:,} accepted"
        return in_short("Audit", f"{kept}; {self.regime.value}.", self.verdict)

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON; missing and non-finite values become None."""
        center, norm, plateau = self.center, self.bias_norm, self.plateau
        return _plain(
            {
                "n_generated": self.n_generated,
                "n_accepted": self.n_accepted,
                "acceptance_rate": self.acceptance_rate,
                "told_from_coin": {"p_value": self.told_from_coin},
                "explained": self.explained,
                "contraction": {
                    "eigenvalues": self.eigenvalues,
                    "half_lives": self.half_lives,
                    "neutral": self.neutral,
                },
                "knowledge_center": center and center._asdict(),
                "bias": norm and {"norm": norm.model_dump(), "vector": self.bias},
                "models": {
                    name: {"trajectory": [p._asdict() for p in rounds]}
                    for name, rounds in self.models.items()
                },
                "agree_until": self.agree_until,
                "trajectory": [p._asdict() for p in self.trajectory],
                "trajectory_ended": self.trajectory_ended,
                "distances": self.distances,
                "distances_low": self.distances_low,
                "distances_high": self.distances_high,
                "gain_one_round": self.gain_one_round.model_dump(),
                "best_round": {**self.best_round.model_dump(), "enough": self.enough},
                "plateau": plateau and plateau.model_dump(),
                "diversity": {"variance_ratio": self.variance_ratio, "entropy_change": self.entropy_change},
                "pull": self.pull,
                "wanted": self.wanted,
                "unwanted": self.unwanted,
                "regime": {k: v for k, v in vars(self.regime).items() if v is not None},
                "verdict": self.verdict,
                "warnings": self.warnings,
            }
        )

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        """Rebuild an audit from the output of `to_json`; numbers that JSON lacks become NaN or infinite.

        Raises:
            KeyError: Something is missing.
            TypeError: Something is of another kind.
            ValueError: A value is invalid.
        """
        contraction, center, bias = found["contraction"], found["knowledge_center"], found["bias"]
        best, plateau = found["best_round"], found["plateau"]
        return cls(
            n_generated=int(found["n_generated"]),
            n_accepted=int(found["n_accepted"]),
            acceptance_rate=float(found["acceptance_rate"]),
            told_from_coin=float(found["told_from_coin"]["p_value"]),
            explained=float(found["explained"]),
            eigenvalues=_numbers(contraction["eigenvalues"]),
            half_lives=_numbers(contraction["half_lives"], math.inf),
            neutral=int(contraction["neutral"]),
            pull=_numbers(found["pull"]),
            wanted=list(found["wanted"]),
            unwanted=list(found["unwanted"]),
            variance_ratio=float(found["diversity"]["variance_ratio"]),
            entropy_change=float(found["diversity"]["entropy_change"]),
            center=None
            if center is None
            else Center(**{**_arrays(center), "extrapolated": center["extrapolated"]}),
            bias=None if bias is None else _numbers(bias["vector"]),
            bias_norm=None if bias is None else Interval(**bias["norm"]),
            models={name: _rounds(model["trajectory"]) for name, model in found["models"].items()},
            agree_until=int(found["agree_until"]),
            trajectory=_rounds(found["trajectory"]),
            trajectory_ended=found["trajectory_ended"],
            gain_one_round=Interval(**found["gain_one_round"]),
            distances=_numbers(found["distances"]),
            distances_low=_numbers(found["distances_low"]),
            distances_high=_numbers(found["distances_high"]),
            best_round=Interval(value=best["value"], low=best["low"], high=best["high"]),
            enough=int(best["enough"]),
            plateau=None if plateau is None else Interval(**plateau),
            regime=Regime(**found["regime"]),
            verdict=found["verdict"],
            warnings=list(found["warnings"]),
        )


@dataclass(frozen=True, eq=False)
class Audited:
    """An audit with a description of its subject.

    Attributes:
        subject: What was audited.
        names: Names of the features.
        wanted: Texts of `Audit.wanted`; empty unless the audit is about texts.
        unwanted: Texts of `Audit.unwanted`.
        audit: Results.
    """

    subject: str
    names: list[str]
    wanted: list[str]
    unwanted: list[str]
    audit: Audit

    def to_bytes(self) -> bytes:
        """Return the content of a JSON file."""
        content = {**vars(self), "audit": self.audit.to_json()}
        return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Rebuild from the output of `to_bytes`.

        Raises:
            KeyError: Something is missing.
            TypeError: Something is of another kind.
            ValueError: A value is invalid, or the content is not JSON.
        """
        found = json.loads(content)
        return cls(**{**found, "audit": Audit.from_json(found["audit"])})


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | np.ndarray):
        return [_plain(v) for v in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value


def _numbers(values: list[float | None], missing: float = math.nan) -> Floats:
    return np.array([missing if value is None else value for value in values], np.float64)


def _rounds(found: list[Mapping[str, Any]]) -> list[Predicted]:
    return [Predicted(**{**_arrays(p), "round": p["round"], "ess": float(p["ess"])}) for p in found]


def _arrays(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _numbers(value) for name, value in dict(found).items() if isinstance(value, list)}
