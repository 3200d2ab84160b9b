"""From YAML to a checked plan: names become parts, and every mistake becomes one clear line."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from .errors import ConfigError, VeriloopError
from .loop.plan import Arm, Plan
from .parts import did_you_mean
from .store.folder import RunFolder

ARM_DEFAULTS = tuple(name for name in Arm.model_fields if name != "train_on")
"""Keys that may stand at the top of a configuration, and then hold for every arm that does not set them."""

USUAL_ARMS: dict[str, dict[str, Any]] = {
    "verified": {},
    "unverified": {"verifier": None},
    "all_real": {"train_on": "real"},
}
"""What the three usual arms mean when ``arms`` is a list of names."""


def load_plan(path: Path | str, overrides: Sequence[str] = ()) -> Plan:
    """Read and check a configuration.

    Args:
        path: A YAML file.
        overrides: Settings ``a.b=value`` (the value is YAML) that replace those of the file, in order.

    Raises:
        ConfigError: The file is missing or no YAML, or a key or value is wrong; the message names the
            path of the key, what was got and what is allowed.
        MissingExtraError: A part needs an optional package that is not installed.
    """
    return plan_from(_with_overrides(_read_yaml(Path(path)), overrides))


def plan_of(folder: RunFolder) -> Plan:
    """The plan of the run in ``folder``.

    Raises:
        ConfigError: The manifest's configuration does not fit this version of veriloop.
        RunFolderError: An earlier version began the run.
    """
    folder.check_format()
    return _checked(folder.manifest().config)


def plan_from(config: Mapping[str, Any]) -> Plan:
    """The plan that a configuration means, as `load_plan` reads it."""
    settings = dict(config)
    defaults = {key: settings.pop(key) for key in ARM_DEFAULTS if key in settings}
    known = [*Plan.model_fields, *ARM_DEFAULTS]
    for key in settings:
        if key not in known:
            raise ConfigError(
                f"{key}: unknown key",
                expected=f"one of {', '.join(known)}",
                fix=did_you_mean(str(key), known),
            )
    settings["arms"] = _expand_arms(settings.get("arms", list(USUAL_ARMS)), defaults)
    return _checked(settings)


def _expand_arms(arms: object, defaults: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(arms, Sequence) and not isinstance(arms, str):
        for name in arms:
            if name not in USUAL_ARMS:
                raise ConfigError(
                    "arms: unknown arm",
                    got=str(name),
                    expected=f"one of {', '.join(USUAL_ARMS)}, or a mapping from names to settings",
                    fix=did_you_mean(str(name), USUAL_ARMS),
                )
        arms = {name: USUAL_ARMS[name] for name in arms}
    if not isinstance(arms, Mapping):
        raise ConfigError(
            "arms", got=_shown(arms), expected="a list of names, or a mapping from names to settings"
        )
    return {str(name): _expand_arm(str(name), own, defaults) for name, own in arms.items()}


def _expand_arm(name: str, own: object, defaults: Mapping[str, Any]) -> Any:
    if own is None:
        own = USUAL_ARMS.get(name, {})
    if not isinstance(own, Mapping):
        raise ConfigError(f"arms.{name}", got=_shown(own), expected="a mapping of settings")
    if own.get("train_on") == "real":
        return own
    settings = {**defaults, **own}
    if settings.get("verifier") is None and "acceptance" not in own:
        # The acceptance of the other arms needs scores, which an arm without a verifier does not have.
        settings["acceptance"] = {"kind": "accept_all"}
    if settings.get("verifier") is None and "stop" not in own:
        # It is there to be compared with, for as many rounds as the others may have.
        settings.pop("stop", None)
    return settings


def _checked(settings: Mapping[str, Any]) -> Plan:
    try:
        return Plan.model_validate(settings)
    except ValidationError as e:
        raise _as_config_error(e) from None


def _as_config_error(error: ValidationError) -> VeriloopError:
    """The first mistake that pydantic found, as one line with its path."""
    first = error.errors(include_url=False)[0]
    path = ".".join(str(step) for step in first["loc"] if step != "[key]") or "configuration"
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, VeriloopError):
        return type(cause)(f"{path}: {cause.what}", got=cause.got, expected=cause.expected, fix=cause.fix)
    if first["type"] == "missing":
        return ConfigError(f"{path}: missing", expected="a value", fix="add this key")
    message = first["msg"].removeprefix("Input should be ")
    return ConfigError(path, got=_shown(first["input"]), expected=message[:1].lower() + message[1:])


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_bytes())
    except OSError as e:
        raise ConfigError(f"cannot read configuration {path}: {e.strerror}", fix="check the path") from e
    except (yaml.YAMLError, UnicodeDecodeError) as e:
        mark = getattr(e, "problem_mark", None)
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(e, "problem", None) or "not text"
        raise ConfigError(f"{path}{where}: not valid YAML ({problem})") from e
    if not isinstance(content, dict):
        raise ConfigError(f"configuration {path}", got=_shown(content), expected="a mapping of settings")
    return content


def _with_overrides(settings: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    for override in overrides:
        path, equals, text = override.partition("=")
        keys = path.split(".")
        if not equals or not all(keys):
            raise ConfigError("--set", got=override, expected="KEY.KEY=VALUE, such as learner.epochs=20")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as e:
            raise ConfigError(f"--set {path}: the value is not valid YAML", got=text) from e
        _set(settings, keys, value, path)
    return settings


def _set(settings: dict[str, Any], keys: Sequence[str], value: Any, path: str) -> None:
    here: Any = settings
    for depth, key in enumerate(keys[:-1]):
        if isinstance(here.get(key), str):
            here[key] = {"kind": here[key]}  # `learner: cvae` is short for {kind: cvae}
        elif isinstance(here.get(key), list) and key == "arms" and depth == 0:
            here[key] = {name: dict(USUAL_ARMS.get(name, {})) for name in here[key]}
        here = here.setdefault(key, {})
        if not isinstance(here, dict):
            raise ConfigError(f"--set {path}: {key} is not a mapping", got=_shown(here))
    here[keys[-1]] = value


def _shown(value: object) -> str:
    try:
        text = json.dumps(value)
    except TypeError:
        text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
