"""The entry point of the command ``veriloop``: it registers the commands, and turns errors into one line."""

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from ..errors import VeriloopError
from .audit import audit
from .calibrate import calibrate
from .compare import compare
from .demo import demo
from .export import export
from .forecast import forecast
from .init import init
from .list import list_runs
from .preview import preview
from .report import report
from .reproduce import reproduce
from .resume import resume
from .reverify import reverify
from .run import run
from .serve import serve
from .ship import ship
from .show import show
from .simulate import simulate
from .stop import stop
from .theory import app as theory
from .train_classifier import train_classifier
from .validate import validate
from .verdicts import app as verdicts
from .verify import verify

app: typer.Typer = typer.Typer(
    name="veriloop",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _verb in (demo, init, validate, preview, run, stop, resume, report):
    app.command()(_verb)
app.command("list")(list_runs)
app.command()(show)
app.command()(export)
app.add_typer(theory, name="theory")
app.command()(simulate)
app.command()(compare)
app.command()(reproduce)
app.command()(serve)
app.add_typer(verdicts, name="verdicts")
app.command()(calibrate)
app.command()(audit)
app.command()(reverify)
app.command()(forecast)
app.command()(ship)
app.command()(verify)
app.command("train-classifier")(train_classifier)


def _version(asked: bool) -> None:
    if asked:
        from .. import __version__

        typer.echo(f"veriloop {__version__}")
        raise typer.Exit


@app.callback()
def veriloop(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Train generative models on their own verified output, and know whether it helps."""


OWN = (
    *("validate", "preview", "run", "resume", "compare", "reproduce", "simulate", "reverify"),
    "train-classifier",
)
"""Commands that run a configuration, and so the code that it names."""


def main() -> None:
    """Run the command line. User errors end in one line on stderr and exit code 2."""
    # User parts and functions are also searched here, as Python does for a script, but not by commands that
    # read what others may have created.
    # Progress bars of other libraries would break this display and fill logs; workers inherit the setting.
    for library in ("TQDM_DISABLE", "HF_HUB_DISABLE_PROGRESS_BARS", "HF_DATASETS_DISABLE_PROGRESS_BARS"):
        os.environ.setdefault(library, "1")
    runs_code = "--trust" in sys.argv or any(verb in OWN for verb in sys.argv[1:2])
    if runs_code and (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    try:
        code = app(standalone_mode=False)
    except VeriloopError as e:
        _fail(str(e))
    except ModuleNotFoundError as e:
        from ..extras import missing

        if not (extra := missing(e)):
            raise
        _fail(str(extra))
    except MemoryError as e:
        _fail(f"out of memory{f' ({e})' if str(e) else ''}. Reduce the size, or use a larger machine")
    except typer.Abort:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except OSError as e:
        _fail(f"{e.strerror or e}: {e.filename}" if e.filename else str(e))
    except Exception as e:
        # A usage error; the library has changed its class between versions.
        if not (told := getattr(e, "format_message", None)):
            raise
        if said := told():
            _fail(f"{said.rstrip('.')}. See: {_help_of(e)}")
        sys.exit(2)  # no arguments: the help has been printed
    if isinstance(code, int) and code:
        sys.exit(code)


def _help_of(mistake: Exception) -> str:
    """Return the command that shows the correct usage."""
    context = getattr(mistake, "ctx", None)
    return f"{context.command_path if context else 'veriloop'} --help"


def _fail(line: str) -> NoReturn:
    print(f"error: {' '.join(line.split())}", file=sys.stderr)
    sys.exit(2)
