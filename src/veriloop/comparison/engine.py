"""`compare`: run all variations and seeds, or read existing runs, and write up the results."""

import shlex
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from ..errors import ConfigError, VeriloopError
from ..executors.base import Executor
from ..executors.process import Process
from ..executors.serial import Serial
from ..loop.plan import Plan
from ..quantity import Quantity
from ..records import RoundRecord
from ..report import notebook
from ..report.run_rows import run_row
from ..showing import in_short
from ..store.atomic import write_file
from ..store.folder import RunFolder
from .chains import Chain, chains_of, existing, quantities_of
from .differences import Table, table
from .drawing import curves, paired
from .figures import save_figure
from .names import settings_cells
from .page import Cells, Shown, experiment_page, markdown
from .results import content_of, write_content
from .runs import RUNS, Failed, Job, failure, recorded, run_all
from .sentence import alone, cells, last_cells, sentences
from .variations import Request, check, requested, slug

RESULT = "compare.json"
REPORT = "report.html"
TABLES = "tables.md"
MOST_ROWS = 20
"""Largest number of rows in a table on the page."""

CURVES, PAIRED = "curves", "differences"


@dataclass(frozen=True)
class Comparison:
    """The results of a comparison.

    Attributes:
        variations: Names of the variations, in order.
        seeds: Seeds of the runs that have finished a round.
        headline: Quantity of the sentences: the first one with a direction.
        quantities: Meaning of each measured quantity, by name.
        tables: Means and differences of each quantity, by name.
        sentences: Which variations are better or worse by the headline, one line per arm.
        chains: Arms of all runs.
        failure: Why runs failed, if any did; the others are compared.
        out: Folder that it was written to; None if it was not written.
    """

    variations: tuple[str, ...]
    seeds: tuple[int, ...]
    headline: str
    quantities: Mapping[str, Quantity]
    tables: Mapping[str, Table]
    sentences: tuple[str, ...]
    chains: tuple[Chain, ...] = field(repr=False)
    failure: VeriloopError | None = None
    out: Path | None = None

    def __repr__(self) -> str:
        n = f"{_counted(len(self.variations), 'variation')}, {_counted(len(self.seeds), 'seed')}."
        return in_short("Comparison", n, *self.sentences)

    def plot(self) -> Figure:
        """Plot means over seeds of each quantity, by variation and arm, with their 95 % intervals."""
        return self.figures()[CURVES]

    def _repr_html_(self) -> str:
        heading, *rows = last_cells({n: self.quantities[n].title for n in self.wholes[:4]}, self.tables)
        return notebook.page(
            "Comparison", self.sentences, notebook.table(heading, rows), notebook.picture(self.plot())
        )

    def content(self) -> dict[str, Any]:
        """Return the numbers as in `compare.json`, without the records."""
        return {
            "variations": list(self.variations),
            "seeds": list(self.seeds),
            "headline": self.headline,
            "sentences": list(self.sentences),
            "quantities": {name: found.model_dump(mode="json") for name, found in self.tables.items()},
        }

    @property
    def wholes(self) -> list[str]:
        """Quantities that are not part of another one, the headline first."""
        whole = [
            name for name, quantity in self.quantities.items() if quantity.part_of not in self.quantities
        ]
        return sorted(whole, key=lambda name: name != self.headline)

    def records(self) -> list[tuple[RoundRecord, dict[str, Any]]]:
        """Return the records of all runs, each with its seed and variation."""
        return [
            (record, {"seed": chain.seed, "variation": chain.variation})
            for chain in self.chains
            for record in chain.records
        ]

    def figures(self) -> dict[str, Figure]:
        """Return the figures by file name."""
        shown = {name: self.tables[name] for name in self.wholes}
        found = {CURVES: curves(self.quantities, shown, self.chains)}
        if less := paired(self.quantities, shown, self.chains):
            found[PAIRED] = less
        return found

    def cells(self, most: int | None = None) -> dict[str, Cells]:
        """Return the tables as text, by heading; with more than ``most`` rows, those of the best."""
        titles = {name: quantity.title for name, quantity in self.quantities.items()}
        found: dict[str, Cells] = {
            "Last values, with half their 95 % intervals": last_cells(titles, self.tables)
        }
        configs = {chain.variation: chain.folder.manifest().config for chain in reversed(self.chains)}
        if settings := settings_cells({name: configs[name] for name in self.variations if name in configs}):
            found["Different settings"] = settings
        for name, of in self.tables.items():
            whole, shown = cells(self.quantities[name], of), cells(self.quantities[name], of, most)
            of_best = f", from the best ({len(whole) - 1} pairs are in {TABLES})" if shown != whole else ""
            if len(whole) > 1:
                found[f"Differences in {titles[name]}{of_best}"] = shown
        return found


