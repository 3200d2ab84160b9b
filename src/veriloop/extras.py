"""Packages that only some users need, and the extras that install them.

A part that needs one says so with `require`, when its module is imported or its configuration is checked.
What draws, writes or serves imports them when it is asked to, and `explained` turns a failure into one line.
"""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager

from .errors import MissingExtraError

EXTRAS: dict[str, tuple[str, ...]] = {
    "torch": ("torch", "torchmetrics", "sklearn", "scipy", "PIL"),
    "report": ("plotly", "matplotlib", "pyarrow"),
    "llm": ("transformers", "tokenizers", "trl", "peft", "datasets", "accelerate", "nltk"),
    "web": ("starlette", "uvicorn", "sqlalchemy", "psycopg"),
    "ray": ("ray",),
    "slurm": ("submitit",),
    "trackers": ("trackio", "mlflow"),
    "checks": ("math_verify", "jsonschema"),
    "inception": ("torch_fidelity", "torchvision"),
    "embeddings": ("sentence_transformers",),
}
"""By extra, the modules that it brings."""


def available(*modules: str) -> bool:
    """Whether all these modules are installed. They are not imported."""
    return all(importlib.util.find_spec(module) is not None for module in modules)


def require(*modules: str) -> None:
    """Say at once that a package is missing, without the seconds that its import may take.

    Args:
        modules: Those of `EXTRAS` that are needed.

    Raises:
        MissingExtraError: One is not installed.
    """
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError.of(module, _extra_of(module))


@contextmanager
def explained() -> Iterator[None]:
    """An import inside that fails because an extra is not installed says which one.

    Raises:
        MissingExtraError: In place of that `ModuleNotFoundError`.
    """
    try:
        yield
    except ModuleNotFoundError as e:
        raise missing(e) or e from e


def missing(error: ImportError) -> MissingExtraError | None:
    """What to say of a failed import: which extra to install; None where no extra brings the module."""
    module = str(error.name).partition(".")[0]
    if isinstance(error, ModuleNotFoundError) and any(module in brought for brought in EXTRAS.values()):
        return MissingExtraError.of(module, _extra_of(module))
    return None


def _extra_of(module: str) -> str:
    return next(extra for extra, brought in EXTRAS.items() if module in brought)
