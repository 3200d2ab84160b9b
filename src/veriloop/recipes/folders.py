"""Find recipe folders, and read their files."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from ..config import read_config
from ..errors import ConfigError
from ..parts import Checked
from ..store.atomic import storage_errors

RECIPE = "recipe.yaml"
"""File in a recipe's folder that says what to do with the plans next to it."""

KIND = "kind"
"""Key in `RECIPE` with the kind of the recipe."""

FOLDER = "recipes"

_PACKAGED = Path(__file__).parents[1] / "_recipes"
"""Folder of the recipes in an installed package; a clone has it at its root."""

Content = TypeVar("Content", bound=Checked)


def recipe_folders() -> dict[str, Path]:
    """Return recipes and folders of several, by name; those of the working directory come first."""
    found: dict[str, Path] = {}
    for home in (Path.cwd() / FOLDER, Path(__file__).parents[3] / FOLDER, _PACKAGED):
        for path in sorted((*home.glob(f"*/{RECIPE}"), *home.glob(f"*/*/{RECIPE}"))):
            folder = home / path.relative_to(home).parts[0]
            found.setdefault(folder.name, folder)
    return found


def copy_recipe(name: str, to: Path) -> None:
    """Copy the recipe ``name`` to the folder ``to``, for the user to change.

    Raises:
        ConfigError: ``to`` already exists.
        StorageError: It cannot be written.
    """
    if to.exists():
        raise ConfigError(f"{to} already exists", fix="move it away, or give another --out")
    aside = to.with_name(f".{to.name}.aside")
    with storage_errors(to):
        shutil.rmtree(aside, ignore_errors=True)
        shutil.copytree(recipe_folders()[name], aside)
        aside.rename(to)


def is_group(folder: Path) -> bool:
    """Return whether the folder contains several recipes, each in a folder."""
    return not (folder / RECIPE).is_file()


def recipe_names(group: Path) -> tuple[str, ...]:
    """Return the names of the recipes in a folder of several, in order."""
    return tuple(path.parent.name for path in sorted(group.glob(f"*/{RECIPE}")))


def read_recipe(folder: Path) -> dict[str, Any]:
    """Return the content of a recipe's file, unchecked.

    Raises:
        ConfigError: The file is missing or is not YAML.
    """
    return read_config(folder / RECIPE)


def checked_recipe(folder: Path, of: type[Content]) -> Content:
    """Return the recipe in ``folder``, checked.

    Raises:
        ConfigError: Its file is missing or is not YAML, or a key or value is wrong.
    """
    content: Mapping[str, Any] = {key: value for key, value in read_recipe(folder).items() if key != KIND}
    try:
        return of.model_validate(content)
    except ValidationError as e:
        first = e.errors(include_url=False)[0]
        cause = first.get("ctx", {}).get("error")
        where = ".".join(str(step) for step in first["loc"] if step != "[key]")
        if isinstance(cause, ConfigError):
            what = f"{where}: {cause.what}" if where else cause.what
            raise ConfigError(
                f"{folder / RECIPE}: {what}", got=cause.got, expected=cause.expected, fix=cause.fix
            ) from None
        raise ConfigError(
            f"{folder / RECIPE}: {where or 'recipe'}", got=str(first["input"])[:80], expected=first["msg"]
        ) from None
