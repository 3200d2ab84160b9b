"""Whether a text is JSON that fits a schema."""

import json
import re
from functools import lru_cache
from typing import Any, NoReturn

from jsonschema import FormatChecker
from jsonschema.exceptions import SchemaError, best_match
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

FENCE = re.compile(r"```(?:json)?[ \t]*\n(.*?)```", re.S)


def check(row: dict[str, Any], *, text: str, schema: Any, column: str | None, find: bool) -> tuple[Any, str]:
    """True, False, or None where the row's own schema is none; and why."""
    if column is not None:
        schema = row[column]
        schema = json.loads(schema) if isinstance(schema, str) else schema
    try:
        validator = validator_of(json.dumps(schema))
    except (ValueError, SchemaError) as e:
        return None, f"column {column!r} holds no JSON schema: {_line(e)}"
    try:
        value = json.loads(_found(row[text]) if find else row[text], parse_constant=_refuse)
    except ValueError as e:
        return False, f"no JSON: {_line(e)}"
    except RecursionError:
        return False, "no JSON: nested too deeply"
    try:
        wrong = best_match(validator.iter_errors(value))
    except Unresolvable as e:
        return None, f"the schema refers to what is not in it: {_line(e)}"
    if wrong is None:
        return True, ""
    return False, f"at {wrong.json_path}: {_line(wrong.message)}"


@lru_cache(maxsize=100)
def validator_of(schema: str) -> Validator:
    """The validator for a schema that is given as JSON text; nothing is fetched for it.

    Raises:
        SchemaError: It is no schema.
    """
    content = json.loads(schema)
    kind = validator_for(content)
    kind.check_schema(content)
    return kind(content, registry=Registry(), format_checker=FormatChecker())


def _found(text: str) -> str:
    """The last fenced block, or else the last whole object or list."""
    if blocks := FENCE.findall(text):
        return blocks[-1]
    decoder = json.JSONDecoder(parse_constant=_refuse)
    place, last = 0, text
    while (begin := re.compile(r"[{\[]").search(text, place)) is not None:
        try:
            _, place = decoder.raw_decode(text, begin.start())
        except ValueError:
            place = begin.end()
        else:
            last = text[begin.start() : place]
    return last


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _line(of: object) -> str:
    line = " ".join(str(of).split())
    return line if len(line) <= 160 else f"{line[:157]}..."
