"""Arguments and options shared by several commands."""

from pathlib import Path
from typing import Annotated

import typer

ConfigArgument = Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML configuration.")]
FolderArgument = Annotated[Path, typer.Argument(metavar="DIR", help="A run folder.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="A.B=VALUE", help="Replace a setting of the configuration; repeatable."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
TrustOption = Annotated[
    bool,
    typer.Option(
        "--trust", help="For a run: also import the code and call the services that its manifest names."
    ),
]
PlainOption = Annotated[
    bool, typer.Option("--plain", help="Show progress as plain lines instead of a live display.")
]
AcceptChangesOption = Annotated[
    bool,
    typer.Option(
        "--accept-changes",
        help="Continue even though files that the run depends on have changed, and record it.",
    ),
]

WaitOption = Annotated[
    bool, typer.Option("--wait", help="When people have to judge, wait for them, then continue.")
]
