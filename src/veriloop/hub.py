"""The Hugging Face hub: what of it is on this machine already, and whether the rest may be fetched.

Looks at folders and environment variables only: the libraries that download take seconds to import.
"""

import os
from pathlib import Path
from typing import Literal

from .errors import DataError

OFFLINE = {
    "dataset": ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"),
    "model": ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"),
}
"""Environment variables by which the libraries are kept from the network."""


def to_fetch(kind: Literal["model", "dataset"], name: str, fix: str | None = None) -> str | None:
    """What a run would download, in words; None where it is in the libraries' cache.

    Args:
        kind: What it is.
        name: On the hub, such as ``ylecun/mnist``.
        fix: What to do where it cannot be downloaded; None for a model that may be a folder.

    Raises:
        DataError: It is not there, and an environment variable forbids to fetch it.
    """
    if _is_cached(kind, name):
        return None
    offline = (variable for variable in OFFLINE[kind] if _is_set(variable))
    if (why := next(offline, None)) is not None:
        raise DataError(
            f"{kind} {name!r} is not on this machine and may not be fetched from the Hugging Face hub",
            got=f"{why}={os.environ[why]}",
            fix=fix or f"hf download {name} --local-dir DIR, where there is a network; set model to DIR",
        )
    return f"{kind} {name} from the Hugging Face hub"


def _is_set(variable: str) -> bool:
    return os.environ.get(variable, "").upper() in {"1", "ON", "YES", "TRUE"}


def _is_cached(kind: Literal["model", "dataset"], name: str) -> bool:
    """Whether the libraries find it without a network, as they lay out their folders."""
    home = os.environ.get("HF_HOME") or Path(
        os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "huggingface"
    )
    if kind == "dataset":
        prepared = Path(os.environ.get("HF_DATASETS_CACHE") or Path(home, "datasets"))
        return any(prepared.expanduser().glob(f"{name.lower().replace('/', '___')}/*/*/*"))
    hub = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE") or Path(home, "hub")
    folder = f"models--{name.replace('/', '--')}"
    return any(Path(hub).expanduser().glob(f"{folder}/snapshots/*/config.json"))
