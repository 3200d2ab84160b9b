"""Call a function in each of the three forms, and read its answers."""

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from .forms import OF_TRL, OF_VERL, ROW, TRL, VERL, Found, WrongForm
from .said import ABSTAIN, NONE, Answer, in_words, read, short

if TYPE_CHECKING:
    import asyncio

Row = dict[str, Any]

MOST_LOGGED = 100
"""Largest number of names that one call may log."""

PROMPT, COMPLETION, REFERENCE, OWN, IDS = "prompt", "completion", "reference", "own", "ids"
"""Keys of the roles: columns by role; ``own`` is the column that the reference is a copy of."""


class Caller:
    """Calls a function on rows.

    Args:
        found: Function to call.
        roles: Role of each column.
        arguments: Columns for parameters with other names.
        messages: Whether prompts and completions are lists of chat messages; None if the prompt decides.
        columns: Names of the columns.

    Raises:
        WrongForm: It needs an argument that no column provides.
    """

    def __init__(
        self,
        found: Found,
        roles: Mapping[str, str],
        arguments: Mapping[str, str],
        messages: bool | None,
        columns: Sequence[str],
    ) -> None:
        self._found, self._roles, self._messages = found, roles, messages
        self._runner: asyncio.Runner | None = None
        self._explicit, self._known, self._needed = set(arguments), columns, _needed(found.function)
        self._columns = {} if found.form == ROW else self._named(arguments)
        if found.form != ROW:
            self._check()

    def __call__(self, rows: list[Row], round_: int) -> tuple[list[Answer], dict[str, list[float]]]:
        """Return the function's answer for each row, and what it logged. Its errors pass through."""
        if self._found.form == TRL:
            return self._of_lists(rows, round_)
        if self._found.form == ROW and (written := self._roles.get(COMPLETION)) is not None:
            for row in rows:
                if written in row:
                    row.setdefault("completion", row[written])
        ask = self._found.function if self._found.form == ROW else self._score
        return [read(self._value(ask(row))) for row in rows], {}

    def _named(self, arguments: Mapping[str, str]) -> dict[str, str]:
        """Return the column for each parameter."""
        roles, columns = self._roles, self._known
        written = roles.get(COMPLETION, "completion")
        named = {name: name for name in columns if name != written}
        if OWN in roles and REFERENCE in roles:
            # The original data, as a trainer passes them, not the generated text in their place.
            named[roles[OWN]] = roles[REFERENCE]
        if self._found.form == VERL and "ground_truth" not in named and "reward_model" not in named:
            named |= {"ground_truth": roles[REFERENCE]} if REFERENCE in roles else {}
        for parameter, column in arguments.items():
            if column not in columns:
                raise WrongForm(f"arguments: {parameter}: {column}", f"a column: {', '.join(columns)}", "")
        return named | dict(arguments)

    def _check(self) -> None:
        form, needed, known = self._found.form, self._needed, ", ".join(self._known)
        for role, parameter in (
            (PROMPT, "prompts"),
            (COMPLETION, "completions"),
            (COMPLETION, "solution_str"),
        ):
            if parameter in needed and not self._has(role):
                raise WrongForm(f"columns {known}", f"one of role {role!r}, for its {parameter}", "set roles")
        given = {"prompts", "completions", *OF_TRL} if form == TRL else {"solution_str", "extra_info"}
        if form == TRL and IDS not in self._roles and "completion_ids" in needed:
            fix = "set tokenizer to the model's folder or name"
            raise WrongForm("it takes completion_ids", "token ids", fix)
        if form == VERL and "reward_model" in self._columns:
            given.add("ground_truth")
        for name in needed:
            if name not in given and name not in self._columns:
                raise WrongForm(
                    f"it takes {name!r}, which is not a column: {known}",
                    "a column for each parameter without a default",
                    f"set arguments: {{{name}: COLUMN}}, or settings: {{{name}: VALUE}}",
                )

    def _has(self, role: str) -> bool:
        return self._roles.get(role, role) in self._known

    def _of_lists(self, rows: list[Row], round_: int) -> tuple[list[Answer], dict[str, list[float]]]:
        log, beside = _Log(), {}
        keywords: dict[str, Any] = {
            parameter: [row[column] for row in rows]
            for parameter, column in self._columns.items()
            if parameter not in ("prompt", "completion") or self._found.accepts is not None
        }
        if self._has(PROMPT):
            keywords["prompts"] = [self._prompt(row) for row in rows]
        keywords["completions"] = [self._completion(row) for row in rows]
        if IDS in self._roles:
            keywords["completion_ids"] = [row[self._roles[IDS]] for row in rows]
        keywords["trainer_state"] = SimpleNamespace(global_step=round_, epoch=float(round_))
        keywords["log_metric"] = log.metric
        keywords["log_extra"] = lambda column, values: beside.__setitem__(str(column), list(values))
        values = self._value(
            self._found.function(**{k: v for k, v in keywords.items() if self._found.takes(k)})
        )
        answers = _each(values, len(rows))
        for row, (score, decision, reason) in enumerate(answers):
            words = {name: v[row] for name, v in beside.items() if len(v) == len(rows) and v[row] is not None}
            if words and not reason:
                answers[row] = score, decision, in_words(words)
        return answers, log.values

    def _prompt(self, row: Row) -> Any:
        prompt = row[self._roles.get(PROMPT, "prompt")]
        if self._messages and isinstance(prompt, str):
            return [{"role": "user", "content": prompt}]
        return prompt

    def _completion(self, row: Row) -> Any:
        text = row[self._roles.get(COMPLETION, "completion")]
        as_messages = self._messages
        if as_messages is None:
            as_messages = isinstance(row.get(self._roles.get(PROMPT, "prompt")), list)
        return [{"role": "assistant", "content": text}] if as_messages and isinstance(text, str) else text

    def _score(self, row: Row) -> Any:
        """Call a function in verl's form."""
        named = {parameter: row[column] for parameter, column in self._columns.items()}
        if "ground_truth" not in named and isinstance(named.get("reward_model"), dict):
            named["ground_truth"] = named["reward_model"]["ground_truth"]
        others = {name: value for name, value in named.items() if name not in (*OF_VERL, "reward_model")}
        named.setdefault("extra_info", others)
        named["solution_str"] = row[self._roles.get(COMPLETION, "completion")]
        wanted = {*OF_VERL, *self._needed, *self._explicit}
        passed = {name: value for name, value in named.items() if name in wanted}
        return self._found.function(**{k: v for k, v in passed.items() if self._found.takes(k)})

    def _value(self, value: Any) -> Any:
        """Return ``value``, awaited if necessary."""
        if not inspect.isawaitable(value):
            return value
        if self._runner is None:
            import asyncio  # takes as long to import as everything else

            self._runner = asyncio.Runner()  # one for all calls, so that open connections stay open

        async def wait() -> Any:
            """Return the awaited value."""
            return await value

        return self._runner.run(wait())


