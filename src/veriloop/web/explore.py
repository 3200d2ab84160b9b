"""The explorer: sliders over the paper's linear system, answered by its theory."""

import math
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..theory import LinearSystem, OneRoundGrid, helpful_biases, one_round_grid, trajectory
from .site import render

BIASES, RADII = 41, 31
"""Cells of the phase diagram along each axis: smooth when drawn with interpolation."""

_LARGEST = 2.0
"""Range of bias, radius and slack on the sliders."""


# As fine as any slider; numbers close to zero would overflow in the theory.
_Length = Annotated[float, Field(ge=0, le=_LARGEST), AfterValidator(lambda x: round(x, 4))]


class Point(BaseModel):
    """Positions of the sliders; lengths are in units of the label noise.

    Attributes:
        bias: Distance from the truth to the verifier's knowledge center.
        radius: Selectivity of the verifier.
        sigma_c: Slack of the verifier for noise.
        n0: Number of real samples of the start model.
        n: Number of kept samples per direction and round.
        p: Number of coefficients.
        rounds: Number of rounds.
    """

    bias: _Length = 0.2
    radius: Annotated[_Length, Field(ge=0.01)] = 0.4
    sigma_c: _Length = math.sqrt(2 / math.pi)
    n0: Annotated[int, Field(ge=10, le=10_000)] = 100
    n: Annotated[int, Field(ge=10, le=10_000)] = 100
    p: Annotated[int, Field(ge=1, le=64)] = 8
    rounds: Annotated[int, Field(ge=1, le=60)] = 20

    def direction(self) -> LinearSystem:
        """Return one of the ``p`` directions.

        With an orthogonal design and a bias that is equal over the coefficients, all directions are alike, so
        the whole is this one with ``p`` times its squared errors, and a bias larger by ``sqrt(p)``.
        """
        return LinearSystem(
            [0.0],
            [self.bias / math.sqrt(self.p)],
            self.radius,
            1.0,
            self.sigma_c,
            singular_values=math.sqrt(self.n0),
            allow_outside=True,
        )


def answers(point: Point) -> dict[str, Any]:
    """Return the theory's results at ``point``: the plane around it, its trajectory, and a summary."""
    system = point.direction()
    biases = np.linspace(0.0, max(0.7, 1.25 * point.bias), BIASES)
    radii = np.linspace(0.01, max(0.5, 1.25 * point.radius), RADII)
    plane = _one_round(point, biases, radii)
    course = trajectory(system, point.n, point.rounds)
    errors = point.p * course.mse_star
    best = course.best_round
    return {
        "phase": {"biases": _plain(biases), "radii": _plain(radii), "log_gain": _plain(plane.log_gain.T)},
        "course": {"to_truth": _plain(errors), "to_center": _plain(point.p * course.mse_center)},
        "best_round": best,
        "gain": 1 - float(errors[best] / errors[0]),
        "gain_in_round_one": 1 - float(errors[1] / errors[0]),
        "regime": str(course.regime),
        "floor": point.p * course.floor,
        "acceptance_rate": _one_round(
            point, np.array([point.bias]), np.array([point.radius])
        ).acceptance_rate.item(),
        "helpful_biases": _plain(math.sqrt(point.p) * helpful_biases(system, point.n, direction=[1.0])),
        "contains_truth": point.bias <= point.radius,
    }


def _one_round(point: Point, biases: NDArray[Any], radii: NDArray[Any]) -> OneRoundGrid:
    return one_round_grid(point.direction(), biases / math.sqrt(point.p), radii, point.n, direction=[1.0])


def _plain(array: NDArray[Any]) -> Any:
    # Four digits are more than a screen shows, and take a third of the bytes.
    return np.vectorize(lambda x: float(f"{x:.4g}"), otypes=[float])(array).tolist()


def _page(request: Request) -> Response:
    return render(request, "explore.html.j2", point=_point(request))


def _data(request: Request) -> Response:
    return JSONResponse(answers(_point(request)))


def _point(request: Request) -> Point:
    try:
        return Point.model_validate(dict(request.query_params))
    except ValidationError as e:
        first = e.errors(include_url=False)[0]
        raise HTTPException(400, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from e


ROUTES = [Route("/explore", _page), Route("/explore/data", _data)]
