"""One call into a part, and checks of its result: errors name the part and the method."""

import inspect
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..errors import ContractError, DataError, VeriloopError
from ..fitted import Fitted
from ..parts import Imported, Part, error_summary
from ..samples import Samples, same_type, type_of

T = TypeVar("T")


def call(part: object, method: str, function: Callable[..., T], *arguments: Any) -> T:
    """Return ``function(*arguments)``; any error of a part's code becomes one line.

    Args:
        part: Part whose code is called, for the error message.
        method: Name of the method, for the error message.
        function: Function to call, usually a method of ``part``.
        arguments: Arguments of the function.

    Raises:
        ContractError: It raised an error that is not from veriloop; that error is the cause.
        VeriloopError: An error from veriloop. If the part passed bad input to veriloop, the line names the
            part.
    """
    try:
        return function(*arguments)
    except (ContractError, DataError) as e:
        if (place := _place(part, e)) == "" or _raised_by(part, e):
            raise
        what = f"{named(part)}.{method}{place}: {e.what}"
        raise type(e)(what, got=e.got, expected=e.expected, fix=e.fix) from e
    except (VeriloopError, MemoryError):
        raise
    except (Exception, SystemExit) as e:
        # Only the whole program may decide to exit; an exit by a part would end a run without a message.
        raise ContractError(f"{named(part)}.{method} raised {error_summary(e)}{_place(part, e)}") from e


def expect(where: str, got: Any, wanted: type[Any], hint: str = "") -> Any:
    """Return ``got`` if it is ``wanted``.

    Args:
        where: Part and method, for the error message.
        got: Result of the part.
        wanted: Class that it must have.
        hint: Words after the name of the class, in the error message.

    Raises:
        ContractError: It is something else.
    """
    if not isinstance(got, wanted):
        if inspect.iscoroutine(got):
            got.close()  # otherwise Python warns that it was never awaited
        expected = f"{wanted.__name__}, {hint}" if hint else wanted.__name__
        raise ContractError(where, got=type(got).__name__, expected=expected)
    return got


def named(part: object) -> str:
    """Return the name of ``part``'s class, for error messages."""
    return type(part).__name__


@cache
def made_type(part: type[Part], attribute: str, base: type[Fitted]) -> None:
    """Check that a part declares what its ``fit`` returns; a class without a fault is checked only once.

    Args:
        part: Class of a learner or verifier.
        attribute: Name of the class attribute.
        base: Class that the declared one must extend.

    Raises:
        ContractError: The class is not declared, is another one, or cannot be instantiated.
    """
    owners = (vars(kind) for kind in part.__mro__ if attribute in vars(kind))
    if isinstance(next(owners, {}).get(attribute), Imported):
        return  # built in; its libraries are needed only for training
    made: Any = getattr(part, attribute, None)
    if not (isinstance(made, type) and issubclass(made, base)):
        raise ContractError(
            f"{part.__name__} does not declare what its fit returns",
            got=None if made is None else f"{attribute} {getattr(made, '__name__', repr(made))}",
            expected=f"a class attribute {attribute}, a subclass of {base.__name__}",
        )
    if missing := sorted(getattr(made, "__abstractmethods__", ())):
        lacks = " and ".join(missing)
        raise ContractError(
            f"{part.__name__}.{attribute}: {made.__name__} lacks {lacks}",
            expected=f"a subclass of {base.__name__} that defines all of its methods",
        )


def alike(samples: Samples, like: Samples, names: Sequence[str], where: str, whose: str) -> None:
    """Check that the columns ``names`` have the types that they have in ``like``, which belongs to ``whose``.

    Raises:
        ContractError: A column has another type.
    """
    for name in names:
        if not same_type(samples[name], like[name]):
            got, wanted = type_of(samples[name]), type_of(like[name])
            raise ContractError(f"{where}: column {name!r}", got=got, expected=f"{wanted}, as in {whose}")


def not_finite(samples: Samples) -> str:
    """List the columns with values that are not finite, with the number of rows; empty if there are none."""
    told: list[str] = []
    for name, column in samples.items():
        if isinstance(column, np.ndarray) and column.dtype.kind == "f":
            rows = np.count_nonzero(~np.isfinite(column).reshape(len(column), -1).all(axis=1))
            told += [f"{rows} of {len(column)} rows of column {name!r}"] if rows else []
    return ", ".join(told)


def _raised_by(part: object, error: BaseException) -> bool:
    """Whether code of ``part``'s package raised ``error``, and so wrote its message."""
    frames = error.__traceback__
    while frames is not None and frames.tb_next is not None:
        frames = frames.tb_next
    package = type(part).__module__.partition(".")[0]
    return frames is not None and str(frames.tb_frame.f_globals.get("__name__")).partition(".")[0] == package


def _place(part: object, error: BaseException) -> str:
    """Return where in ``part``'s package ``error`` was raised, since users see no traceback."""
    package, place = type(part).__module__.partition(".")[0], ""
    frames = error.__traceback__ if package != "veriloop" else None
    while frames is not None:
        if str(frames.tb_frame.f_globals.get("__name__")).partition(".")[0] == package:
            place = f" ({Path(frames.tb_frame.f_code.co_filename).name}, line {frames.tb_lineno})"
        frames = frames.tb_next
    return place
