"""Train generative models on their own verified output, and know whether it helps."""

from importlib import import_module as _import_module
from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .comparison.engine import Comparison, compare
    from .loop import MemoryRun, run

__all__ = ["Comparison", "MemoryRun", "__version__", "compare", "run"]

__version__ = _version("veriloop")

_WHERE = {
    "Comparison": ".comparison.engine",
    "MemoryRun": ".loop",
    "compare": ".comparison.engine",
    "run": ".loop",
}
"""The module of each name that is loaded when it is first asked for, so that the import itself is light."""


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(_import_module(_WHERE[name], __name__), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
