"""Read YAML with the literals of YAML 1.2's core schema, and without repeated keys.

PyYAML reads YAML 1.1, where ``no`` is false, ``010`` is 8 and ``1:30`` is 90. Here they are a text, ten, and
a text.
"""

import codecs
import re
from collections.abc import Callable
from typing import Any, ClassVar

import yaml
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode

from .errors import ConfigError

DEEPEST = 60
"""Deepest nesting of mappings and lists."""

LARGEST = 50_000
"""Largest number of keys and values, with each alias counted in full."""

_TAG = "tag:yaml.org,2002:"
_MERGE = _TAG + "merge"


class _Reader(yaml.SafeLoader):
    """PyYAML's reader with other literals; its errors carry their location."""

    yaml_implicit_resolvers: ClassVar[dict[Any, Any]] = {}  # pyright: ignore[reportIncompatibleVariableOverride]
    yaml_constructors: ClassVar[dict[Any, Any]] = {}

    def compose_mapping_node(self, anchor: Any) -> MappingNode:
        """Read a mapping; refuse keys that are not text or occur twice."""
        node = super().compose_mapping_node(anchor)
        # Checked here, because later a merge puts the keys of other mappings before the mapping's own.
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, ScalarNode):
                raise _problem("a key must be a text", key)
            if key.tag not in (_TAG + "str", _MERGE):
                raise _problem(f"key {key.value} is not text: put it in quotes", key)
            if key.value in lines:
                raise _problem(f"key {key.value!r} occurs here and in line {lines[key.value]}", key)
            lines[key.value] = key.start_mark.line + 1
        return node


def _problem(problem: str, node: Node) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)


def _whole(text: str) -> int:
    # Parsed explicitly, because Python's base detection refuses 010.
    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))


def _float(text: str) -> float:
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


def _truth(text: str) -> bool:
    return text.lower() == "true"


_Word = Callable[[str], Any]
_WORDS: tuple[tuple[str, str, str, str, _Word], ...] = (
    ("null", "null", r"~|null|Null|NULL|", "~nN\0", lambda word: None),
    (
        "bool",
        "true or false",
        r"true|True|TRUE|false|False|FALSE",
        "tTfF",
        lambda text: text.lower() == "true",
    ),
    (
        "int",
        "a whole number",
        r"[-+]?[0-9]{1,400}|0o[0-7]{1,99}|0x[0-9a-fA-F]{1,99}",
        "-+0123456789",
        _whole,
    ),
    (
        "float",
        "a number",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
        _float,
    ),
)


def _constructor(pattern: re.Pattern[str], meant: str, value: _Word) -> Callable[[_Reader, ScalarNode], Any]:
    def construct(loader: _Reader, node: ScalarNode) -> Any:
        """Return the value of a scalar; refuse one that does not match ``pattern``."""
        # The tag may come before the word: !!int x.
        if not isinstance(node, ScalarNode) or not pattern.match(node.value):
            raise _problem(f"expected {meant}", node)
        return value(node.value)

    return construct


def _string(loader: _Reader, node: ScalarNode) -> str:
    text = loader.construct_yaml_str(node)
    if any("\ud800" <= c <= "\udfff" for c in text):
        raise _problem("an unpaired surrogate, which no file can store", node)
    return text


for _tag, _meant, _pattern, _first, _value in _WORDS:
    _regex = re.compile(f"^(?:{_pattern})$")
    _starts = ["" if c == "\0" else c for c in _first]
    _Reader.add_implicit_resolver(_TAG + _tag, _regex, _starts)
    _Reader.add_constructor(_TAG + _tag, _constructor(_regex, _meant, _value))
_Reader.add_implicit_resolver(_MERGE, re.compile(r"^<<$"), ["<"])
_Reader.add_constructor(_TAG + "str", _string)
_Reader.add_constructor(_TAG + "seq", _Reader.construct_yaml_seq)
_Reader.add_constructor(_TAG + "map", _Reader.construct_yaml_map)
_Reader.add_constructor(None, _Reader.construct_undefined)


def read_yaml(content: str | bytes, name: str) -> Any:
    """Parse ``content`` into mappings, lists, texts, numbers, booleans and None.

    Args:
        content: One document. Bytes are UTF-8, or UTF-16 with a byte order mark.
        name: Name of the document, for error messages.

    Raises:
        ConfigError: It is not YAML, repeats a key, or is nested or aliased too deeply.
    """
    try:
        reader = _Reader(_text(content, name))
        try:
            node = reader.get_single_node()
            if node is None:
                return None
            _measure(node, {}, ())
            return reader.construct_document(node)
        finally:
            reader.dispose()
    except yaml.MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(f"{name}{where}: not valid YAML ({e.problem or e.context})") from e
    except yaml.YAMLError as e:
        raise ConfigError(f"{name}: not valid YAML ({getattr(e, 'reason', None) or e})") from e
    except RecursionError:
        raise ConfigError(f"{name}: nested too deeply", expected=f"at most {DEEPEST} levels") from None


def _text(content: str | bytes, name: str) -> str:
    if isinstance(content, str):
        return content
    utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if utf_16 else "utf-8-sig")
    except UnicodeDecodeError as e:
        line = content.count(b"\n", 0, e.start) + 1
        raise ConfigError(f"{name}, line {line}: not valid YAML (not UTF-8 text)") from None


def _measure(node: Node, known: dict[int, int], above: tuple[int, ...]) -> int:
    """Return the number of values in ``node``, with aliases expanded."""
    if not isinstance(node, CollectionNode):
        return 1
    if id(node) in above:
        raise _problem("an alias occurs inside its own value", node)
    if len(above) >= DEEPEST:
        raise _problem(f"nested too deeply, expected at most {DEEPEST} levels", node)
    if id(node) not in known:
        inner = [part for item in node.value for part in (item if isinstance(item, tuple) else (item,))]
        known[id(node)] = 1 + sum(_measure(part, known, (*above, id(node))) for part in inner)
        if known[id(node)] > LARGEST:
            raise _problem(f"with its aliases expanded, more than {LARGEST:,} values", node)
    return known[id(node)]
