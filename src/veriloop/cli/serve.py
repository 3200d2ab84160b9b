"""``veriloop serve RUNS_DIR``."""

from contextlib import closing, nullcontext
from pathlib import Path
from typing import Annotated

import typer


def serve(
    folder: Annotated[
        Path, typer.Argument(metavar="RUNS_DIR", help="A run folder, or a folder of run folders.")
    ],
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 uses any free one.")
    ] = 8765,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    token: Annotated[
        str | None,
        typer.Option(help="Secret that every visitor needs; required for other addresses than this machine."),
    ] = None,
    judge_token: Annotated[
        str | None, typer.Option(help="A secret for annotators: it opens the pages of judging, and no other.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue runs that wait for people once everything is judged.")
    ] = False,
) -> None:
    """Serve a web page for watching runs, judging samples and exploring the theory."""
    from ..errors import RunFolderError
    from ..web.resuming import Resuming
    from ..web.security import Tokens
    from ..web.server import listen, serve_forever
    from .waiting import Resumer

    if not folder.is_dir():
        raise RunFolderError(f"no such folder: {folder}", fix="check the path")
    tokens = Tokens(token, judge_token)
    listening = listen(host, port, tokens)
    name = f"[{host}]" if ":" in host else host
    typer.echo(f"serving {folder} on http://{name}:{listening.getsockname()[1]}/ (Ctrl-C ends)")
    with closing(Resuming()) as resuming, Resumer(folder, resuming) if resume else nullcontext():
        serve_forever(folder, listening, tokens, resuming)
