"""Schema: the role and type of each column. They travel with the data instead of being guessed.

Parts ask for a column by its role (``schema.one("image")``), so users keep their own column names.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from .errors import ConfigError
from .mistakes import ModelInOneLine, mistake_in
from .nested import Nested
from .samples import Column, Samples
from .turns import are_turns

Positive = Annotated[int, Field(ge=1)]


class _Typed(BaseModel, metaclass=ModelInOneLine):
    """A column's type.

    Attributes:
        given: Whether the generator receives the column as a condition; it generates all others.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")


class Image(_Typed):
    """Integers 0..levels as uint8, shape (n, height, width) or (n, height, width, channels)."""

    role: Literal["image"] = "image"
    height: Positive
    width: Positive
    channels: Positive = 1
    levels: Positive
    given: bool = False


class Label(_Typed):
    """Integers 0..classes-1, shape (n,)."""

    role: Literal["label"] = "label"
    classes: Positive
    given: bool = True


class Prompt(_Typed):
    """Text that a completion is written for."""

    role: Literal["prompt"] = "prompt"
    given: bool = True


class Completion(_Typed):
    """Text that generators write; in real data it was written by a person.

    Attributes:
        in_data: Whether real data contain it; False if there are only prompts.
    """

    role: Literal["completion"] = "completion"
    given: bool = False
    in_data: bool = True


class Reference(_Typed):
    """Text that a completion is compared to.

    Attributes:
        copy_of: Data column that this one copies; that column holds what generators write.
    """

    role: Literal["reference"] = "reference"
    given: bool = True
    copy_of: str | None = None


class Messages(_Typed):
    """Turns of a chat that a completion is written for: a list of dicts in rows, `Nested` in samples.

    Each turn has ``role`` and ``content``. The turn that the model writes is not included.
    """

    role: Literal["messages"] = "messages"
    given: bool = True


class Vector(_Typed):
    """``p`` numbers, shape (n, p)."""

    role: Literal["vector"] = "vector"
    p: Positive
    given: bool = False


class Number(_Typed):
    """One number, shape (n,)."""

    role: Literal["number"] = "number"
    given: bool = False


class Category(_Typed):
    """One of a few values, shape (n,)."""

    role: Literal["category"] = "category"
    values: tuple[str | int | float, ...]
    given: bool = False


class Id(_Typed):
    """Identifies rows; no part uses it otherwise."""

    role: Literal["id"] = "id"
    given: bool = True


class Extra(_Typed):
    """Kept under its own name, for checks and exports."""

    role: Literal["extra"] = "extra"
    given: bool = True


class NestedValues(_Typed):
    """Like `Extra`, for lists and mappings: plain in rows, `veriloop.nested.Nested` in samples."""

    role: Literal["nested"] = "nested"
    given: bool = True


ColumnType = Annotated[
    Image
    | Label
    | Prompt
    | Completion
    | Reference
    | Messages
    | Vector
    | Number
    | Category
    | Id
    | Extra
    | NestedValues,
    Field(discriminator="role"),
]

Role = Literal[
    "image", "label", "prompt", "completion", "reference", "messages",
    "vector", "number", "category", "id", "extra", "nested",
]  # fmt: skip
ROLES: tuple[Role, ...] = get_args(Role)

_COLUMNS: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, ColumnType])

TEXT_ROLES: tuple[Role, ...] = ("prompt", "completion", "reference", "messages")
ANY_TEXT: tuple[Role, ...] = (*TEXT_ROLES, "extra", "id")
"""Roles of columns that may hold text; a setting may name any of them."""


