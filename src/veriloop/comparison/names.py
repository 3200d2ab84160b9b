"""Names for runs that exist: by the settings in which they differ, as `--vary` would have named them."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .variations import AS_GIVEN, named_by, places

NOT_VARIED = re.compile(r"(seed|executor|parallel|tracker|keep_(models|rejected|candidates))(\.|$)")
"""Settings that do not make two runs variations of each other: no number depends on them."""

MOST_SETTINGS, LONGEST = 3, 100
"""Names by more settings, or longer ones, are not readable: the folder's name stands in their place."""

Settings = Mapping[str, Any]
"""Each setting by its path, such as ``learner.epochs``."""


def named(configs: Sequence[Settings], folders: Sequence[str]) -> list[str]:
    """A name for each run: equal for runs that differ in their seed only, and different for all others.

    Args:
        configs: Of the runs, as their manifests have them.
        folders: The names of their folders.
    """
    flat = [_varying(config) for config in configs]
    contents = [json.dumps(one, sort_keys=True) for one in flat]
    if len(set(contents)) == 1:
        return [AS_GIVEN] * len(configs)
    varied = _varied(flat)
    without_prefix = _without_arms(varied, configs)
    for candidate in (_parts_by_kind(without_prefix), without_prefix, varied):
        names = [named_by(one) for one in candidate]
        readable = len(candidate[0]) <= MOST_SETTINGS and max(map(len, names)) <= LONGEST
        if readable and len(set(names)) == len(set(contents)) == len(set(zip(names, contents, strict=True))):
            return names
    return _by_folder(contents, folders)


def settings_cells(configs: Mapping[str, Settings]) -> list[list[str]]:
    """The settings in which variations differ as columns of text, under a heading row; empty where none do.

    Args:
        configs: Of each variation, by its name. Seeds are left out, and what no number depends on.
    """
    varied = _varied([_varying(config) for config in configs.values()])
    if not varied or not varied[0]:
        return []
    heading = ["variation", *varied[0]]
    return [heading, *([name, *map(_text, one.values())] for name, one in zip(configs, varied, strict=True))]


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def _varying(config: Settings) -> dict[str, Any]:
    return {path: value for path, value in _flat(config).items() if not NOT_VARIED.match(path)}


def _by_folder(contents: Sequence[str], folders: Sequence[str]) -> list[str]:
    """The name of the first folder that has the same settings, without what numbers its seed."""
    first: dict[str, str] = {}
    for content, folder in zip(contents, folders, strict=True):
        first.setdefault(content, re.sub(r"-seed\d+$", "", folder))
    if len(set(first.values())) < len(first):
        first = {content: f"{name} ({number})" for number, (content, name) in enumerate(first.items(), 1)}
    return [first[content] for content in contents]


def _varied(flat: Sequence[Settings]) -> list[dict[str, Any]]:
    """Of each run, the settings that are not equal in all; None where a run has no such setting."""
    paths = dict.fromkeys(path for one in flat for path in one)
    kept = [path for path in paths if len({json.dumps(one.get(path)) for one in flat}) > 1]
    return [{path: one.get(path) for path in kept} for one in flat]


def _without_arms(varied: Sequence[Settings], configs: Sequence[Settings]) -> list[dict[str, Any]]:
    """``arms.NAME.`` left out of settings that are alike in all arms that the top would reach."""
    short: list[dict[str, Any]] = [{} for _ in varied]
    for path in varied[0]:
        _, _, name = path.partition(".")[2].partition(".")
        is_of_arm = path.startswith("arms.") and name
        alike = is_of_arm and all(map(_is_alike, varied, (places(name, config) for config in configs)))
        for one, to in zip(varied, short, strict=True):
            to[name if alike else path] = one[path]
    return short


def _is_alike(varied: Settings, reached: Sequence[str]) -> bool:
    """Whether the settings at ``reached`` vary, all of them, and have one value."""
    return all(path in varied for path in reached) and len({json.dumps(varied[p]) for p in reached}) <= 1


def _parts_by_kind(varied: Sequence[Settings]) -> list[dict[str, Any]]:
    """A part whose kind differs by that only: its other settings are other ones for each kind."""
    parts = [path.removesuffix(".kind") for path in varied[0] if path.endswith(".kind")]
    found: list[dict[str, Any]] = []
    for one in varied:
        short: dict[str, Any] = {}
        for path, value in one.items():
            inside = [part for part in parts if path == part or path.startswith(f"{part}.")]
            short[inside[0] if inside else path] = one[f"{inside[0]}.kind"] if inside else value
        found.append(short)
    return found


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    """Each setting by its path; lists are settings as a whole."""
    if not isinstance(value, Mapping) or not value:
        return {path: value}
    flat: dict[str, Any] = {}
    for key, inner in value.items():
        flat |= _flat(inner, f"{path}.{key}" if path else str(key))
    return flat
