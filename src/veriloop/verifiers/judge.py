"""A judge: a language model behind an OpenAI-compatible URL that is asked about every sample."""

import base64
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from jinja2 import StrictUndefined, TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment
from PIL import Image
from pydantic import AfterValidator, Field, model_validator
from typing_extensions import override

from ..errors import ConfigError, DataError
from ..remote.client import Failure
from ..remote.completions import Completion
from ..remote.llm import LLM, Content
from ..remote.objects import Unreadable, last_object
from ..samples import Samples, check_columns
from ..schema import Schema
from ..verdicts import Decision, Verdicts
from ._answers import Answer, read_answer, verdicts_of
from .base import Verifier

USAGE = "judge.json"

# A rubric comes with a configuration, which may be a stranger's.
_TEMPLATES = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)


def _checked_rubric(rubric: str) -> str:
    try:
        _TEMPLATES.parse(rubric)
    except TemplateError as e:
        raise ConfigError(f"the rubric is no template ({e})", fix="write columns as {{ column }}") from e
    return rubric


def _asked_about(rubric: str) -> list[str]:
    """The columns that a rubric names."""
    return sorted(meta.find_undeclared_variables(_TEMPLATES.parse(rubric)))


class Judge(Verifier, LLM, frozen=True):
    """Asks a language model about each sample, by a rubric.

    Each vote is one chat completion. Its verdict is the last JSON object in the reply with the wanted keys,
    after the model's reasoning, whatever stands around it. A reply without one is an abstention with its
    reason, and so is a question that is refused or whose tries are used up. Votes
    that abstain are left out; when none is left, so is the verdict. The score is the mean of the votes'
    scores, or the share of votes to accept when only decisions are asked for. The decision is the
    majority's; a tie is an abstention.

    The model sees each sample alone, so it cannot prefer a position; whether it prefers length, ask
    ``veriloop calibrate``.

    Attributes:
        rubric: What to ask: a Jinja template over the sample's columns, such as ``{{ text }}``.
        asks: For a ``score``, which leaves the decision to the acceptance rule; for a ``decision``; or for
            ``both``.
        scale: The lowest and highest score.
        votes: How often each sample is asked about.
        images: Columns of images (n, height, width) that are shown with the question, as PNG.
        levels: A pixel of an image counts 0..levels.

    The other fields are those of `veriloop.remote.llm.LLM`. At temperature 0 all votes would be equal.
    """

    rubric: Annotated[str, AfterValidator(_checked_rubric)]
    asks: Literal["score", "decision", "both"] = "score"
    scale: tuple[float, float] = (0.0, 1.0)
    votes: Annotated[int, Field(ge=1)] = 1
    images: tuple[str, ...] = ()
    levels: Annotated[int, Field(ge=1, le=255)] = 255

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        low, high = self.scale
        if not (np.isfinite(self.scale).all() and low < high):
            raise ConfigError("scale", got=f"{low:g}..{high:g}", expected="a lowest and a higher score")
        if self.votes > 1 and self.temperature == 0:
            raise ConfigError(
                "several votes at temperature 0 are one vote",
                fix="set temperature, such as 0.7, or votes to 1",
            )
        return self

    @override
    def check_ahead(self, schema: Schema) -> None:
        check_columns([*_asked_about(self.rubric), *self.images], schema)
        self.key()

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        """Ask about every sample, and wait for all replies.

        Raises:
            DataError: The rubric names a column that the samples do not have, or an image is none.
            ConfigError: The server cannot be reached or refuses for good, or the key is missing.
            BudgetError: ``max_requests`` or ``max_cost`` is reached.
            StorageError: The cache cannot be written.
        """
        replies = self.ask_for_objects(list(self._questions(samples)), self._schema(), self.votes)
        return verdicts_of(self._counted([self._vote(reply) for reply in row]) for row in replies)

    @override
    def save(self, directory: Path) -> None:
        """Write ``judge.json``: the `usage` so far, for people to look at."""
        if (usage := self.usage()) is not None:
            (directory / USAGE).write_text(usage.model_dump_json() + "\n")

    # -- asking ------------------------------------------------------------------------------------------

    def _questions(self, samples: Samples) -> Iterator[Content]:
        template = _TEMPLATES.from_string(self.rubric)
        columns = {
            name: column.tolist() if isinstance(column := samples[name], np.ndarray) else column
            for name in _asked_about(self.rubric)
        }
        for row in range(len(samples)):
            try:
                text = template.render({name: column[row] for name, column in columns.items()})
            except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as e:
                raise DataError(f"the rubric does not fit the samples ({e})", got=", ".join(samples)) from e
            images = [_data_url(samples, name, row, self.levels) for name in self.images]
            shown = [{"type": "image_url", "image_url": {"url": url}} for url in images]
            yield [{"type": "text", "text": text}, *shown] if shown else text

    def _schema(self) -> dict[str, Any]:
        low, high = self.scale
        fields: dict[str, Any] = {
            # First, so that the model gives its reason before it has made up its mind.
            "reason": {"type": "string", "description": "why, in one sentence"},
            "score": {"type": "number", "minimum": low, "maximum": high, "description": "higher is better"},
            "decision": {"type": "string", "enum": ["accept", "reject", "abstain"]},
        }
        asked = {name: fields[name] for name in ("reason", *self._wanted())}
        return {"type": "object", "properties": asked, "required": [*asked], "additionalProperties": False}

    def _wanted(self) -> tuple[str, ...]:
        return ("score", "decision") if self.asks == "both" else (self.asks,)

    # -- counting votes ----------------------------------------------------------------------------------

    def _vote(self, reply: Completion | Failure) -> Answer:
        if reply.reason:
            return Answer.abstention(reply.reason)
        assert isinstance(reply, Completion)
        try:
            return read_answer(last_object(reply.text, self._wanted()), self._wanted(), self.scale)
        except Unreadable as e:
            cut = "the reply was cut at its greatest length; " if reply.cut else ""
            return Answer.abstention(f"the verdict cannot be read: {cut}{e}")

    def _counted(self, votes: list[Answer]) -> Answer:
        if len(votes) == 1:
            return votes[0]
        voting = [vote for vote in votes if vote.decision != Decision.ABSTAIN]
        if not voting:
            return Answer.abstention(f"all {len(votes)} votes abstain: {votes[0].reason}")
        score = float(np.mean([vote.score for vote in voting]))
        tally = Counter(vote.decision for vote in voting).most_common()
        if len(tally) == 2 and tally[0][1] == tally[1][1]:
            return Answer(score, Decision.ABSTAIN, f"{tally[0][1]} votes to accept, and as many to reject")
        decision, count = tally[0]
        said = next(vote.reason for vote in voting if vote.decision == decision)
        return Answer(score, decision, f"{count} of {len(votes)} votes: {said}")


def _data_url(samples: Samples, name: str, row: int, levels: int) -> str:
    pixels = samples.array(name)
    if pixels.ndim != 3 or pixels.dtype != np.uint8:
        raise DataError(
            f"column {name!r} cannot be shown as an image",
            got=f"array of {pixels.dtype} with shape {pixels.shape}",
            expected="uint8 counts of shape (n, height, width)",
        )
    grey = np.clip(pixels[row] * (255 / levels), 0, 255).round().astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
