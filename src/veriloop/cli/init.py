"""``veriloop init KIND``, with ``--path PATH`` for a user's data; and ``veriloop init RECIPE``."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..starters.base import Written


def init(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="For your data, with --path: images, table, array. Examples: digits, function, text, human."
            " Or a recipe to copy, such as mnist or collapse-zoo.",
        ),
    ],
    path: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Your data: a folder of images, with a sub-folder for each class; or one file, .csv,"
            " .parquet, .jsonl, .npz or .npy.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", show_default="KIND.yaml, or recipes/RECIPE", help="Where to write it."),
    ] = None,
) -> None:
    """Write a commented plan for your data, or an example, ready to run; or copy a recipe to change."""
    from ..config import plan_from
    from ..loop import checked
    from ..recipes.folders import FOLDER, copy_recipe, recipe_folders
    from ..starters.base import run_folder
    from ..yaml_1_2 import read_yaml

    if kind in recipe_folders() and path is None:
        out = out or Path(FOLDER) / kind
        copy_recipe(kind, out)
        command = shlex.join(["veriloop", "reproduce", str(out), "--out", str(Path("runs") / kind)])
        typer.echo(f"wrote {out}. Next: {command}")
        return
    out = out or Path(f"{kind}.yaml")
    written = _written(kind, path, out)
    _refuse_existing([out, *written.files])
    # Whatever is wrong with the data shows now, before anything is written. Examples bring theirs.
    plan = plan_from(read_yaml(written.text, str(out)))
    if path is not None:
        checked(plan)
    for name, content in {**written.files, out: written.text.encode()}.items():
        name.parent.mkdir(parents=True, exist_ok=True)
        with name.open("xb") as file:
            file.write(content)
    for note in written.notes:
        typer.echo(f"note: {note}")
    beside = sorted({name.parts[0] for name in written.files})
    typer.echo(f"wrote {', '.join([str(out), *beside])}.")
    command = shlex.join(["veriloop", "run", str(out), "--out", str(run_folder(out))])
    typer.echo(f"Next: {written.next or command}")


def _written(kind: str, path: Path | None, out: Path) -> "Written":
    from ..errors import ConfigError
    from ..parts import did_you_mean
    from ..recipes.folders import recipe_folders
    from ..starters.kinds import EXAMPLES, KINDS

    if kind in EXAMPLES:
        if path is not None:
            expected = f"a kind of your data: {', '.join(KINDS)}"
            raise ConfigError(f"{kind} brings its data", got=f"--path {path}", expected=expected)
        return EXAMPLES[kind].write(out)
    if kind in KINDS:
        if path is None:
            raise ConfigError("--path", got="nothing", expected=KINDS[kind].about)
        return KINDS[kind].write(path, out)
    every, recipes = {**KINDS, **EXAMPLES}, recipe_folders()
    known = "; ".join(f"{name} ({starter.about})" for name, starter in every.items())
    expected = f"{known}; or without --path a recipe ({', '.join(recipes)})"
    raise ConfigError("kind", got=kind, expected=expected, fix=did_you_mean(kind, [*every, *recipes]))


def _refuse_existing(files: Sequence[Path]) -> None:
    from ..errors import ConfigError

    for file in (name for name in files if name.exists()):
        raise ConfigError(f"{file} already exists", fix="move it away, or give another --out")
