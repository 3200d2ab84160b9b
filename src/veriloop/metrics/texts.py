"""Input of the text metrics: the texts written for held-out prompts, and their words."""

import re
from typing import Protocol, runtime_checkable

from ..nested import Nested
from ..samples import Samples
from ..schema import TEXT_ROLES, Role, Schema
from ..turns import in_words
from .base import Evaluation

_WORD = re.compile(r"\w+")


@runtime_checkable
class Greedy(Protocol):
    """A generator that can also decode greedily, such as a causal language model."""

    @property
    def is_greedy(self) -> bool:
        """Whether its ordinary samples are already greedy."""
        ...

    def greedy(self, condition: Samples) -> Samples:
        """Return one greedy text for each row of ``condition``."""
        ...


def column_of(schema: Schema, setting: str | None, role: Role, asked_by: str) -> str:
    """Return the column in a setting, or else the one with ``role``; chats have turns as prompts.

    Raises:
        ConfigError: There is no such column, or it does not hold text.
    """
    if setting is None:
        return schema.one("messages" if role == "prompt" and not schema.named(role) else role, asked_by)
    schema.column(setting, asked_by, *TEXT_ROLES, "extra")
    return setting


def written(evaluation: Evaluation, column: str, greedy: bool = False) -> Samples:
    """Return the texts that the metrics judge, one for each held-out prompt, with the prompts' columns.

    They are the ones shown in the report: drawn with the plan's decoding, once for all metrics.

    Args:
        evaluation: Model of a round.
        column: Name of the written column.
        greedy: Whether to judge greedy texts instead, as published numbers do: they vary less, and need a
            second decoding, which all metrics that request it share.
    """
    generator, generated = evaluation.generator, evaluation.generated
    if not greedy or not isinstance(generator, Greedy) or generator.is_greedy:
        return generated
    condition = generated.only([name for name in generated if name != column])
    return evaluation.once("greedy texts", lambda: generator.greedy(condition))


def said(samples: Samples, column: str) -> list[str]:
    """Return the texts of a column; for chat turns, their contents."""
    texts = samples.texts(column)
    return [in_words(turns) for turns in texts.values()] if isinstance(texts, Nested) else texts


def words(text: str) -> list[str]:
    """Return the words of a text in any script, in lower case: runs of letters, digits and underscores."""
    return _WORD.findall(text.lower())
