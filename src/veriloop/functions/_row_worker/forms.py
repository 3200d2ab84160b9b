"""In which of three ways a function is to be called: its signature says so."""

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
"""Parameters by which a function in TRL's form is known."""

SOLUTION = ("solution_str", "ground_truth")
"""Parameters by which a function in verl's form is known."""

TEXTS = ("completion", "prompt", "response", "solution", "text")
"""A function of one parameter with such a name seems to want a text, and no row."""

OF_TRL = ("completion_ids", "trainer_state", "log_metric", "log_extra")
"""What TRL passes beside prompts, completions and columns."""

OF_VERL = ("data_source", "solution_str", "ground_truth", "extra_info")


class WrongForm(Exception):
    """The function cannot be called as it is: what was got, what was expected, and what to do."""


class Found(NamedTuple):
    """A function, and how to call it.

    Attributes:
        function: What is called: for a class, an object of it.
        form: One of `FORMS`.
        accepts: The names of its parameters; None where it takes any.
        signature: As text.
    """

    function: Callable[..., Any]
    form: str
    accepts: frozenset[str] | None
    signature: str

    def takes(self, name: str) -> bool:
        """Whether the function has a parameter of this name, or takes any."""
        return self.accepts is None or name in self.accepts


def load(name: str) -> Any:
    """The object that ``module:name`` means."""
    path, _, attribute = name.partition(":")
    found: Any = importlib.import_module(path)
    for word in attribute.split("."):
        if not hasattr(found, word):
            where = getattr(found, "__file__", None) or "built in"
            raise AttributeError(f"module {path!r} ({where}) has no attribute {attribute!r}")
        found = getattr(found, word)
    if not callable(found):
        raise TypeError(f"{name} is a {type(found).__name__}, no function")
    return found


def find(target: Any, form: str | None, settings: Mapping[str, Any], columns: Collection[str]) -> Found:
    """How ``target`` is called.

    Args:
        target: A function, an object with ``__call__``, a partial, or a class, of which one object is made.
        form: One of `FORMS`, which is then not guessed.
        settings: Values for parameters: of the class where it is one, else of the function.
        columns: The names of the data's columns.

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
    except (TypeError, ValueError):  # written in C, without one
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
        return TRL  # f(**columns): it can be called by name only
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
        f"set form to {' or '.join(FORMS)}, by which it is then called",
    )
