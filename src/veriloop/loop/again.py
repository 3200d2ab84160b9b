"""Replay of a finished round: its candidates, read from disk or made again from the seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from ..datasets.base import RealData
from ..executors.serial import Serial
from ..executors.threads import limit_threads
from ..records import Counts
from ..rng import Address, Stage
from ..rules.acceptance import Selection, groups_of
from ..samples import Samples, concat
from ..store.folder import RunFolder
from ..verdicts import Decision, Verdicts
from .chunks import STORED
from .data import load_data, load_schema
from .gather import gather
from .known import judge_of, round_of
from .one_round import Context, candidates_of
from .opening import opened
from .plan import Plan
from .sources import check_unchanged
from .stores import counts_of_round, load_state


@dataclass(frozen=True, eq=False)
class Remade:
    """The candidates of a round, in the order in which they were made.

    Attributes:
        round: Round number.
        verifier: Kind of the verifier.
        samples: Candidates, n rows.
        number: Position of each one among all candidates of the round, shape (n,).
        score: Scores from the verifier, shape (n,).
        accepted: 1 or 0, NaN where the verifier abstained, shape (n,).
        groups: Values of the column that the arm balances over, shape (n,).
        data: Real data of the run.
    """

    round: int
    verifier: str
    samples: Samples
    number: NDArray[np.int64]
    score: NDArray[np.float64]
    accepted: NDArray[np.float64]
    groups: NDArray
    data: RealData


@dataclass(frozen=True, eq=False)
class Again:
    """The candidates of a finished round, chunk by chunk, with their verdicts.

    Attributes:
        context: Context of the arm.
        round: Round number.
        chunks: Samples, verdicts and groups of each chunk of candidates, in order.
        remade: All candidates of the round together, with the outcome for each.
    """

    context: Context
    round: int
    chunks: Sequence[tuple[Samples, Verdicts, NDArray]]
    remade: Remade


def candidates_again(plan: Plan, folder: RunFolder, arm: str, round_: int | None) -> Remade:
    """Return the candidates of a finished round and their outcomes, see `round_again`."""
    return round_again(plan, folder, arm, round_).remade


def round_again(plan: Plan, folder: RunFolder, arm: str, round_: int | None) -> Again:
    """Return the candidates of a finished round exactly as they were made, with their verdicts.

    If the run stored them (``keep_candidates``), they are read, and no model is needed. Otherwise they are
    made again, bit for bit: every chunk has its own random stream, so only the models in the folder are
    needed. A verifier whose answers vary, such as a model behind a URL, may then judge them differently.

    Candidates accepted after their group's quota was full were not kept, which does not reflect on the
    verifier: candidates of such a group after the last kept one are left out of `Again.remade`. All others
    are in memory at once.

    Args:
        plan: Plan of the run.
        folder: Run folder.
        arm: Name of the arm.
        round_: Number of a finished round; None for the last one.

    Raises:
        ConfigError: There is no such arm or finished round, or the arm has no verifier.
        CorruptFileError: A file cannot be read.
        RunFolderError: Neither the candidates nor the models of the round are stored; or the candidates are
            not, and something that the round depends on has changed.
    """
    plan = plan.suited_to(load_schema(plan.dataset))
    number, kind = round_of(plan, folder, arm, round_)
    stored = folder.candidates(number, arm)
    if not stored:
        check_unchanged(folder, plan, number)
    data = load_data(plan.dataset, plan.seed)
    context = Context(
        plan,
        arm,
        data,
        Serial(),
        lambda event: None,
        start=lambda name, split: folder.rows(0, arm, name, split),
    )
    address = plan.address(arm, number)
    before = counts_of_round(plan, folder, arm, number - 1)
    opening = opened(plan, arm, data, address, folder.solved(number - 1, arm), before)
    seen = Witness(opening.selection)
    with limit_threads(plan.threads):
        if stored:
            _offer(stored, seen, plan.arms[arm].balance, address)
        else:
            generator = load_state(plan, folder, arm, number - 1).generator
            judge = judge_of(plan, folder, arm, number)
            gather(
                candidates_of(generator, judge, opening.pool, context, address),
                seen,
                balance=plan.arms[arm].balance,
                chunk_size=plan.chunk_size,
                limit=opening.limit,
                keep_rejected=False,
                executor=context.executor,
                report=lambda counts: None,
                first=opening.first,
            )
    return Again(context, number, seen.offered, seen.remade(number, kind, data))


def _offer(stored: Sequence[Samples], selection: Selection, balance: str | None, address: Address) -> None:
    """Offer stored chunks to a selection, in the same way as `gather` did."""
    for chunk, whole in enumerate(stored):
        samples = whole.only([name for name in whole if name not in STORED])
        said = whole.array("_score"), whole.array("_decision"), whole.texts("_reason")
        verdicts = Verdicts(*said) if any(said[2]) else Verdicts(*said[:2])
        rng = address.at(Stage.ACCEPT, chunk).rng()
        selection.offer(verdicts, samples, groups_of(samples, balance), rng)


class Witness(Selection):
    """Leaves the choice to another selection, and remembers every candidate with its verdict."""

    def __init__(self, other: Selection) -> None:
        super().__init__(other.quota)
        self._other = other
        self.offered: list[tuple[Samples, Verdicts, NDArray]] = []

    @override
    def offer(self, verdicts: Verdicts, samples: Samples, groups: NDArray, rng: np.random.Generator) -> None:
        self._other.offer(verdicts, samples, groups, rng)
        self.offered.append((samples, verdicts, groups))

    @override
    def shortfall(self) -> int:
        return self._other.shortfall()

    @override
    def retained(self) -> NDArray[np.int64]:
        return self._other.retained()

    @override
    def kept(self) -> NDArray[np.int64]:
        return self._other.kept()

    @override
    def counts(self) -> Counts:
        return self._other.counts()

    def remade(self, round_: int, verifier: str, data: RealData) -> Remade:
        """Return all candidates so far, with the outcome for each."""
        samples, verdicts, groups = zip(*self.offered, strict=True)
        group = np.concatenate(groups)
        accepted = np.zeros(len(group))
        accepted[np.concatenate([v.is_(Decision.ABSTAIN) for v in verdicts])] = np.nan
        accepted[self.kept()] = 1
        stands = np.ones(len(group), bool)
        if self.counts().accepted > self.counts().kept:
            for value, wanted in self.quota.items():
                kept = np.flatnonzero((group == value) & (accepted == 1))
                if len(kept) == wanted:
                    stands &= (group != value) | (np.arange(len(group)) <= kept.max(initial=-1))
        return Remade(
            round=round_,
            verifier=verifier,
            samples=concat(samples).select(stands),
            number=np.flatnonzero(stands),
            score=np.concatenate([v.score for v in verdicts])[stands],
            accepted=accepted[stands],
            groups=group[stands],
            data=data,
        )
