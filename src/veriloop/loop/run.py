"""Runs: several arms on one start model, round by round, in a folder that survives any kill.

The state of an arm is what lies in the run folder. Each (arm, round) is computed from it by `_advance`,
in whichever process, so a resumed run does exactly what an unbroken one would have done.
"""

import resource
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from ..datasets.base import Dataset, RealData
from ..errors import ConfigError, CorruptFileError, RunFolderError, VeriloopError
from ..events import ArmStopped, Event, RoundFinished, RunEnded, RunStarted, StopRuleMet
from ..executors._retry import told_of_lost_workers
from ..executors.base import Executor
from ..executors.serial import Serial
from ..executors.threads import limit_threads
from ..records import RoundRecord
from ..rng import START
from ..samples import Samples
from ..store.atomic import storage_errors, write_file
from ..store.folder import KeptRounds, RunFolder
from ..store.manifest import Manifest
from ..verifiers.base import AwaitingVerdicts
from .gather import condition_rows, quota
from .plan import Plan
from .step import SHOWN, ArmStop, Context, State, begin, step

Resume = Literal["never", "always", "if-possible"]


def run(
    plan: Plan, out: Path | str, *, resume: Resume = "never", listen: Callable[[Event], None] | None = None
) -> RunFolder:
    """Run ``plan`` in the folder ``out``, to its end.

    Args:
        plan: What to do.
        out: The run folder; made if it does not exist.
        resume: What to do about a run that is already there: refuse (``never``), need one (``always``),
            or continue it if there is one (``if-possible``).
        listen: Told what happens in this process, beside the folder's own events. Events of worker
            processes are in the folder only.

    Returns:
        The folder, with every record in it; or, when its manifest says ``waiting``, with those that need no
        verdicts of people that are not there yet. Call again with ``resume="always"`` when they are.

    Raises:
        RunFolderError: There is a run and there should be none, or the other way round; or it has
            another configuration, or another process is writing to it.
        VeriloopError: A round failed. The finished ones are safe, and the run can be resumed.
    """
    folder = RunFolder(Path(out))
    if resume == "never" and folder.exists() and folder.records():
        raise RunFolderError(
            f"there is a run in {out} already",
            fix="continue it with --resume if-possible, or use another --out",
        )
    if resume == "always" and not folder.exists():
        raise RunFolderError(f"there is no run in {out} to resume", fix="start it without --resume always")
    if folder.path.is_dir() and not folder.exists() and _holds_files(folder.path):
        raise RunFolderError(
            f"{out} holds files that are not a run's",
            fix="use an empty or new folder, so that nothing is lost",
        )
    data = load_data(plan.dataset, plan.seed)
    for name, arm in plan.arms.items():
        try:
            quota(1, data.conditions, arm.balance)
        except ConfigError as e:
            raise ConfigError(f"arms.{name}.{e.what}", got=e.got, expected=e.expected) from None
    with folder.lock():
        # Nothing is lost with a run that has not finished a round: a mistake can be mended and run again.
        if folder.records():
            folder.check_same_config(plan.config())
        else:
            folder.write_manifest(Manifest(config=plan.config(), seed=plan.seed))
        with _status(folder, listen), told_of_lost_workers(_Both(folder.emit, listen)):
            _run_rounds(plan, folder, listen)
    return folder


def _run_rounds(plan: Plan, folder: RunFolder, listen: Callable[[Event], None] | None) -> None:
    tell = _Both(folder.emit, listen)
    done = {(r.arm, r.round) for r in folder.records()}
    tell(RunStarted(resumed=len(done), total=sum(plan.last_round(arm) + 1 for arm in plan.arms)))
    folder.set_status("running")
    if missing := [arm for arm in plan.arms if (arm, 0) not in done]:
        _begin(plan, folder, missing, tell)
    stopped = set(folder.manifest().stopped_arms)
    chunk_executor, arm_executor = Serial(), plan.executor
    if plan.parallel == "chunks":
        chunk_executor, arm_executor = arm_executor, chunk_executor
    shared = _Shared(plan, folder.path, chunk_executor)
    for number in range(1, plan.rounds + 1):
        for arm in plan.arms:
            if number <= plan.last_round(arm) and (arm, number) not in done and arm not in stopped:
                stopped |= _stop_by_rule(plan, folder, arm, tell)
        todo = [
            _Item(arm, number)
            for arm in plan.arms
            if number <= plan.last_round(arm) and (arm, number) not in done and arm not in stopped
        ]
        waiting: list[AwaitingVerdicts] = []
        for item, result in zip(todo, arm_executor.map(_advance, todo, shared), strict=True):
            if isinstance(result, AwaitingVerdicts):
                waiting.append(result)
                continue
            if isinstance(result, ArmStop):
                folder.set_arm_stopped(item.arm, str(result))
                stopped.add(item.arm)
                tell(ArmStopped(arm=item.arm, round=number, reason=str(result)))
                continue
            folder.commit(result.record, result.work)
            tell(RoundFinished(arm=item.arm, round=number, peak_memory_mb=result.peak_memory_mb))
        if waiting:
            together = AwaitingVerdicts.together(waiting)
            together.ask()
            raise together


def _stop_by_rule(plan: Plan, folder: RunFolder, arm: str, tell: Callable[[Event], None]) -> set[str]:
    """End ``arm`` if its stop rule is met: the arm alone, or no arm.

    The rule sees the records in the folder and nothing else, before each round and not after it, so a run
    that was killed in between decides the same when it is resumed.
    """
    rule = plan.arms[arm].stop
    chain = sorted((r for r in folder.records() if r.arm == arm), key=lambda r: r.round)
    decision = rule and rule.decide(chain)
    if not rule or not decision:
        return set()
    last = chain[-1].round
    tell(StopRuleMet(arm=arm, round=last, when=rule.when, evidence=decision.evidence))
    folder.set_arm_stopped(arm, decision.reason)
    tell(ArmStopped(arm=arm, round=last, reason=decision.reason))
    return {arm}


