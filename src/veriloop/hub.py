"""The Hugging Face hub: what is already on this machine, and whether the rest may be downloaded.

This looks only at folders and environment variables, because the download libraries take seconds to import.
"""

import os
from pathlib import Path
from typing import Literal

from .errors import DataError

OFFLINE = {
    "dataset": ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"),
    "model": ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"),
}
"""Environment variables that keep the libraries off the network."""


def to_fetch(kind: Literal["model", "dataset"], name: str, fix: str | None = None) -> str | None:
    """Describe what a run would download; None if it is in the libraries' cache.

    Args:
        kind: Whether it is a model or a data set.
        name: Name on the hub, such as ``ylecun/mnist``.
        fix: What to do if it cannot be downloaded; None for a model, which may also be a folder.

    Raises:
        DataError: It is not there, and an environment variable forbids downloading it.
    """
    if _is_cached(kind, name):
        return None
    offline = (variable for variable in OFFLINE[kind] if _is_set(variable))
    if (why := next(offline, None)) is not None:
        raise DataError(
            f"{kind} {name!r} is not on this machine and must not be downloaded from the Hugging Face hub",
            got=f"{why}={os.environ[why]}",
            fix=fix
            or f"hf download {name} --local-dir DIR, on a machine with a network; then set model to DIR",
        )
    return f"{kind} {name} from the Hugging Face hub"


def _is_set(variable: str) -> bool:
    return os.environ.get(variable, "").upper() in {"1", "ON", "YES", "TRUE"}


def _is_cached(kind: Literal["model", "dataset"], name: str) -> bool:
    """Whether the libraries would find it without a network, given how they lay out their folders."""
    home = os.environ.get("HF_HOME") or Path(
        os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "huggingface"
    )
    if kind == "dataset":
        prepared = Path(os.environ.get("HF_DATASETS_CACHE") or Path(home, "datasets"))
        return any(prepared.expanduser().glob(f"{name.lower().replace('/', '___')}/*/*/*"))
    hub = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE") or Path(home, "hub")
    folder = f"models--{name.replace('/', '--')}"
    return any(Path(hub).expanduser().glob(f"{folder}/snapshots/*/config.json"))
