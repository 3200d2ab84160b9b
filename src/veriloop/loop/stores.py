"""Where a run keeps its rounds. The folder is authoritative; what a process just wrote it need not read."""

import json
import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from ..cards import RunCard
from ..errors import CorruptFileError, RunFolderError, VeriloopError
from ..events import ChunkStored, Event
from ..generator import Generator
from ..judge import Judge
from ..records import Counts, RoundRecord, Split
from ..samples import Samples
from ..store.atomic import is_aside, storage_errors
from ..store.digests import sha256
from ..store.folder import BESIDE, RunFolder
from ..store.kept import KeptRounds
from ..store.manifest import Change, Manifest, Status
from ..store.reader import CANDIDATES, JUDGED, MODELS, SOLVED
from ..store.rows import ROWS, rows_to_bytes
from ..store.stopping import asked_to_stop, forget_to_stop
from . import seam
from .cards import asks_people, run_card, verifiers_in
from .chunks import ChunkFiles
from .data import load_schema
from .one_round import State
from .plan import Plan
from .sources import changes_since, digests_of, note_changes

Resume = Literal["never", "always", "if-possible"]

HELD_BYTES = 32 * 2**20
"""Models up to this many bytes stay in memory until the next round; reading larger ones costs little."""


class Store(Protocol):
    """The place where a run keeps its rounds.

    Workers receive it by pickle. They read states from it and leave new ones in it, for `commit` in the run's
    own process.
    """

    def check_free(self, plan: Plan, resume: Resume) -> None:
        """Refuse to start or continue ``plan``, depending on ``resume``.

        Raises:
            RunFolderError: There is a run and there should be none, or the other way round; or it differs
                from the run that ``plan`` describes.
        """
        ...

    def writing(self, plan: Plan) -> AbstractContextManager[None]:
        """Return a context in which only this process may carry out ``plan`` here."""
        ...

    def records(self) -> Sequence[RoundRecord]:
        """Return the finished rounds."""
        ...

    def settled(self) -> Mapping[str, Any]:
        """Return the learner settings that this run chose by trial; empty before the trial."""
        ...

    def settle(self, settings: Mapping[str, Any]) -> None:
        """Store these settings."""
        ...

    def stopped_arms(self) -> Iterable[str]:
        """Return the arms that ended early."""
        ...

    def state(self, plan: Plan, arm: str, round_: int) -> State:
        """Return the state of ``arm`` after the finished round ``round_``, in any process."""
        ...

    def leave(self, plan: Plan, arm: str, state: State) -> Any:
        """Store a new state, in any process; the result is passed to `commit`."""
        ...

    def chunks(self, plan: Plan, arm: str, round_: int) -> Callable[[Judge | None], ChunkFiles] | None:
        """Return a function from a round's judge to the round's finished chunks, in any process."""
        ...

    def rows(self, round_: int, arm: str, name: str, split: Split) -> NDArray[np.float32] | None:
        """Return each row's contribution to ``name`` in a finished round, shape (n,); None if unknown."""
        ...

    def commit(self, record: RoundRecord, left: Any) -> None:
        """Make a finished round count."""
        ...

    def show(self, real: Samples) -> None:
        """Store some real samples for viewing, next to the generated ones."""
        ...

    def stop_arm(self, arm: str, reason: str) -> None:
        """End an arm early."""
        ...

    def set_status(self, status: Status, reason: str | None = None) -> None:
        """Set the status of the run."""
        ...

    def asked_to_stop(self) -> bool:
        """Whether somebody wants the run to stop after its round."""
        ...

    def emit(self, event: Event) -> None:
        """Write an event, from any process."""
        ...


