"""``veriloop init KIND --path PATH``, and ``veriloop init RECIPE``."""

import shlex
from pathlib import Path
from typing import Annotated

import typer


def init(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="What you have: images, table or array. Or a recipe to copy, such as mnist or collapse-zoo.",
        ),
    ],
    path: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Your data: a folder of images, with a sub-folder for each class; or one file, .csv,"
            " .parquet, .jsonl, .npz or .npy.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", show_default="KIND.yaml, or recipes/RECIPE", help="Where to write it."),
    ] = None,
) -> None:
    """Write a commented plan for your own data, ready to run; or copy a recipe, ready to change."""
    from ..config import plan_from
    from ..errors import ConfigError
    from ..loop import checked
    from ..parts import did_you_mean
    from ..recipes.folders import FOLDER, copy_recipe, recipe_folders
    from ..starters.kinds import KINDS
    from ..yaml_1_2 import read_yaml

    recipes = recipe_folders()
    if kind in recipes and path is None:
        out = out or Path(FOLDER) / kind
        copy_recipe(kind, out)
        typer.echo(f"wrote {out}. Next: veriloop reproduce {out} --out {Path('runs') / kind}")
        return
    if kind not in KINDS:
        known = "; ".join(f"{name} ({starter.about})" for name, starter in KINDS.items())
        expected = f"{known}; or without --path a recipe ({', '.join(recipes)})"
        raise ConfigError("kind", got=kind, expected=expected, fix=did_you_mean(kind, [*KINDS, *recipes]))
    if path is None:
        raise ConfigError("--path", got="nothing", expected=KINDS[kind].about)
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
    command = shlex.join(["veriloop", "run", str(out), "--out", str(Path("runs") / out.stem)])
    typer.echo(f"wrote {out}. Next: {command}")
