"""Trackers: dashboards of others that show a run's rounds. Our own files remain the record."""

from typing import TYPE_CHECKING

from ..lazy import lazily

if TYPE_CHECKING:
    from .mlflow import MLflow
    from .trackio import Trackio

__all__ = [
    "MLflow",
    "Trackio",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        ".mlflow": ["MLflow"],
        ".trackio": ["Trackio"],
    },
)
