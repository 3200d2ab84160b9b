"""Turn YAML into a checked plan; every mistake becomes one clear line."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from .errors import ConfigError, RunFolderError
from .loop.arms import named_arms
from .loop.plan import Arm, Plan, Rival
from .mistakes import mistake_in, shown
from .store.folder import RunFolder
from .yaml_1_2 import read_yaml

SEEDS, VARY = "seeds", "vary"
"""Configuration keys that only a comparison uses, to make several plans."""

LARGEST_FILE = 1_000_000
"""Largest configuration in bytes. A larger file was probably given by mistake."""


def load_plan(path: Path | str, overrides: Sequence[str] = ()) -> Plan:
    """Read and check a configuration.

    Args:
        path: Path of a YAML file.
        overrides: Settings ``a.b=value`` (the value is YAML) that replace those of the file, in this order.

    Raises:
        ConfigError: The file is missing or not YAML, describes a comparison, or has a wrong key or value. The
            message names the key, what was found and what is allowed.
        MissingExtraError: A part needs an optional package that is not installed.
    """
    return plan_from(read_config(Path(path), overrides))


def read_config(path: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Read the settings in a file, with ``overrides`` as in `load_plan`, without checking them.

    Raises:
        ConfigError: The file is missing or not YAML, or an override is malformed.
    """
    settings = _read_yaml(path)
    for override in overrides:
        name, equals, text = override.partition("=")
        if not equals or not all(name.split(".")):
            raise ConfigError("--set", got=override, expected="KEY.KEY=VALUE, such as learner.epochs=20")
        settings = with_setting(settings, name, read_yaml(text, f"--set {name}"), f"--set {name}")
    return settings


def with_setting(settings: Mapping[str, Any], path: str, value: Any, where: str) -> dict[str, Any]:
    """Return a copy of ``settings`` with another value at ``path``, such as ``learner.epochs``.

    Args:
        settings: Settings of a configuration.
        path: Keys separated by dots; missing mappings are created.
        value: New value.
        where: Where the setting comes from, for error messages.

    Raises:
        ConfigError: Something on the path is not a mapping.
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
    """Return the plan of the run in ``folder``.

    Args:
        folder: Run folder.
        trust: Whether to run code and call services that the manifest names. Building the plan imports its
            parts.

    Raises:
        ConfigError: The configuration in the manifest does not fit this version of veriloop.
        RunFolderError: The run was started by an earlier version, or it names such code and is not trusted.
    """
    folder.check_format()
    config = folder.manifest().config
    if not trust and (named := sorted(set(_foreign(config)))):
        raise RunFolderError(
            f"the run in {folder.path} names code or services from outside veriloop",
            got=", ".join(named),
            fix="if you trust the source of this folder, add --trust",
        )
    return plan_from(config)


def rival_of(path: Path, plan: Plan, arm: str) -> Rival:
    """Read a verifier from a file, to replace the one in an arm.

    Args:
        path: Path of a YAML file with a verifier and its settings, or with the keys ``verifier`` and
            ``acceptance``.
        plan: Plan that the arm belongs to.
        arm: Name of the arm. Its acceptance rule is used if the file has none.

    Raises:
        ConfigError: The file is missing or is not a verifier, there is no such arm, or the rule does not fit.
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
        raise ConfigError(f"arm {arm!r} has no verifier", expected="an arm whose verifier can be replaced")
    try:
        made = Arm.model_validate(
            {"acceptance": setting.acceptance, "schedule": setting.schedule, **settings}
        )
    except ValidationError as e:
        mistake = mistake_in(e)
        raise type(mistake)(
            f"{path}: {mistake.what}", got=mistake.got, expected=mistake.expected, fix=mistake.fix
        ) from None
    assert made.verifier is not None
    return Rival(made.verifier, made.acceptance)


RUN_WHAT_IS_WRITTEN = ("command", "python_tests", "vllm")
"""Built-in kinds that run a program named in the folder, or code in its data."""


def _foreign(settings: object) -> Iterator[str]:
    """Return the names in ``settings`` that belong neither to veriloop nor to an installed plug-in."""
    if isinstance(settings, Mapping):
        for key, value in settings.items():
            is_kind = key == "kind" and isinstance(value, str) and ":" in value
            if (is_kind and not value.startswith("veriloop.")) or (
                # The URL would be sent the key from the environment variable named beside it.
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
    """Return the plan for a configuration, as `load_plan` does."""
    if several := [key for key in (SEEDS, VARY) if key in config]:
        raise ConfigError(
            f"{' and '.join(several)}: this configuration describes a comparison, not a single plan",
            fix="use veriloop compare CONFIG --out DIR, or veriloop.compare",
        )
    try:
        return Plan.model_validate(config)
    except ValidationError as e:
        raise mistake_in(e) from None


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
