"""Runs for interactive use: `run` starts one, and `Run` shows its results."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .advise.audited import Audit
from .advise.forecasting import AHEAD, Forecast
from .advise.forecasting import forecast as forecast_chain
from .advise.ship import Ship
from .config import plan_from, plan_of
from .errors import ConfigError
from .extras import explained
from .generator import Generator
from .loop.memory import MemoryRun
from .loop.plan import Plan
from .loop.rounds import Listen
from .loop.rounds import run as carry_out
from .loop.stores import Resume, load_models
from .progress import progress as shown
from .records import RoundRecord
from .report.answer import Answer, answer, first_arm, gate
from .report.forecasts import chain_of
from .report.summary import by_arm
from .samples import Samples
from .showing import drawable, in_short
from .store.folder import RunFolder

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


class Run:
    """The results of a run: its numbers, models, samples and verdict.

    Every access reads the run again, so an unfinished run shows the rounds finished so far.

    Args:
        run: Run folder, or a run in memory.

    Raises:
        RunFolderError: The folder does not contain a run.
        CorruptFileError: Its manifest cannot be read.
    """

    source: RunFolder | MemoryRun
    """Where the results are read from."""

    def __init__(self, run: Path | str | RunFolder | MemoryRun) -> None:
        self.source = RunFolder.open(Path(run)) if isinstance(run, Path | str) else run

    @property
    def folder(self) -> Path | None:
        """Path of the run folder; None for a run in memory."""
        return self.source.path if isinstance(self.source, RunFolder) else None

    @property
    def plan(self) -> Plan:
        """Plan of the run. Building it imports the parts that it names, including plug-ins."""
        if isinstance(self.source, RunFolder):
            return plan_of(self.source)
        return plan_from(self.source.manifest().config)

    @property
    def status(self) -> str:
        """Status of the run, such as ``running``, ``waiting`` or ``finished``."""
        return self.source.manifest().status

    @property
    def arms(self) -> list[str]:
        """Names of the arms."""
        return list(self.source.manifest().cards.arms)

    @property
    def verdict(self) -> str:
        """Whether the verified arm is better than the unverified one, in one line."""
        return self._answer().line

    @property
    def ship(self) -> Ship | None:
        """The round of the verified arm that is shown to be better than the start; None without metrics."""
        return self._answer().ship

    def records(self) -> list[RoundRecord]:
        """Records of the finished rounds, in the order in which they finished."""
        return self.source.records()

    def frame(self) -> "pd.DataFrame":
        """Return the numbers as a tidy table with columns ``arm, round, metric, value, se, low, high``."""
        from .report.frames import metrics_frame

        return metrics_frame(self.records())

    def plot(self, quantity: str | None = None) -> "go.Figure":
        """Plot a quantity of each arm over the rounds, as in the report.

        Args:
            quantity: Name of the quantity, such as ``frechet``; the run's headline when None.

        Raises:
            ConfigError: The run does not measure it.
        """
        with explained():
            from .report.notebook import run_figure

        measured = list(dict.fromkeys(name for record in self.records() for name in record.metrics))
        name = quantity or self._headline()
        if name is None or name not in measured:
            raise ConfigError(
                "quantity", got=name, expected=f"one of {', '.join(measured) or '(none measured)'}"
            )
        return run_figure(self.source, name)

    def model(self, arm: str | None = None, round_: int | None = None) -> Generator:
        """Return the model of a round.

        Args:
            arm: Name of the arm; when None, the first arm with a verifier, or else the first arm.
            round_: Round number; 0 is the start model. When None, the round to ship, or the last round if
                none is shown to be better than the start.

        Raises:
            ConfigError: There is no such finished round, or its model is not in memory.
            RunFolderError: The run does not keep the model of this round.
            CorruptFileError: A file is missing or has changed.
        """
        chain = self._chain(arm)
        name = chain[0].arm
        number = self._number(chain, self._to_ship(name) if round_ is None else round_)
        if isinstance(self.source, MemoryRun):
            return self.source.model(name, number)
        return load_models(self.plan, self.source, name, number)[0]

    def samples(self, arm: str | None = None, round_: int | None = None) -> Samples:
        """Return the samples that a round kept.

        Args:
            arm: See `model`.
            round_: Round number from 1 on; the last round when None.

        Raises:
            ConfigError: There is no such finished round, or it kept no samples.
            CorruptFileError: A file is missing or has changed.
        """
        chain = self._chain(arm)
        number = self._number(chain, chain[-1].round if round_ is None else round_)
        kept = {record.round: record.counts.kept for record in chain}
        if not kept[number]:
            with_samples = ", ".join(str(k) for k, n in kept.items() if n)
            raise ConfigError(
                f"round {number} of arm {chain[0].arm!r} kept no samples",
                expected=f"one of {with_samples}" if with_samples else "an arm that keeps samples",
            )
        return self.source.kept(number, chain[0].arm)

    def audit(self, arm: str | None = None, round_: int | None = None) -> Audit:
        """Audit the verifier of an arm. The result also becomes a section of the report.

        Args:
            arm: See `model`.
            round_: Round whose candidates are judged again; the last round when None.

        Raises:
            ConfigError: The run is in memory, the arm has no verifier, or there is no such finished round.
            DataError: The round has too little data for an answer.
        """
        from .ask.audit_run import audit_run

        folder = self._on_disk("an audit")
        return audit_run(self.plan, folder, self._chain(arm)[0].arm, round_)[0].audit

    def report(self) -> Path:
        """Write a report of the rounds so far, one HTML file in the run folder, and return its path.

        Raises:
            ConfigError: The run is in memory.
            StorageError: The file cannot be written.
        """
        from .report.html import write_report

        return write_report(self._on_disk("a report"))

    def __repr__(self) -> str:
        where = "in memory" if self.folder is None else f"in {self.folder}"
        return in_short("Run", f"{where}, {self.status}.", self.verdict)

    def _repr_html_(self) -> str | None:
        if not drawable():
            return None
        from .report.notebook import run_html

        return run_html(self.source, self._headline())

    def _answer(self) -> Answer:
        return answer(self.source)

    def _headline(self) -> str | None:
        records, cards = self.records(), self.source.manifest().cards
        names = list(dict.fromkeys(name for record in records for name in record.metrics))
        return cards.ship.quantity or cards.headline_of(names)

    def _on_disk(self, what: str) -> RunFolder:
        if isinstance(self.source, MemoryRun):
            raise ConfigError(f"{what} needs a run folder", fix='give the run one: run(plan, "runs/mine")')
        return self.source

    def _chain(self, arm: str | None) -> list[RoundRecord]:
        """Return the finished rounds of an arm."""
        cards = self.source.manifest().cards
        chains = by_arm(self.records(), cards.arms)
        if not chains:
            raise ConfigError("no round of this run has finished", fix="run it first")
        name = first_arm(cards, chains) if arm is None else arm
        if name not in chains:
            raise ConfigError("arm", got=name, expected=f"one of {', '.join(chains)}")
        return chains[name]

    @staticmethod
    def _number(chain: list[RoundRecord], round_: int) -> int:
        numbers = [record.round for record in chain]
        if round_ not in numbers:
            raise ConfigError(
                f"arm {chain[0].arm!r} has no such finished round",
                got=round_,
                expected=f"one of {', '.join(map(str, numbers))}",
            )
        return round_

    def _to_ship(self, arm: str) -> int:
        """Return the round of an arm that is shown to be better, or its last round."""
        cards = self.source.manifest().cards
        chains = by_arm(self.records(), cards.arms)
        name = self._headline()
        found = None if name is None else gate(self.source.rows, chains, cards, arm, name)
        return (found.round if found else 0) or chains[arm][-1].round


def run(
    plan: Plan,
    out: Path | str | MemoryRun | None = None,
    *,
    resume: Resume = "never",
    accept_changes: bool = False,
    listen: Listen | None = None,
    starts: Path | None = None,
    progress: bool = True,
) -> Run:
    """Run ``plan`` to its end, in the folder ``out``, or in memory when ``out`` is None.

    Args:
        plan: Plan to run.
        out: Run folder, created if missing. When None, no files are written, and the run holds the models of
            every round in memory, or of the last ones with ``keep_models="last"``.
        resume: How to treat an existing run: refuse it (``never``), require it (``always``), or continue it
            if there is one (``if-possible``).
        accept_changes: Whether to continue a run even though files that it depends on have changed.
        listen: Called with each event of this process.
        starts: Folder of start models that several runs share.
        progress: Whether to show progress if someone can see it, in a terminal or a notebook.

    Raises:
        RunFolderError: See `veriloop.loop.run`.
        VeriloopError: Something is wrong with the plan, and nothing was computed; or a round failed, the
            finished rounds are safe, and the run can be resumed.
    """
    settings: dict[str, Any] = {"resume": resume, "starts": starts}
    if out is None:
        out = MemoryRun(every_round=plan.keep_models != "last")
    if not isinstance(out, MemoryRun):
        settings["accept_changes"] = accept_changes
    if not progress:
        return Run(carry_out(plan, out, listen=listen, **settings))
    with shown(plan) as line:
        listeners = [hears for hears in (line, listen) if hears is not None]

        def every(event: Any) -> None:
            """Pass ``event`` to all listeners."""
            for hears in listeners:
                hears(event)

        return Run(carry_out(plan, out, listen=every if listeners else None, **settings))


def forecast(
    run: Run | Path | str, quantity: str | None = None, *, arm: str | None = None, rounds: int = AHEAD
) -> Forecast:
    """Forecast the next rounds of an arm, and name the round to ship.

    Args:
        run: Run or run folder.
        quantity: Name of the quantity; the one that stands for a model's quality when None.
        arm: Name of the arm; when None, the first arm with a verifier, or else the first arm.
        rounds: Number of rounds to forecast.

    Raises:
        ConfigError: There is no such arm or quantity, or no round has finished.
        DomainError: ``rounds`` is too small or too large.
    """
    source = (run if isinstance(run, Run) else Run(run)).source
    chain, name = chain_of(source, arm, quantity)
    cards = source.manifest().cards
    shipped = gate(source.rows, by_arm(source.records(), cards.arms), cards, chain[0].arm, name)
    return forecast_chain(chain, name, cards.quantity(name), ahead=rounds, shipped=shipped)
