"""Answers to requests that cannot be met: one line, or a small page for a browser."""

from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

# Complete in itself, because without a token a browser gets no style sheet.
_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{heading} · veriloop</title>
<link rel="icon" href="data:,">
<style>
:root {{ --page: #fbfbf9; --ink: #1c1f23; --soft: #5b626b; }}
@media (prefers-color-scheme: dark) {{ :root {{ --page: #14161a; --ink: #e6e7e9; --soft: #a0a7b0; }} }}
body {{ margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }}
main {{ max-width: 34rem; margin: 0 auto; padding: 15vh 1.5rem 4rem; }}
h1 {{ font-size: 1.6rem; line-height: 1.2; margin: 0 0 0.75rem; }}
form {{ display: flex; flex-wrap: wrap; gap: 0.75rem; align-items: center; margin-top: 1.5rem; }}
input, button {{ font: inherit; color: inherit; padding: 0.5rem; }}
input, button {{ border: 1px solid var(--soft); border-radius: 8px; }}
input {{ background: var(--page); }}
button {{ background: var(--ink); border-color: var(--ink); color: var(--page); cursor: pointer; }}
a {{ color: inherit; }}
:is(a, input, button):focus-visible {{ outline: 2px solid #2f80c8; outline-offset: 2px; }}
</style>
</head>
<body><main><h1>{heading}</h1><p>{line}</p>{below}</main></body>
</html>
"""

_HEADINGS = {401: "This page needs its token", 403: "Not with this token", 404: "Nothing is here"}
_FORM = (
    '<form><label for="token">token</label><input id="token" name="token" type="password" required'
    ' autocomplete="current-password"><button>Open</button></form>'
)
_BACK = '<p><a href="/">To the first page</a></p>'


def refused(request: Request, status: int, line: str, headers: dict[str, str] | None = None) -> Response:
    """Return ``line``; as a page for a browser that opens one, with a form where a token is needed."""
    is_page = "text/html" in request.headers.get("accept", "") and "hx-request" not in request.headers
    if not is_page or request.method != "GET":
        return PlainTextResponse(line + "\n", status, headers)
    said = (
        "Ask the person who started the page for its token."
        if status == 401
        else f"{line[:1].upper()}{line[1:]}."
    )
    page = _PAGE.format(
        heading=_HEADINGS.get(status, "This cannot be shown"),
        line=escape(said),
        below=_FORM if status == 401 else "" if status == 421 else _BACK,
    )
    return HTMLResponse(page, status, headers)