class _Shared(NamedTuple):
    plan: Plan
    folder: Path
    chunk_executor: Executor


class _Item(NamedTuple):
    arm: str
    round: int


class _Done(NamedTuple):
    record: RoundRecord
    work: Path
    peak_memory_mb: float


def _begin(plan: Plan, folder: RunFolder, arms: Iterable[str], tell: Callable[[Event], None]) -> None:
    """Train the start model once, and let it be round 0 of each of ``arms``."""
    data = load_data(plan.dataset, plan.seed)
    with limit_threads(plan.threads):
        state, record = begin(Context(plan, START, data, Serial(), tell))
    write_file(folder.path / "real.npz", _for_show(data).to_bytes())
    for arm in arms:
        work = folder.work_directory(0, arm)
        save_state(state, work)
        folder.commit(record.model_copy(update={"arm": arm}), work)
        tell(RoundFinished(arm=arm, round=0, peak_memory_mb=_peak_memory_mb()))


def _for_show(data: RealData) -> Samples:
    """Some held-out real samples, in the order of the conditions that the shown generated ones have."""
    names = [name for name in data.conditions or () if name in data.test and np.ndim(data.test[name]) == 1]
    if data.conditions is None or data.test_conditions is not None or not names:
        return data.test.select(slice(SHOWN))
    column = np.asarray(data.test[names[0]])
    pools = {value: iter(np.flatnonzero(column == value)) for value in np.unique(column)}
    asked = condition_rows(data.conditions, 0, SHOWN)
    rows = [next(pools.get(value, iter(())), None) for value in np.asarray(asked and asked[names[0]])]
    like_them = [row for row in rows if row is not None]
    return data.test.select(np.array(like_them) if like_them else slice(SHOWN))


def _advance(shared: _Shared, item: _Item) -> "_Done | ArmStop | AwaitingVerdicts":
    """Compute one round from the folder, and leave its files aside for the committing process."""
    plan, folder = shared.plan, RunFolder(shared.folder)
    context = Context(plan, item.arm, load_data(plan.dataset, plan.seed), shared.chunk_executor, folder.emit)
    with limit_threads(plan.threads):
        before = load_state(plan, folder, item.arm, item.round - 1)
        try:
            state, record = step(before, context)
        except (ArmStop, AwaitingVerdicts) as instead:
            return instead
        work = folder.work_directory(item.round, item.arm)
        save_state(state, work)
    return _Done(record, work, _peak_memory_mb())


def load_state(plan: Plan, folder: RunFolder, arm: str, round_: int) -> State:
    """The state of ``arm`` after ``round_``, as the run folder holds it.

    Raises:
        CorruptFileError: A file is missing, cut short or changed.
    """
    directory = folder.round_directory(round_, arm)
    verifier, judge = plan.arms[arm].verifier, None
    try:
        generator = plan.learner.generator_type.load(directory / "generator")
        if verifier is not None and round_ > 0:
            judge = verifier.load(directory / "verifier")
    except VeriloopError:
        raise
    except Exception as e:
        # A plug-in may let its library's own error through; whatever it is, the file is not what was saved.
        raise CorruptFileError(f"{directory} cannot be read", got=f"{type(e).__name__}: {e}") from e
    return State(round_, generator, judge, KeptRounds(folder, arm, round_))


def save_state(state: State, work: Path) -> None:
    """Write into ``work`` all that `load_state` needs, and what people look at."""
    with storage_errors(work):
        (work / "generator").mkdir()
        state.generator.save(work / "generator")
        if state.judge is not None:
            (work / "verifier").mkdir()
            state.judge.save(work / "verifier")
    if state.provenance is not None:
        kept = state.kept[-1].with_columns(**dict(state.provenance))
        write_file(work / "kept.npz", kept.to_bytes())
    if state.rejected is not None:
        write_file(work / "rejected.npz", state.rejected.to_bytes())
    if state.shown is not None:
        write_file(work / "preview.npz", state.shown.to_bytes())


@contextmanager
def _status(folder: RunFolder, listen: Callable[[Event], None] | None) -> Iterator[None]:
    """Leave the manifest saying how the run ended, whatever happens short of a kill."""
    tell = _Both(folder.emit, listen)

    def end(status: Literal["finished", "waiting", "stopped", "failed"], reason: str | None = None) -> None:
        folder.set_status(status, reason)
        tell(RunEnded(status=status, reason=reason))

    try:
        yield
    except AwaitingVerdicts as waiting:
        end("waiting", str(waiting))
        return
    except KeyboardInterrupt:
        end("stopped", "interrupted")
        raise
    except BaseException as e:
        # A full disk may refuse even this; the error that led here matters more.
        try:
            end("failed", f"{type(e).__name__}: {e}")
        except VeriloopError as also:
            e.add_note(str(also))
        raise
    end("finished")
    shutil.rmtree(folder.path / ".work", ignore_errors=True)


class _Both:
    """Tells the folder, and a listener if there is one."""

    def __init__(self, emit: Callable[[Event], None], listen: Callable[[Event], None] | None) -> None:
        self._emit, self._listen = emit, listen

    def __call__(self, event: Event) -> None:
        self._emit(event)
        if self._listen is not None:
            self._listen(event)


@lru_cache(maxsize=1)
def load_data(dataset: Dataset, seed: int) -> RealData:
    """The real data, loaded once per process."""
    return dataset.load(seed)


def _holds_files(path: Path) -> bool:
    return any(child.name not in {"lock", ".work"} for child in path.iterdir())


def _peak_memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
