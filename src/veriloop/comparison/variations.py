"""Variations: the settings that a comparison varies, with their values, and the resulting plans."""

import itertools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from ..config import SEEDS, VARY, plan_from, read_config, with_setting
from ..errors import ConfigError
from ..loop.check import CheckedPlan, checked
from ..loop.plan import ARM_DEFAULTS, Plan
from ..parts import at
from ..yaml_1_2 import read_yaml

MOST_VARIATIONS = 200
"""Largest number of variations; more are probably a typing error."""

LONGEST_SLUG = 120

AS_GIVEN = "as given"
"""Name of the only variation if nothing is varied."""


class Variation(NamedTuple):
    """One value for each setting to vary.

    Attributes:
        name: Name, such as ``acceptance.fraction=0.05, policy=replace``.
        settings: Values by the path of the setting.
    """

    name: str
    settings: Mapping[str, Any]


class Request(NamedTuple):
    """The comparison that a configuration asks for.

    Attributes:
        plans: Plan of each variation, by the variation's name.
        seeds: Seeds of each plan.
    """

    plans: Mapping[str, Plan]
    seeds: tuple[int, ...]

    @property
    def runs(self) -> int:
        """Number of runs."""
        return len(self.plans) * len(self.seeds)

    def check_metrics(self) -> None:
        """Refuse plans without any metric.

        Raises:
            ConfigError: There is no metric.
        """
        if not any(plan.metrics for plan in self.plans.values()):
            raise ConfigError("a comparison needs metrics", fix="add metrics to the plan, such as [frechet]")


def is_comparison(config: Path | str, overrides: Sequence[str] = ()) -> bool:
    """Whether the YAML file ``config`` asks for several seeds or variations.

    Raises:
        ConfigError: The file is missing or not YAML.
    """
    settings = read_config(Path(config), overrides)
    return SEEDS in settings or VARY in settings


def requested(
    config: Path | str | Plan | Mapping[str, Any],
    *,
    seeds: int | Sequence[int] | None = None,
    vary: Mapping[str, Sequence[Any]] | None = None,
    overrides: Sequence[str] = (),
) -> Request:
    """Read a configuration as a comparison.

    Args:
        config: YAML file, its content, or a plan. The keys ``seeds`` and ``vary`` are read here.
        seeds: Number of seeds, starting at the plan's seed, or the seeds themselves; those of the
            configuration when None, or else one.
        vary: Values of each setting, by path, such as ``{"acceptance.fraction": [0.03, 0.1]}``; those of the
            configuration when None.
        overrides: Settings ``a.b=value`` that replace those of the file.

    Raises:
        ConfigError: A setting, a value or a number of seeds is wrong.
    """
    if isinstance(config, Plan):
        settings: dict[str, Any] = config.config()
    elif isinstance(config, Mapping):
        settings = dict(config)
    else:
        settings = read_config(Path(config), overrides)
    of_file = settings.pop(SEEDS, None), settings.pop(VARY, None)
    vary = _values(of_file[1] if vary is None else vary)
    plans: dict[str, Plan] = {}
    for variation in variations(vary):
        changed = settings
        for path, value in variation.settings.items():
            for place in places(path, settings) if isinstance(config, Plan) else [path]:
                changed = with_setting(changed, place, value, f"vary {path}")
        plans[variation.name] = plan_from(changed)
    _check_different(plans)
    first = next(iter(plans.values())).seed
    return Request(plans, _seeds(of_file[0] if seeds is None else seeds, first))


def check(request: Request) -> dict[str, CheckedPlan]:
    """Check the plan of each variation against its data, files and functions. Trains nothing.

    Raises:
        VeriloopError: The first mistake found; its message starts with the variation's name if there are
            several.
    """
    found: dict[str, CheckedPlan] = {}
    if request.runs > 1:
        request.check_metrics()
    for name, plan in request.plans.items():
        with at(name) if len(request.plans) > 1 else nullcontext():
            found[name] = checked(plan.model_copy(update={"seed": request.seeds[0]}))
    return found


def variations(vary: Mapping[str, Sequence[Any]]) -> list[Variation]:
    """Return every combination of the values, with the last setting changing fastest."""
    combinations = itertools.product(*vary.values())
    made = [dict(zip(vary, values, strict=True)) for values in combinations]
    return [Variation(named_by(settings), settings) for settings in made]