class FolderStore:
    """A run folder, for the length of one call of `run`.

    Args:
        path: Path of the folder.
        accept_changes: Whether to continue even though files that the run depends on have changed.
    """

    def __init__(self, path: Path, accept_changes: bool = False) -> None:
        self.folder: RunFolder = RunFolder(path)
        self._accept_changes = accept_changes
        self._changes: tuple[Change, ...] = ()
        self._token = uuid.uuid4().hex
        self._records: list[RoundRecord] | None = None
        self._card: RunCard | None = None

    def __getstate__(self) -> dict[str, Any]:
        # The same for all rounds, so that each worker is sent it once.
        return {**self.__dict__, "_records": None, "_card": None}

    def check_free(self, plan: Plan, resume: Resume) -> None:
        """See `Store`. Also refuses a folder with files that do not belong to a run."""
        folder, out = self.folder, self.folder.path
        if resume == "never" and folder.exists() and folder.records():
            raise RunFolderError(
                f"there is a run in {out} already",
                fix="continue it with --resume if-possible, or use another --out",
            )
        if resume == "always" and not folder.exists():
            raise RunFolderError(
                f"there is no run in {out} to resume", fix="start it without --resume always"
            )
        if out.is_dir() and not folder.exists() and _holds_files(out):
            raise RunFolderError(
                f"{out} holds files that are not a run's",
                fix="use an empty or new folder, so that nothing is lost",
            )
        if folder.exists() and folder.records():
            folder.check_same_config(plan.config(), _as_read_today)
            self._changes = changes_since(folder, plan, self._accept_changes)
            _check_verdicts(folder, plan)

    def is_over(self, plan: Plan) -> bool:
        """Whether ``plan`` is finished, so that there is nothing to write.

        Call `check_free` first.
        """
        if not self.folder.exists():
            return False
        manifest, done = self.folder.manifest(), {(r.arm, r.round) for r in self.folder.records()}
        return manifest.status == "finished" and all(
            arm in manifest.stopped_arms or (arm, plan.last_round(arm)) in done for arm in plan.arms
        )

    @contextmanager
    def writing(self, plan: Plan) -> Iterator[None]:
        """See `Store`."""
        with self.folder.lock():
            # Nothing is lost if the run has no finished round: the mistake can be fixed and the run started
            # again.
            if self.records():
                self.folder.check_same_config(plan.config(), _as_read_today)
                note_changes(self.folder, self._changes)
            else:
                self.folder.write_manifest(manifest_of(plan))
            kept = self._cards().with_models(self.records())
            for record in self.records():
                if (record.arm, record.round) not in kept:
                    self.folder.remove_models(record.round, record.arm)
            forget_to_stop(self.folder)
            try:
                yield
            finally:
                forget_to_stop(self.folder)
                _held_here.clear()
                self._records = self._card = None

    def records(self) -> Sequence[RoundRecord]:
        """See `Store`. Read once, because only the process with the lock adds records."""
        if self._records is None:
            self._records = self.folder.records()
        return self._records

    def settled(self) -> Mapping[str, Any]:
        """See `Store`."""
        return self.folder.manifest().settled

    def settle(self, settings: Mapping[str, Any]) -> None:
        """See `Store`."""
        self.folder.write_manifest(self.folder.manifest().model_copy(update={"settled": dict(settings)}))

    def stopped_arms(self) -> Iterable[str]:
        """See `Store`."""
        return self.folder.manifest().stopped_arms

    def state(self, plan: Plan, arm: str, round_: int) -> State:
        """See `Store`. Taken from memory if this process made the state and it is not too large."""
        held = _held(self._token).pop(arm, None)
        if held is None or held.round != round_:
            return load_state(plan, self.folder, arm, round_)
        generator, judge = held.models or load_models(plan, self.folder, arm, round_)
        counts = counts_of_round(plan, self.folder, arm, round_)
        return State(round_, generator, judge, held.kept, solved=held.solved, counts=counts)

    def chunks(self, plan: Plan, arm: str, round_: int) -> Callable[[Judge | None], ChunkFiles]:
        """See `Store`."""
        rule = plan.arms[arm].acceptance
        reads_samples = vars(type(rule)).get("reads_samples", True)  # a subclass may use more
        return lambda judge: ChunkFiles(
            self.folder.under_way(round_, arm),
            partial(self._depends_on, arm, round_, judge),
            whole=plan.keep_candidates or plan.keep_rejected or reads_samples or plan.arms[arm].distinct,
            always=plan.keep_candidates,
            told=lambda chunk, n: self.emit(ChunkStored(arm=arm, round=round_, chunk=chunk, candidates=n)),
        )

    def _depends_on(self, arm: str, round_: int, judge: Judge | None) -> str:
        """Return the digest of everything that a round's candidates depend on."""
        manifest = self.folder.manifest()
        config = {name: value for name, value in manifest.config.items() if name not in BESIDE}
        models = self.folder.files_of(round_ - 1, arm)
        judged = None if judge is None else seam.call(judge, "save", judge.digest)
        content = json.dumps([config, manifest.digests, arm, round_, models, judged], sort_keys=True)
        return sha256(content.encode())

    def leave(self, plan: Plan, arm: str, state: State) -> Path:
        """See `Store`."""
        work = self.folder.work_directory(state.round, arm)
        save_state(state, work)
        if plan.keep_candidates and state.provenance is not None:
            self.chunks(plan, arm, state.round)(state.judge).write_candidates(work / CANDIDATES)
        small = sum(_bytes_below(f"{work}/{name}") for name in MODELS) <= HELD_BYTES
        kept = state.kept if state.round else _kept(self.folder, arm, 0)
        _held(self._token)[arm] = _Held(
            state.round,
            kept.settled(plan.arms[arm].policy.looks_back),
            (state.generator, state.judge) if small else None,
            state.solved,
        )
        return work

    def rows(self, round_: int, arm: str, name: str, split: Split) -> NDArray[np.float32] | None:
        """See `Store`."""
        return self.folder.rows(round_, arm, name, split)

    def commit(self, record: RoundRecord, left: Path) -> None:
        """See `Store`."""
        before = set() if self._cards().keeps_models == "all" else self._with_models(record.arm)
        self.folder.commit(record, left)
        if self._records is not None:
            self._records.append(record)
        for round_ in before - self._with_models(record.arm) if before else ():
            self.folder.remove_models(round_, record.arm)

    def _with_models(self, arm: str) -> set[int]:
        """Return the rounds of ``arm`` whose models to keep; this depends only on the records."""
        records = [record for record in self.records() if record.arm == arm]
        return {round_ for _, round_ in self._cards().with_models(records)}

    def _cards(self) -> RunCard:
        if self._card is None:
            self._card = self.folder.manifest().cards
        return self._card

    def show(self, real: Samples) -> None:
        """See `Store`."""
        self.folder.write_real(real)

    def stop_arm(self, arm: str, reason: str) -> None:
        """See `Store`."""
        self.folder.set_arm_stopped(arm, reason)

    def set_status(self, status: Status, reason: str | None = None) -> None:
        """See `Store`."""
        if status == "finished":
            self.folder.clear_unfinished()
        self.folder.set_status(status, reason)

    def asked_to_stop(self) -> bool:
        """See `Store`."""
        return asked_to_stop(self.folder)

    def emit(self, event: Event) -> None:
        """See `Store`."""
        self.folder.emit(event)


