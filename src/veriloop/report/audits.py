"""Audits for display: a table of numbers, what the verifier pulls toward, and the next rounds."""

import math
from typing import NamedTuple

import numpy as np

from ..advise.audited import FOLDER, Audit, Audited
from ..advise.intervals import Interval
from ..errors import CorruptFileError
from ..store.folder import RunFolder
from .names import MISSING

SHOWN_ROUNDS = (2, 3, 5, 10, 20)
"""Number of future rounds shown; the JSON has all of them."""


class AuditLine(NamedTuple):
    """A row of the table: what, its value, and its 95 % interval."""

    name: str
    value: str
    interval: str


class Shown(NamedTuple):
    """An audit on a page; ``id`` is that of its figure."""

    id: str
    found: Audited
    lines: list[AuditLine]
    pulled: str


def audits(folder: RunFolder) -> list[Shown]:
    """Return the audits of a run written by ``veriloop audit``, by name.

    Raises:
        CorruptFileError: One of them cannot be read.
    """
    shown = []
    for number, path in enumerate(sorted((folder.path / FOLDER).glob("*.json"))):
        try:
            found = Audited.from_bytes(folder.finding(path))
        except (CorruptFileError, KeyError, TypeError, ValueError) as e:
            raise CorruptFileError(f"{path} cannot be read", fix="delete it, and audit again") from e
        shown.append(Shown(f"audit-{number}", found, lines(found.audit), hardest_pulled(found)))
    return shown


def lines(found: Audit) -> list[AuditLine]:
    """Return the numbers of an audit as text."""
    rho, half = found.eigenvalues, found.half_lives
    lines_ = [
        AuditLine(
            "accepted", f"{found.n_accepted:,} of {found.n_generated:,} ({found.acceptance_rate:.1%})", ""
        ),
        AuditLine("no better than a coin: p-value", _small(found.told_from_coin), ""),
        AuditLine("verdicts that the features explain", f"{max(found.explained, 0):.1%}", ""),
        AuditLine(
            "share of the distance to the center left by a round", f"{rho.min():.2f} to {rho.max():.2f}", ""
        ),
        AuditLine("rounds to halve it", f"{_number(half.min())} to {_number(half.max())}", ""),
        AuditLine("variance of accepted rows, relative to all", f"{found.variance_ratio:.2f}", ""),
        AuditLine("entropy lost by accepting, in nats", f"{-found.entropy_change:.2f}", ""),
    ]
    if found.bias_norm is not None:
        lines_.append(_line("verifier's bias: distance of its center from the real mean", found.bias_norm, 2))
    lines_ += [
        AuditLine("model's distance from the real mean, now", f"{found.distances[0]:.2f}", ""),
        _line("closer after one round by", found.gain_one_round, 2),
    ]
    lines_ += [
        AuditLine(
            f"model's distance from the real mean after round {k}",
            f"{found.distances[k]:.2f}",
            f"{found.distances_low[k]:.2f} to {found.distances_high[k]:.2f}",
        )
        for k in SHOWN_ROUNDS
        if k < len(found.distances)
    ]
    lines_ += [
        AuditLine("generators agree until round", f"{found.agree_until}", ""),
        _line(f"best round of {len(found.trajectory)}", found.best_round, 0),
        AuditLine("regime", _regime(found), ""),
    ]
    return lines_


def hardest_pulled(found: Audited, most: int = 5) -> str:
    """Return the features that acceptance moves most, in standard deviations."""
    pull = found.audit.pull
    order = np.argsort(-np.abs(pull), kind="stable")[:most]
    return ", ".join(f"{found.names[j]} ({pull[j]:+.2f} sd)" for j in order)


def _regime(found: Audit) -> str:
    if found.regime.probability is None:
        return "cannot tell"
    return f"{found.regime.value} (probability {found.regime.probability:.2f})"


def _small(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else "below 0.001"


def _line(name: str, interval: Interval, digits: int) -> AuditLine:
    value, low, high = (
        f"{x:.{digits}f}" if math.isfinite(x) else MISSING
        for x in (interval.value, interval.low, interval.high)
    )
    return AuditLine(name, value, f"{low} to {high}")


def _number(x: float) -> str:
    return f"{x:.1f}" if math.isfinite(x) else MISSING