class Schema(Mapping[str, ColumnType]):
    """Columns of a data set by name, in order.

    Args:
        columns: Type of each column, such as ``{"pixels": Image(height=8, width=8, levels=16)}``, or the same
            as plain JSON values.

    Raises:
        ConfigError: A column has an unknown role, or lacks a field that its role needs.
    """

    __slots__ = ("_columns",)

    def __init__(self, columns: Mapping[str, Any]) -> None:
        try:
            self._columns: dict[str, Any] = _COLUMNS.validate_python(dict(columns))
        except ValidationError as e:
            raise mistake_in(e, "Schema") from None

    def __getitem__(self, name: str) -> Any:
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __repr__(self) -> str:
        return f"Schema({{{', '.join(f'{name!r}: {column!r}' for name, column in self.items())}}})"

    def dump(self) -> dict[str, dict[str, Any]]:
        """Return plain JSON values from which ``Schema(...)`` makes an equal schema."""
        return _COLUMNS.dump_python(self._columns, mode="json")

    @property
    def given(self) -> list[str]:
        """Names of the columns that a generator receives."""
        return [name for name, column in self.items() if column.given]

    @property
    def made(self) -> list[str]:
        """Names of the columns that a generator makes."""
        return [name for name, column in self.items() if not column.given]

    def named(self, role: Role) -> list[str]:
        """Return the names of the columns with this role."""
        return [name for name, column in self.items() if column.role == role]

    def one(self, role: Role, asked_by: str) -> str:
        """Return the one column with this role.

        Args:
            role: Role to look for.
            asked_by: Part that needs the column, for the error message.

        Raises:
            ConfigError: No column has this role, or several have.
        """
        found = self.named(role)
        if len(found) != 1:
            raise ConfigError(
                f"{asked_by} needs one column of role {role!r}",
                got=f"{', '.join(found) or 'none'} among {self.described()}",
                expected="data with such a column",
            )
        return found[0]

    def written_by_people(self, name: str, asked_by: str) -> None:
        """Refuse a column of completions that real data do not contain.

        Raises:
            ConfigError: The data have only prompts.
        """
        if not getattr(self[name], "in_data", True):
            raise ConfigError(
                f"{asked_by} needs texts written by people",
                got="only prompts",
                fix="remove it, or set the data's columns.completion to the column that holds them",
            )

    def column(self, name: str, asked_by: str, *roles: Role) -> Any:
        """Return the column ``name``, which must have one of ``roles``, or any role if none is given.

        Raises:
            ConfigError: There is no such column, or it has another role.
        """
        if name not in self:
            raise ConfigError(asked_by, got=name, expected=f"a column of the data: {self.described()}")
        if roles and self[name].role not in roles:
            raise ConfigError(
                f"{asked_by}: column {name!r}",
                got=self[name].role,
                expected=f"a column of role {', '.join(roles)}",
            )
        return self[name]

    def pick(
        self, part: str, setting: str, name: str | None, *roles: Role, also: tuple[Role, ...] = ()
    ) -> str:
        """Return the column for an optional ``setting``: ``name``, or else the one with one of ``roles``.

        Args:
            part: Part with the setting, for the error message, such as ``verifier 'reference'``.
            setting: Name of the setting.
            name: Value of the setting; None to choose by role.
            roles: Allowed roles.
            also: More roles that are allowed if the setting is given.

        Raises:
            ConfigError: There is no such column, it has another role, or several fit.
        """
        if name is not None:
            self.column(name, f"{part}: {setting}", *roles, *also)
            return name
        found = [column for role in roles for column in self.named(role)]
        if len(found) != 1:
            raise ConfigError(
                f"{part} needs one column of role {' or '.join(roles)}",
                got=f"{', '.join(found) or 'none'} among {self.described()}",
                expected="data with such a column",
                fix=f"set {setting} to the column's name",
            )
        return found[0]

    def described(self) -> str:
        """Describe the columns, such as ``pixels (image), label (label)``."""
        own = {
            name: column for name, column in self.items() if not name.startswith("_")
        }  # no internal columns
        return ", ".join(f"{name} ({column.role})" for name, column in own.items()) or "no columns"


def agreed(part: str, setting: str, own: int | None, found: int, column: str) -> int:
    """Return an optional setting checked against the data; ``own`` is its value, None takes that of the data.

    Raises:
        ConfigError: The setting differs from the data's column ``column``.
    """
    if own not in (None, found):
        raise ConfigError(
            f"{part}: {setting}",
            got=own,
            expected=f"{found}, as the data's column {column!r} has",
            fix=f"leave {setting} out",
        )
    return found


def schema_of(samples: Samples, conditions: Samples | None) -> Schema:
    """Infer the schema of ``samples``, for data sets that do not declare one.

    Args:
        samples: Real samples.
        conditions: Columns that generators receive, or None.
    """
    given = set(conditions or ())
    known: dict[str, Column] = {
        **dict(samples),
        **{n: c for n, c in (conditions or {}).items() if n not in samples},
    }
    return Schema({name: _looks_like(name, column, name in given) for name, column in known.items()})


def _looks_like(name: str, column: Column, given: bool) -> Any:
    if isinstance(column, Nested):
        return Messages(given=given) if are_turns(column) else NestedValues(given=given)
    if not isinstance(column, np.ndarray):
        texts: dict[str, Any] = {"prompt": Prompt, "completion": Completion, "reference": Reference}
        return texts.get(name, Extra)(given=given)
    if column.dtype == np.uint8 and column.ndim in (3, 4):
        channels = 1 if column.ndim == 3 else column.shape[3]
        levels = max(1, int(column.max(initial=1)))
        return Image(
            height=column.shape[1], width=column.shape[2], channels=channels, levels=levels, given=given
        )
    if column.ndim == 1 and name == "id":
        return Id(given=given)
    if column.ndim == 1:
        if given and column.dtype.kind in "iu" and len(column) and column.min() >= 0:
            return Label(classes=int(column.max()) + 1)
        return Number(given=given)
    return Vector(p=max(1, int(np.prod(column.shape[1:]))), given=given)
