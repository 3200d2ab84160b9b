"""Parts: frozen objects whose fields are their whole configuration.

``CVAE(latent_dim=20)`` in Python is ``{kind: cvae, latent_dim: 20}`` in YAML. A kind is looked up among the
entry points of the part's family (``veriloop.learners``, ``veriloop.verifiers``, ...), where built-in parts
are registered the same way as plug-ins, or is given as ``package.module:Class``.
"""

import difflib
import hashlib
import importlib
import inspect
import json
import operator
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, ClassVar, LiteralString, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    ModelWrapValidatorHandler,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from .errors import ConfigError, ContractError, VeriloopError, one_line
from .extras import missing
from .mistakes import ModelInOneLine, mistake_in, shown
from .samples import Samples
from .schema import ROLES, Role, Schema


def _as_written(schema: Any, model: type[BaseModel]) -> Any:
    """Wrap ``schema`` so that numbers and booleans in ``model``'s own fields are not converted."""
    if isinstance(schema, list | tuple):
        return type(schema)(_as_written(inner, model) for inner in schema)
    if not isinstance(schema, dict) or (schema.get("type") == "model" and schema["cls"] is not model):
        return schema
    # Keys are always text in JSON.
    kept = {"metadata", "keys_schema"}
    inner = {key: value if key in kept else _as_written(value, model) for key, value in schema.items()}
    check = _WRITTEN.get(inner.get("type", ""))
    return core_schema.no_info_before_validator_function(check, inner) if check else inner  # pyright: ignore[reportArgumentType]


def _true_or_false(value: object) -> object:
    if not isinstance(value, bool):
        raise PydanticCustomError("truth", "true or false")
    return value


def _a_whole_number(value: object) -> object:
    return _undisguised(value, "a whole number")


def _a_number(value: object) -> object:
    return _undisguised(value, "a number")


def _undisguised(value: object, expected: LiteralString) -> object:
    # By default, pydantic reads true as 1 and "10" as 10.
    if isinstance(value, bool):
        raise PydanticCustomError("number", expected)
    if isinstance(value, str):
        quoted = re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", value)
        raise PydanticCustomError("number", expected + ", without quotes" if quoted else expected)
    return value


_WRITTEN = {"bool": _true_or_false, "int": _a_whole_number, "float": _a_number}


