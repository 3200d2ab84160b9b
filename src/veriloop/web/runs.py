"""The page of runs: their status, and a run's report while it grows."""

import hashlib
from typing import Annotated, Any

from pydantic import BaseModel, StringConstraints, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from ..comparison.engine import compare, comparison_page
from ..events import Progress, RowsProgress, RunEnded, StageStarted, TrainingProgress
from ..report.html import content
from ..report.names import how_far
from ..report.pictures import sheet
from ..report.run_rows import RunRow
from ..store.folder import RunFolder
from ..store.notes import Note, note_of, write_note
from ..store.stopping import ask_to_stop, asked_to_stop
from .resuming import Resuming
from .site import render, run_folder, run_folders

_COLUMNS = {
    "run": "run",
    "status": "status",
    "rounds": "rounds",
    "verdict": "verdict",
    "ship": "ship",
    "course": "start → last",
    "difference": "difference",
    "seed": "seed",
    "tags": "tags",
    "note": "note",
    "age": "age",
}
"""Columns of the table of runs, with their headings."""

LONG = 40
"""Rounds beyond which the first view of a run does not wait for its forecasts."""

_NUMERIC = ("rounds", "course", "difference", "seed", "age")


def _list(request: Request) -> Response:
    rows = [request.app.state.rows.row(folder) for folder in run_folders(request).values()]
    # Without the age, so that an otherwise unchanged table stays the same.
    version = hashlib.sha256(repr([(row.name, row.version) for row in rows]).encode()).hexdigest()[:16]
    shown = {"runs": rows, "version": version, "columns": _COLUMNS, "numeric": _NUMERIC}
    if not _asks_for_part(request):
        return render(request, "runs.html.j2", **shown)
    if request.query_params.get("version") == version:
        return Response(status_code=204)
    return render(request, "runs_list.html.j2", **shown)


def _run(request: Request) -> Response:
    folder = run_folder(request)
    version = _version(request, folder)
    if _asks_for_part(request):
        if request.query_params.get("version") == version:
            return Response(status_code=204)
        return render(request, "run_live.html.j2", version=version, **_content(request, folder, version))
    cards = folder.manifest().cards
    arms = [name for name in cards.arms if name not in cards.bounds]
    row: RunRow = request.app.state.rows.row(folder)
    if row.found and row.done > LONG and not request.app.state.pages.knows(folder, version, "page"):
        # The page asks for what is new after some seconds, and then gets the forecasts too.
        known = row.found._replace(standing=row.standing)  # the run may have died since the row was computed
        found, version = content(folder, known) | _steered(request, folder), f"{version}-at-first"
    else:
        found = _content(request, folder, version)
    return render(
        request,
        "run_page.html.j2",
        version=version,
        arms=arms,
        rounds=cards.rounds,
        note=note_of(folder.path),
        **found,
    )


def _version(request: Request, folder: RunFolder) -> str:
    """Return a key that changes with the run's files, its status, and requests made here."""
    row: RunRow = request.app.state.rows.row(folder)
    steered = _steered(request, folder)
    return f"{row.version}-{hashlib.sha256(repr(steered).encode()).hexdigest()[:8]}"


def _steered(request: Request, folder: RunFolder) -> dict[str, Any]:
    """Return what was requested of a run, and the result."""
    resuming: Resuming = request.app.state.resuming
    return {
        "stopping": asked_to_stop(folder),
        "resuming": resuming.is_under_way(folder),
        "problem": resuming.problem(folder),
    }


def _content(request: Request, folder: RunFolder, version: str) -> dict[str, Any]:
    """Return `content`, computed once per version of a run."""
    found: dict[str, Any] = request.app.state.pages.get(folder, version, "page", lambda: content(folder))
    return found | _steered(request, folder)


def _now(request: Request) -> Response:
    return render(request, "run_now.html.j2", doing=_doing(run_folder(request)))


def _doing(folder: RunFolder) -> dict[str, str]:
    """Return what each arm of a run is doing, from its last events; empty if it is not running."""
    doing: dict[str, str] = {}
    for event in folder.last_events():
        match event:
            case StageStarted():
                doing[event.arm] = f"round {event.round}, {event.stage}"
            case Progress():
                made = f"accepted {event.accepted:,}/{event.wanted:,} of {event.generated:,}"
                doing[event.arm] = f"round {event.round}, {made}"
            case RowsProgress() | TrainingProgress():
                doing[event.arm] = f"round {event.round}, {event.stage} {how_far(event)}"
            case RunEnded():
                doing = {}
    return doing


def _sheet(request: Request) -> Response:
    folder, query = run_folder(request), request.query_params
    arm, round_ = query.get("arm", ""), query.get("round", "")
    if arm not in folder.manifest().cards.arms or not (round_.isascii() and round_.isdigit()):
        raise HTTPException(404, "there is no such arm or round")
    picture = sheet(folder, int(round_[:9]), arm)
    if picture is None:
        return PlainTextResponse(f"no images of {arm} in round {round_[:9]}")
    return render(request, "sheet.html.j2", picture=picture)


class _Written(BaseModel):
    """The form data of a run's page."""

    note: Annotated[str, StringConstraints(max_length=10_000)] = ""
    tags: Annotated[str, StringConstraints(max_length=10_000)] = ""


async def _note(request: Request) -> Response:
    folder = run_folder(request)
    try:
        written = _Written.model_validate_json(await request.body())
    except ValidationError as e:
        raise HTTPException(400, f"note: {e.errors(include_url=False)[0]['msg']}") from e
    await run_in_threadpool(write_note, folder.path, Note.of(written.note, written.tags))
    return Response(status_code=204)


async def _stop(request: Request) -> Response:
    await run_in_threadpool(ask_to_stop, run_folder(request))
    return Response(status_code=204)


async def _resume(request: Request) -> Response:
    await run_in_threadpool(request.app.state.resuming.start, run_folder(request))
    return Response(status_code=204)


def _compare(request: Request) -> Response:
    known = run_folders(request)
    names = list(dict.fromkeys(request.query_params.getlist("run")))
    if len(names) < 2 or not all(name in known for name in names):
        raise HTTPException(404, "compare needs two or more runs of this folder: /compare?run=A&run=B")
    return HTMLResponse(comparison_page(compare([known[name].path for name in names]), back="/runs"))


def _asks_for_part(request: Request) -> bool:
    return request.headers.get("hx-request") == "true"


ROUTES = [
    Route("/runs", _list),
    Route("/runs/{run}", _run),
    Route("/runs/{run}/now", _now),
    Route("/runs/{run}/sheet", _sheet),
    Route("/runs/{run}/note", _note, methods=["POST"]),
    Route("/runs/{run}/stop", _stop, methods=["POST"]),
    Route("/runs/{run}/resume", _resume, methods=["POST"]),
    Route("/compare", _compare),
]
