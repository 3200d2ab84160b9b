"""The page that looks into a run's candidates, round by round."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, FiniteFloat, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..report.looking import Candidates, Order, Shown, Wanted, candidates_of, look
from ..report.summary import by_arm
from ..store.folder import RunFolder
from ..store.reader import FATES
from .site import render, run_folder

_Number = Annotated[FiniteFloat | None, BeforeValidator(lambda x: None if x == "" else x)]


class _Asked(BaseModel):
    """The form of the page."""

    arm: str = ""
    round: Annotated[int, Field(ge=0, lt=10**9)] | None = None
    outcome: Annotated[str, Field(pattern=f"^({'|'.join(('', *FATES))})$")] = ""
    label: Annotated[str, Field(max_length=200)] = ""
    text: Annotated[str, Field(max_length=200)] = ""
    low: _Number = None
    high: _Number = None
    order: Order = "best"
    page: Annotated[int, Field(ge=0, lt=10**9)] = 0


def _samples(request: Request) -> Response:
    folder, asked = run_folder(request), _asked(request)
    rounds = _rounds(folder)
    arm = asked.arm or next(iter(rounds), "")
    if asked.arm and arm not in folder.manifest().cards.arms:
        raise HTTPException(404, "there is no such arm")
    number = asked.round if asked.round is not None else max(rounds.get(arm, [0]))
    found = _candidates(request, folder, number, arm) if number in rounds.get(arm, ()) else None
    shown: Shown | None = None
    if found is not None:
        fields = asked.model_dump(exclude={"arm", "round"})
        shown = look(found, folder.manifest().cards, Wanted(**fields))
    given = dict(request.query_params)
    return render(
        request,
        "samples.html.j2",
        name=folder.name,
        asked=asked,
        arm=arm,
        number=number,
        rounds=rounds,
        fates=FATES,
        shown=shown,
        given={**given, "arm": arm, "round": str(number)},
    )


def _rounds(folder: RunFolder) -> dict[str, list[int]]:
    """Return the rounds of each arm that have kept samples; arms with a verifier first."""
    cards = folder.manifest().cards
    chains = by_arm(folder.records(), cards.arms)
    arms = sorted(chains, key=lambda arm: not (arm in cards.arms and cards.arms[arm].verified))
    found = {arm: [r.round for r in chains[arm] if r.counts.kept] for arm in arms}
    return {arm: rounds for arm, rounds in found.items() if rounds}


def _candidates(request: Request, folder: RunFolder, number: int, arm: str) -> Candidates | None:
    # A finished round does not change, so its candidates are read once as long as they are looked at.
    made: Any = request.app.state.looked.get(
        folder, f"{arm}/{number}", "candidates", lambda: candidates_of(folder, number, arm)
    )
    return made


def _asked(request: Request) -> _Asked:
    query = {name: value for name, value in request.query_params.items() if value or name != "round"}
    try:
        return _Asked.model_validate(query)
    except ValidationError as e:
        first = e.errors(include_url=False)[0]
        raise HTTPException(400, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from e


ROUTES = [Route("/runs/{run}/samples", _samples)]
