"""The role of each column in a user's file. Columns keep their names; the schema holds their roles."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Self

from pydantic import model_validator

from ..errors import ConfigError
from ..parts import Checked
from ..schema import Completion, Extra, Id, Messages, NestedValues, Prompt, Reference, Schema
from ..tables import check_has
from ..turns import last_role, look_like_turns

AUTO = "auto"
"""Value of a setting that means: infer the column from its name."""

PROMPTS = ("document", "article", "question", "problem", "instruction", "text")
COMPLETIONS = ("summary", "highlights", "answer", "response", "output", "solution")
"""Names of prompt and completion columns to look for if no column is called ``prompt`` or ``completion``."""

WRITTEN = "completion"
"""Name of the text that generators write if the data have only prompts."""

COMPARED = "reference"
"""Name of the copy of the data's completion, kept beside the text that a generator writes."""

NUMBER = "id"
"""Name of the row numbers if no column identifies rows."""

HOW = "set them, such as columns: {prompt: question, completion: answer}; completion: null for prompts only"
HOW_TO_KEEP = "list the columns to keep in columns.keep, [] for none; their types follow from the first rows"

CONVERSATIONS = ("messages", "conversations", "conversation")
"""Names of columns with whole chats."""

Talk = Literal["text", "prompt", "asked", "whole"]
"""Content of the prompt column: a text; turns, possibly with the start of an answer as the last one; turns
up to a question; or turns up to an answer, which is the completion."""

_OLD = {"document": "prompt", "summary": "completion"}


