"""Prompt settings: how rows become prompts; readable without a tokenizer library."""

import string
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Self

from pydantic import Field, model_validator

from ...cards import PromptCard
from ...errors import ConfigError
from ...parts import Checked, did_you_mean
from ...schema import TEXT_ROLES, Role, Schema

WRITTEN = "completion"
"""Column that is written if neither the rules nor the data name one."""

PROMPT: Role = "prompt"
"""Role that a template may name instead of a column."""


class Prompt(Checked, frozen=True):
    """How rows become prompts, and which column is written.

    Attributes:
        template: Text with column names in braces, as for :meth:`str.format`, or ``{prompt}`` for the column
            with this role. It cannot name the written column or its reference. None: the prompt alone.
        shorten: Column that is cut at its end if a prompt is too long; everything else stays whole. None: the
            prompt, or the first column of a template without it. In a chat, the oldest turns are removed
            first, except those of the system, then the end of the last question.
        completion: Column that the model writes. None: that of the data.
        chat: Whether to apply the model's chat template, to the turns in the data or to the filled template
            as a user turn. None: if the data hold turns.
        between: Text between prompt and completion. None: a space, or nothing if the prompt ends in white
            space, and in chats. Set it to "" for completions that continue in the middle of a word.
        strip: Whether to strip white space at both ends of written text. Data are never changed.
        max_tokens: Largest number of tokens in a prompt.
    """

    template: str | None = None
    shorten: str | None = None
    completion: str | None = None
    chat: bool | None = None
    between: str | None = None
    strip: bool = False
    max_tokens: Annotated[int, Field(gt=0)] = 1024

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.template is None:
            return self
        try:
            if not all(self.columns):
                raise ValueError("a column's name is missing in the braces")
            self.template.format(**dict.fromkeys(self.columns, "a text"))
        except (ValueError, LookupError, AttributeError) as e:
            raise ConfigError(
                f"prompt.template ({e})",
                got=self.template,
                expected="names of columns in braces, such as {question}",
                fix="write {{ and }} for literal braces",
            ) from None
        if not self.columns:
            raise ConfigError(
                "prompt.template does not name a column",
                got=self.template,
                expected="a column's name in braces, such as {prompt}",
            )
        if self.shorten is not None and self.shorten not in self.columns:
            raise ConfigError(
                "prompt.shorten",
                got=self.shorten,
                expected=f"a column that the template names ({', '.join(self.columns)})",
            )
        if self.completion in self.columns:
            raise ConfigError(f"the template reveals the completion {self.completion!r}", got=self.template)
        return self

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns that the template names, in order."""
        parsed = string.Formatter().parse(self.template or "")
        return tuple(dict.fromkeys(name for _, name, _, _ in parsed if name is not None))

    def suited_to(self, schema: Schema, asked_by: str) -> "Prompt":
        """Return these rules with all columns filled in from ``schema``.

        Raises:
            ConfigError: A column does not exist, or its role does not suit.
        """
        completion = self.completion or schema.one("completion", asked_by)
        if schema.column(completion, f"{asked_by}: prompt.completion", "completion", "extra").given:
            raise ConfigError(
                f"{asked_by}: prompt.completion",
                got=f"{completion!r}, which the model is given",
                expected=f"a column that it generates ({', '.join(schema.made) or 'there is none'})",
            )
        template = self.template
        if template is None:
            template = "{" + schema.pick(asked_by, "prompt.template", None, "prompt", "messages") + "}"
        names = {name: _column(name, schema, asked_by) for name in _names(template)}
        chat = self._is_chat(template, list(names.values()), schema, asked_by)
        shorten = self.shorten
        if shorten is None:
            prompts = [name for name in names.values() if schema[name].role in (PROMPT, "messages")]
            shorten = next(iter([*prompts, *names.values()]), None)
        elif shorten in names:
            shorten = names[shorten]
        settled = {"template": _renamed(template, names), "shorten": shorten, "completion": completion}
        # Built from the fields, because a copy would keep the cached columns of the open template.
        own = {name: getattr(self, name) for name in Prompt.model_fields}
        return Prompt(**{**own, **settled, "chat": chat})

    def _is_chat(self, template: str, columns: list[str], schema: Schema, asked_by: str) -> bool:
        turns = [name for name in columns if schema[name].role == "messages"]
        if not turns:
            return bool(self.chat)
        if self.chat is False:
            raise ConfigError(
                f"{asked_by}: prompt.chat is off, but column {turns[0]!r} holds the turns of a chat",
                fix="leave chat out, or use a text column",
            )
        if template != f"{{{turns[0]}}}" and template != "{" + PROMPT + "}":
            raise ConfigError(
                f"{asked_by}: prompt.template",
                got=template,
                expected=f"{{{turns[0]}}} alone: the turns of a chat cannot be part of another text",
            )
        return True

    def card(self) -> PromptCard:
        """Describe how a run builds its prompts.

        Raises:
            ConfigError: The template is still open.
        """
        return PromptCard(template=self.settled()[0], chat=bool(self.chat), between=self.between)

    def settled(self) -> tuple[str, str, str]:
        """Return the template, the column to shorten, and the completion.

        Raises:
            ConfigError: One of them is still open.
        """
        shorten = self.columns[0] if self.shorten is None and len(self.columns) == 1 else self.shorten
        if self.template is None or shorten is None:
            raise ConfigError(
                "the prompt is not configured for its data",
                got=f"template={self.template!r}, shorten={shorten!r}",
                expected="both",
                fix="use learner.suited_to(dataset.schema()), as a run does, or set them",
            )
        return self.template, shorten, self.completion or WRITTEN


def _names(template: str) -> list[str]:
    return [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]


def _column(name: str, schema: Schema, asked_by: str) -> str:
    """Return the column that a template means by ``name``."""
    column = name
    if name == PROMPT and name not in schema:
        column = schema.pick(asked_by, "prompt.template", None, PROMPT, "messages")
    if column not in schema:
        known = [*schema.given, *([PROMPT] if schema.named(PROMPT) or schema.named("messages") else [])]
        raise ConfigError(
            f"{asked_by}: prompt.template",
            got=f"{{{name}}}",
            expected=f"columns of the data: {schema.described()}",
            fix=did_you_mean(name, known) or "list other columns in the data's columns.keep",
        )
    schema.column(column, f"{asked_by}: prompt.template", *TEXT_ROLES, "id", "extra")
    if schema[column].role == "reference":
        raise ConfigError(
            f"{asked_by}: the template reveals {column!r}, the reference for what the model writes",
            expected=f"columns that do not hold the answer ({', '.join(_harmless(schema))})",
            fix="judges may see a reference, models may not; name a text that is no answer in the data's "
            "columns.keep",
        )
    if not schema[column].given:
        raise ConfigError(
            f"{asked_by}: the template reveals {column!r}, which the model generates",
            expected=f"columns that it receives ({', '.join(_harmless(schema))})",
        )
    return column


def _harmless(schema: Schema) -> list[str]:
    return [name for name in schema.given if schema[name].role != "reference"]


def _renamed(template: str, names: Mapping[str, str]) -> str:
    """Return ``template`` with other names in its braces."""
    pieces = []
    for literal, name, form, conversion in string.Formatter().parse(template):
        pieces.append(literal.replace("{", "{{").replace("}", "}}"))
        if name is not None:
            how = (f"!{conversion}" if conversion else "") + (f":{form}" if form else "")
            pieces.append(f"{{{names[name]}{how}}}")
    return "".join(pieces)
