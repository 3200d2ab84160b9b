"""The page of runs: how they stand, and one run's report while it grows."""

import hashlib
from collections.abc import Collection
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ..advise import audited, calibrated
from ..errors import CorruptFileError
from ..events import Progress, RowsProgress, RunEnded, StageStarted, TrainingProgress
from ..report.answer import answer
from ..report.html import content, when
from ..report.names import how_far
from ..report.palette import arm_styles
from ..report.pictures import sheet
from ..report.summary import ArmSummary, summarise
from ..store.folder import RunFolder
from .site import render, run_folder, run_folders


def _list(request: Request) -> Response:
    runs = [_row(name, folder) for name, folder in run_folders(request).items()]
    return render(request, "runs_list.html.j2" if _asks_for_part(request) else "runs.html.j2", runs=runs)


def _row(name: str, folder: RunFolder) -> dict[str, Any]:
    """One run for the list. An unreadable one is listed as such: it must not hide the others."""
    try:
        manifest, summaries, line = folder.manifest(), summarise(folder), answer(folder).line
    except CorruptFileError as e:
        return {
            "name": name,
            "status": "unreadable",
            "reason": str(e),
            "answer": "",
            "summaries": [],
            "styles": {},
        }
    return {
        "name": name,
        "status": manifest.status,
        "reason": manifest.reason,
        "seed": manifest.seed,
        "created": when(manifest.created),
        "rounds": manifest.cards.rounds,
        "done": _done(summaries, manifest.stopped_arms),
        "answer": line,
        "summaries": summaries,
        "styles": arm_styles(s.arm for s in summaries),
    }


def _done(summaries: list[ArmSummary], stopped: Collection[str]) -> int:
    """The last round that all arms have finished, but for those that ended early."""
    chains = [s for s in summaries if not s.is_bound]
    going = [s.last.round for s in chains if s.arm not in stopped]
    return min(going) if going else max((s.last.round for s in chains), default=0)


def _run(request: Request) -> Response:
    folder = run_folder(request)
    version = _version(folder)
    if _asks_for_part(request):
        if request.query_params.get("version") == version:
            return Response(status_code=204)
        return render(request, "run_live.html.j2", version=version, **content(folder))
    cards = folder.manifest().cards
    arms = [name for name in cards.arms if name not in cards.bounds]
    return render(
        request, "run_page.html.j2", version=version, arms=arms, rounds=cards.rounds, **content(folder)
    )


def _version(folder: RunFolder) -> str:
    """Changes whenever the run's records, its status, or what was found about it do."""
    digest = hashlib.sha256()
    found = (
        path for name in (audited.FOLDER, calibrated.FOLDER) for path in (folder.path / name).glob("*.json")
    )
    for path in (folder.path / "records.jsonl", folder.path / "manifest.json", *sorted(found)):
        digest.update(path.read_bytes() if path.exists() else b"")
    return digest.hexdigest()[:16]


def _now(request: Request) -> Response:
    return render(request, "run_now.html.j2", doing=_doing(run_folder(request)))


def _doing(folder: RunFolder) -> dict[str, str]:
    """What each arm of a run is doing, as its last events tell it; empty when it is not running."""
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


def _asks_for_part(request: Request) -> bool:
    return request.headers.get("hx-request") == "true"


ROUTES = [
    Route("/runs", _list),
    Route("/runs/{run}", _run),
    Route("/runs/{run}/now", _now),
    Route("/runs/{run}/sheet", _sheet),
]
