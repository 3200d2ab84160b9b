"""A user's function by name: how it is called, what it receives, and its time limit."""

import math
from collections.abc import Collection
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from typing_extensions import override

from ..errors import ConfigError
from ..hub import to_fetch
from ..parts import Checked
from ..samples import Samples, check_columns
from ._row_worker.calls import IDS
from ._row_worker.forms import FORMS
from ._worker import Order
from .ask import Answered, answers, look
from .check import Check, Said, own_columns
from .rows import Rows
from .token_ids import TOKEN_IDS, check_tokenizer, token_ids
from .weighted import weighted_sum

Name = Annotated[str, StringConstraints(pattern=r"^[\w.]+:[\w.]+$")]
Form = Literal["row", "trl", "verl"]


class Called(Checked, frozen=True):
    """One function, and how it is called.

    Attributes:
        function: Name ``package.module:name``; importable from the working directory. It may be a function,
            an object with ``__call__``, a `functools.partial`, or a class, which each worker instantiates
            once.
        form: ``row``: ``f(row)``. ``trl``: ``f(prompts, completions, **columns) -> list``. ``verl``:
            ``compute_score(data_source, solution_str, ground_truth, extra_info)``. None infers it from the
            parameter names; ``validate`` reports the result.
        arguments: Columns for parameters with other names: ``{solution: answer}``.
        settings: Values for other parameters, ``{most: 100}``; for a class, of its constructor.
        messages: Whether prompts and completions are lists of chat messages, as TRL passes them for
            conversations; None to follow the data.
    """

    function: Name
    form: Form | None = None
    arguments: dict[str, str] = Field(default_factory=dict)
    settings: dict[str, Any] = Field(default_factory=dict)
    messages: bool | None = None

    @property
    def short_name(self) -> str:
        """Name of the function without its module."""
        return self.function.rpartition(":")[2].rpartition(".")[2]


class Weighted(Called, frozen=True):
    """One of several functions.

    Attributes:
        weight: Weight of its score in the sum; negative for a penalty.
        name: Name of its score; the function's name when None.
    """

    weight: float = 1.0
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]\w*$", max_length=60)] | None = None


