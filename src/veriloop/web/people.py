"""The owner's page: how each person judges, and their weight in a weighted majority."""

from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..advise.calibrated import Annotator
from ..advise.intervals import Interval
from ..advise.people import annotators
from ..errors import StorageError
from ..verifiers.human.store import Store
from .judge import Queue, queues
from .site import render

EVEN = "cannot tell"


class Shown(NamedTuple):
    """A queue with its people, those with the most verdicts first; empty if it cannot be read.

    Attributes:
        queue: Store and its runs.
        people: Results by name.
        problem: Why it cannot be read; None if it can.
    """

    queue: Queue
    people: dict[str, Annotator]
    problem: str | None = None


def _shown(request: Request) -> list[Shown]:
    return [_of(request, queue) for queue in queues(request).values()]


def _of(request: Request, queue: Queue) -> Shown:
    if queue.problem:
        return Shown(queue, {}, queue.problem)
    known: dict[str, tuple[Any, dict[str, Annotator]]] = request.app.state.people
    try:
        store = Store(queue.url)
        version = store.version()
        if queue.id not in known or known[queue.id][0] != version:
            known[queue.id] = version, annotators(store.said())
    except StorageError as e:
        return Shown(queue, {}, str(e))
    return Shown(queue, known[queue.id][1])


def drift_word(drift: Interval) -> str:
    """Return whether somebody has become better or worse; empty if unknown."""
    if drift.value != drift.value:
        return ""
    return "better" if drift.low > 0 else "worse" if drift.high < 0 else EVEN


def _page(request: Request) -> Response:
    return render(request, "people.html.j2", shown=_shown(request), drift_word=drift_word)


def _data(request: Request) -> Response:
    return JSONResponse(
        {
            "queues": [
                {
                    "id": one.queue.id,
                    "runs": one.queue.runs,
                    "problem": one.problem,
                    "people": {name: found.model_dump(mode="json") for name, found in one.people.items()},
                }
                for one in _shown(request)
            ]
        }
    )


ROUTES = [Route("/people", _page), Route("/people/data", _data)]
