"""``veriloop serve RUNS_DIR``."""

from pathlib import Path
from typing import Annotated

import typer


def serve(
    folder: Annotated[
        Path, typer.Argument(metavar="RUNS_DIR", help="A run folder, or a folder of run folders.")
    ],
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free one.")] = 8765,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    token: Annotated[
        str | None, typer.Option(help="A secret that every visitor needs; required beyond this machine.")
    ] = None,
) -> None:
    """Serve the page on which runs are watched, samples judged and the theory explored."""
    from ..errors import RunFolderError
    from ..web.server import listen, serve_forever

    if not folder.is_dir():
        raise RunFolderError(f"no such folder: {folder}", fix="check the path")
    listening = listen(host, port, token)
    name = f"[{host}]" if ":" in host else host
    typer.echo(f"serving {folder} on http://{name}:{listening.getsockname()[1]}/ (Ctrl-C ends)")
    serve_forever(folder, listening, token)
