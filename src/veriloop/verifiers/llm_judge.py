"""A judge: a language model behind an OpenAI-compatible URL that is asked about every sample."""

import base64
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from jinja2 import StrictUndefined, TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import AfterValidator, Field, model_validator
from typing_extensions import override

from ..errors import ConfigError, DataError
from ..extras import require
from ..generator import Generator
from ..judge import Judge
from ..remote.client import Failure
from ..remote.completions import Completion
from ..remote.llm import LLM, Content
from ..remote.objects import Unreadable, last_object
from ..samples import Samples, rows_of
from ..schema import Schema, agreed
from ..verdicts import Decision, Verdicts
from ._answers import OneVerdict, read_answer, verdicts_of
from .base import AsConfigured, Verifier

USAGE = "judge.json"

# A rubric is part of a configuration, which may come from someone else.
_TEMPLATES = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)


def _checked_rubric(rubric: str) -> str:
    try:
        _TEMPLATES.parse(rubric)
    except TemplateError as e:
        raise ConfigError(
            f"the rubric is not a valid template ({e})", fix="write columns as {{ column }}"
        ) from e
    return rubric


def _asked_about(rubric: str) -> list[str]:
    """Return the columns that a rubric names."""
    return sorted(meta.find_undeclared_variables(_TEMPLATES.parse(rubric)))


class CostedJudge(AsConfigured):
    """A configured `LLMJudge`, which also saves what it has cost."""

    @override
    def save(self, directory: Path) -> None:
        """Also write ``judge.json``: the usage so far, for people to read."""
        super().save(directory)
        if isinstance(self.verifier, LLMJudge) and (usage := self.verifier.usage()) is not None:
            (directory / USAGE).write_text(usage.model_dump_json() + "\n")