class Checked(BaseModel, metaclass=ModelInOneLine, frozen=True):
    """A frozen, strictly checked set of fields. An unknown field is refused with the nearest known name.

    A number must be finite and written as a number, not as true or as text. Only true and false are booleans.

    Class attributes:
        renamed: Keys of earlier versions, each with what to do now, such as ``{"metric": "use quantity"}``.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )

    renamed: ClassVar[Mapping[str, str]] = {}

    def __hash__(self) -> int:
        # By content, because a field may be a list or a mapping.
        return hash(json.dumps(self.model_dump(mode="json"), sort_keys=True))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return _as_written(handler(source), cls)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            for key in data:
                if key in cls.renamed and key not in cls.model_fields:
                    raise ConfigError(f"key {key!r} belongs to an earlier version", fix=cls.renamed[key])
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
        family: Entry-point group in which kinds are looked up. Set once, by the abstract base class of the
            family.
        needs: Roles of the columns that the part requires, see `veriloop.schema`. A part that declares none
            is checked only when it meets the data.
    """

    family: ClassVar[str] = ""
    needs: ClassVar[tuple[Role, ...]] = ()

    @model_validator(mode="wrap")
    @classmethod
    def _from_kind(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Build a part from ``{kind: ..., fields}``, or from the bare kind when no field is set."""
        if isinstance(data, str):
            data = {"kind": data}
        if isinstance(data, cls):
            return handler(data)
        known = ", ".join(sorted(_kinds(cls.family)))
        if not isinstance(data, Mapping):
            raise ConfigError("not a part", got=data, expected=f"a mapping with a key 'kind', one of {known}")
        fields = {k: v for k, v in data.items() if k != "kind"}
        if "family" not in vars(cls):
            return handler(fields)
        if "kind" not in data:
            raise ConfigError("no kind given", expected=f"a key 'kind', one of {known}")
        own = resolve(cls.family, data["kind"], base=cls)
        try:
            return own.model_validate(fields)  # pyright: ignore[reportReturnType]
        except (ValueError, AssertionError, VeriloopError):
            raise  # a mistake in a field; pydantic adds its path
        except (Exception, SystemExit) as e:
            raise ConfigError(
                f"{data['kind']!r} cannot be built from its settings", got=error_summary(e)
            ) from e

    @model_serializer(mode="wrap")
    def _with_kind(self, handler: Any) -> dict[str, Any]:
        return {"kind": self.kind, **handler(self)}

    def __eq__(self, other: object) -> bool:
        # A part equals another with the same configuration; private state is not compared.
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(self.digest())

    def digest(self) -> str:
        """SHA-256 of kind and fields, in hexadecimal; equal configuration gives an equal digest."""
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def suited_to(self, schema: Schema) -> Self:
        """Return this part for data with ``schema``: unset options are filled in, set ones are checked.

        An override must call this first. It computes nothing else; use :meth:`check_ahead` for checks that
        need files, services or functions.

        Raises:
            ConfigError: The part cannot work with such data.
        """
        for role in self.needs:
            if role not in ROLES:
                raise ConfigError(
                    f"{type(self).__name__}.needs: no such role",
                    got=role,
                    expected=f"one of {', '.join(ROLES)}",
                    fix=did_you_mean(role, ROLES),
                )
            schema.one(role, f"{self.family.rpartition('.')[2]} {self.kind!r}")
        return self

    def check_ahead(self, schema: Schema) -> Sequence[str] | None:
        """Report problems before a run computes anything. Does nothing unless overridden.

        Called on the result of :meth:`suited_to`. It may open files, call services and import functions, but
        must not train anything.

        Args:
            schema: All columns that the part will receive.

        Returns:
            Lines worth knowing about how the part will work, such as a default it guessed; ``validate``,
            ``preview`` and the run's events show them. None if there are none.

        Raises:
            ConfigError: The part cannot do its work.
            DataError: The part cannot do its work because of the data.
        """

    def check_data(self, real: Samples) -> None:
        """Report problems in the data themselves, before anything is trained. Does nothing unless overridden.

        Args:
            real: For a verifier, the conditions of candidates, or the training samples if there are none; for
                a metric, the held-out samples; for a policy, the start set.

        Raises:
            DataError: The part cannot work on these samples.
        """

    def sources(self) -> Mapping[str, Path]:
        """Files and folders outside the configuration that results depend on, by a readable name.

        Their digests go into the manifest of a run, and a resume is refused if they have changed. Nested
        parts are found automatically.
        """
        return {}

    def downloads(self) -> str | None:
        """Describe what a run would download from the network; None for nothing.

        `validate` prints it. Nested parts are found automatically.
        """
        return None

    @property
    def kind(self) -> str:
        """Name of this part in configurations."""
        target = f"{type(self).__module__}:{type(self).__qualname__}"
        return next((name for name, value in _kinds(self.family).items() if value == target), target)


@cache
def _kinds(family: str) -> dict[str, str]:
    return {e.name: e.value for e in entry_points(group=family)}


def registered(part: type[Part]) -> bool:
    """Whether ``part`` is an entry point of an installed package, and so has a version."""
    return f"{part.__module__}:{part.__qualname__}" in _kinds(part.family).values()


def resolve(family: str, kind: object, base: type[Part] = Part) -> type[Part]:
    """Return the class that ``kind`` names in ``family``.

    Raises:
        ConfigError: There is no such kind, its module cannot be imported, or it belongs to another family.
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
    if not all(word.isidentifier() for word in (*module.split("."), *name.split("."))):
        raise ConfigError("kind", got=kind, expected="package.module:Class, with the module's full name")
    found = _import(module, name, kind)
    if not (isinstance(found, type) and issubclass(found, base)):
        raise ConfigError(f"{kind!r} is not one of the {family}", expected=f"a subclass of {base.__name__}")
    if "family" in vars(found):
        raise ConfigError(f"{kind!r} is the base class of its family", expected="a subclass of it")
    if inspect.isabstract(found):
        lacking = ", ".join(sorted(found.__abstractmethods__))
        raise ConfigError(f"{kind!r} is incomplete", got=f"no method {lacking}", expected="all of them")
    return found


def _import(module: str, name: str, asked: str) -> Any:
    """Import the object ``name`` from ``module``, also inside a class; ``asked`` is what the user wrote."""
    try:
        return operator.attrgetter(name)(importlib.import_module(module))
    except VeriloopError:
        raise
    except ModuleNotFoundError as e:
        if extra := missing(e):
            raise extra from e
        raise ConfigError(f"cannot import {asked!r} ({e})", fix="check the module's name and path") from e
    except AttributeError as e:
        if module in sys.modules:
            raise ConfigError(f"module {module!r} has no {name!r}", got=asked, expected="module:name") from e
        raise ConfigError(f"cannot import {asked!r}", got=error_summary(e), fix="fix the module") from e
    except (Exception, SystemExit) as e:
        raise ConfigError(f"cannot import {asked!r}", got=error_summary(e), fix="fix the module") from e


MESSAGE_LENGTH = 300
"""Longest message of a part's own error that is shown, in characters."""


def error_summary(error: BaseException) -> str:
    """Return type and message of an error that a plug-in raised, in a few words."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        field, own = ".".join([error.title, *map(str, first["loc"][:1])]), first.get("ctx", {}).get("error")
        message = str(own) if own else f"{field}: {first['msg']}, got {shown(first['input'])}"
    else:
        message = str(error)
    message = one_line(message)
    message = message if len(message) <= MESSAGE_LENGTH else f"{message[: MESSAGE_LENGTH - 3]}..."
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


@contextmanager
def at(path: str) -> Iterator[None]:
    """Prefix errors inside the block with ``path``; any other exception of a plug-in becomes one line, too.

    Raises:
        VeriloopError: The same error, with the path.
        ContractError: Any other error, set as its cause.
    """
    try:
        yield
    except VeriloopError as e:
        raise type(e)(f"{path}: {e.what}", got=e.got, expected=e.expected, fix=e.fix) from e.__cause__ or e
    except ValidationError as e:
        raise mistake_in(e, path) from e
    except (Exception, SystemExit) as e:
        raise ContractError(f"{path} failed", got=error_summary(e)) from e


def imported(target: str) -> Any:
    """Define a class attribute as ``module:Class``, imported on first use.

    This lets a configuration be read and checked without the libraries that training needs.
    """
    return Imported(target)


class Imported:
    """Result of `imported`: a class that is not imported yet."""

    def __init__(self, target: str) -> None:
        self._module, _, self._name = target.partition(":")

    def __get__(self, instance: object, owner: type) -> Any:
        return getattr(importlib.import_module(self._module), self._name)


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Return a hint with the known word nearest to ``word``, or None if none is close."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else None
