"""The page for judging samples, one at a time."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, StringConstraints, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..cards import CHOICES, Brief
from ..errors import CorruptFileError, DataError, StorageError, VeriloopError
from ..verifiers.human.database import checked_url
from ..verifiers.human.desk import Desk, Exchange, Progress, Remark, Task
from ..verifiers.human.store import Opinion
from .clerk import Clerk
from .site import render, run_folders

AT_HAND = 4
"""Number of samples kept ready in the browser, so that the next one appears at once."""

IN_GRID = 12
"""Number of samples in a grid."""

MINE = 100
"""Number of an annotator's own verdicts that are listed."""

Annotator = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f]{1,40}$")]
Key = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Keys = Annotated[list[Key], Field(max_length=50)]
Model = TypeVar("Model", bound=BaseModel)


class _Take(BaseModel):
    annotator: Annotator
    holding: Keys = []
    most: Annotated[int, Field(ge=1, le=IN_GRID)] = AT_HAND


class _Verdict(_Take):
    key: Key
    answer: Opinion
    comment: Annotated[str, Field(max_length=2_000)] | None = None
    seconds: Annotated[float, Field(ge=0, le=86_400)] | None = None


@dataclass(frozen=True)
class Queue:
    """A store of verdicts, and the runs that use it.

    Attributes:
        id: Name in addresses.
        url: URL of the store.
        runs: Names of the runs.
        briefs: Tasks of the runs, without repetition; several if they differ.
        problem: Why it cannot be used; None if it can.
    """

    id: str
    url: str
    runs: list[str]
    problem: str | None = None
    briefs: tuple[Brief, ...] = ()

    @cached_property
    def desk(self) -> Desk:
        """Return the desk from which annotators take samples."""
        return Desk(self.url)

    @cached_property
    def clerk(self) -> Clerk:
        """Return the clerk to whom annotators give verdicts."""
        return Clerk(self.desk)


def queues(request: Request) -> dict[str, Queue]:
    """Return the stores named by the runs' human verifiers, by their name in addresses."""
    runs, briefs = dict[str, list[str]](), dict[str, list[Brief]]()
    for name, folder in run_folders(request).items():
        try:
            cards = folder.manifest().cards
        except CorruptFileError:
            continue  # The page of runs shows it as unreadable.
        for url in cards.verdict_stores:
            runs.setdefault(url, []).append(name)
            asked = [arm.brief for arm in cards.arms.values() if arm.brief and url in arm.verdict_stores]
            briefs[url] = [*briefs.get(url, []), *(b for b in asked if b not in briefs.get(url, []))]
    found = {url: hashlib.sha256(url.encode()).hexdigest()[:12] for url in runs}
    return {id_: Queue(id_, url, runs[url], _problem(url), tuple(briefs[url])) for url, id_ in found.items()}


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
        # Looked up once, so that manifests are not read again for every verdict.
        known.update({key: queue for key, queue in queues(request).items() if not queue.problem})
    if id_ not in known:
        raise HTTPException(404, "no run asks for these verdicts")
    return known[id_]


def _choose(request: Request) -> Response:
    batches: dict[str, tuple[int, bool]] = {}
    found = queues(request)
    for queue in list(found.values()):
        try:
            batches[queue.id] = (0, False) if queue.problem else queue.desk.batch()
        except StorageError as e:
            found[queue.id] = replace(queue, problem=str(e))
    return render(request, "judges.html.j2", queues=list(found.values()), batches=batches)


def _judge(request: Request) -> Response:
    queue, taken = _queue(request), _query(request)
    briefs = queue.briefs or (Brief(),)
    choices = briefs[0].choices if len({repr(b.choices) for b in briefs}) == 1 else CHOICES
    return render(
        request,
        "judge.html.j2",
        queue=queue,
        annotator=taken.annotator,
        briefs=briefs,
        choices=choices,
        answers=json.dumps({choice.key: answer for answer, choice in choices.items()}),
        judged=json.dumps(sorted({name for brief in briefs for name in brief.judged})),
    )


def _take(request: Request) -> Response:
    desk, given = _queue(request).desk, _query(request)
    room = max(0, given.most - len(given.holding))
    tasks = desk.take(given.annotator, room, holding=given.holding)
    return _answer(desk, given.annotator, tasks, desk.progress(given.annotator))


async def _record(request: Request) -> Response:
    given = await _body(request, _Verdict)
    clerk = await run_in_threadpool(lambda: _queue(request).clerk)
    room, remark = max(0, given.most - len(given.holding)), Remark(given.comment, given.seconds)
    asked = Exchange(given.key, given.answer, room, given.holding, remark)
    try:
        tasks, progress = await clerk.exchange(given.annotator, asked)
    except DataError as e:
        raise HTTPException(404, str(e)) from e
    return await run_in_threadpool(_answer, clerk.desk, given.annotator, tasks, progress)


def _mine(request: Request) -> Response:
    given = _queue(request).desk.given(_query(request).annotator, MINE)
    return JSONResponse(
        {"verdicts": [{**_plain(g.task), "answer": g.answer, "comment": g.comment} for g in given]}
    )


async def _undo(request: Request) -> Response:
    given = await _body(request, _Take)

    def undo() -> Response:
        """Take back the last verdict, and return it."""
        desk = _queue(request).desk
        undone = desk.undo(given.annotator)
        return _answer(desk, given.annotator, [], desk.progress(given.annotator), undone)

    return await run_in_threadpool(undo)


def _answer(
    desk: Desk, annotator: str, tasks: list[Task], progress: Progress, undone: Task | None = None
) -> Response:
    """Return what follows for an annotator: more samples, progress, and at the end the agreement."""
    # Known samples stay secret until there is nothing left to judge.
    agreement = desk.agreement(annotator)._asdict() if progress.left == 0 else None
    return JSONResponse(
        {
            "undone": undone and _plain(undone),
            "tasks": [_plain(task) for task in tasks],
            # The number of waiting samples would reveal known ones, so it is shown only at the end.
            "progress": progress._asdict() | {"waiting": progress.left or progress.waiting},
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
    return _checked(
        _Take,
        {"annotator": query.get("annotator"), "holding": query.getlist("holding")}
        | ({"most": query["most"]} if "most" in query else {}),
    )


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
    Route("/judge/{queue}/mine", _mine),
    Route("/judge/{queue}/undo", _undo, methods=["POST"]),
]