def _needed(function: Callable[..., Any]) -> list[str]:
    """Return the parameters without defaults."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    variable = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return [p.name for p in parameters if p.default is p.empty and p.kind not in variable]


class _Log:
    def __init__(self) -> None:
        self.values: dict[str, list[float]] = {}

    def metric(self, name: str, value: Any) -> None:
        """TRL's ``log_metric``: a number for the whole call; non-finite values are ignored."""
        number = float(value)
        if math.isfinite(number) and (name in self.values or len(self.values) < MOST_LOGGED):
            self.values.setdefault(short(str(name)), []).append(number)


def _each(values: Any, n: int) -> list[Answer]:
    """Return one answer for each of ``n`` rows; abstentions if the function did not return a list."""
    if isinstance(values, str | bytes | dict | set | frozenset) or not hasattr(values, "__iter__"):
        got = short(repr(values))
    else:
        try:
            found = list(values)
        except TypeError:  # a zero-dimensional array
            found, got = [], short(repr(values))
        else:
            got = f"{len(found):,} values"
        if len(found) == n:
            return [read(value) for value in found]
    wrong = (
        f"the function returned {got} for {n:,} completions, expected a list of one number or None for each"
    )
    return [(NONE, ABSTAIN, wrong)] * n


Call = Callable[[list[Row], int], tuple[list[Answer], dict[str, list[float]]]]
