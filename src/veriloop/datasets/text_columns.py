"""Which column of a user's file is what. The columns keep their names; their roles stand in the schema."""

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
"""In place of a column's name: it is known by its name."""

PROMPTS = ("document", "article", "question", "problem", "instruction", "text")
COMPLETIONS = ("summary", "highlights", "answer", "response", "output", "solution")
"""Names by which prompts and completions are known where no column is called ``prompt`` or ``completion``."""

WRITTEN = "completion"
"""What generators write where the data have prompts only."""

COMPARED = "reference"
"""The copy of the data's own completion that stays beside what a generator writes."""

NUMBER = "id"
"""The numbers of the rows where no column tells them apart."""

HOW = "name them, such as columns: {prompt: question, completion: answer}; completion: null for prompts only"
HOW_TO_KEEP = (
    "name the columns to carry along in columns.keep, [] for none; the first rows say what they hold"
)

CONVERSATIONS = ("messages", "conversations", "conversation")
"""Names by which columns of whole chats are known."""

Talk = Literal["text", "prompt", "asked", "whole"]
"""What the prompt's column holds: a text; turns, of which the last may be the beginning of an answer; turns
up to a question; or turns up to an answer, which is the completion."""

_OLD = {"document": "prompt", "summary": "completion"}


class Columns(Checked, frozen=True):
    """Which column of a file is what. All keep the names that they have there.

    Attributes:
        id: Tells the rows apart: whole numbers or texts. None numbers the rows.
        prompt: What text is written for: an article, a question, or the turns of a chat so far. ``auto``
            takes the column ``prompt``, else the one with a known name, such as ``question``, else
            ``messages``.
        completion: What a person wrote. ``auto`` takes the column ``completion``, else the one with a known
            name, such as ``answer`` (beside a chat it must hold turns, too). None, or no such column: prompts
            only; what is written is called ``completion``.
        messages: Chats whose last turn, the assistant's, is the completion; what is written is then called
            ``completion``, too. None takes ``messages`` or ``conversations`` where no other prompt is known.
        reference: What written text is compared to. None takes the column ``reference``, else a copy of the
            completion.
        keep: Other columns to carry along, such as tests for a verifier: texts, numbers, or nested values.
            None carries along all that the first rows have.
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
                "columns.messages stands for prompt and completion",
                got=f"prompt: {self.prompt}, completion: {self.completion} beside it",
                fix="leave out either messages, or the two",
            )
        return self


class Roles(NamedTuple):
    """Which column of a file is what, all found.

    Attributes:
        id: None numbers the rows.
        prompt: The file's column.
        completion: The file's column; None for prompts only, and where a chat holds it.
        reference: The file's column, or the one of which the reference is a copy; None for none.
        keep: Other columns of the file.
        nested: Those of them that hold nested values.
        talk: What the prompt's column holds.
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
        """The columns to read from the file."""
        named = (self.id, self.prompt, self.completion, self.reference)
        return list(dict.fromkeys([*(name for name in named if name is not None), *self.keep]))

    @property
    def numbered(self) -> str:
        """The column that tells rows apart."""
        return self.id or NUMBER

    @property
    def written(self) -> str:
        """The column that generators write."""
        return self.completion or WRITTEN

    @property
    def has_completions(self) -> bool:
        """Whether the data have texts by people."""
        return self.completion is not None or self.talk == "whole"

    @property
    def compared(self) -> str | None:
        """The column that written text is compared to; None for none."""
        if self.reference is None and self.talk != "whole":
            return None
        return COMPARED if self.reference in (self.prompt, self.completion, None) else self.reference

    @property
    def texts(self) -> dict[str, str]:
        """The columns of text by name, and the file's column that each comes from."""
        sources = {self.prompt: self.prompt, self.written: self.completion}
        if self.talk == "whole":
            sources[self.written] = self.prompt
        if self.compared is not None:
            sources[self.compared] = self.reference or sources[self.written]
        return {name: source for name, source in sources.items() if source is not None}

    def schema(self) -> Schema:
        """What each column of samples is."""
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
    """The roles of a file's columns.

    Args:
        columns: What the user says of them.
        known: The file's columns.
        source: What errors call the file.
        rows: Its first rows, which say whether a column holds texts, turns or other values.

    Raises:
        ConfigError: No or several columns could be the prompt, or two roles ask for one name.
        DataError: The file lacks a column that is named, or has it twice.
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
    """What a column of turns holds, by its name and by who speaks last in its first row."""
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
    """The columns to carry along where nothing is said of them: those that all first rows have, in JSON."""
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
    """Whether the values of the first rows are neither texts, nor truth values, nor numbers of an array."""
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
    """Refuse two columns of one name, and names that the loop has for itself."""
    own = [roles.numbered, roles.prompt, roles.written]
    if roles.compared is not None:
        own.append(roles.compared)
    names = [*own, *roles.keep]
    for name in names:
        if names.count(name) > 1 or name.startswith("_"):
            fix = "a column has one role; have it twice in the file for two"
            if name == COMPARED and name in roles.keep:
                fix = "name it as columns.reference"
            raise ConfigError(
                "columns.keep" if name in roles.keep else "columns",
                got=name,
                expected=f"names other than {', '.join(own)}, and none with an underscore in front",
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
