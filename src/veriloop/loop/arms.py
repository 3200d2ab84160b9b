"""Short forms for arms: a list of names, and settings of the plan that apply to all of its arms."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from ..errors import ConfigError
from ..mistakes import shown
from ..parts import did_you_mean

USUAL_ARMS: dict[str, dict[str, Any]] = {
    "verified": {},
    "unverified": {"verifier": None},
    "all_real": {"train_on": "real"},
}
"""The meaning of the three usual arms when ``arms`` is a list of names."""


def expanded(arms: object, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of each arm by name.

    Args:
        arms: Names, or a mapping from names to settings or to an `Arm`.
        defaults: Settings for every arm that does not set them itself.

    Raises:
        ConfigError: ``arms`` is something else, or a name is unknown or occurs twice.
    """
    if isinstance(arms, Sequence) and not isinstance(arms, str):
        arms = named_arms(arms)
    if not isinstance(arms, Mapping):
        raise ConfigError(
            "arms", got=shown(arms), expected="a list of names, or a mapping from names to settings"
        )
    for name in arms:
        if not isinstance(name, str):
            raise ConfigError(
                "arms: a name", got=shown(name), expected="a text", fix="put the name in quotes"
            )
    return {name: _with_defaults(name, own, defaults) for name, own in arms.items()}


def named_arms(names: Sequence[object]) -> dict[str, dict[str, Any]]:
    """Return the usual arms by name, as a mapping of settings that can be changed.

    Raises:
        ConfigError: A name is unknown or occurs twice.
    """
    for name in names:
        if not isinstance(name, str):
            raise ConfigError(
                "arms",
                got=shown(names),
                expected="a list of names such as [verified, unverified], or a mapping {verified: {}}",
            )
        if name not in USUAL_ARMS:
            raise ConfigError(
                "arms: unknown arm",
                got=name,
                expected=f"one of {', '.join(USUAL_ARMS)}, or a mapping from names to settings",
                fix=did_you_mean(name, USUAL_ARMS),
            )
    if twice := sorted({str(name) for name in names if list(names).count(name) > 1}):
        raise ConfigError("arms: duplicate name", got=", ".join(twice), fix="remove one of them")
    return {str(name): dict(USUAL_ARMS[str(name)]) for name in names}


def _with_defaults(name: str, own: object, defaults: Mapping[str, Any]) -> Any:
    if own is None:
        own = USUAL_ARMS.get(name, {})
    if isinstance(own, BaseModel):
        if not defaults:
            return own
        # An object is treated as the settings it was created with, like a mapping in a file.
        own = {field: getattr(own, field) for field in own.model_fields_set}
    if not isinstance(own, Mapping):
        raise ConfigError(f"arms.{name}", got=shown(own), expected="a mapping of settings")
    if own.get("train_on") == "real":
        return own
    settings = {**defaults, **own}
    if settings.get("verifier") is None and "acceptance" not in own:
        # The acceptance rule of other arms needs scores, and an arm without a verifier has none.
        settings["acceptance"] = {"kind": "accept_all"}
    if settings.get("verifier") is None and "stop" not in own:
        # This arm exists for comparison, with as many rounds as the others.
        settings.pop("stop", None)
    if settings.get("verifier") is None and "drop_prompts" not in own:
        # Without a verifier, no prompt counts as solved.
        settings.pop("drop_prompts", None)
    return settings
