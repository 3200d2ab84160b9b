"""The page on which people judge samples, one at a time."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, StringConstraints, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..errors import CorruptFileError, DataError, StorageError, VeriloopError
from ..verifiers.human.database import checked_url
from ..verifiers.human.desk import Desk, Task
from ..verifiers.human.store import Opinion
from .site import render, run_folders

AT_HAND = 4
"""So many samples lie ready in the browser, so that the next one is there at once."""

Annotator = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f]{1,40}$")]
Key = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Keys = Annotated[list[Key], Field(max_length=50)]
Model = TypeVar("Model", bound=BaseModel)


class _Take(BaseModel):
    annotator: Annotator
    holding: Keys = []


class _Verdict(_Take):
    key: Key
    answer: Opinion


@dataclass(frozen=True)
class Queue:
    """A store of verdicts, and the runs that read it.

    Attributes:
        id: Its name in addresses.
        url: Of the store.
        runs: Names of the runs.
        problem: Why it cannot be used; None when it can.
    """

    id: str
    url: str
    runs: list[str]
    problem: str | None = None

    @property
    def desk(self) -> Desk:
        """Where annotators take samples and leave verdicts."""
        return Desk(self.url)


def queues(request: Request) -> dict[str, Queue]:
    """The stores that the runs' human verifiers name, by their name in addresses."""
    runs: dict[str, list[str]] = {}
    for name, folder in run_folders(request).items():
        try:
            cards = folder.manifest().cards
        except CorruptFileError:
            continue  # The page of runs shows it as unreadable.
        for url in cards.verdict_stores:
            runs.setdefault(url, []).append(name)
    found = {url: hashlib.sha256(url.encode()).hexdigest()[:12] for url in runs}
    return {id_: Queue(id_, url, runs[url], _problem(url)) for url, id_ in found.items()}


def _problem(url: str) -> str | None:
    try:
        parsed = checked_url(url)
    except VeriloopError as e:
        return str(e)
    if parsed.get_backend_name() == "sqlite" and not Path(str(parsed.database)).is_file():
        return f"there is no file {parsed.database}; start veriloop serve where the run was started"
    return None


def _queue(request: Request) -> Queue:
    known: dict[str, Queue] = request.app.state.queues
    id_ = request.path_params["queue"]
    if id_ not in known:
        # Looked for once: manifests need not be read anew for every verdict.
        known.update({key: queue for key, queue in queues(request).items() if not queue.problem})
    if id_ not in known:
        raise HTTPException(404, "no run asks for these verdicts")
    return known[id_]


def _choose(request: Request) -> Response:
    waiting: dict[str, int] = {}
    found = queues(request)
    for queue in list(found.values()):
        try:
            waiting[queue.id] = 0 if queue.problem else queue.desk.progress("").waiting
        except StorageError as e:
            found[queue.id] = replace(queue, problem=str(e))
    return render(request, "judges.html.j2", queues=list(found.values()), waiting=waiting)


def _judge(request: Request) -> Response:
    queue, taken = _queue(request), _query(request)
    return render(request, "judge.html.j2", queue=queue, annotator=taken.annotator)


def _take(request: Request) -> Response:
    desk, given = _queue(request).desk, _query(request)
    room = max(0, AT_HAND - len(given.holding))
    return _answer(desk, given.annotator, desk.take(given.annotator, room, holding=given.holding))


async def _record(request: Request) -> Response:
    given = await _body(request, _Verdict)

    def record() -> Response:
        desk, room = _queue(request).desk, AT_HAND - len(given.holding)
        try:
            tasks = desk.exchange(
                given.annotator, given.key, given.answer, max(0, room), holding=given.holding
            )
        except DataError as e:
            raise HTTPException(404, str(e)) from e
        return _answer(desk, given.annotator, tasks)

    return await run_in_threadpool(record)


async def _undo(request: Request) -> Response:
    given = await _body(request, _Take)

    def undo() -> Response:
        desk = _queue(request).desk
        return _answer(desk, given.annotator, [], undone=desk.undo(given.annotator))

    return await run_in_threadpool(undo)


def _answer(desk: Desk, annotator: str, tasks: list[Task], undone: Task | None = None) -> Response:
    """What follows for an annotator: more samples, how far they are, and at the end how they agreed."""
    progress = desk.progress(annotator)
    # Known samples stay unknown until there is nothing left to judge.
    agreement = desk.agreement(annotator)._asdict() if progress.left == 0 else None
    return JSONResponse(
        {
            "undone": undone and _plain(undone),
            "tasks": [_plain(task) for task in tasks],
            "progress": progress._asdict(),
            "agreement": agreement,
        }
    )


def _plain(task: Task) -> dict[str, Any]:
    picture = task.shown.picture
    source = None if picture is None else "data:image/png;base64," + base64.b64encode(picture).decode()
    drawn = picture is not None and picture[25:26] == b"\4"  # the colour type of a PNG: grey and alpha
    return {"key": task.key, "words": task.shown.words, "picture": source, "drawn": drawn}


def _query(request: Request) -> _Take:
    query = request.query_params
    return _checked(_Take, {"annotator": query.get("annotator"), "holding": query.getlist("holding")})


async def _body(request: Request, model: type[Model]) -> Model:
    return _checked(model, await request.body())


def _checked(model: type[Model], content: bytes | Mapping[str, object]) -> Model:
    try:
        if isinstance(content, bytes):
            return model.model_validate_json(content)
        return model.model_validate(content)
    except ValidationError as e:
        first = e.errors(include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "request"
        raise HTTPException(400, f"{where}: {first['msg']}") from e


ROUTES = [
    Route("/judge", _choose),
    Route("/judge/{queue}", _judge),
    Route("/judge/{queue}/samples", _take),
    Route("/judge/{queue}/verdicts", _record, methods=["POST"]),
    Route("/judge/{queue}/undo", _undo, methods=["POST"]),
]
