"""Name existing runs by the settings in which they differ, as `--vary` would."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .variations import AS_GIVEN, named_by, places

NOT_VARIED = re.compile(r"(seed|executor|parallel|tracker|keep_(models|rejected|candidates))(\.|$)")
"""Settings that do not affect results, and so do not make two runs different variations."""

MOST_SETTINGS, LONGEST = 3, 100
"""Limits on the number and length of settings in a name; beyond them, the folder's name is used."""

Settings = Mapping[str, Any]
"""Settings by path, such as ``learner.epochs``."""


def named(configs: Sequence[Settings], folders: Sequence[str]) -> list[str]:
    """Return a name for each run: equal for runs that differ only in their seed, and different otherwise.

    Args:
        configs: Configurations of the runs, from their manifests.
        folders: Names of their folders.
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
    """Return the settings in which variations differ as text columns with a heading; empty if there are none.

    Args:
        configs: Configuration of each variation, by name. Seeds and settings without effect are left out.
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
    """Return the name of the first folder with the same settings, without its seed number."""
    first: dict[str, str] = {}
    for content, folder in zip(contents, folders, strict=True):
        first.setdefault(content, re.sub(r"-seed\d+$", "", folder))
    if len(set(first.values())) < len(first):
        first = {content: f"{name} ({number})" for number, (content, name) in enumerate(first.items(), 1)}
    return [first[content] for content in contents]


def _varied(flat: Sequence[Settings]) -> list[dict[str, Any]]:
    """Return, for each run, the settings that are not equal in all; None for a missing setting."""
    paths = dict.fromkeys(path for one in flat for path in one)
    kept = [path for path in paths if len({json.dumps(one.get(path)) for one in flat}) > 1]
    return [{path: one.get(path) for path in kept} for one in flat]


def _without_arms(varied: Sequence[Settings], configs: Sequence[Settings]) -> list[dict[str, Any]]:
    """Shorten ``arms.NAME.`` where a setting is the same in all arms that a top-level setting would reach."""
    short: list[dict[str, Any]] = [{} for _ in varied]
    for path in varied[0]:
        _, _, name = path.partition(".")[2].partition(".")
        is_of_arm = path.startswith("arms.") and name
        alike = is_of_arm and all(map(_is_alike, varied, (places(name, config) for config in configs)))
        for one, to in zip(varied, short, strict=True):
            to[name if alike else path] = one[path]
    return short


def _is_alike(varied: Settings, reached: Sequence[str]) -> bool:
    """Whether the settings at ``reached`` all vary, with the same value."""
    return all(path in varied for path in reached) and len({json.dumps(varied[p]) for p in reached}) <= 1


def _parts_by_kind(varied: Sequence[Settings]) -> list[dict[str, Any]]:
    """Reduce parts of different kinds to their kind, because their other settings are not comparable."""
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
    """Return each setting by path; lists count as one setting."""
    if not isinstance(value, Mapping) or not value:
        return {path: value}
    flat: dict[str, Any] = {}
    for key, inner in value.items():
        flat |= _flat(inner, f"{path}.{key}" if path else str(key))
    return flat