class LLMJudge(Verifier, LLM, frozen=True):
    """Asks a language model about each sample, with a rubric.

    Each vote is one chat completion. Its verdict is the last JSON object with the required keys in the reply,
    after any reasoning and with any text around it. A reply without one is an abstention with its reason, and
    so is a question that is refused or whose retries are used up. Votes that abstain are left out; if none
    remains, the verdict is an abstention. The score is the mean of the votes' scores, or the share of votes
    to accept if only decisions are asked for. The decision is that of the majority; a tie is an abstention.

    The model sees each sample alone, so it cannot prefer a position; ``veriloop calibrate`` measures whether
    it prefers long texts.

    Attributes:
        rubric: Question to the model: a Jinja template over the sample's columns, such as ``{{ text }}``.
        asks: What to ask for: a ``score``, which leaves the decision to the acceptance rule; a ``decision``;
            or ``both``.
        scale: Lowest and highest score.
        votes: Number of votes per sample.
        images: Names of image columns (n, height, width) shown with the question as PNG; None for all in the
            data.
        levels: Largest pixel value of these images; None for that of the data.

    The other fields are those of `veriloop.remote.llm.LLM`. At temperature 0 all votes would be equal.
    """

    judge_type: ClassVar[type[Judge]] = CostedJudge

    rubric: Annotated[str, AfterValidator(_checked_rubric)]
    asks: Literal["score", "decision", "both"] = "score"
    scale: tuple[float, float] = (0.0, 1.0)
    votes: Annotated[int, Field(ge=1)] = 1
    images: tuple[str, ...] | None = None
    levels: Annotated[int, Field(ge=1, le=255)] | None = None

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

    @property
    @override
    def only_scores(self) -> bool:
        return self.asks == "score"

    @property
    @override
    def in_pieces(self) -> bool:
        return True

    @override
    def suited_to(self, schema: Schema) -> Self:
        me = f"verifier {self.kind!r}"
        for name in _asked_about(self.rubric):
            schema.column(name, f"{me}: rubric")
        images = tuple(schema.named("image")) if self.images is None else self.images
        levels = self.levels
        for name in images:
            image = schema.column(name, f"{me}: images", "image")
            if image.channels != 1:
                raise ConfigError(
                    f"{me}: images: column {name!r}", got=f"{image.channels} channels", expected=1
                )
            levels = agreed(me, "levels", levels, image.levels, name)
        return super().suited_to(schema).model_copy(update={"images": images, "levels": levels})

    @override
    def check_ahead(self, schema: Schema) -> None:
        self.key()

    @override
    def fit(
        self, previous: Judge | None, generator: Generator, real: Samples, rng: np.random.Generator
    ) -> Judge:
        return CostedJudge(self)

    @override
    def load(self, directory: Path) -> Judge:
        return CostedJudge(self)

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        """Ask about every sample, and wait for all replies.

        Raises:
            DataError: The rubric names a column that the samples do not have, or an image column is invalid.
            ConfigError: The server cannot be reached or refuses permanently, or the key is missing.
            BudgetError: ``max_requests`` or ``max_cost`` is reached.
            StorageError: The cache cannot be written.
        """
        replies = self.ask_for_objects(list(self._questions(samples)), self._schema(), self.votes)
        return verdicts_of(self._counted([self._vote(reply) for reply in row]) for row in replies)

    # -- asking ------------------------------------------------------------------------------------------

    def _questions(self, samples: Samples) -> Iterator[Content]:
        template = _TEMPLATES.from_string(self.rubric)
        for row, values in enumerate(rows_of(samples, _asked_about(self.rubric)) or [{}] * len(samples)):
            try:
                text = template.render(values)
            except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as e:
                raise DataError(f"the rubric does not fit the samples ({e})", got=", ".join(samples)) from e
            images = [_data_url(samples, name, row, self._levels()) for name in self.images or ()]
            shown = [{"type": "image_url", "image_url": {"url": url}} for url in images]
            yield [{"type": "text", "text": text}, *shown] if shown else text

    def _levels(self) -> int:
        if self.levels is None:
            raise ConfigError(
                f"verifier {self.kind!r}: levels is not set",
                expected="a number, or data that define it",
                fix="set levels, or call suited_to(dataset.schema()) first",
            )
        return self.levels

    def _schema(self) -> dict[str, Any]:
        low, high = self.scale
        fields: dict[str, Any] = {
            # The reason comes first, so that the model gives it before it decides.
            "reason": {"type": "string", "description": "why, in one sentence"},
            "score": {"type": "number", "minimum": low, "maximum": high, "description": "higher is better"},
            "decision": {"type": "string", "enum": ["accept", "reject", "abstain"]},
        }
        asked = {name: fields[name] for name in ("reason", *self._wanted())}
        return {"type": "object", "properties": asked, "required": [*asked], "additionalProperties": False}

    def _wanted(self) -> tuple[str, ...]:
        return ("score", "decision") if self.asks == "both" else (self.asks,)

    # -- counting votes ----------------------------------------------------------------------------------

    def _vote(self, reply: Completion | Failure) -> OneVerdict:
        if reply.reason:
            return OneVerdict.abstention(reply.reason)
        assert isinstance(reply, Completion)
        try:
            return read_answer(last_object(reply.text, self._wanted()), self._wanted(), self.scale)
        except Unreadable as e:
            cut = "the reply was cut at the length limit; " if reply.cut else ""
            return OneVerdict.abstention(f"the verdict cannot be read: {cut}{e}")

    def _counted(self, votes: list[OneVerdict]) -> OneVerdict:
        if len(votes) == 1:
            return votes[0]
        voting = [vote for vote in votes if vote.decision != Decision.ABSTAIN]
        if not voting:
            return OneVerdict.abstention(f"all {len(votes)} votes abstain: {votes[0].reason}")
        score = float(np.mean([vote.score for vote in voting]))
        tally = Counter(vote.decision for vote in voting).most_common()
        if len(tally) == 2 and tally[0][1] == tally[1][1]:
            return OneVerdict(
                score, Decision.ABSTAIN, f"{tally[0][1]} votes to accept and equally many to reject"
            )
        decision, count = tally[0]
        said = next(vote.reason for vote in voting if vote.decision == decision)
        return OneVerdict(score, decision, f"{count} of {len(votes)} votes: {said}")


def _data_url(samples: Samples, name: str, row: int, levels: int) -> str:
    pixels = samples.array(name)
    if pixels.ndim != 3 or pixels.dtype != np.uint8:
        raise DataError(
            f"column {name!r} cannot be shown as an image",
            got=f"array of {pixels.dtype} with shape {pixels.shape}",
            expected="uint8 counts of shape (n, height, width)",
        )
    require("PIL")
    from PIL import Image

    grey = np.clip(pixels[row] * (255 / levels), 0, 255).round().astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
