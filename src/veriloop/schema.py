"""Schema: what each column of a data set is. A role and a type travel with the data, not in defaults.

Parts ask for a column by its role (``schema.one("image")``), so a user's columns keep their own names.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from .errors import ConfigError
from .nested import Nested
from .samples import Column, Samples
from .turns import are_turns

Positive = Annotated[int, Field(ge=1)]


class _Typed(BaseModel):
    """A column's type.

    Attributes:
        given: Whether a generator is given the column as a condition; it makes all the others.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")


class Image(_Typed):
    """Whole counts 0..levels in uint8, shape (n, height, width), or (n, height, width, channels)."""

    role: Literal["image"] = "image"
    height: Positive
    width: Positive
    channels: Positive = 1
    levels: Positive
    given: bool = False


class Label(_Typed):
    """Whole numbers 0..classes-1, shape (n,)."""

    role: Literal["label"] = "label"
    classes: Positive
    given: bool = True


class Prompt(_Typed):
    """Text that a completion is written for."""

    role: Literal["prompt"] = "prompt"
    given: bool = True


class Completion(_Typed):
    """Text that generators write; real data have a person's.

    Attributes:
        in_data: Whether they have. Not where there are prompts alone.
    """

    role: Literal["completion"] = "completion"
    given: bool = False
    in_data: bool = True


class Reference(_Typed):
    """Text that a completion is compared to.

    Attributes:
        copy_of: The data's own column of which it is a copy; there stands what generators write.
    """

    role: Literal["reference"] = "reference"
    given: bool = True
    copy_of: str | None = None


class Messages(_Typed):
    """Turns of a chat that a completion is written for: in rows a list of dicts, in samples `Nested`.

    Each has ``role`` and ``content``. The turn that the model writes is not among them.
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
    """Tells rows apart; nothing is made of it."""

    role: Literal["id"] = "id"
    given: bool = True


class Extra(_Typed):
    """Carried along under its own name, for checks and exports."""

    role: Literal["extra"] = "extra"
    given: bool = True


class NestedValues(_Typed):
    """As `Extra`, of lists and mappings: in rows these, in samples `veriloop.nested.Nested`."""

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
"""The roles of columns that may hold text: a setting may name any of them."""


class Schema(Mapping[str, ColumnType]):
    """The columns of a data set by name, in order.

    Args:
        columns: Each column's type, such as ``{"pixels": Image(height=8, width=8, levels=16)}``, or
            the same as plain JSON values.

    Raises:
        ValidationError: A column is of no known role, or lacks what its role needs.
    """

    __slots__ = ("_columns",)

    def __init__(self, columns: Mapping[str, Any]) -> None:
        self._columns: dict[str, Any] = _COLUMNS.validate_python(dict(columns))

    def __getitem__(self, name: str) -> Any:
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __repr__(self) -> str:
        return f"Schema({{{', '.join(f'{name!r}: {column!r}' for name, column in self.items())}}})"

    def dump(self) -> dict[str, dict[str, Any]]:
        """As plain JSON values, from which ``Schema(...)`` makes an equal one."""
        return _COLUMNS.dump_python(self._columns, mode="json")

    @property
    def given(self) -> list[str]:
        """The columns that a generator is given."""
        return [name for name, column in self.items() if column.given]

    @property
    def made(self) -> list[str]:
        """The columns that a generator makes."""
        return [name for name, column in self.items() if not column.given]

    def named(self, role: Role) -> list[str]:
        """The columns with this role."""
        return [name for name, column in self.items() if column.role == role]

    def one(self, role: Role, asked_by: str) -> str:
        """The column with this role.

        Args:
            role: Which.
            asked_by: Who needs it, for the error.

        Raises:
            ConfigError: There is none, or there are several.
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
        """Refuse a column of completions that real data lack.

        Raises:
            ConfigError: There are prompts alone.
        """
        if not getattr(self[name], "in_data", True):
            raise ConfigError(
                f"{asked_by} needs texts by people",
                got="prompts alone",
                fix="take it out, or set the data's columns.completion to the column that holds them",
            )

    def column(self, name: str, asked_by: str, *roles: Role) -> Any:
        """The column ``name``, which must be of one of ``roles``, or of any when there are none.

        Raises:
            ConfigError: There is no such column, or it is of another role.
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
        """The column that a part's optional ``setting`` means: ``name``, or the one column of ``roles``.

        Args:
            part: Whose setting, for the error, such as ``verifier 'reference'``.
            setting: Its name.
            name: Its value; None leaves it to the roles.
            roles: Which columns it may be.
            also: Which others it may be where it is set.

        Raises:
            ConfigError: There is no such column, it is of another role, or there are several.
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
                fix=f"name the column in {setting}",
            )
        return found[0]

    def described(self) -> str:
        """Such as ``pixels (image), label (label)``."""
        own = {name: column for name, column in self.items() if not name.startswith("_")}  # not the loop's
        return ", ".join(f"{name} ({column.role})" for name, column in own.items()) or "no columns"


def agreed(part: str, setting: str, own: int | None, found: int, column: str) -> int:
    """An optional setting as the data have it; ``own`` is its value, None leaves it to the data.

    Raises:
        ConfigError: It is set, and the data's column ``column`` says otherwise.
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
    """What the columns of ``samples`` look like: for data sets that do not say it themselves.

    Args:
        samples: Real samples.
        conditions: What generators are given, or None.
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
