"""Parts: frozen objects whose fields are their whole configuration.

``CVAE(latent_dim=20)`` in Python is ``{kind: cvae, latent_dim: 20}`` in YAML. A kind is looked up among
the entry points of the part's family (``veriloop.learners``, ``veriloop.verifiers``, ...), where our own
parts are registered like anybody's, or is spelled out as ``package.module:Class``.
"""

import difflib
import hashlib
import importlib
import importlib.util
import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    PydanticUserError,
    ValidationError,
    model_serializer,
    model_validator,
)

from .errors import ConfigError, MissingExtraError, VeriloopError
from .schema import Role, Schema


class Checked(BaseModel, frozen=True):
    """A frozen, strictly checked set of fields; an unknown one is answered with the nearest known one."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, ser_json_inf_nan="constants"
    )

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            for key in data:
                if key not in cls.model_fields and key != "kind":
                    raise ConfigError(
                        f"unknown key {key!r}",
                        expected=f"one of {', '.join(cls.model_fields) or '(no keys)'}",
                        fix=did_you_mean(str(key), cls.model_fields),
                    )
        return data


class Part(Checked, frozen=True):
    """A piece of the loop: a learner, a verifier, an acceptance rule, a metric, a data set, ...

    Class attributes:
        family: The entry-point group in which this part's kind is looked up. Set once, by the
            family's abstract base class.
        needs: The roles of the columns that it cannot work without, see `veriloop.schema`. A part that
            declares none is checked when it meets the data.
    """

    family: ClassVar[str] = ""
    needs: ClassVar[tuple[Role, ...]] = ()

    @model_validator(mode="wrap")
    @classmethod
    def _from_kind(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Build a part from ``{kind: ..., fields}``, or from the bare kind when no field is set."""
        if isinstance(data, str):
            data = {"kind": data}
        if not isinstance(data, Mapping):
            return handler(data)
        fields = {k: v for k, v in data.items() if k != "kind"}
        is_family = "family" in vars(cls)
        if not is_family:
            return handler(fields)
        if "kind" not in data:
            raise ConfigError(
                "no kind given", expected=f"a key 'kind', one of {', '.join(sorted(_kinds(cls.family)))}"
            )
        return resolve(cls.family, data["kind"], base=cls).model_validate(fields)  # pyright: ignore[reportReturnType]

    @model_serializer(mode="wrap")
    def _with_kind(self, handler: Any) -> dict[str, Any]:
        return {"kind": self.kind, **handler(self)}

    def __eq__(self, other: object) -> bool:
        # A part is its configuration; what it has learned (private state) is not compared.
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        # By content: a field may be a list or a mapping.
        return hash(self.digest())

    def digest(self) -> str:
        """SHA-256 of its kind and fields, in hexadecimal: equal configuration, equal digest."""
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def suited_to(self, schema: Schema) -> Self:
        """This part for data of ``schema``: open settings filled in from it, and set ones checked against it.

        A part that overrides this calls it first. It computes nothing else: what looks at files, services or
        functions is :meth:`check_ahead`.

        Raises:
            ConfigError: The part cannot work on such data.
        """
        for role in self.needs:
            schema.one(role, f"{self.family.rpartition('.')[2]} {self.kind!r}")
        return self

    def check_ahead(self, schema: Schema) -> None:
        """Say what is wrong before a run computes anything. Nothing, unless overridden.

        Called on the part that :meth:`suited_to` gave. It may open files, ask services and import functions,
        but trains nothing.

        Args:
            schema: All columns that the part will be given.

        Raises:
            ConfigError: The part could not do its work.
            DataError: Likewise, because of the data.
        """

    def sources(self) -> Mapping[str, Path]:
        """The files and folders outside the configuration that results depend on, by a name for people.

        Their digests stand in the manifest of a run, and a resume that meets others is refused. Parts of
        parts are found by themselves.
        """
        return {}

    @property
    def kind(self) -> str:
        """The name by which configurations call this part."""
        target = f"{type(self).__module__}:{type(self).__qualname__}"
        return next((name for name, value in _kinds(self.family).items() if value == target), target)


@cache
def _kinds(family: str) -> dict[str, str]:
    return {e.name: e.value for e in entry_points(group=family)}


def resolve(family: str, kind: object, base: type[Part] = Part) -> type[Part]:
    """The class that ``kind`` names in ``family``.

    Raises:
        ConfigError: There is no such kind, its module cannot be imported, or it is of another family.
        MissingExtraError: The part needs an optional package that is not installed.
    """
    known = _kinds(family)
    if not isinstance(kind, str):
        raise ConfigError("kind", got=kind, expected=f"a name, one of {', '.join(sorted(known))}")
    target = known.get(kind, kind)
    module, colon, name = target.partition(":")
    if not colon:
        raise ConfigError(
            f"no {family.removeprefix('veriloop.')} of this kind",
            got=kind,
            expected=f"one of {', '.join(sorted(known))}, or package.module:Class",
            fix=did_you_mean(kind, known),
        )
    try:
        found = getattr(importlib.import_module(module), name)
    except VeriloopError:
        raise
    except ModuleNotFoundError as e:
        if target == kind:
            raise ConfigError(f"cannot import {kind!r} ({e})", fix="check the module's name and path") from e
        if str(e.name).startswith("veriloop"):
            raise
        extra = "llm" if e.name in {"transformers", "trl", "peft", "datasets"} else "torch"
        raise MissingExtraError.of(str(e.name), extra) from e
    except (PydanticUserError, ValidationError) as e:
        # A class in it breaks pydantic's rules, or a Quantity in it is none.
        first = str(e.errors()[0]["msg"] if isinstance(e, ValidationError) else e).splitlines()[0]
        raise ConfigError(f"module {module!r} cannot be imported ({first})", got=kind, fix="mend it") from e
    except AttributeError as e:
        raise ConfigError(f"module {module!r} has no {name!r}", got=kind, expected="module:Class") from e
    if not (isinstance(found, type) and issubclass(found, base)):
        raise ConfigError(f"{kind!r} is not one of the {family}", expected=f"a subclass of {base.__name__}")
    return found


def require(extra: str, *modules: str) -> None:
    """Say at once that optional packages are missing, without the seconds that it takes to import them.

    Raises:
        MissingExtraError: One of ``modules`` is not installed; ``extra`` brings it.
    """
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError.of(module, extra)


def imported(target: str) -> Any:
    """A class attribute that is ``module:Class``, imported when it is first looked at.

    So that a configuration can be read, and checked, without the libraries that training needs.
    """
    return _Imported(target)


class _Imported:
    def __init__(self, target: str) -> None:
        self._module, _, self._name = target.partition(":")

    def __get__(self, instance: object, owner: type) -> Any:
        return getattr(importlib.import_module(self._module), self._name)


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A hint naming the known word nearest to ``word``, or None when none is near."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else None
