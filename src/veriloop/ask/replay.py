"""Replay of a finished round: its candidates, read from disk or made again from the seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ..errors import ConfigError
from ..executors.serial import Serial
from ..executors.threads import limit_threads
from ..judge import Judge
from ..loop import seam
from ..loop.cards import verifiers_in
from ..loop.chunks import STORED
from ..loop.data import load_data, load_schema
from ..loop.gather import gather
from ..loop.one_round import Context, candidates_of
from ..loop.opening import opened
from ..loop.plan import Plan
from ..loop.sources import check_unchanged
from ..loop.stores import counts_of_round, load_state
from ..loop.witness import Remade, Witness
from ..rng import Address, Stage
from ..rules.acceptance import Selection, groups_of
from ..samples import Samples
from ..store.folder import RunFolder
from ..verdicts import Verdicts


@dataclass(frozen=True, eq=False)
class Replay:
    """A finished round's candidates, chunk by chunk, with their verdicts.

    Attributes:
        context: Context of the arm.
        round: Round number.
        chunks: Samples, verdicts and groups of each chunk of candidates, in order.
        remade: All candidates of the round together, with the outcome for each.
    """

    context: Context
    round: int
    chunks: Sequence[tuple[Samples, Verdicts, NDArray[Any]]]
    remade: Remade


def replayed(plan: Plan, folder: RunFolder, arm: str, round_: int | None) -> Remade:
    """Return the candidates of a finished round and their outcomes, see `replay`."""
    return replay(plan, folder, arm, round_).remade


def replay(plan: Plan, folder: RunFolder, arm: str, round_: int | None) -> Replay:
    """Return the candidates of a finished round exactly as they were made, with their verdicts.

    If the run stored them (``keep_candidates``), they are read, and no model is needed. Otherwise they are
    made again, bit for bit: every chunk has its own random stream, so only the models in the folder are
    needed. A verifier whose answers vary, such as a model behind a URL, may then judge them differently.

    Candidates accepted after their group's quota was full were not kept, which does not reflect on the
    verifier: candidates of such a group after the last kept one are left out of `Replay.remade`. All others
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
        StorageError: People judged, and the store of their verdicts is missing.
    """
    plan = plan.suited_to(load_schema(plan.dataset))
    number, kind = round_of(plan, folder, arm, round_)
    stored = folder.candidates(number, arm)
    if not stored:
        check_unchanged(folder, plan, number)
        asked = plan.arms[arm].verifier
        for verifier in verifiers_in(asked):
            # People in an ensemble may not have been asked.
            seam.call(verifier, "check_verdicts", verifier.check_verdicts, verifier is asked)
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
    return Replay(context, number, seen.offered, seen.remade(number, kind, data))


def _offer(stored: Sequence[Samples], selection: Selection, balance: str | None, address: Address) -> None:
    """Offer stored chunks to a selection, in the same way as `gather` did."""
    for chunk, whole in enumerate(stored):
        samples = whole.only([name for name in whole if name not in STORED])
        said = whole.array("_score"), whole.array("_decision"), whole.texts("_reason")
        verdicts = Verdicts(*said) if any(said[2]) else Verdicts(*said[:2])
        rng = address.at(Stage.ACCEPT, chunk).rng()
        selection.offer(verdicts, samples, groups_of(samples, balance), rng)


def round_of(plan: Plan, folder: RunFolder, arm: str, round_: int | None) -> tuple[int, str]:
    """Return the number of a finished round of ``arm``, the last one when None, and its verifier's kind.

    Raises:
        ConfigError: There is no such arm or finished round, or the arm has no verifier.
    """
    if arm not in plan.arms:
        raise ConfigError("no such arm", got=arm, expected=f"one of {', '.join(plan.arms)}")
    verifier = plan.arms[arm].verifier
    if verifier is None:
        judged = [name for name, a in plan.arms.items() if a.verifier is not None]
        raise ConfigError(f"arm {arm!r} has no verifier", expected=f"one of {', '.join(judged)}")
    finished = sorted(r.round for r in folder.records() if r.arm == arm and r.round > 0)
    if not finished or (round_ is not None and round_ not in finished):
        raise ConfigError(
            f"arm {arm!r} has no such finished round",
            got=round_,
            expected=f"one of {', '.join(map(str, finished))}" if finished else "a run with a finished round",
        )
    return finished[-1] if round_ is None else round_, verifier.kind


def judge_of(plan: Plan, folder: RunFolder, arm: str, round_: int) -> Judge:
    """Return the judge of a finished round's candidates.

    Raises:
        CorruptFileError: A file cannot be read.
        RunFolderError: The round's models are not stored.
    """
    judge = load_state(plan, folder, arm, round_).judge
    assert judge is not None
    return judge
