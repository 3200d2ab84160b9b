"""MLflow: a local database, or a tracking server."""

import logging
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from ..extras import require
from .base import RunInfo, Tracker, Tracking, round_in

if TYPE_CHECKING:
    from mlflow import MlflowClient

require("mlflow")

KEY = "veriloop.run"
"""Tag that identifies a run."""

AT_ONCE = 100
"""Largest number of parameters in one call, a limit of MLflow."""

LONGEST = 500
"""Largest number of characters in a parameter that every MLflow store accepts."""

ENDED = {"finished": "FINISHED", "waiting": "SCHEDULED", "stopped": "KILLED", "failed": "FAILED"}
"""MLflow's name for each status of a run."""


class MLflow(Tracker, frozen=True):
    """Logs rounds to MLflow, in the experiment ``project``; ``mlflow ui`` opens its page.

    Attributes:
        uri: URI of the tracking server or database, such as ``sqlite:///mlflow.db``. None: the environment
            variable ``MLFLOW_TRACKING_URI``, or else MLflow's default.
    """

    uri: str | None = None

    @override
    def open(self, run: RunInfo) -> Tracking:
        from mlflow import MlflowClient
        from mlflow.entities import Param

        # Otherwise it would write to the live display that it creates its tables.
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
        client = MlflowClient(tracking_uri=self.uri)
        experiment = client.get_experiment_by_name(self.project)
        number = experiment.experiment_id if experiment else client.create_experiment(self.project)
        if found := client.search_runs([number], f"tags.`{KEY}` = '{run.key}'"):
            client.update_run(found[0].info.run_id, status="RUNNING")
            return _Open(client, found[0].info.run_id)
        own = client.create_run(number, run_name=run.name, tags={KEY: run.key}).info.run_id
        settings = [Param(_allowed(name), str(value)[:LONGEST]) for name, value in run.settings.items()]
        for some in _parts(settings, AT_ONCE):
            client.log_batch(own, params=some)
        return _Open(client, own)


class _Open(Tracking):
    def __init__(self, client: "MlflowClient", own: str) -> None:
        self._client, self._own = client, own

    @override
    def logged(self) -> set[tuple[str, int]]:
        names = self._client.get_run(self._own).data.metrics
        steps = {
            name: self._client.get_metric_history(self._own, name) for name in names if round_in(name, 0)
        }
        places = (round_in(name, metric.step) for name, history in steps.items() for metric in history)
        return {place for place in places if place}

    @override
    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(_allowed(name), value, now, step) for name, value in numbers.items()]
        self._client.log_batch(self._own, metrics=metrics, synchronous=True)

    @override
    def close(self, status: str) -> None:
        self._client.set_terminated(self._own, ENDED.get(status, "FAILED"))


def _allowed(name: str) -> str:
    """Remove characters that MLflow does not allow in names, such as the @ of ``pass@8``."""
    return re.sub(r"[^\w\-. :/]", "_", name)


def _parts(items: Sequence[Any], size: int) -> Iterator[list[Any]]:
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part
