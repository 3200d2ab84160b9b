"""Make the chains of a recipe's plans, all at once in NumPy or with the ordinary loop, and store them."""

import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..chains import simulate, why_not
from ..errors import VeriloopError
from ..loop.check import checked
from ..loop.memory import MemoryRun
from ..loop.plan import Plan, quantities_of
from ..loop.rounds import run
from ..records import RoundRecord
from ..store.atomic import write_file
from ..store.manifest import package_versions
from .chain_files import Variant

Course = Mapping[str, list[float]]
"""``mean`` and ``se`` by round."""


ACCEPTED = "accepted_share"
"""Name of a quantity that every chain of the loop has: the share of candidates that a round accepted."""


class Asked(NamedTuple):
    """The work of one worker: all arms of a variant."""

    variant: Variant
    chains: int

    @property
    def key(self) -> str:
        """Return the name of its file, which depends on everything that the numbers depend on."""
        plan = self.variant.plan.model_dump(mode="json", exclude={"executor", "parallel"})
        content = json.dumps([plan, self.chains, package_versions().get("veriloop")], sort_keys=True)
        return f"{self.variant.recipe}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"


def in_numpy(plan: Plan) -> bool:
    """Return whether the chains of all arms of ``plan`` can be made at once."""
    return all(why_not(plan, arm) is None for arm in plan.arms)


def quantities(plan: Plan, arm: str) -> set[str]:
    """Return the names of the quantities that the chains of an arm have.

    Raises:
        VeriloopError: Something is wrong with the plan.
    """
    suited = checked(plan).plan
    if in_numpy(plan):
        return set(simulate(plan, arm, 2))
    return {*quantities_of(suited.metrics), ACCEPTED}


def make_chains(folder: Path, asked: Asked) -> str | None:
    """Make and store the chains of a variant; return the reason if they fail."""
    plan, began, used = asked.variant.plan, time.perf_counter(), time.process_time()
    try:
        if in_numpy(plan):
            arms = {
                arm: {name: _course(values) for name, values in simulate(plan, arm, asked.chains).items()}
                for arm in plan.arms
            }
        else:
            arms = _by_loop(plan, asked.chains)
        content = {
            "engine": "chains" if in_numpy(plan) else "loop",
            "chains": asked.chains,
            "seconds": round(time.perf_counter() - began, 2),
            "cpu_seconds": round(time.process_time() - used, 2),
            "arms": arms,
        }
        write_file(folder / f"{asked.key}.json", json.dumps(content).encode())
    except VeriloopError as e:
        return f"{asked.variant.recipe}: {e}"
    return None


def _course(values: NDArray[np.float64]) -> Course:
    """Return mean and standard error by round, of values of shape (chains, rounds + 1)."""
    se = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    return {"mean": values.mean(axis=0).tolist(), "se": se.tolist()}


def _by_loop(plan: Plan, chains: int) -> dict[str, dict[str, Course]]:
    """Return courses of metrics and of the accepted share, from runs in memory, one for each seed."""
    found: dict[str, list[list[RoundRecord]]] = {arm: [] for arm in plan.arms}
    for seed in range(plan.seed, plan.seed + chains):
        records = run(plan.model_copy(update={"seed": seed}), MemoryRun()).records()
        for arm, chain in found.items():
            chain.append(sorted((r for r in records if r.arm == arm), key=lambda r: r.round))
    courses: dict[str, dict[str, Course]] = {}
    for arm, own in found.items():
        names = own[0][0].metrics
        measured = {name: [[r.metrics[name].value for r in chain] for chain in own] for name in names}
        accepted, generated = (
            np.array([[getattr(r.counts, name) for r in chain] for chain in own], float)
            for name in ("accepted", "generated")
        )
        courses[arm] = {name: _course(np.array(values)) for name, values in measured.items()}
        courses[arm][ACCEPTED] = _ratio(accepted, generated)
    return courses


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> Course:
    """Return the ratio of the means of two arrays of shape (chains, rounds + 1), with its standard error.

    A round ends when it has enough samples, so the mean of its ratios is biased; the ratio of sums is not
    (Wald).
    """
    total = np.maximum(whole.mean(axis=0), 1)
    ratio = part.mean(axis=0) / total
    se = (part - ratio * whole).std(axis=0, ddof=1) / np.sqrt(len(part)) / total
    return {"mean": ratio.tolist(), "se": se.tolist()}


def stored(path: Path) -> dict[str, Any] | None:
    """Read what `make_chains` wrote; None if the file is missing or incomplete."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None
