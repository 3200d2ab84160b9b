"""Audits in front of people: a table of numbers, and what the verifier pulls at."""

import math
from typing import NamedTuple

import numpy as np

from ..advise.audit import Audit
from ..advise.intervals import Interval
from .audit_table import AuditedTable
from .names import MISSING


class AuditLine(NamedTuple):
    """A row of the table: what, how much, and its 95 % interval."""

    name: str
    value: str
    interval: str


def lines(found: Audit) -> list[AuditLine]:
    """The numbers of an audit, as people read them."""
    rho, half = found.eigenvalues, found.half_lives
    lines_ = [
        AuditLine(
            "accepted", f"{found.n_accepted:,} of {found.n_generated:,} ({found.acceptance_rate:.1%})", ""
        ),
        AuditLine("a round leaves of the distance to the center", f"{rho.min():.2f} to {rho.max():.2f}", ""),
        AuditLine("rounds that halve it", f"{_number(half.min())} to {_number(half.max())}", ""),
        AuditLine("variance of the accepted, over that of all", f"{found.variance_ratio:.2f}", ""),
        AuditLine("entropy that they lack, in nats", f"{-found.entropy_change:.2f}", ""),
    ]
    if found.bias_norm is not None:
        lines_.append(_line("verifier's bias: its center from the real mean", found.bias_norm, 2))
    lines_ += [
        AuditLine("model from the real mean, now", f"{found.distances[0]:.2f}", ""),
        _line("nearer after one round by", found.gain_one_round, 2),
        _line(f"best round of {len(found.trajectory)}", found.best_round, 0),
    ]
    return lines_


def hardest_pulled(found: AuditedTable, most: int = 5) -> str:
    """The features that accepting moves most, in their standard deviations."""
    pull = found.audit.pull
    order = np.argsort(-np.abs(pull), kind="stable")[:most]
    return ", ".join(f"{found.names[j]} ({pull[j]:+.2f} sd)" for j in order)


def _line(name: str, interval: Interval, digits: int) -> AuditLine:
    value, low, high = (f"{x:.{digits}f}" for x in (interval.value, interval.low, interval.high))
    return AuditLine(name, value, f"{low} to {high}")


def _number(x: float) -> str:
    return f"{x:.1f}" if math.isfinite(x) else MISSING
