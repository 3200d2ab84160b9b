"""Check whether a text is JSON that matches a schema."""

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
    """Return True, False, or None if the row's schema is invalid; and the reason."""
    if column is not None:
        schema = row[column]
        schema = json.loads(schema) if isinstance(schema, str) else schema
    try:
        validator = validator_of(json.dumps(schema))
    except (ValueError, SchemaError) as e:
        return None, f"column {column!r} does not hold a JSON schema: {_line(e)}"
    try:
        value = json.loads(_found(row[text]) if find else row[text], parse_constant=_refuse)
    except ValueError as e:
        return False, f"not JSON: {_line(e)}"
    except RecursionError:
        return False, "not JSON: nested too deeply"
    try:
        wrong = best_match(validator.iter_errors(value))
    except Unresolvable as e:
        return None, f"the schema refers to something outside it: {_line(e)}"
    if wrong is None:
        return True, ""
    return False, f"at {wrong.json_path}: {_line(wrong.message)}"


@lru_cache(maxsize=100)
def validator_of(schema: str) -> Validator:
    """Return the validator for a schema given as JSON text; nothing is downloaded.

    Raises:
        SchemaError: It is not a schema.
    """
    content = json.loads(schema)
    kind = validator_for(content)
    kind.check_schema(content)
    return kind(content, registry=Registry(), format_checker=FormatChecker())


def _found(text: str) -> str:
    """Return the last fenced block, or else the last complete object or list."""
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
    raise ValueError(f"{name} is not JSON")


def _line(of: object) -> str:
    line = " ".join(str(of).split())
    return line if len(line) <= 160 else f"{line[:157]}..."
