"""The server process of the page."""

import contextlib
import socket
from pathlib import Path

from ..errors import ConfigError
from ..executors.threads import limit_threads
from ..extras import explained

with explained():
    import uvicorn

    from .app import create_app
    from .resuming import Resuming
    from .security import NO_TOKENS, Tokens, check_exposure


def listen(host: str, port: int, tokens: Tokens = NO_TOKENS) -> socket.socket:
    """Return a socket on which the page can be served.

    Raises:
        ConfigError: Other machines would be admitted without a token, or the address is not available.
    """
    check_exposure(host, tokens)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(found[4][:2], family=found[0], backlog=512)
    except OSError as e:
        raise ConfigError(
            f"cannot listen on {host}, port {port}: {e.strerror or e}", fix="choose another --port or --host"
        ) from e


def serve_forever(folder: Path, listening: socket.socket, tokens: Tokens, resuming: Resuming) -> None:
    """Serve the page for the runs in ``folder`` until an interrupt."""
    config = uvicorn.Config(
        create_app(folder, tokens, resuming),
        log_level="warning", access_log=False, lifespan="off", ws="none",
        server_header=False, proxy_headers=False, timeout_graceful_shutdown=5,
        timeout_keep_alive=75,  # people think between two verdicts, and should not wait for a new connection
    )  # fmt: skip
    # Several requests are answered at once: more threads for one of them would only wait for each other.
    with limit_threads(1), contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run([listening])
