"""Shared by the pages: their runs, their templates, and errors as one line."""

from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from ..errors import StorageError, VeriloopError
from ..report.html import templates
from ..store.folder import RunFolder
from ..store.manifest import find_run_folders
from .refusal import refused

_TEMPLATES = templates("veriloop.web")


def render(request: Request, template: str, **context: Any) -> HTMLResponse:
    """Render a page from a template, with its address and CSRF token."""
    page = _TEMPLATES.get_template(template)
    return HTMLResponse(
        page.render(
            context, path=request.scope["path"], csrf=request.state.csrf, is_owner=request.state.is_owner
        )
    )


def run_folders(request: Request) -> dict[str, RunFolder]:
    """Return the run folders of the page, by name.

    Names are looked up here and never put into a path, so none can lead out of the folder.
    """
    root: Path = request.app.state.runs
    folders = (RunFolder(path) for path in find_run_folders(root))
    return {folder.name: folder for folder in folders}


def run_folder(request: Request) -> RunFolder:
    """Return the run folder in the address.

    Raises:
        HTTPException: 404, if there is none.
    """
    name = request.path_params["run"]
    folder = run_folders(request).get(name)
    if folder is None:
        raise HTTPException(404, "there is no such run")
    return folder


async def http_error(request: Request, error: Exception) -> Response:
    """Report a wrong address or request as one line."""
    assert isinstance(error, HTTPException)
    return refused(request, error.status_code, error.detail, dict(error.headers or {}))


async def own_error(request: Request, error: Exception) -> Response:
    """Report an error of veriloop as one line: 503 if it may pass, such as a full disk."""
    assert isinstance(error, VeriloopError)
    return refused(request, 503 if isinstance(error, StorageError) else 400, str(error))