def compare(
    config: Path | str | Plan | Mapping[str, Any] | Sequence[Path | str],
    out: Path | str | None = None,
    *,
    seeds: int | Sequence[int] | None = None,
    vary: Mapping[str, Sequence[Any]] | None = None,
    overrides: Sequence[str] = (),
    executor: Executor | None = None,
    write_up: bool = False,
    command: str = "",
) -> Comparison:
    """Compare variations of a plan over seeds, or existing runs.

    Each run has the folder ``out/runs/VARIATION-seedK``. Existing runs are continued. Runs with equal data,
    learner and seed share their start model. After an interrupt or a kill, the same call continues and gives
    the same result.

    Args:
        config: Configuration (a file, its content, or a plan), or folders of runs.
        out: Folder for the runs and the results: ``compare.json``, tables, figures and a report. None writes
            nothing, for existing runs.
        seeds: Number of seeds, starting at the plan's seed, or the seeds themselves.
        vary: Values of each setting to vary, by its path. All combinations are run.
        overrides: Settings ``a.b=value`` that replace those of a file.
        executor: Executor of whole runs. That of the plan when None, or one worker process per core if that
            is serial. `Serial` makes one run after the other, each with its plan's executor.
        write_up: Whether to only compare the existing results, without running anything.
        command: Command to record in the results.

    Raises:
        ConfigError: The configuration, a variation or a seed is wrong; nothing was computed.
        RunFolderError: A folder contains no run, or a run of another plan.
        VeriloopError: No run has finished a round.
    """
    began = time.perf_counter()
    broken = None
    if isinstance(config, Path | str) and Path(config).is_dir():
        config = [config]
    if isinstance(config, Sequence) and not isinstance(config, str):
        if seeds or vary or overrides or write_up:
            raise ConfigError(
                "seeds, vary and overrides need a configuration; existing runs are compared unchanged"
            )
        chains, variations, planned = existing([Path(path) for path in config]), (), 0
    else:
        if out is None:
            raise ConfigError("compare: no folder for the runs", fix="pass out, or --out DIR")
        request = requested(config, seeds=seeds, vary=vary, overrides=overrides)
        variations, planned = tuple(request.plans), request.runs
        request.check_metrics()
        chains, broken = _made(request, Path(out), executor, write_up)
    to = None if out is None else Path(out)
    found = compared(chains, variations=variations, planned=planned, broken=broken, out=to)
    if out is not None:
        _write(found, Path(out), command, time.perf_counter() - began)
    return found


def _made(
    request: Request, out: Path, executor: Executor | None, write_up: bool
) -> tuple[list[Chain], VeriloopError | None]:
    """Make all runs, or the missing ones; return the chains of those that have finished a round."""
    own = next(iter(request.plans.values())).executor
    executor = executor or (Process() if isinstance(own, Serial) else own)
    names = _slugs(request.plans)
    jobs: list[Job] = []
    for setting, variation in names.items():
        plan = request.plans[variation]
        if not isinstance(executor, Serial):
            # The executor does not affect results; a worker with a run to itself starts no others.
            plan = plan.model_copy(update={"executor": Serial()})
        jobs += [Job(setting, plan.model_copy(update={"seed": seed})) for seed in request.seeds]
    failed: list[Failed] = []
    if not write_up:
        _check(jobs, names, request, out, executor)
        failed = run_all(jobs, out, executor, share_starts=True)
    broken = failure(failed, len(jobs)) if failed else None
    bad = {f.name for f in failed}
    runs = recorded([job for job in jobs if job.name not in bad], out)
    if not runs:
        raise broken or VeriloopError(
            f"no run in {out} has finished a round", fix="make the runs first, without --write-up"
        )
    return [chain for run in runs for chain in chains_of(names[run.job.setting], run.folder)], broken


def _slugs(plans: Mapping[str, Plan]) -> dict[str, str]:
    """Return the folder name of each variation."""
    names: dict[str, str] = {}
    for variation in plans:
        setting = slug(variation)
        names[f"{setting}-{len(names)}" if setting in names else setting] = variation
    return names


def _check(
    jobs: Sequence[Job], names: Mapping[str, str], request: Request, out: Path, executor: Executor
) -> None:
    """Refuse faults before anything is computed: a folder with other runs, or a mistake in a plan.

    Variations whose runs have all started were checked before.
    """
    recorded(list(jobs), out)
    waiting = [names[job.setting] for job in jobs if not RunFolder(out / RUNS / job.name).exists()]
    plans = {name: request.plans[name].model_copy(update={"executor": executor}) for name in waiting}
    check(Request(plans, request.seeds))


