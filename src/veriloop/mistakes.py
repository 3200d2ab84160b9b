"""A mistake in the fields of an object, as one line: pydantic would use several.

It is the same line for a configuration and for a constructor.
"""

import json
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from .errors import ConfigError, VeriloopError

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:  # pydantic has no public name for it
    ModelMetaclass = type(BaseModel)


class InOneLine(type):
    """The metaclass of classes that users make: their constructor raises `ConfigError` for a bad field.

    A metaclass, because pydantic then still knows the constructor's fields and makes inner objects by itself.
    """

    # Type checkers would take these for the arguments of all classes.
    if not TYPE_CHECKING:

        def __call__(cls, *args: Any, **fields: Any) -> Any:
            """Make an object, or say in one line why not."""
            try:
                return super().__call__(*args, **fields)
            except ValidationError as e:
                raise mistake_in(e, cls.__name__) from None


class ModelInOneLine(InOneLine, ModelMetaclass):
    """`InOneLine` for pydantic's models."""


def mistake_in(error: ValidationError, what: str = "") -> VeriloopError:
    """Return the first mistake that pydantic found, as one line with its path.

    Args:
        error: What it raised.
        what: What was to be made, such as the name of a class; the path goes on from there.
    """
    first = error.errors(include_url=False)[0]
    # A step with brackets is a type among several that a field takes, or pydantic's word for a key.
    steps = [str(step) for step in (what, *first["loc"])]
    path = ".".join(step for step in steps if step and not step.endswith("]")) or "configuration"
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, VeriloopError):
        line = f"{path}: {cause.what}" if what or first["loc"] else cause.what
        return type(cause)(line, got=cause.got, expected=cause.expected, fix=cause.fix)
    if first["type"] == "missing":
        return ConfigError(f"{path}: missing", expected="a value", fix="add this key")
    if first["type"] == "value_error":
        return ConfigError(f"{path}: {cause}")  # the validator's message
    if first["type"] == "frozen_instance":
        return ConfigError(
            f"{path} is not a field, and parts are frozen",
            fix=f"declare it in the class body, such as {first['loc'][-1]}: float = 1.0, without an __init__",
        )
    message = first["msg"].removeprefix("Input should be ")
    return ConfigError(path, got=shown(first["input"]), expected=message[:1].lower() + message[1:])


def shown(value: object) -> str:
    """Format a configuration value for an error message: as JSON if possible, cut to 80 characters."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
