"""Names of a package that are imported when they are first looked at, so that the package itself is light."""

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any


def lazily(
    package: str, names: Mapping[str, Iterable[str]], modules: Iterable[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package.

    Type checkers do not run this: the package imports the same names under ``TYPE_CHECKING``.

    Args:
        package: Its ``__name__``.
        names: The names to export, by the module that has them, such as ``.digits``.
        modules: Modules of the package to export themselves.

    Returns:
        The two functions, to be assigned in the package.
    """
    where = {name: module for module, exported in names.items() for name in exported}
    modules = frozenset(modules)

    def find(name: str) -> Any:
        if name in modules:
            return import_module(f".{name}", package)
        if name not in where:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found = getattr(import_module(where[name], package), name)
        setattr(sys.modules[package], name, found)
        return found

    def listed() -> list[str]:
        return sorted({*vars(sys.modules[package]), *where, *modules})

    return find, listed