def named_by(settings: Mapping[str, Any]) -> str:
    """Return the name of a variation from its settings."""
    return ", ".join(f"{path}={_shown(value)}" for path, value in settings.items()) or AS_GIVEN


def slug(name: str) -> str:
    """Return a variation's name for use in file names, which have at most 255 bytes."""
    return re.sub(r"[^A-Za-z0-9.=_-]+", "-", name).strip("-.")[:LONGEST_SLUG] or "variation"


def read_vary(texts: Iterable[str]) -> dict[str, list[Any]]:
    """Parse ``--vary PATH=VALUE,VALUE``; a value is YAML, and may contain commas inside brackets.

    Raises:
        ConfigError: It has another form, or a setting is given twice.
    """
    vary: dict[str, list[Any]] = {}
    for text in texts:
        path, equals, values = text.partition("=")
        if not equals or not all(path.split(".")) or not values.strip():
            raise ConfigError(
                "--vary", got=text, expected="KEY.KEY=VALUE,VALUE, such as acceptance.fraction=0.03,0.1"
            )
        if path in vary:
            raise ConfigError("--vary", got=f"{path} twice", expected="all values of a setting in one --vary")
        vary[path] = read_yaml(f"[{values}]", f"--vary {path}")
    return vary


def _values(vary: object) -> dict[str, list[Any]]:
    if vary is None:
        return {}
    if not isinstance(vary, Mapping):
        raise ConfigError("vary", got=_shown(vary), expected="settings with their values, as a mapping")
    found: dict[str, list[Any]] = {}
    for path, values in vary.items():
        if isinstance(values, str) or not isinstance(values, Sequence) or not values:
            raise ConfigError(f"vary.{path}", got=_shown(values), expected="a list of values")
        names = [_shown(value) for value in values]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ConfigError(f"vary.{path}: duplicate value", got=", ".join(twice), fix="drop one of them")
        if path == "seed":
            raise ConfigError("vary: seed", fix="ask for several seeds with seeds")
        found[str(path)] = list(values)
    if (n := _product(len(values) for values in found.values())) > MOST_VARIATIONS:
        raise ConfigError("vary", got=f"{n:,} variations", expected=f"at most {MOST_VARIATIONS}")
    return found


def _seeds(seeds: object, first: int) -> tuple[int, ...]:
    if seeds is None:
        return (first,)
    if isinstance(seeds, int) and not isinstance(seeds, bool) and seeds > 0:
        return tuple(range(first, first + seeds))
    given = list(seeds) if isinstance(seeds, list | tuple | range) else []
    if given and all(type(s) is int and s >= 0 for s in given) and len(set(given)) == len(given):
        return tuple(given)
    raise ConfigError("seeds", got=_shown(seeds), expected="how many, or a list of different seeds")


def places(path: str, settings: Mapping[str, Any]) -> list[str]:
    """Return where a top-level path is in a plan's full form: in each arm that has it."""
    key = path.split(".")[0]
    if key not in ARM_DEFAULTS:
        return [path]
    arms: Mapping[str, Any] = settings.get("arms", {})
    chains = {name: arm for name, arm in arms.items() if arm.get("train_on", "kept") == "kept"}
    if key in ("verifier", "acceptance"):
        chains = {name: arm for name, arm in chains.items() if arm.get("verifier") is not None}
    return [f"arms.{name}.{path}" for name in chains]


def _check_different(plans: Mapping[str, Plan]) -> None:
    """Refuse variations that are the same plan, because every difference between them would be zero."""
    seen: dict[str, str] = {}
    for name, plan in plans.items():
        content = plan.model_dump_json()
        if content in seen:
            raise ConfigError(
                "vary: two variations are the same plan",
                got=f"{seen[content]}; {name}",
                fix="arms that set this themselves ignore the top-level value: vary arms.NAME.SETTING",
            )
        seen[content] = name


def _product(numbers: Iterable[int]) -> int:
    product = 1
    for number in numbers:
        product *= number
    return product


def _shown(value: Any) -> str:
    if isinstance(value, str) and _read_back(value) == value:
        return value
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        return str(value)


def _read_back(text: str) -> Any:
    """Return what YAML makes of a plain text; it differs if the text must be quoted."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return None
