"""Export names of a package that are imported on first use, so that importing the package stays fast."""

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any

from .extras import explained


def export_lazily(
    package: dict[str, Any], names: Mapping[str, Iterable[str]], modules: Iterable[str] = ()
) -> None:
    """Make a package export names of its modules.

    Type checkers do not run this: the package imports the same names under ``TYPE_CHECKING``. They see no
    ``__getattr__``, so they still find misspelt names.

    Args:
        package: The package's ``globals()``.
        names: Names to export, by the module that defines them, such as ``.digits``.
        modules: Modules of the package to export themselves.
    """
    where = {name: module for module, exported in names.items() for name in exported}
    whole = frozenset(modules)
    called = package["__name__"]

    def find(name: str) -> Any:
        """Import and return the object ``name``; raise AttributeError if the package does not export it."""
        if name in whole:
            with explained():
                return import_module(f".{name}", called)
        if name not in where:
            raise AttributeError(f"module {called!r} has no attribute {name!r}")
        with explained():
            found = package[name] = getattr(import_module(where[name], called), name)
        return found

    def listed() -> list[str]:
        """Return the names of the package, with those that are not imported yet."""
        return sorted({*package, *where, *whole})

    package |= {"__getattr__": find, "__dir__": listed}
