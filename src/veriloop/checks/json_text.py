"""JSON: is the text a document of the expected form?"""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import model_validator
from typing_extensions import override

from ..errors import ConfigError
from .base import ReadyCheck


class JSONCheck(ReadyCheck, frozen=True):
    """Accepts a text that is JSON and matches a JSON schema (library jsonschema, extra ``checks``).

    The reason for a rejection gives the place of the mismatch. NaN and Infinity are not JSON. Nothing is
    downloaded: a schema can only refer to itself.

    Attributes:
        like: Schema, or path of a file that contains it.
        column: Name of a column with each row's schema, instead of ``like``.
        find: Whether the JSON may be surrounded by other text: the last fenced block counts, or else the last
            object or list.
    """

    program: ClassVar[str] = "veriloop.checks.programs.json_text:check"
    libraries: ClassVar[tuple[str, ...]] = ("jsonschema",)

    like: dict[str, Any] | str | None = None
    column: str | None = None
    find: bool = False

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.like is None) == (self.column is None):
            got = "neither" if self.like is None else "both"
            raise ConfigError(
                "like or column", got=got, expected="a schema or a file, or a column of schemas"
            )
        return self

    @override
    def columns(self) -> Sequence[str]:
        return [] if self.column is None else [self.column]

    @override
    def check_call(self, columns: Collection[str]) -> list[str]:
        notes = super().check_call(columns)
        if self.like is not None:
            from jsonschema.exceptions import SchemaError

            from .programs.json_text import validator_of

            try:
                validator_of(json.dumps(self._schema()))
            except SchemaError as e:
                where = f"at {e.json_path}: {e.message}"
                raise ConfigError("like: not a JSON schema", got=where, expected="a JSON schema") from None
        return notes

    @override
    def source(self) -> dict[str, Path]:
        return {f"schema {self.like}": Path(self.like)} if isinstance(self.like, str) else {}

    @override
    def settings(self) -> Mapping[str, Any]:
        return {"text": self.text, "schema": self._schema(), "column": self.column, "find": self.find}

    def _schema(self) -> Any:
        if not isinstance(self.like, str):
            return self.like
        try:
            return json.loads(Path(self.like).read_text(encoding="utf-8-sig"))
        except OSError as e:
            raise ConfigError("like", got=self.like, expected=f"a file of JSON ({e.strerror})") from None
        except ValueError as e:
            raise ConfigError("like", got=f"{self.like} ({e})", expected="a file of JSON") from None
