"""Which column of a user's file is what. The columns keep their names; their roles stand in the schema."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import model_validator

from ..errors import ConfigError
from ..parts import Checked
from ..schema import Completion, Extra, Id, Prompt, Reference, Schema
from ..tables import check_has

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

CONVERSATIONS = ("messages", "conversations")
NO_TALK = "conversations are not read yet: make columns of text of them, such as prompt and completion"

_OLD = {"document": "prompt", "summary": "completion"}


class Columns(Checked, frozen=True):
    """Which column of a file is what. All keep the names that they have there.

    Attributes:
        id: Tells the rows apart: whole numbers or texts. None numbers the rows.
        prompt: What text is written for: an article, a question. ``auto`` takes the column ``prompt``, else
            the one with a known name, such as ``question``.
        completion: What a person wrote. ``auto`` takes the column ``completion``, else the one with a known
            name, such as ``answer``. None, or no such column: prompts only; what is written is called
            ``completion``.
        reference: What written text is compared to. None takes the column ``reference``, else a copy of the
            completion.
        keep: Other columns to carry along, such as tests for a verifier.
    """

    id: str | None = None
    prompt: str = AUTO
    completion: str | None = AUTO
    reference: str | None = None
    keep: tuple[str, ...] = ()

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


class Roles(NamedTuple):
    """Which column of a file is what, all found.

    Attributes:
        id: None numbers the rows.
        prompt: The file's column.
        completion: The file's column; None for prompts only.
        reference: The file's column, or the one of which the reference is a copy; None for none.
        keep: Other columns of the file.
    """

    id: str | None
    prompt: str
    completion: str | None
    reference: str | None
    keep: tuple[str, ...]

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
    def compared(self) -> str | None:
        """The column that written text is compared to; None for none."""
        return COMPARED if self.reference in (self.prompt, self.completion, None) else self.reference

    @property
    def texts(self) -> dict[str, str]:
        """The columns of text by name, and the file's column that each comes from."""
        sources = {self.prompt: self.prompt, self.written: self.completion}
        if self.reference is not None and self.compared is not None:
            sources[self.compared] = self.reference
        return {name: source for name, source in sources.items() if source is not None}

    def schema(self) -> Schema:
        """What each column of samples is."""
        written = Completion(in_data=self.completion is not None)
        roles: dict[str, Any] = {self.numbered: Id(), self.prompt: Prompt(), self.written: written}
        if self.reference is not None and self.compared is not None:
            roles[self.compared] = Reference()
        return Schema(roles | {name: Extra() for name in self.keep})


def settle(columns: Columns, known: Sequence[str], source: str) -> Roles:
    """The roles of a file's columns.

    Args:
        columns: What the user says of them.
        known: The file's columns.
        source: What errors call the file.

    Raises:
        ConfigError: No or several columns could be the prompt, or two roles ask for one name.
        DataError: The file lacks a column that is named, or has it twice.
    """
    found = Counter(known)
    reference = columns.reference
    taken = {columns.id, columns.prompt, columns.completion, reference, *columns.keep}
    free = [name for name in found if name not in taken]
    if reference is None and COMPARED in free:
        reference = COMPARED
    prompt: str | None = columns.prompt
    if prompt == AUTO:
        prompt = _by_name("prompt", PROMPTS, free, found, source)
    if prompt is None:
        talk = next((name for name in CONVERSATIONS if name in found), None)
        raise ConfigError(
            f"{source}: which column is the prompt?",
            got=f"columns {', '.join(found) or '(none)'}",
            fix=HOW if talk is None else f"column {talk!r}: {NO_TALK}",
        )
    completion = columns.completion
    if completion == AUTO:
        completion = _by_name("completion", COMPLETIONS, free, found, source)
    if reference is None:
        reference = completion
    roles = Roles(columns.id, prompt, completion, reference, columns.keep)
    check_has(roles.read, known, source, HOW)
    _check_apart(roles)
    return roles


def _check_apart(roles: Roles) -> None:
    """Refuse two columns of one name, and names that the loop has for itself."""
    own = [roles.numbered, roles.prompt, roles.written]
    if roles.reference is not None and roles.compared is not None:
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