class Columns(Checked, frozen=True):
    """The role of each column in a file. All columns keep their names.

    Attributes:
        id: Column that identifies rows, integers or texts. None numbers the rows.
        prompt: Column with the input: an article, a question, or the chat so far. ``auto`` uses the column
            ``prompt``, else one with a known name, such as ``question``, else ``messages``.
        completion: Column with the text written by a person. ``auto`` uses the column ``completion``, else
            one with a known name, such as ``answer`` (next to a chat it must hold turns, too). None, or no
            such column: there are only prompts, and generated text is called ``completion``.
        messages: Column with chats whose last turn, by the assistant, is the completion; generated text is
            then called ``completion``, too. None uses ``messages`` or ``conversations`` if no other prompt is
            found.
        reference: Column to compare generated text with. None uses the column ``reference``, else a copy of
            the completion.
        keep: Other columns to keep, such as tests for a verifier: texts, numbers, or nested values. None
            keeps all columns of the first rows.
    """

    id: str | None = None
    prompt: str = AUTO
    completion: str | None = AUTO
    messages: str | None = None
    reference: str | None = None
    keep: tuple[str, ...] | None = None

    @model_validator(mode="before")
    @classmethod
    def _old_words(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            for old, new in _OLD.items():
                if old in data:
                    raise ConfigError(
                        f"columns.{old} is now columns.{new}",
                        fix=f"write {new}: {'null' if data[old] is None else data[old]}; columns keep their "
                        "own names in rows and templates",
                    )
        return data

    @model_validator(mode="after")
    def _one_prompt(self) -> Self:
        if self.messages is not None and (self.prompt != AUTO or self.completion not in (AUTO, None)):
            raise ConfigError(
                "columns.messages replaces prompt and completion",
                got=f"prompt: {self.prompt}, completion: {self.completion} as well",
                fix="leave out either messages, or the two",
            )
        return self


class Roles(NamedTuple):
    """The role of each column in a file, all settled.

    Attributes:
        id: Id column; None numbers the rows.
        prompt: Prompt column.
        completion: Completion column; None if there are only prompts, or if a chat contains it.
        reference: Reference column, or the column that it copies; None for no reference.
        keep: Other columns to keep.
        nested: Those of them with nested values.
        talk: Content of the prompt column.
    """

    id: str | None
    prompt: str
    completion: str | None
    reference: str | None
    keep: tuple[str, ...]
    nested: tuple[str, ...] = ()
    talk: Talk = "text"

    @property
    def read(self) -> list[str]:
        """Columns to read from the file."""
        named = (self.id, self.prompt, self.completion, self.reference)
        return list(dict.fromkeys([*(name for name in named if name is not None), *self.keep]))

    @property
    def numbered(self) -> str:
        """Column that identifies rows."""
        return self.id or NUMBER

    @property
    def written(self) -> str:
        """Column that generators write."""
        return self.completion or WRITTEN

    @property
    def has_completions(self) -> bool:
        """Whether the data contain texts written by people."""
        return self.completion is not None or self.talk == "whole"

    @property
    def compared(self) -> str | None:
        """Column to compare generated text with; None if there is none."""
        if self.reference is None and self.talk != "whole":
            return None
        return COMPARED if self.reference in (self.prompt, self.completion, None) else self.reference

    @property
    def texts(self) -> dict[str, str]:
        """Text columns by name, with the file's column that each comes from."""
        sources = {self.prompt: self.prompt, self.written: self.completion}
        if self.talk == "whole":
            sources[self.written] = self.prompt
        if self.compared is not None:
            sources[self.compared] = self.reference or sources[self.written]
        return {name: source for name, source in sources.items() if source is not None}

    def schema(self) -> Schema:
        """Type of each sample column."""
        written = Completion(in_data=self.has_completions)
        prompt = Prompt() if self.talk == "text" else Messages()
        roles: dict[str, Any] = {self.numbered: Id(), self.prompt: prompt, self.written: written}
        if self.compared is not None:
            copied = self.reference if self.compared != self.reference else None
            roles[self.compared] = Reference(copy_of=copied)
        kept = {name: NestedValues() if name in self.nested else Extra() for name in self.keep}
        return Schema(roles | kept)


def settle(
    columns: Columns, known: Sequence[str], source: str, rows: Sequence[Mapping[str, Any]] = ()
) -> Roles:
    """Determine the roles of a file's columns.

    Args:
        columns: Settings of the user.
        known: Columns of the file.
        source: Name of the file for error messages.
        rows: First rows, which show whether a column holds texts, turns or other values.

    Raises:
        ConfigError: No column or several columns could be the prompt, or two roles need the same name.
        DataError: A column in the settings is missing, or occurs twice.
    """
    found = Counter(known)
    reference = columns.reference
    taken = {
        columns.id,
        columns.prompt,
        columns.completion,
        columns.messages,
        reference,
        *(columns.keep or ()),
    }
    free = [name for name in found if name not in taken]
    if reference is None and COMPARED in free:
        reference = COMPARED
        free.remove(COMPARED)
    talking = [name for name in found if rows and look_like_turns(rows[0].get(name))]
    prompt = _prompt(columns, free, talking, found, source)
    talk = _talk(columns, prompt, rows) if prompt in talking or prompt == columns.messages else "text"
    completion = None if talk == "whole" else columns.completion
    if completion == AUTO:
        likely = free if talk == "text" else [name for name in free if name in talking or name == WRITTEN]
        completion = _by_name("completion", COMPLETIONS, likely, found, source)
        _check_one_talk(prompt, completion, free, talking, source)
    if reference is None:
        reference = completion
    roles = Roles(columns.id, prompt, completion, reference, columns.keep or (), talk=talk)
    if columns.keep is None:
        roles = roles._replace(keep=_others(roles, free, rows))
    roles = roles._replace(nested=tuple(name for name in roles.keep if _is_nested(name, rows)))
    check_has(roles.read, known, source, HOW)
    _check_apart(roles)
    return roles


def _prompt(
    columns: Columns, free: Sequence[str], talking: Sequence[str], found: Mapping[str, int], source: str
) -> str:
    if columns.messages is not None:
        return columns.messages
    if columns.prompt != AUTO:
        return columns.prompt
    prompt = _by_name("prompt", PROMPTS, free, found, source)
    if prompt is None:
        prompt = next((name for name in CONVERSATIONS if name in talking and name in free), None)
    if prompt is None:
        chat = next((name for name in CONVERSATIONS if name in free), None)
        raise ConfigError(
            f"{source}: which column is the prompt?",
            got=f"columns {', '.join(found) or '(none)'}"
            + (f", and no turns in {chat!r} of the first row" if chat else ""),
            fix=f"give each of {chat!r} a list of turns with role and content; or {HOW}" if chat else HOW,
        )
    return prompt


def _talk(columns: Columns, prompt: str, rows: Sequence[Mapping[str, Any]]) -> Talk:
    """Return what a column of turns holds, from its name and the last speaker in its first row."""
    if columns.messages is not None:
        return "whole"
    if prompt not in CONVERSATIONS or columns.completion not in (AUTO, None):
        return "prompt"
    last = last_role(rows[0][prompt])
    return "whole" if last == "assistant" else "asked"


def _check_one_talk(
    prompt: str, completion: str | None, free: Sequence[str], talking: Sequence[str], source: str
) -> None:
    other = next(
        (name for name in CONVERSATIONS if name in free and name in talking and name != prompt), None
    )
    if completion is None and other is not None:
        raise ConfigError(
            f"{source}: which column is the prompt, {prompt} or {other}?",
            fix=f"set columns.messages: {other} for chats with their answers, else columns.prompt and "
            "columns.completion",
        )


def _others(roles: Roles, free: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the columns to keep by default: those in all first rows, in JSON."""
    own = {roles.numbered, roles.written, roles.compared, *roles.read}
    names = [name for name in free if name not in own and not name.startswith("_")]
    return tuple(name for name in names if rows and all(name in row and _is_plain(row[name]) for row in rows))


def _is_plain(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_plain(inner) for key, inner in value.items())
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if isinstance(value, str):
        return not any("\ud800" <= character <= "\udfff" for character in value)
    return value is None or isinstance(value, bool | int | float)


def _is_nested(name: str, rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the first values are neither texts, nor booleans, nor numbers of an array."""
    values = [row[name] for row in rows if name in row]
    return not any(all(map(fits, values)) for fits in (_is_text, _is_truth, _is_number))


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_truth(value: object) -> bool:
    return isinstance(value, bool)


def _is_number(value: object) -> bool:
    if isinstance(value, int):
        return not isinstance(value, bool) and -(2**63) <= value < 2**63
    return isinstance(value, float)


def _check_apart(roles: Roles) -> None:
    """Refuse two columns with one name, and names reserved for the loop."""
    own = [roles.numbered, roles.prompt, roles.written]
    if roles.compared is not None:
        own.append(roles.compared)
    names = [*own, *roles.keep]
    for name in names:
        if names.count(name) > 1 or name.startswith("_"):
            fix = "a column can have only one role; duplicate it in the file to use it twice"
            if name == COMPARED and name in roles.keep:
                fix = "set it as columns.reference"
            raise ConfigError(
                "columns.keep" if name in roles.keep else "columns",
                got=name,
                expected=f"names other than {', '.join(own)}, and without a leading underscore",
                fix=fix,
            )


def _by_name(
    role: str, names: Sequence[str], free: Sequence[str], found: Mapping[str, int], source: str
) -> str | None:
    if role in free:
        return role
    candidates = [name for name in free if name in names]
    if len(candidates) > 1:
        raise ConfigError(
            f"{source}: which column is the {role}, {' or '.join(candidates)}?",
            got=f"columns {', '.join(found)}",
            fix=HOW,
        )
    return candidates[0] if candidates else None