class _Held(NamedTuple):
    """What a process holds of an arm's last round that it computed."""

    round: int
    kept: KeptRounds
    models: tuple[Generator, Judge | None] | None
    solved: Samples | None


_held_here: dict[str, dict[str, _Held]] = {}
"""By arm, for the run that this process works on. A token identifies the run, as folders can be recreated."""


def _held(token: str) -> dict[str, _Held]:
    if token not in _held_here:
        _held_here.clear()
        _held_here[token] = {}
    return _held_here[token]


def manifest_of(plan: Plan) -> Manifest:
    """Return the manifest of a new run of ``plan``."""
    cards = run_card(plan, load_schema(plan.dataset))
    return Manifest(config=plan.config(), seed=plan.seed, cards=cards, digests=digests_of(plan))


def load_state(plan: Plan, folder: RunFolder, arm: str, round_: int) -> State:
    """Read the state of ``arm`` after ``round_`` from the run folder.

    Raises:
        CorruptFileError: A file is missing, truncated or changed.
    """
    generator, judge = load_models(plan, folder, arm, round_)
    return State(
        round_,
        generator,
        judge,
        _kept(folder, arm, round_),
        solved=folder.solved(round_, arm),
        counts=counts_of_round(plan, folder, arm, round_),
    )


def counts_of_round(plan: Plan, folder: RunFolder, arm: str, round_: int) -> Counts | None:
    """Return the outcomes of a finished round's candidates; None if people do not judge.

    Raises:
        CorruptFileError: A record cannot be read.
    """
    if round_ == 0 or not asks_people(plan.arms[arm].verifier):
        return None
    return next(r.counts for r in folder.records() if (r.arm, r.round) == (arm, round_))


