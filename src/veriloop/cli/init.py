"""``veriloop init KIND --path PATH``."""

from pathlib import Path
from typing import Annotated

import typer


def init(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="What you have: images, table or array.")],
    path: Annotated[
        Path,
        typer.Option(
            metavar="PATH",
            help="Your data: a folder of images, with a sub-folder for each class; or one file, .csv,"
            " .parquet, .jsonl, .npz or .npy.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", show_default="KIND.yaml", help="Where to write the plan."),
    ] = None,
) -> None:
    """Write a commented plan for data of your own into the working directory, ready to run."""
    from ..config import plan_from
    from ..errors import ConfigError
    from ..loop import checked
    from ..parts import did_you_mean
    from ..starters.kinds import KINDS
    from ..yaml_1_2 import read_yaml

    if kind not in KINDS:
        known = "; ".join(f"{name} ({starter.about})" for name, starter in KINDS.items())
        raise ConfigError("kind", got=kind, expected=known, fix=did_you_mean(kind, KINDS))
    out = out or Path(f"{kind}.yaml")
    if out.exists():
        raise ConfigError(f"{out} is there already", fix="move it away, or give another --out")
    written = KINDS[kind].write(path, out)
    # Whatever is wrong with the data shows now, before anything is written.
    checked(plan_from(read_yaml(written.text, str(out))))
    with out.open("x", encoding="utf-8") as file:
        file.write(written.text)
    for note in written.notes:
        typer.echo(f"note: {note}")
    typer.echo(f"wrote {out}. Next: veriloop run {out} --out {Path('runs') / out.stem}")
