"""Find out from its signature in which of three forms to call a function."""

import importlib
import inspect
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, NamedTuple

ROW, TRL, VERL = "row", "trl", "verl"

FORMS = {
    ROW: "f(row)",
    TRL: "f(prompts, completions, **columns)",
    VERL: "compute_score(data_source, solution_str, ground_truth, extra_info)",
}

LISTS = ("prompts", "completions", "completion_ids")
"""Parameters that identify a function in TRL's form."""

SOLUTION = ("solution_str", "ground_truth")
"""Parameters that identify a function in verl's form."""

TEXTS = ("completion", "prompt", "response", "solution", "text")
"""Parameter names that suggest that a function of one parameter expects a text, not a row."""

OF_TRL = ("completion_ids", "trainer_state", "log_metric", "log_extra")
"""Arguments that TRL passes besides prompts, completions and columns."""

OF_VERL = ("data_source", "solution_str", "ground_truth", "extra_info")


class WrongForm(Exception):
    """The function cannot be called: what was found, what was expected, and what to do."""


class Found(NamedTuple):
    """A function, and how to call it.

    Attributes:
        function: Object to call; for a class, an instance of it.
        form: One of `FORMS`.
        accepts: Names of its parameters; None if it accepts any.
        signature: Signature as text.
    """

    function: Callable[..., Any]
    form: str
    accepts: frozenset[str] | None
    signature: str

    def takes(self, name: str) -> bool:
        """Whether the function has a parameter with this name, or accepts any."""
        return self.accepts is None or name in self.accepts


def load(name: str) -> Any:
    """Import the object ``module:name``."""
    path, _, attribute = name.partition(":")
    found: Any = importlib.import_module(path)
    for word in attribute.split("."):
        if not hasattr(found, word):
            where = getattr(found, "__file__", None) or "built in"
            raise AttributeError(f"module {path!r} ({where}) has no attribute {attribute!r}")
        found = getattr(found, word)
    if not callable(found):
        raise TypeError(f"{name} is a {type(found).__name__}, not a function")
    return found


def find(target: Any, form: str | None, settings: Mapping[str, Any], columns: Collection[str]) -> Found:
    """Determine how to call ``target``.

    Args:
        target: Function, object with ``__call__``, partial, or class, which is instantiated once.
        form: One of `FORMS`, to set the form instead of inferring it.
        settings: Values for parameters, of the constructor for a class, else of the function.
        columns: Names of the data's columns.

    Raises:
        WrongForm: Its signature fits none of the forms, or several.
    """
    if inspect.isclass(target):
        target, settings = target(**settings), {}
        if not callable(target):
            raise WrongForm(
                f"{type(target).__name__} has no __call__", "a class whose objects are called", ""
            )
    try:
        signature = inspect.signature(target)
    except (TypeError, ValueError):  # written in C, without a signature
        return Found(target, form or ROW, None, "(...)")
    if settings:
        try:
            target = partial(target, **settings)
            signature = inspect.signature(target)
        except (TypeError, ValueError) as e:
            raise WrongForm(f"settings {', '.join(settings)}: {e}", f"names among {signature}", "") from None
    parameters = signature.parameters.values()
    names = {p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)} - set(settings)
    anything = any(p.kind is p.VAR_KEYWORD for p in parameters)
    guessed = form or _guess(signature, names, anything, columns)
    return Found(target, guessed, None if anything else frozenset(names), str(signature))


def _guess(
    signature: inspect.Signature, names: Collection[str], anything: bool, columns: Collection[str]
) -> str:
    parameters = signature.parameters.values()
    lists, solution = (any(name in names for name in known) for known in (LISTS, SOLUTION))
    if lists != solution:
        return TRL if lists else VERL
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    any_positional = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    if not lists and not positional and anything and not any_positional:
        return TRL  # f(**columns) can only be called by name
    needed = [p.name for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    takes_a_row = not lists and positional and needed in ([], [positional[0].name])
    first = positional[0].name if positional else ""
    # Exports have a column ``row``; a parameter ``row`` still means a whole row.
    names_a_value = first in TEXTS or (first in columns and first != ROW)
    if takes_a_row and not any_positional and not names_a_value:
        return ROW
    raise WrongForm(
        str(signature),
        " or ".join(FORMS.values()),
        f"set form to {' or '.join(FORMS)}, to choose how it is called",
    )
