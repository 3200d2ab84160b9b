"""The web app as an ASGI application."""

from functools import cache
from importlib.resources import files
from pathlib import Path

from plotly.offline import get_plotlyjs
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from ..errors import VeriloopError
from ..report.html import plotly_basic
from ..report.run_rows import Cached
from . import explore, judge, people, runs, samples
from .resuming import Resuming
from .security import NO_TOKENS, Guard, Tokens
from .site import http_error, own_error

_LARGEST_BODY = 100_000
"""Largest request in bytes; a verdict takes a few hundred."""


def create_app(folder: Path, tokens: Tokens = NO_TOKENS, resuming: Resuming | None = None) -> Starlette:
    """Create the app for the run folders at ``folder`` and directly below it.

    Args:
        folder: A run folder, or a folder of run folders.
        tokens: Secrets that requests need.
        resuming: Resumes runs; the caller closes it.
    """
    app = Starlette(
        routes=[
            Route("/", _home),
            *runs.ROUTES,
            *samples.ROUTES,
            *judge.ROUTES,
            *people.ROUTES,
            *explore.ROUTES,
            Route("/assets/plotly.js", _plotly),
            Route("/assets/plotly-basic.js", _plotly_basic),
            Route("/assets/report.css", _report_css),
            Route("/assets/report.js", _report_js),
            Mount("/assets", StaticFiles(packages=[("veriloop.web", "static")])),
        ],
        # Responses shorter than a packet do not gain from compression.
        middleware=[Middleware(Guard, tokens=tokens), Middleware(GZipMiddleware, minimum_size=1_400)],
        exception_handlers={HTTPException: http_error, VeriloopError: own_error},
        max_body_size=_LARGEST_BODY,
    )
    app.state.runs, app.state.queues = folder, {}
    app.state.resuming = resuming or Resuming()
    app.state.rows, app.state.pages, app.state.people = Cached(5_000), Cached(20), {}
    app.state.looked = Cached(4)
    return app


async def _home(request: Request) -> Response:
    return RedirectResponse("/runs")


async def _plotly(request: Request) -> Response:
    # Several megabytes, and unchanged as long as this version of plotly is installed.
    return Response(
        get_plotlyjs(), media_type="text/javascript", headers={"Cache-Control": "private, max-age=86400"}
    )


async def _plotly_basic(request: Request) -> Response:
    headers = {"Cache-Control": "private, max-age=86400", "Content-Encoding": "gzip"}
    return Response(plotly_basic(), media_type="text/javascript", headers=headers)


async def _report_css(request: Request) -> Response:
    return Response(_of_report("report.css"), media_type="text/css")


async def _report_js(request: Request) -> Response:
    return Response(_of_report("report.js"), media_type="text/javascript")


@cache
def _of_report(name: str) -> str:
    return (files("veriloop.report") / "templates" / name).read_text()
