"""The start of a round: its prompts or classes in order, its selection, and its limit."""

import math
from typing import NamedTuple

import numpy as np

from ..advise.intervals import wilson
from ..datasets.base import RealData
from ..records import Counts
from ..rng import Address, Stage
from ..rules.acceptance import PerPrompt, Selection, groups_of
from ..samples import Samples
from . import seam
from .cards import asks_people
from .data import load_schema
from .gather import quota
from .per_prompt import Drawn, draw, prompts_of
from .plan import Plan


class Opening(NamedTuple):
    """A round before its first candidate.

    Attributes:
        pool: Conditions in the round's order; None if there are none.
        selection: A fresh selection.
        limit: Largest number of candidates in the round.
        drawn: Prompts of the round, if several texts are written for each; else None.
        per_prompt: Selection among the texts of a prompt; else None.
        first: Number of candidates in the first wave if people judge them, from their acceptance rate in the
            round before. None for the number that the selection asks for.
    """

    pool: Samples | None
    selection: Selection
    limit: int
    drawn: Drawn | None = None
    per_prompt: PerPrompt | None = None
    first: int | None = None

    @property
    def no_more(self) -> str:
        """A remark for messages if the prompts allow no more candidates, else an empty text."""
        if self.pool is None or self.per_prompt is None or self.limit < len(self.pool) * self.per_prompt.n:
            return ""
        dropped = self.drawn.solved + self.drawn.unsolved if self.drawn else 0
        return ", and there are no more prompts" + (f" ({dropped:,} are dropped)" if dropped else "")


def opened(
    plan: Plan,
    name: str,
    data: RealData,
    address: Address,
    solved: Samples | None,
    before: Counts | None = None,
) -> Opening:
    """Open a round of the arm ``name``.

    Args:
        plan: Plan adapted to ``data``.
        name: Name of the arm.
        data: Real data.
        address: Address of the round.
        solved: Counts of solved prompts in the round before, see `veriloop.loop.per_prompt.solved_in`.
        before: Outcomes of the candidates of the round before.
    """
    arm, pool, drawn = plan.arms[name], data.conditions, None
    assert arm.schedule is not None  # Arm checks this for arms that train on kept samples.
    wanted = seam.wanted(arm.schedule, address.round)
    if pool is not None:
        order = address.at(Stage.CONDITION).rng().permutation(len(pool))
        if arm.samples_per_prompt is not None:
            columns = prompts_of(load_schema(plan.dataset))
            drawn = draw(pool, order, columns, arm.drop_prompts, solved)
            order = drawn.rows
        pool = pool.select(order)
    places = quota(wanted, pool, arm.balance)
    if pool is not None and not all(places.values()):
        # Nothing is kept of a group with quota 0, so no candidates are made for it.
        having = np.isin(groups_of(pool, arm.balance), [group for group, n in places.items() if n])
        pool = pool.select(having)
        drawn = drawn and drawn._replace(rows=drawn.rows[having])
    rule, limit = arm.acceptance, arm.limit(address.round)
    selection = seam.call(rule, "open", rule.open, places, data.train, arm.balance)
    if pool is None or drawn is None:
        first = _first(selection, before) if asks_people(arm.verifier) else None
        return Opening(pool, selection, limit, first=first)
    n = arm.texts_per_prompt
    per_prompt = PerPrompt(n, arm.keep_per_prompt or n, arm.distinct, list(pool), arm.verifier is not None)
    selection.limit_prompts(per_prompt)
    return Opening(pool, selection, min(limit // n, len(pool)) * n, drawn, per_prompt)


def _first(selection: Selection, before: Counts | None) -> int | None:
    """Return how many candidates people judge at once, so that a round does not wait for them many times.

    A verdict too many is time of theirs that is lost, so the rate is taken at the upper end of its interval.
    """
    if before is None or not before.accepted:
        return None
    rate = wilson(before.accepted, before.generated).high
    return max(selection.shortfall(), math.ceil(sum(selection.quota.values()) / rate))
