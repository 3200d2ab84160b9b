"""From YAML to a checked plan: names become parts, and every mistake becomes one clear line."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from .errors import ConfigError, RunFolderError, VeriloopError
from .loop.arms import named_arms
from .loop.plan import Arm, Plan, Rival
from .parts import shown
from .store.folder import RunFolder
from .yaml_1_2 import read_yaml

SEEDS, VARY = "seeds", "vary"
"""Keys of a configuration that only a comparison reads: they make several plans of it."""

LARGEST_FILE = 1_000_000
"""A configuration has at most so many bytes: what is larger is another file, given by mistake."""


def load_plan(path: Path | str, overrides: Sequence[str] = ()) -> Plan:
    """Read and check a configuration.

    Args:
        path: A YAML file.
        overrides: Settings ``a.b=value`` (the value is YAML) that replace those of the file, in order.

    Raises:
        ConfigError: The file is missing or no YAML, or it is a comparison, or a key or value is wrong; the
            message names the path of the key, what was got and what is allowed.
        MissingExtraError: A part needs an optional package that is not installed.
    """
    return plan_from(read_config(Path(path), overrides))


def read_config(path: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """The settings that a file holds, with ``overrides`` as in `load_plan`; not checked yet.

    Raises:
        ConfigError: The file is missing or no YAML, or an override is none.
    """
    settings = _read_yaml(path)
    for override in overrides:
        name, equals, text = override.partition("=")
        if not equals or not all(name.split(".")):
            raise ConfigError("--set", got=override, expected="KEY.KEY=VALUE, such as learner.epochs=20")
        settings = with_setting(settings, name, read_yaml(text, f"--set {name}"), f"--set {name}")
    return settings


def with_setting(settings: Mapping[str, Any], path: str, value: Any, where: str) -> dict[str, Any]:
    """A copy of ``settings`` with another value at ``path``, such as ``learner.epochs``.

    Args:
        settings: Of a configuration.
        path: Keys, separated by dots; mappings that are not there are made.
        value: The value.
        where: What asks for it, for the line of an error.

    Raises:
        ConfigError: On the way there is something else than a mapping.
    """
    changed = dict(settings)
    here, keys = changed, path.split(".")
    for depth, key in enumerate(keys[:-1]):
        inner = here.get(key, {})
        if isinstance(inner, str):
            inner = {"kind": inner}  # `learner: cvae` is short for {kind: cvae}
        elif isinstance(inner, list) and key == "arms" and depth == 0:
            inner = named_arms(inner)
        if not isinstance(inner, Mapping):
            raise ConfigError(f"{where}: {key} is not a mapping", got=shown(inner))
        # A copy, because an alias in the file makes several keys share one mapping.
        here[key] = dict(inner)
        here = here[key]
    here[keys[-1]] = value
    return changed


def plan_of(folder: RunFolder, *, trust: bool = True) -> Plan:
    """The plan of the run in ``folder``.

    Args:
        folder: Of the run.
        trust: Whether code that the manifest names may be run, and services asked that it names. To make the
            plan is to import its parts.

    Raises:
        ConfigError: The manifest's configuration does not fit this version of veriloop.
        RunFolderError: An earlier version began the run, or it is not trusted and names such code.
    """
    folder.check_format()
    config = folder.manifest().config
    if not trust and (named := sorted(set(_foreign(config)))):
        raise RunFolderError(
            f"the run in {folder.path} names code or services that are not veriloop's own",
            got=", ".join(named),
            fix="if you trust whoever made the folder, add --trust",
        )
    return plan_from(config)


def rival_of(path: Path, plan: Plan, arm: str) -> Rival:
    """A verifier in its own file, to stand in an arm's place.

    Args:
        path: A YAML file: a verifier with its settings, or the keys ``verifier`` and ``acceptance``.
        plan: The plan.
        arm: Whose acceptance rule holds where the file has none.

    Raises:
        ConfigError: The file is missing or no verifier, or there is no such arm, or its rule does not fit.
        MissingExtraError: A part needs an optional package that is not installed.
    """
    if arm not in plan.arms:
        raise ConfigError("no such arm", got=arm, expected=f"one of {', '.join(plan.arms)}")
    settings = _read_yaml(path)
    if "kind" in settings:
        settings = {"verifier": settings}
    known = ("verifier", "acceptance")
    if "verifier" not in settings or any(key not in known for key in settings):
        raise ConfigError(
            f"verifier {path}",
            got=f"keys {', '.join(map(str, settings))}",
            expected="a verifier with its kind, or the keys verifier and acceptance",
        )
    setting = plan.arms[arm]
    if setting.verifier is None:
        raise ConfigError(
            f"arm {arm!r} has no verifier", expected="an arm of which another can take the place"
        )
    try:
        made = Arm.model_validate(
            {"acceptance": setting.acceptance, "schedule": setting.schedule, **settings}
        )
    except ValidationError as e:
        mistake = _as_config_error(e)
        raise type(mistake)(
            f"{path}: {mistake.what}", got=mistake.got, expected=mistake.expected, fix=mistake.fix
        ) from None
    assert made.verifier is not None
    return Rival(made.verifier, made.acceptance)


RUN_WHAT_IS_WRITTEN = ("command", "python_tests")
"""Kinds of our own that run a program that the folder names, or code that its data hold."""


def _foreign(settings: object) -> Iterator[str]:
    """What ``settings`` name that is neither veriloop's own nor an installed plug-in's."""
    if isinstance(settings, Mapping):
        for key, value in settings.items():
            is_kind = key == "kind" and isinstance(value, str) and ":" in value
            if (is_kind and not value.startswith("veriloop.")) or (
                # A url with the name of the environment variable that holds its key would be sent that key.
                (key.endswith("function") or key == "url") and value is not None
            ):
                yield str(value)
            if key == "kind" and value in RUN_WHAT_IS_WRITTEN:
                yield str(value)
        settings = list(settings.values())
    if isinstance(settings, list | tuple):
        for inner in settings:
            yield from _foreign(inner)


def plan_from(config: Mapping[str, Any]) -> Plan:
    """The plan that a configuration means, as `load_plan` reads it."""
    if several := [key for key in (SEEDS, VARY) if key in config]:
        raise ConfigError(
            f"{' and '.join(several)}: this configuration is a comparison, and not one plan",
            fix="use veriloop compare CONFIG --out DIR, or veriloop.compare",
        )
    try:
        return Plan.model_validate(config)
    except ValidationError as e:
        raise _as_config_error(e) from None


def _as_config_error(error: ValidationError) -> VeriloopError:
    """The first mistake that pydantic found, as one line with its path."""
    first = error.errors(include_url=False)[0]
    path = ".".join(str(step) for step in first["loc"] if step != "[key]") or "configuration"
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, VeriloopError):
        what = f"{path}: {cause.what}" if first["loc"] else cause.what
        return type(cause)(what, got=cause.got, expected=cause.expected, fix=cause.fix)
    if first["type"] == "missing":
        return ConfigError(f"{path}: missing", expected="a value", fix="add this key")
    if first["type"] == "value_error":
        return ConfigError(f"{path}: {cause}")  # a validator's own words
    if first["type"] == "frozen_instance":
        return ConfigError(
            f"{path} is no field, and a part is frozen",
            fix=f"declare it in the class body, such as {first['loc'][-1]}: float = 1.0, without an __init__",
        )
    message = first["msg"].removeprefix("Input should be ")
    return ConfigError(path, got=shown(first["input"]), expected=message[:1].lower() + message[1:])


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        if (size := path.stat().st_size) > LARGEST_FILE:
            raise ConfigError(
                f"configuration {path}", got=f"{size:,} bytes", expected=f"at most {LARGEST_FILE:,} bytes"
            )
        content = read_yaml(path.read_bytes(), str(path))
    except OSError as e:
        raise ConfigError(f"cannot read configuration {path}: {e.strerror}", fix="check the path") from e
    if not isinstance(content, dict):
        raise ConfigError(f"configuration {path}", got=shown(content), expected="a mapping of settings")
    return content
