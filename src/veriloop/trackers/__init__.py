"""Trackers: third-party dashboards that show a run's rounds. The run folder remains the record."""

from typing import TYPE_CHECKING

from ..lazy import export_lazily

if TYPE_CHECKING:
    from .mlflow import MLflow
    from .trackio import Trackio
    from .wandb import WandB

__all__ = [
    "MLflow",
    "Trackio",
    "WandB",
]

export_lazily(
    globals(),
    {
        ".mlflow": ["MLflow"],
        ".trackio": ["Trackio"],
        ".wandb": ["WandB"],
    },
)