def compared(
    chains: Sequence[Chain],
    *,
    metrics: Sequence[str] | None = None,
    variations: Sequence[str] = (),
    planned: int = 0,
    broken: VeriloopError | None = None,
    out: Path | None = None,
) -> Comparison:
    """Compare the arms of runs.

    Args:
        chains: Arms.
        metrics: Quantities to compare, the headline first; all measured ones when None.
        variations: Names of the variations in order, also of those without a finished round.
        planned: Number of planned runs.
        broken: Reasons why runs failed, if any did.
        out: Folder for the comparison.

    Raises:
        VeriloopError: Nothing was measured.
    """
    quantities = quantities_of(chains)
    if metrics is not None:
        quantities = {name: quantities[name] for name in metrics if name in quantities}
    if not quantities:
        raise VeriloopError("nothing to compare: no run has measured anything", fix="give the plan metrics")
    tables = {name: table(name, chains) for name in quantities}
    headlines = [c.card.headline for c in chains] if metrics is None else []
    headline = next((name for name in headlines if name in quantities), None) or next(iter(quantities))
    words = sentences(quantities[headline], tables[headline])
    found = tuple(dict.fromkeys([*variations, *(c.variation for c in chains)]))
    return Comparison(
        variations=found,
        seeds=tuple(sorted({c.seed for c in chains})),
        headline=headline,
        quantities=quantities,
        tables=tables,
        sentences=(
            *(words or [alone(quantities[headline], tables[headline])]),
            *_unfinished(chains, planned),
        ),
        chains=tuple(chains),
        failure=broken,
        out=out,
    )


def _unfinished(chains: Sequence[Chain], planned: int) -> list[str]:
    """Return remarks on unfinished runs."""
    manifests = {chain.folder.path: chain.folder.manifest() for chain in chains}
    states = Counter(manifest.status for manifest in manifests.values())
    runs = max(planned, len(manifests))
    found: list[str] = []
    if missing := runs - states["finished"]:
        waiting = f", {states['waiting']} of them because people have to judge" if states["waiting"] else ""
        found.append(f"{missing} of {runs} runs have not finished{waiting}; they are compared as they are.")
    ended = Counter(arm for manifest in manifests.values() for arm in manifest.stopped_arms)
    return [*found, *(f"{arm} ended early in {_counted(n, 'run')}." for arm, n in ended.items())]


def _write(found: Comparison, out: Path, command: str, seconds: float) -> None:
    out.mkdir(parents=True, exist_ok=True)
    tables = found.cells()
    for name, figure in found.figures().items():
        for suffix in ("png", "svg"):
            save_figure(figure, out / f"{name}.{suffix}")
    text = "\n".join(f"## {heading}\n\n{markdown(rows)}" for heading, rows in tables.items())
    write_file(out / TABLES, text.encode())
    write_file(out / REPORT, comparison_page(found).encode())
    content = content_of(command, seconds, found.records(), **found.content())
    write_content(out / RESULT, content)


def comparison_page(found: Comparison, back: str | None = None) -> str:
    """Return a comparison as an HTML page that opens without a network.

    Args:
        found: The comparison.
        back: Address of the list of runs, if the page is one of several.
    """
    about = f"{_counted(len(found.variations), 'variation')}, {_counted(len(found.seeds), 'seed')}"
    runs = {(chain.variation, chain.seed) for chain in found.chains}
    words = {
        CURVES: "Means over seeds with their 95 % intervals"
        if max(Counter(variation for variation, _ in runs).values()) > 1
        else "One seed: the bands are two standard errors of the measurement, and say nothing of other seeds",
        PAIRED: "Differences paired by seed; the bands are 95 % intervals of each one by itself, not widened",
    }
    headings = {CURVES: "Curves", PAIRED: "Differences"}
    shown = {headings[name]: Shown(words[name], figure) for name, figure in found.figures().items()}
    tables = {**_each_run(found.chains), **found.cells(MOST_ROWS)}
    return experiment_page("Comparison", about, found.sentences, shown, tables, back)


def report_of_runs(paths: Sequence[Path], to: Path) -> Comparison:
    """Write one report about several runs: their comparison, and the main results of each.

    Args:
        paths: Run folders, and folders that contain them.
        to: The HTML file.

    Raises:
        RunFolderError: One of the folders contains no run.
        VeriloopError: No run has finished a round or measured anything.
        StorageError: The file could not be written.
    """
    found = compare(paths)
    write_file(to, comparison_page(found).encode())
    return found


def _each_run(chains: Sequence[Chain]) -> dict[str, Cells]:
    """Return a table with the main results of each run; none if there are too many runs."""
    folders = {chain.folder.path: chain.folder for chain in chains}
    if len(folders) > MOST_ROWS:
        return {}
    rows = [["run", "status", "rounds", "ship", "verdict"]]
    for folder in folders.values():
        row = run_row(folder, forecasts=False)
        ship = row.found.answer.ship if row.found else None
        rows.append(
            [
                row.name,
                row.standing.status,
                f"{row.done} of {row.rounds}",
                "" if ship is None else f"round {ship.round}" if ship.round else "none",
                row.found.answer.line if row.found else row.standing.line,
            ]
        )
    return {"Each run": rows}


def _counted(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def command_of(arguments: Sequence[str]) -> str:
    """Return a command line in a form that a user can repeat."""
    return shlex.join(["veriloop", *arguments])
