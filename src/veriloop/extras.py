"""Packages that only some users need, and the extras that install them.

A part that needs one calls `require` when its module is imported or its configuration is checked. Code that
draws, writes or serves imports packages when it runs, and `explained` turns a failure into one line.
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
    "wandb": ("wandb",),
    "checks": ("math_verify", "jsonschema"),
    "inception": ("torch_fidelity", "torchvision"),
    "embeddings": ("sentence_transformers",),
}
"""Modules that each extra installs."""


def available(*modules: str) -> bool:
    """Return whether all these modules are installed. They are not imported."""
    return all(importlib.util.find_spec(module) is not None for module in modules)


def require(*modules: str) -> None:
    """Raise an error at once if a package is missing, without the seconds that its import may take.

    Args:
        modules: Modules that are needed, each in `EXTRAS`.

    Raises:
        MissingExtraError: One is not installed.
    """
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError.of(module, _extra_of(module))


@contextmanager
def explained() -> Iterator[None]:
    """Turn a failed import inside the block into an error that names the extra to install.

    Raises:
        MissingExtraError: The import failed with `ModuleNotFoundError`.
    """
    try:
        yield
    except ModuleNotFoundError as e:
        raise missing(e) or e from e


def missing(error: ImportError) -> MissingExtraError | None:
    """Return the error for a failed import, with the extra to install; None if no extra has the module."""
    module = str(error.name).partition(".")[0]
    if isinstance(error, ModuleNotFoundError) and any(module in brought for brought in EXTRAS.values()):
        return MissingExtraError.of(module, _extra_of(module))
    return None


def _extra_of(module: str) -> str:
    return next(extra for extra, brought in EXTRAS.items() if module in brought)