def load_models(plan: Plan, folder: RunFolder, arm: str, round_: int) -> tuple[Generator, Judge | None]:
    """Read the model of a round, and the judge of the candidates that it was trained on.

    Raises:
        RunFolderError: The run does not keep the models of this round.
        CorruptFileError: A file is missing, truncated or changed.
    """
    verifier, judge = plan.arms[arm].verifier, None
    model = folder.model(round_, arm)
    folder.check_files(round_, arm, "verifier")
    directory = model.parent
    try:
        generator = plan.learner.generator_type.load(model)
        if verifier is not None and round_ > 0:
            judge = verifier.load(directory / "verifier")
    except VeriloopError:
        raise
    except (Exception, SystemExit) as e:
        # A plug-in may raise an error of its library; in any case the file is not what was saved.
        raise CorruptFileError(f"{directory} cannot be read", got=f"{type(e).__name__}: {e}") from e
    return generator, judge


def _kept(folder: RunFolder, arm: str, rounds: int) -> KeptRounds:
    return KeptRounds(rounds, partial(folder.kept, arm=arm))


def save_state(state: State, work: Path) -> None:
    """Write everything that `load_state` needs to ``work``, and what people view."""
    with storage_errors(work):
        seam.save(state.generator, work / "generator")
        if state.judge is not None:
            seam.save(state.judge, work / "verifier")
        if state.provenance is not None:
            state.kept[-1].with_columns(**dict(state.provenance)).save(work / "kept.npz")
        if state.rejected is not None:
            state.rejected.save(work / "rejected.npz")
        if state.solved is not None:
            state.solved.save(work / SOLVED)
        if state.shown is not None:
            state.shown.save(work / "preview.npz")
        if state.judged is not None:
            state.judged.save(work / JUDGED)
        if state.rows:
            (work / ROWS).write_bytes(rows_to_bytes(state.rows))


def _check_verdicts(folder: RunFolder, plan: Plan) -> None:
    """Refuse to continue if people's verdicts are missing, because they would be asked again."""
    manifest = folder.manifest()
    judged = {record.arm for record in folder.records() if record.round > 0}
    waiting = manifest.status == "waiting" and len(manifest.cards.verdict_stores) == 1
    for name, arm in plan.arms.items():
        for verifier in verifiers_in(arm.verifier):
            # People in an ensemble may not have been asked.
            asked = verifier is arm.verifier and (waiting or name in judged)
            seam.call(verifier, "check_verdicts", verifier.check_verdicts, asked)


def _bytes_below(directory: str) -> int:
    below = (f"{path}/{name}" for path, _, files in os.walk(directory) for name in files)
    return sum(os.stat(path).st_size for path in below)  # noqa: PTH116 - paths as objects take a third of it


def _as_read_today(config: dict[str, Any]) -> dict[str, Any]:
    """Return a folder's configuration as current parts read it; unchanged if they cannot read it.

    A setting added since then gets its default. Digests show whether a part's module has changed.
    """
    try:
        return Plan.model_validate(config).config()
    except (VeriloopError, ValidationError):
        return config


def _holds_files(path: Path) -> bool:
    """Whether there are files other than those left by a run that was killed as it started."""
    return any(child.name not in {"lock", ".work"} and not is_aside(child) for child in path.iterdir())
