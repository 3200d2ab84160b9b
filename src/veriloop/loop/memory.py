"""Runs that write nothing to disk, for thousands of small chains and for notebooks."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, RunFolderError
from ..events import Event
from ..generator import Generator
from ..judge import Judge
from ..records import RoundRecord, Split
from ..samples import Samples
from ..store.folder import BESIDE
from ..store.kept import KeptRounds
from ..store.manifest import Manifest, Status
from ..store.rows import Rows
from .one_round import State
from .plan import Plan
from .stores import Resume, manifest_of


class MemoryRun:
    """A run in the memory of this process; it can be read like a run folder.

    Args:
        every_round: Whether to hold the models and kept samples of every round. Otherwise only those of each
            arm's last round are held, and the kept samples that its policy uses.
    """

    def __init__(self, every_round: bool = False) -> None:
        self._every_round = every_round
        self._plan: Plan | None = None
        self._records: list[RoundRecord] = []
        self._states: dict[str, dict[int, State]] = {}
        self._rows: dict[tuple[int, str], Rows] = {}
        self._stopped: dict[str, str] = {}
        self._settled: Mapping[str, Any] = {}
        self._status: tuple[Status, str | None] = ("running", None)

    def __repr__(self) -> str:
        return f"<MemoryRun of {len(self._states)} arms, {len(self._records)} rounds finished>"

    # -- reading ---------------------------------------------------------------------------------------

    def records(self) -> list[RoundRecord]:
        """Return the finished rounds, in the order in which they finished."""
        return list(self._records)

    def manifest(self) -> Manifest:
        """Return the description of the run and its status, as in a folder's ``manifest.json``.

        Raises:
            RunFolderError: Nothing has been run.
        """
        if self._plan is None:
            raise RunFolderError("this run has not started", fix="pass it to veriloop.run as its out")
        status, reason = self._status
        return manifest_of(self._plan).model_copy(
            update={
                "status": status,
                "reason": reason,
                "stopped_arms": dict(self._stopped),
                "settled": dict(self._settled),
            }
        )

    def model(self, arm: str, round_: int | None = None) -> Generator:
        """Return the model of a round of ``arm``, the last round when None.

        Raises:
            ConfigError: The model is not in memory.
        """
        return self._held(arm, round_).generator

    def judge(self, arm: str, round_: int | None = None) -> Judge | None:
        """Return the judge of a round of ``arm``, the last round when None; None without a verifier.

        Raises:
            ConfigError: The judge is not in memory.
        """
        return self._held(arm, round_).judge

    def kept(self, round_: int, arm: str) -> Samples:
        """Return the samples that a round kept, without provenance.

        Raises:
            ConfigError: They are not in memory, or the round kept none.
        """
        last = self._held(arm, None)
        if self._looks_back(arm) and 0 < round_ <= last.round:
            return last.kept[round_ - 1]
        state = self._held(arm, round_)
        if state.provenance is None:
            raise ConfigError(f"round {round_} of arm {arm!r} kept no samples")
        return state.kept[-1]

    def kept_with_provenance(self, round_: int, arm: str) -> Samples:
        """Return the samples that a round kept, with the columns that say where each was made.

        Raises:
            ConfigError: They are not in memory, or the round kept none.
        """
        kept = self.kept(round_, arm)
        return kept.with_columns(**dict(self._held(arm, round_).provenance or {}))

    def rows(self, round_: int, arm: str, name: str, split: Split) -> NDArray[np.float32] | None:
        """Return the contribution of each row to ``name``, shape (n,); None if unknown."""
        return self._rows.get((round_, arm), {}).get(split, {}).get(name)

    def _held(self, arm: str, round_: int | None) -> State:
        held = self._states.get(arm, {})
        number = max(held, default=0) if round_ is None else round_
        if number not in held:
            raise ConfigError(
                f"round {number} of arm {arm!r} is not in memory",
                expected=", ".join(f"{name}: {', '.join(map(str, s))}" for name, s in self._states.items()),
                fix="keep all rounds with out=MemoryRun(every_round=True)",
            )
        return held[number]

    # -- writing by a run, see `veriloop.loop.stores.Store` ----------------------------------------------

    def check_free(self, plan: Plan, resume: Resume) -> None:
        """See `Store`."""
        if resume == "never" and self._records:
            raise RunFolderError("there is a run in this memory already", fix='use resume="if-possible"')
        if resume == "always" and self._plan is None:
            raise RunFolderError("there is no run in this memory to resume")
        if self._records and self._plan is not None:
            others = (*BESIDE, "parallel")
            same = plan.model_copy(update={name: getattr(self._plan, name) for name in others})
            if same != self._plan:
                raise RunFolderError("the run in this memory has another configuration")

    @contextmanager
    def writing(self, plan: Plan) -> Iterator[None]:
        """See `Store`."""
        self._plan = plan
        yield

    def settled(self) -> Mapping[str, Any]:
        """See `Store`."""
        return self._settled

    def settle(self, settings: Mapping[str, Any]) -> None:
        """See `Store`."""
        self._settled = settings

    def stopped_arms(self) -> Sequence[str]:
        """See `Store`."""
        return list(self._stopped)

    def state(self, plan: Plan, arm: str, round_: int) -> State:
        """See `Store`."""
        return self._states[arm][round_]

    def chunks(self, plan: Plan, arm: str, round_: int) -> None:
        """See `Store`. Memory is lost with the process, so no chunks are stored."""

    def leave(self, plan: Plan, arm: str, state: State) -> State:
        """See `Store`."""
        return state

    def commit(self, record: RoundRecord, left: State) -> None:
        """See `Store`."""
        held = self._states.setdefault(record.arm, {})
        if not self._every_round:
            held.clear()
        elif self._looks_back(record.arm):
            # The state of the last round holds the kept samples of all rounds.
            held.update({k: replace(state, kept=KeptRounds(k)) for k, state in held.items() if state.kept})
        if left.kept and not self._looks_back(record.arm):
            left = replace(left, kept=KeptRounds(len(left.kept) - 1) + (left.kept[-1],))
        if left.rows:
            self._rows[record.round, record.arm] = left.rows
            left = replace(left, rows={})
        held[record.round] = left
        self._records.append(record)

    def _looks_back(self, arm: str) -> bool:
        assert self._plan is not None
        return self._plan.arms[arm].policy.looks_back and self._plan.arms[arm].train_on == "kept"

    def show(self, real: Samples) -> None:
        """See `Store`. Does nothing."""

    def stop_arm(self, arm: str, reason: str) -> None:
        """See `Store`."""
        self._stopped[arm] = reason

    def set_status(self, status: Status, reason: str | None = None) -> None:
        """See `Store`."""
        self._status = (status, reason)

    def asked_to_stop(self) -> bool:
        """See `Store`: nobody can."""
        return False

    @staticmethod
    def emit(event: Event) -> None:
        """See `Store`. Does nothing, because the run itself calls its listeners.

        A static method, so that the run need not be sent to workers.
        """
