"""Access control of the page.

Without a token the page is for this machine alone. Two attacks remain, and are met here: a foreign web page
that posts to us from the reader's own browser (it cannot know the CSRF token), and one whose host name is
made to point to this machine (its requests name a foreign host). With a token every route needs it. A second
token is for annotators: it opens the pages on which people judge, and nothing that says how they do.
"""

import hashlib
import hmac
import ipaddress
import secrets
from typing import Literal, NamedTuple
from urllib.parse import urlencode

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import ConfigError
from .refusal import refused

CSRF = "x-csrf-token"
"""Header that proves that a POST comes from one of these pages; its cookie has the same value."""

_CSRF_COOKIE, _TOKEN_COOKIE = "veriloop_csrf", "veriloop_token"
_COOKIE = "Path=/; HttpOnly; SameSite=Strict"

_FOR_JUDGES = ("/judge", "/assets/")
"""Prefixes of the paths that an annotator's token opens."""

_HEADERS = {
    # Plotly sets styles from its script, which browsers treat as inline; scripts only come from this server.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


Role = Literal["owner", "judges"]


class Tokens(NamedTuple):
    """Secrets that visitors need.

    Attributes:
        owner: Secret that opens everything; None admits anyone who uses this machine's own name, as owner.
        judges: Secret that opens only the judging pages; None for no annotators.
    """

    owner: str | None = None
    judges: str | None = None

    def items(self) -> list[tuple[Role, str]]:
        """Return the existing secrets, by role."""
        both: tuple[tuple[Role, str | None], ...] = (("owner", self.owner), ("judges", self.judges))
        return [(role, token) for role, token in both if token is not None]


NO_TOKENS = Tokens()


def check_exposure(host: str, tokens: Tokens) -> None:
    """Refuse to show runs to a whole network without a token.

    Raises:
        ConfigError: ``host`` is more than this machine and there is no token, or a token is empty or is of no
            use.
    """
    token, judges = tokens
    for option, given in (("--token", token), ("--judge-token", judges)):
        if given is not None and not given.strip():
            raise ConfigError(option, got=given, expected="a secret of at least a few characters")
    if judges is not None and (token is None or token == judges):
        raise ConfigError(
            "--judge-token",
            got="no --token beside it" if token is None else "the same secret as --token",
            expected="a separate --token, kept secret from annotators",
        )
    if token is None and not is_loopback(host):
        raise ConfigError(
            "without --token the page is for this machine only",
            got=f"--host {host}",
            expected="127.0.0.1, ::1 or localhost",
            fix="give a secret with --token, which every visitor then needs",
        )


def is_loopback(host: str) -> bool:
    """Whether ``host`` is a name or address that means this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


class Guard:
    """Admits only permitted requests, and adds protective headers to every response.

    Args:
        app: Application to guard.
        tokens: Secrets; a request sends one in the header ``Authorization: Bearer TOKEN``, or once in the
            query ``?token=TOKEN``, after which a cookie replaces it.
    """

    def __init__(self, app: ASGIApp, tokens: Tokens) -> None:
        self._app, self._tokens = app, tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        request = Request(scope)
        csrf = request.cookies.get(_CSRF_COOKIE) or secrets.token_urlsafe(24)
        role = self._role(request)
        scope.setdefault("state", {}).update(csrf=csrf, is_owner=role == "owner")
        answer = self._refusal(request, csrf, role) or self._app

        async def guarded_send(message: Message) -> None:
            """Send ``message``, with the security headers and the CSRF cookie at its start."""
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
                if _CSRF_COOKIE not in request.cookies:
                    headers.append("Set-Cookie", f"{_CSRF_COOKIE}={csrf}; {_COOKIE}")
            await send(message)

        await answer(scope, receive, guarded_send)

    def _role(self, request: Request) -> Role | None:
        """Return the role of the caller, by header or cookie; None for a stranger."""
        if self._tokens.owner is None:
            return "owner"
        bearer = request.headers.get("authorization", "")
        cookie = request.cookies.get(_TOKEN_COOKIE, "")
        for role, token in self._tokens.items():
            if _same(bearer, f"Bearer {token}") or _same(cookie, _stand_in(token)):
                return role
        return None

    def _refusal(self, request: Request, csrf: str, role: Role | None) -> Response | None:
        if self._tokens.owner is None:
            if not is_loopback(_without_port(request.headers.get("host", ""))):
                return refused(request, 421, "this page answers to 127.0.0.1 and localhost only")
        elif (given := request.query_params.get("token")) is not None and request.method == "GET":
            shown = next((one for one in self._tokens.items() if _same(given, one[1])), None)
            if shown and shown[0] != role:
                return self._welcome(request, shown[1])
        if role is None:
            return refused(request, 401, "this page needs its token: add ?token=TOKEN to the address")
        if role == "judges" and not request.scope["path"].startswith(_FOR_JUDGES):
            if request.scope["path"] == "/":
                return RedirectResponse("/judge")
            return refused(request, 403, "your token is for judging: go to /judge")
        if request.method not in ("GET", "HEAD") and not (
            _CSRF_COOKIE in request.cookies and _same(request.headers.get(CSRF, ""), csrf)
        ):
            return refused(request, 403, f"a {request.method} needs the CSRF token of a page of this server")
        return None

    def _welcome(self, request: Request, token: str) -> Response:
        """Store the token in a cookie, and remove it from the address, which others may see."""
        query = urlencode([(k, v) for k, v in request.query_params.multi_items() if k != "token"])
        # Relative to this server, because a path that starts with two slashes would lead to another one.
        response = RedirectResponse(
            "/" + request.scope["path"].lstrip("/\\") + (f"?{query}" if query else ""), 303
        )
        response.headers.append("Set-Cookie", f"{_TOKEN_COOKIE}={_stand_in(token)}; {_COOKIE}")
        return response


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


def _stand_in(token: str) -> str:
    return hashlib.sha256(f"veriloop {token}".encode()).hexdigest()


def _same(a: str, b: str) -> bool:
    return hmac.compare_digest(a.encode(), b.encode())
