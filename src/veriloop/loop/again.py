"""A finished round's candidates, made again: a run folder keeps the accepted ones, seeds make the others."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from ..datasets.base import RealData
from ..executors.serial import Serial
from ..executors.threads import limit_threads
from ..generator import Generator
from ..records import Counts
from ..rng import Stage
from ..rules.acceptance import Selection, groups_of
from ..samples import Samples, concat
from ..store.folder import RunFolder
from ..verdicts import Decision, Verdicts
from .chunks import CANDIDATES
from .data import load_data, load_schema
from .gather import gather
from .known import judge_of
from .plan import Plan
from .step import Context, opened
from .stores import load_state


@dataclass(frozen=True, eq=False)
class Remade:
    """A round's candidates, in the order in which they were made.

    Attributes:
        round: Its number.
        verifier: The kind of the verifier.
        samples: The candidates.
        number: Which of all the round's candidates they are, shape (n,).
        score: What the verifier gave them, shape (n,).
        accepted: 1 or 0, NaN where the verifier abstained, shape (n,).
        groups: The value of the column that the arm balances over, shape (n,).
        data: The run's real data.
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
    """A finished round made again: its model, its candidates chunk by chunk, and what was said of them.

    Attributes:
        context: Of the arm.
        round: Its number.
        verifier: The kind of the verifier.
        generator: What made the candidates: the model of the round before.
        chunks: Samples, verdicts and groups of each chunk of candidates, in order.
        remade: The round's candidates together, with what became of them.
    """

    context: Context
    round: int
    verifier: str
    generator: Generator
    chunks: Sequence[tuple[Samples, Verdicts, NDArray]]
    remade: Remade


def candidates_again(plan: Plan, folder: RunFolder, arm: str, round_: int | None) -> Remade:
    """The candidates of a finished round and what became of them, see `round_again`."""
    return round_again(plan, folder, arm, round_).remade


def round_again(plan: Plan, folder: RunFolder, arm: str, round_: int | None) -> Again:
    """Make the candidates of a finished round again, bit for bit, and judge them as they were.

    Where the run has kept all its candidates, they and what was said of them are read. Elsewhere every chunk
    of candidates has its own address of randomness, so this needs the models in the folder only. A verifier
    that does not always say the same, such as a model behind a URL, may judge them otherwise now. What a
    full quota turned away was accepted and not kept, and says nothing of the verifier: such a group's
    candidates after the last one kept are left out of `Again.remade`. All the others are in memory at once.

    Args:
        plan: Of the run.
        folder: Of the run.
        arm: Its name.
        round_: A finished round; None for the last.

    Raises:
        ConfigError: There is no such arm or finished round, or the arm has no verifier.
        CorruptFileError: A file cannot be read.
    """
    plan = plan.suited_to(load_schema(plan.dataset))
    number, kind, judge = judge_of(plan, folder, arm, round_)
    generator = load_state(plan, folder, arm, number - 1).generator
    data, setting = load_data(plan.dataset, plan.seed), plan.arms[arm]
    context = Context(plan, arm, data, Serial(), lambda event: None)
    with limit_threads(plan.threads):
        candidates, selection, limit = opened(generator, judge, context, plan.address(arm, number))
        seen = Witness(selection)
        for stored, samples, verdicts in _stored(folder, number, arm):
            rng = candidates.address.at(Stage.ACCEPT, stored).rng()
            seen.offer(verdicts, samples, groups_of(samples, setting.balance), rng)
        if not seen.offered:
            gather(
                candidates,
                seen,
                balance=setting.balance,
                chunk_size=plan.chunk_size,
                limit=limit,
                keep_rejected=False,
                executor=context.executor,
                report=lambda counts: None,
            )
    return Again(context, number, kind, generator, seen.offered, seen.remade(number, kind, data))


def _stored(folder: RunFolder, round_: int, arm: str) -> Iterator[tuple[int, Samples, Verdicts]]:
    """The chunks of all candidates, with what was said of them, where the run has kept them."""
    directory = folder.round_directory(round_, arm) / CANDIDATES
    if not directory.is_dir():
        return
    folder.check_files(round_, arm, CANDIDATES)
    for number, path in enumerate(sorted(directory.glob("*.npz"))):
        chunk = Samples.load(path)
        said = Verdicts(chunk.array("_score"), chunk.array("_decision"), chunk.texts("_reason"))
        yield number, chunk.only([name for name in chunk if not name.startswith("_")]), said


class Witness(Selection):
    """Leaves the choice to another selection, and remembers every candidate with what was said of it."""

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
        """All candidates so far, with what has become of them."""
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
