"""Arguments and options that several verbs share."""

from pathlib import Path
from typing import Annotated

import typer

ConfigArgument = Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML configuration.")]
FolderArgument = Annotated[Path, typer.Argument(metavar="DIR", help="A run folder.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="A.B=VALUE", help="Replace a setting of the configuration; repeatable."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object, for machines.")]
TrustOption = Annotated[
    bool,
    typer.Option(
        "--trust", help="Of a run: import the code and ask the services that its manifest names, too."
    ),
]
PlainOption = Annotated[bool, typer.Option("--plain", help="Progress in plain lines, no live display.")]
AcceptChangesOption = Annotated[
    bool,
    typer.Option(
        "--accept-changes",
        help="Go on although files on which the run depends have changed; the run notes it.",
    ),
]

WaitOption = Annotated[
    bool, typer.Option("--wait", help="When people have to judge, wait for them, and then go on.")
]