class Call(Check, frozen=True):
    """Calls a user's function on samples, or several functions whose weighted sum is the score.

    The function receives a row (a dict of the sample's columns, as plain values), or lists of many rows as
    TRL's reward functions do, or the four arguments of verl's ``compute_score``; it may be ``async``. For a
    row it returns True or False (accept, reject), a number (a score), None (abstain), a pair of one of these
    and a text (the reason), or a dict with a ``score`` and optionally a ``reason``.

    It runs in worker processes, so that it cannot harm the run: an exception, a crash, a call of
    ``sys.exit``, or any other return value is an abstention with its reason, and so is a row that takes
    longer than ``timeout``. A worker that hangs or dies is replaced, and the processes it started end with
    it, and with the run. A row whose worker was killed from outside (SIGKILL, as the system does when memory
    is short) is retried once. This is not a sandbox: a function that runs untrusted code must sandbox it. Its
    output is discarded. It should depend on its row only, and draw no random numbers.

    Attributes:
        function: As in `Called`, with ``form``, ``arguments``, ``settings`` and ``messages``.
        functions: List of functions, each with these keys and a ``weight``, instead of ``function``.
        columns: Columns that the function receives; all when None.
        batch: Largest number of rows in a call of a function that takes lists.
        tokenizer: Folder or hub name of a tokenizer, for functions that take ``completion_ids``.

    The other fields are those of `Check`.
    """

    function: Name | None = None
    functions: tuple[Weighted, ...] = ()
    form: Form | None = None
    arguments: dict[str, str] = Field(default_factory=dict)
    settings: dict[str, Any] = Field(default_factory=dict)
    messages: bool | None = None
    columns: tuple[str, ...] | None = None
    batch: Annotated[int, Field(ge=1, le=1000)] = 64
    tokenizer: str | None = None

    @model_validator(mode="after")
    def _one_or_several(self) -> Self:
        if (self.function is None) == (not self.functions):
            got = "neither" if self.function is None else "both"
            expected = 'function: "module:name", or functions: a list of these with weights'
            raise ConfigError("function or functions", got=got, expected=expected)
        for key in ("form", "arguments", "settings", "messages"):
            if self.functions and getattr(self, key) not in (None, {}):
                raise ConfigError(f"{key} together with functions", fix=f"give each of functions its {key}")
        return self

    def called(self) -> dict[str, Weighted]:
        """The functions by name, made unique."""
        alone = {key: getattr(self, key) for key in Called.model_fields}
        several = self.functions or (Weighted(**alone),)
        names = [one.name or one.short_name for one in several]
        return {
            name if names.count(name) == 1 else f"{name}_{i}": one
            for i, (name, one) in enumerate(zip(names, several, strict=True), 1)
        }

    @override
    def said(self, samples: Samples) -> Said:
        """Return the function's answer for each sample, or the combined answer of several.

        Raises:
            ConfigError: One cannot be imported, or its signature fits no form.
            DataError: A column in ``columns`` is missing.
        """
        names = list(self.columns) if self.columns else own_columns(list(samples))
        beside = {}
        if self.tokenizer is not None:
            written = self.roles.completion or "completion"
            beside[TOKEN_IDS] = token_ids(self.tokenizer, samples.texts(written))
        rows = Rows(samples, names, beside)
        found = {name: self._ask(one, rows) for name, one in self.called().items()}
        logged: dict[str, list[float]] = {}
        for one in found.values():
            for name, values in one.logged.items():
                logged.setdefault(name, []).extend(values)
        given = {name: one.answers for name, one in found.items()}
        if not self.functions:
            return Said(next(iter(given.values())), logged)
        parts = {name: [score for score, _, _ in answers] for name, answers in given.items()}
        scores = {f"rewards/{name}": [s for s in part if not math.isnan(s)] for name, part in parts.items()}
        total = weighted_sum(given, [one.weight for one in self.functions])
        return Said(total, logged | scores, parts)

    @override
    def check_call(self, columns: Collection[str]) -> list[str]:
        """Check, before there are samples, that the function can be called on samples with ``columns``.

        Returns:
            How each function is called, one line each.

        Raises:
            ConfigError: It cannot be imported, its signature fits no form, or a column in ``columns`` will be
                missing.
        """
        check_columns(self.columns or (), columns)
        if self.tokenizer is not None:
            check_tokenizer(self.tokenizer)
        names = list(self.columns) if self.columns else own_columns(list(columns))
        notes: list[str] = []
        for one in self.called().values():
            known = look(self._order(one), names)
            notes.append(f"{one.function}{known.signature} is called as {FORMS[known.form]}")
        return notes

    def downloads(self) -> str | None:
        """Return the tokenizer if it is neither a folder nor in the libraries' cache."""
        if self.tokenizer is None or Path(self.tokenizer).is_dir():
            return None
        return to_fetch("model", self.tokenizer)

    @override
    def source(self) -> dict[str, Path]:
        """Return the files of the functions' modules, by a readable name; empty if they are not Python files.

        Nothing is imported, because a user's module may do anything.
        """
        found = {one.function: _file_of(one.function) for one in self.called().values()}
        return {f"function {name}": path for name, path in found.items() if path is not None}

    def _ask(self, one: Called, rows: Rows) -> Answered:
        return answers(self._order(one), rows, self.workers)

    def _order(self, one: Called) -> Order:
        return Order(
            name=one.function,
            timeout=self.timeout,
            memory=self.memory,
            processes=self.processes,
            form=one.form,
            settings=one.settings,
            arguments=one.arguments,
            roles=self.roles.named() | ({IDS: TOKEN_IDS} if self.tokenizer is not None else {}),
            messages=one.messages,
            batch=self.batch,
        )


def _file_of(function: str) -> Path | None:
    module, _, _ = function.partition(":")
    places, spec, path = None, None, ""
    for name in module.split("."):
        path = f"{path}.{name}" if path else name
        spec = PathFinder.find_spec(path, places)
        if spec is None:
            return None
        places = spec.submodule_search_locations
    file = spec.origin if spec and spec.has_location else None
    return Path(file) if file else None
