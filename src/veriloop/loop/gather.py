"""Make candidates, judge them, and keep enough: the first half of a round, chunk by chunk."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..advance import heard_by
from ..errors import ConfigError
from ..events import SAID, Event
from ..executors.base import Executor
from ..executors.threads import limit_threads
from ..generator import CUT, Generator, Notes
from ..judge import Judge
from ..records import Counts
from ..rng import Address, Stage
from ..rules.acceptance import Group, Selection, groups_of
from ..samples import Samples
from ..store.reader import PROVENANCE
from ..verdicts import Decision, Verdicts
from ..verifiers.base import PLACE, AwaitingVerdicts
from . import seam
from .chunks import ChunkFiles, Stored
from .guard import Finding, Guard, in_pieces
from .hearing import Hearing
from .held import Held

CUT_AT = "cut at the length limit"
"""Reason given when `Arm.drop_truncated` rejects a text."""

WAVE = 100_000
"""Maximum number of chunks planned at a time: a round may ask for more candidates than a list can hold."""

REASONS = 5
"""Number of abstention reasons that a record lists."""


class Chunk(NamedTuple):
    """Candidates ``first`` to ``first + size - 1`` of a round.

    Attributes:
        most: Abstentions at the start of the chunk after which the rest is not judged.
    """

    number: int
    first: int
    size: int
    most: int | None = None


class Judged(NamedTuple):
    """Candidates of a chunk, with the verifier's verdicts and the generator's notes."""

    samples: Samples
    verdicts: Verdicts | AwaitingVerdicts
    notes: Notes | None
    seconds: dict[str, float]


@dataclass(frozen=True)
class Candidates:
    """Everything that a worker needs to make any chunk of a round's candidates.

    Attributes:
        arm: Name of the arm, for verifiers that show it to people.
        conditions: Pool of conditions, already in this round's order; candidate i uses row i // each modulo
            its length.
        drop_truncated: Whether texts cut at the length limit are rejected, whatever their verdict.
        like: Real samples, possibly none, whose columns and types the candidates must have.
        each: Number of consecutive candidates per condition. They are always in the same chunk.
        emit: Called with progress events in the process that makes a chunk; None for no events.
    """

    arm: str
    generator: Generator
    judge: Judge | None
    conditions: Samples | None
    address: Address
    threads: int
    like: Samples | None = None
    drop_truncated: bool = False
    each: int = 1
    emit: Callable[[Event], None] | None = None

    def heard(self, stage: str, chunk: int) -> AbstractContextManager[None]:
        """Return a context that reports the calls inside it, for a chunk and a stage."""
        if self.emit is None:
            return nullcontext()
        return heard_by(Hearing(self.emit, self.arm, self.address.round, stage, chunk))


class First(NamedTuple):
    """The first chunk of a round: its candidates, verdicts and kept rows."""

    samples: Samples
    verdicts: Verdicts
    kept: NDArray[np.int64]


@dataclass(frozen=True)
class Gathered:
    """The samples that a round kept, and the outcome for its candidates.

    Attributes:
        kept: Samples in the order of generation, with the column `CUT` if the generator notes it.
        provenance: Columns `_chunk`, `_row`, `_score` for each kept sample.
        rejected: Candidates not kept, if requested, with provenance and the column `_reason`.
        abstentions: Number of abstentions by reason.
        findings: Signs that the verifier does not distinguish the candidates.
        tokens: Number of tokens in the candidates' texts; None if unknown.
        first: First chunk and its kept rows; None if no chunk was made.
        hopeless: Finding that ended the round before its limit, if any.
        seconds: Seconds by stage, summed over workers.
    """

    kept: Samples
    provenance: Samples
    rejected: Samples | None
    counts: Counts
    abstentions: Counter[str]
    findings: list[Finding]
    hopeless: Finding | None
    tokens: int | None
    first: First | None
    wanted: int
    seconds: dict[str, float]

    @property
    def commonest(self) -> dict[str, int]:
        """The most frequent reasons for abstentions, as listed in a record."""
        return dict(self.abstentions.most_common(REASONS))


def gather(
    candidates: Candidates,
    selection: Selection,
    *,
    balance: str | None,
    chunk_size: int,
    limit: int,
    keep_rejected: bool,
    executor: Executor,
    report: Callable[[Counts], None],
    chunks: ChunkFiles | None = None,
    warn: Callable[[Finding], None] | None = None,
    note: Callable[[int, Verdicts], None] | None = None,
    hopeless_after: int | None = None,
    first: int | None = None,
) -> Gathered:
    """Make and judge candidates until ``selection`` is full or ``limit`` is reached.

    Args:
        candidates: Source of the candidates.
        selection: A fresh selection; it is consumed.
        balance: Candidate column with the group to balance over, or None for one group.
        chunk_size: Largest number of candidates in memory at a time, per worker, besides the retained ones;
            at least all candidates of one condition.
        limit: Largest number of candidates to make.
        keep_rejected: Whether to hold all other candidates as well, which needs memory for them.
        executor: Executor that makes the chunks.
        report: Called with the counts after each chunk.
        chunks: Store of finished chunks; None to store none.
        warn: Called when the verifier seems not to distinguish candidates, while more are made.
        note: Called with the number and verdicts of each newly judged chunk.
        hopeless_after: See `Arm`.
        first: How many candidates to make in the first wave; None for what the selection asks for.

    Raises:
        AwaitingVerdicts: People have to judge candidates of this wave first; all its chunks were tried.
    """
    intake = _Intake(candidates, selection, balance, limit, keep_rejected, hopeless_after, chunks)
    made = chunks_made = 0
    chunk_size = max(chunk_size // candidates.each, 1) * candidates.each
    while intake.hopeless is None and (shortfall := min(first or selection.shortfall(), limit - made)) > 0:
        first = None
        # One wave: as many chunks as the current estimate requires. It depends on earlier verdicts only,
        # never on which process computes, and so do the samples.
        shortfall = min(shortfall, WAVE * chunk_size)
        wave = _split(shortfall, chunk_size, chunks_made, made)
        waiting: list[AwaitingVerdicts] = []
        for chunk, made_now in _made(wave, candidates, executor, intake.guard, chunks):
            if isinstance(made_now.verdicts, AwaitingVerdicts):
                waiting.append(made_now.verdicts)
                continue
            if note and isinstance(made_now, Judged):
                note(chunk.number, made_now.verdicts)
            intake.take(chunk, made_now, others=len(wave) > 1 or chunk.number > 0)
            report(intake.counts)
            if intake.hopeless:
                break
        if waiting:
            if chunks:
                # People may revise earlier verdicts while the remaining candidates are shown.
                chunks.discard()
            raise AwaitingVerdicts.together(waiting)
        made += shortfall
        chunks_made += len(wave)
        if warn and (early := intake.guard.accepts_none(intake.counts)) and made < limit:
            warn(early)
            warn = None
    return intake.gathered()


def quota(wanted: int, conditions: Samples | None, balance: str | None) -> dict[Group, int]:
    """Divide ``wanted`` over the groups: equal numbers, plus one for the first groups if needed.

    If fewer samples are wanted than there are groups, the first groups among the conditions get one each. The
    conditions are in the round's own order, so the groups vary between rounds.

    Raises:
        ConfigError: ``balance`` is not a column of the conditions with one number or text per row.
    """
    if balance is None:
        return {0: wanted}
    if conditions is None or balance not in conditions or np.ndim(conditions[balance]) != 1:
        known = "none" if conditions is None else ", ".join(conditions)
        raise ConfigError("balance", got=balance, expected=f"a column of the conditions ({known})")
    as_they_come = list(dict.fromkeys(np.asarray(conditions[balance]).tolist()))
    groups = sorted(as_they_come)
    each, left = divmod(wanted, len(groups))
    one_more = set((groups if each else as_they_come)[:left])
    return {group: each + (group in one_more) for group in groups}


def condition_rows(conditions: Samples | None, first: int, size: int, each: int = 1) -> Samples | None:
    """Return rows ``first`` to ``first + size - 1`` of the pool repeated forever, each row ``each`` times."""
    if conditions is None:
        return None
    return conditions.select(np.arange(first, first + size) // each % len(conditions))


def _made(
    wave: list[Chunk],
    candidates: Candidates,
    executor: Executor,
    guard: Guard,
    chunks: ChunkFiles | None,
) -> Iterator[tuple[Chunk, Judged | Stored]]:
    """Yield the chunks of a wave in order, made and judged, or read from their files."""
    alone = 0
    if candidates.judge is not None and candidates.judge.in_pieces and guard.silent_so_far:
        # Judge a few first, and the rest only if any of these gets a verdict.
        wave, alone = [wave[0]._replace(most=guard.left), *wave[1:]], 1
    for part in (wave[:alone], wave[alone:]):
        missing = [chunk for chunk in part if chunks is None or chunk.number not in chunks]
        made = seam.mapped(executor, _make_and_judge, missing, candidates) if missing else iter(())
        waits_for = {chunk.number for chunk in missing}
        for chunk in part:
            if chunk.number in waits_for:
                yield chunk, next(made)
            else:
                assert chunks is not None
                yield chunk, chunks.load(chunk.number, chunk.size) or _make_and_judge(candidates, chunk)


def _all_of(made: Judged, balance: str | None) -> Stored:
    assert isinstance(made.verdicts, Verdicts)
    rows = np.arange(len(made.samples))
    return Stored(made.verdicts, made.notes, groups_of(made.samples, balance), rows, made.samples)


def _make_and_judge(candidates: Candidates, chunk: Chunk) -> Judged:
    with limit_threads(candidates.threads):
        began = time.perf_counter()
        condition = condition_rows(candidates.conditions, chunk.first, chunk.size, candidates.each)
        rng = candidates.address.at(Stage.GENERATE, chunk.number).rng()
        with candidates.heard("generate", chunk.number):
            samples, notes = seam.sample_with_notes(
                candidates.generator, chunk.size, rng, condition, candidates.like
            )
        generated = time.perf_counter()
        try:
            with candidates.heard("verify", chunk.number):
                verdicts = judgement(candidates, samples, chunk.number, chunk.most)
        except AwaitingVerdicts as waiting:
            # Returned, not raised: the other chunks of the wave must also be shown to people.
            verdicts = waiting
        else:
            if (n := len(verdicts)) < len(samples):
                samples = samples.select(slice(n))
                notes = notes and notes.first(n)
            if candidates.drop_truncated and notes is not None:
                verdicts = _without_cut(verdicts, notes.cut)
        spent = {"generate": generated - began, "verify": time.perf_counter() - generated}
        return Judged(samples, verdicts, notes, spent)


def _without_cut(verdicts: Verdicts, cut: NDArray[np.bool_]) -> Verdicts:
    """Return the verdicts with cut texts rejected."""
    if not cut.any():
        return verdicts
    said = verdicts.reason or [""] * len(verdicts)
    reason = [CUT_AT if is_cut else why for is_cut, why in zip(cut.tolist(), said, strict=True)]
    return Verdicts(verdicts.score, np.where(cut, np.int8(Decision.REJECT), verdicts.decision), reason)


def judgement(candidates: Candidates, samples: Samples, number: int, most: int | None = None) -> Verdicts:
    """Return the judge's verdicts on the samples of chunk ``number``; see `Chunk` for ``most``.

    Raises:
        AwaitingVerdicts: People have to judge some of them first.
    """
    if candidates.judge is None:
        # Nobody scored these samples, and the arm's rule accepts everything: show that instead of inventing
        # scores.
        return Verdicts(np.full(len(samples), np.nan), np.ones(len(samples), np.int8))
    address, n = candidates.address, len(samples)
    place = ([candidates.arm] * n, np.full(n, address.round), np.full(n, number), np.arange(n))
    placed = samples.with_columns(**dict(zip(PLACE, place, strict=True)))
    judge, rng = candidates.judge, address.at(Stage.VERIFY, number).rng()
    if most is None:
        return seam.verify(judge, placed, rng)
    return in_pieces(lambda some: seam.verify(judge, some, rng), placed, most)


def _split(total: int, chunk_size: int, number: int, first: int) -> list[Chunk]:
    starts = range(0, total, chunk_size)
    return [Chunk(number + i, first + s, min(chunk_size, total - s)) for i, s in enumerate(starts)]


def _below(numbers: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    return numbers[numbers < n]


class _Intake:
    """Takes in a round's judged candidates, chunk by chunk, in order."""

    def __init__(
        self,
        candidates: Candidates,
        selection: Selection,
        balance: str | None,
        limit: int,
        keep_rejected: bool,
        hopeless_after: int | None,
        chunks: ChunkFiles | None,
    ) -> None:
        self._candidates, self._selection, self._balance = candidates, selection, balance
        self._limit, self._keep_rejected, self._chunks = limit, keep_rejected, chunks
        self._held = Held(keep_all=keep_rejected)
        self._seconds = {"generate": 0.0, "verify": 0.0}
        self._tokens: int | None = None
        self.guard = Guard(candidates.judge is not None, hopeless_after)
        self.counts = Counts()
        self.hopeless: Finding | None = None

    def take(self, chunk: Chunk, made: Judged | Stored, others: bool) -> None:
        """Offer a chunk to the selection, hold what it may keep, and store what is not stored yet.

        Args:
            chunk: Next chunk.
            made: Its candidates with their verdicts.
            others: Whether the round is known to have other chunks.
        """
        selection, held = self._selection, self._held
        done = made if isinstance(made, Stored) else _all_of(made, self._balance)
        rng = self._candidates.address.at(Stage.ACCEPT, chunk.number).rng()
        seam.call(selection, "offer", selection.offer, done.verdicts, done.offered, done.groups, rng)
        shortfall = selection.shortfall()
        may_keep = done.only(selection.may_keep(chunk.first) - chunk.first)
        held.add(chunk.number, chunk.first, done if self._keep_rejected else may_keep)
        self.guard.see(done.offered, done.verdicts, done.notes)
        if done.notes is not None and done.notes.tokens is not None:
            self._tokens = (self._tokens or 0) + int(done.notes.tokens.sum())
        if held.has_grown() and shortfall:
            held.keep_only(selection.retained())
        if isinstance(made, Judged):
            for stage in self._seconds:
                self._seconds[stage] += made.seconds[stage]
            others = others or min(shortfall, self._limit - chunk.size) > 0
            if (chunks := self._chunks) and len(done.verdicts) == chunk.size and (others or chunks.always):
                # Keep all of the first chunk, because the guard shows examples from it.
                chunks.store(chunk.number, done if chunks.whole or chunk.number == 0 else may_keep)
        self.counts = selection.counts()
        if shortfall and self.guard.left == 0:
            self.hopeless = self.guard.hopeless()

    def gathered(self) -> Gathered:
        """Return what the round kept, once all candidates are in."""
        selection, guard = self._selection, self.guard
        chosen = selection.kept()
        kept, rejected = self._held.split(chosen)
        names = [name for name in kept if name not in (*PROVENANCE, SAID)]
        provenance, kept = kept.only(PROVENANCE), kept.only(names)
        content = kept.only([name for name in names if name != CUT])
        counts = guard.counted(self.counts, content)
        if CUT in kept:
            counts = counts.model_copy(update={"kept_truncated": int(kept.array(CUT).sum())})
        findings = guard.findings(counts, content, list(self._candidates.conditions or ()))
        if self.hopeless and not guard.silent_so_far:
            findings = [self.hopeless, *findings]
        return Gathered(
            kept=kept,
            provenance=provenance,
            rejected=rejected,
            counts=counts,
            abstentions=guard.abstentions,
            findings=findings,
            hopeless=self.hopeless,
            tokens=self._tokens,
            first=guard.first and First(*guard.first, _below(chosen, len(guard.first[1]))),
            wanted=sum(selection.quota.values()),
            seconds=self._seconds,
        )
