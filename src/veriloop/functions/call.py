"""A function by its name: what it may see, and how long it may take."""

from collections.abc import Collection
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Annotated

from pydantic import ByteSize, Field, StringConstraints

from ..parts import Checked
from ..samples import Samples, check_columns
from ._answers import answers, check_import
from ._row_worker import Answer
from ._rows import Rows
from ._worker import Order


class Call(Checked, frozen=True):
    """Calls ``function(row)`` for each sample; ``row`` is a dict of the sample's columns, as plain values.

    The function returns True or False (accept, reject), a number (a score), None (it cannot tell), or a pair
    of one of these and a text, the reason.

    It runs in worker processes, so that it can do no harm to the run: an exception, a crash, a call of
    ``sys.exit``, or an answer that is none of the above is an abstention with its reason, and so is a row
    that takes longer than ``timeout``. A worker that hangs or has died is replaced, and what it started is
    ended with it, and with the run. A row whose worker was killed from outside (SIGKILL, as the system does
    when memory is short) is asked again once. This is no sandbox: a function that runs untrusted code must
    confine it by itself. What it prints is discarded. It should depend on its row only, and draw no random
    numbers.

    Attributes:
        function: Its name, ``package.module:name``; importable from the working directory.
        columns: The columns that ``row`` has; all when None.
        timeout: Seconds for a row.
        workers: How many processes at most.
        memory: Of a worker, and of each process that it starts, such as ``2GB``; without a limit when None. A
            row that needs more is an abstention. Counted is what a process could write to, the libraries that
            it loads included: 1 GB is little for a function that imports PyTorch.
        processes: How many processes the function may have running beside its own; any number when None. They
            are counted ten times a second, on Linux; a row with more is an abstention.
    """

    function: Annotated[str, StringConstraints(pattern=r"^[\w.]+:\w+$")]
    columns: tuple[str, ...] | None = None
    timeout: Annotated[float, Field(gt=0)] = 10.0
    workers: Annotated[int, Field(ge=1)] = 1
    memory: Annotated[ByteSize, Field(ge=50_000_000)] | None = None
    processes: Annotated[int, Field(ge=0)] | None = None

    def answers(self, samples: Samples) -> list[Answer]:
        """What the function says of each sample: score, decision and reason.

        Raises:
            ConfigError: It cannot be imported.
            DataError: A column of ``columns`` is missing.
        """
        # The loop's own columns, with a leading underscore, are no part of the sample.
        names = self.columns or [name for name in samples if not name.startswith("_")]
        return answers(self._order(), Rows(samples, names), self.workers)

    def check_call(self, columns: Collection[str]) -> None:
        """Find out before any sample is there whether the function can be called on samples with ``columns``.

        Raises:
            ConfigError: It cannot be imported, or a column of its own ``columns`` will be missing.
        """
        check_columns(self.columns or (), columns)
        check_import(self._order())

    def source(self) -> dict[str, Path]:
        """The file of the function's module, by a name for people; none where it is not a file of Python's.

        Nothing is imported for it: a user's module may do anything.
        """
        module, _, _ = self.function.partition(":")
        places, spec, path = None, None, ""
        for name in module.split("."):
            path = f"{path}.{name}" if path else name
            spec = PathFinder.find_spec(path, places)
            if spec is None:
                return {}
            places = spec.submodule_search_locations
        file = spec.origin if spec and spec.has_location else None
        return {f"function {self.function}": Path(file)} if file else {}

    def _order(self) -> Order:
        return Order(self.function, self.timeout, self.memory, self.processes)
