"""A judge: a language model behind an OpenAI-compatible URL that is asked about every sample."""

import base64
import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from jinja2 import Environment, StrictUndefined, TemplateError, meta
from PIL import Image
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from typing_extensions import override

from ..errors import ConfigError, DataError
from ..generator import Generator
from ..judge import Judge
from ..samples import Samples
from ..schema import Schema, agreed
from ..verdicts import Decision, Verdicts
from ._answers import OneVerdict, read_answer, read_json, sound_text, verdicts_of
from ._cache import Cache, Reply
from ._requests import Failure, RemoteVerifier, Unreadable
from .base import AsConfigured

USAGE = "judge.json"

_TEMPLATES = Environment(undefined=StrictUndefined, keep_trailing_newline=True)


class Usage(BaseModel):
    """What a judge has cost so far, over all replies in its cache.

    Attributes:
        replies: How many.
        prompt_tokens: As the server counted them.
        completion_tokens: Likewise.
        cost: At the judge's ``price``, in its currency.
    """

    model_config = ConfigDict(frozen=True)

    replies: int
    prompt_tokens: int
    completion_tokens: int
    cost: float


def _checked_rubric(rubric: str) -> str:
    try:
        _TEMPLATES.parse(rubric)
    except TemplateError as e:
        raise ConfigError(f"the rubric is no template ({e})", fix="write columns as {{ column }}") from e
    return rubric


def _asked_about(rubric: str) -> list[str]:
    """The columns that a rubric names."""
    return sorted(meta.find_undeclared_variables(_TEMPLATES.parse(rubric)))


class CostedJudge(AsConfigured):
    """An `LLMJudge` as it was configured; beside its configuration it saves what it has cost."""

    @override
    def save(self, directory: Path) -> None:
        """Write ``judge.json``, too: the usage so far, for people to look at."""
        super().save(directory)
        if isinstance(self.verifier, LLMJudge) and (usage := self.verifier.usage()) is not None:
            (directory / USAGE).write_text(usage.model_dump_json() + "\n")


class LLMJudge(RemoteVerifier, frozen=True):
    """Asks a language model about each sample, by a rubric.

    Each vote is one chat completion with a JSON schema as ``response_format``. A reply that does not keep
    to the schema is an abstention with its reason, and so is a question whose tries are used up. Votes
    that abstain are left out; when none is left, so is the verdict. The score is the mean of the votes'
    scores, or the share of votes to accept when only decisions are asked for. The decision is the
    majority's; a tie is an abstention.

    The model sees each sample alone, so it cannot prefer a position; whether it prefers length, ask
    ``veriloop calibrate``.

    Attributes:
        model: As the server calls it.
        rubric: What to ask: a Jinja template over the sample's columns, such as ``{{ text }}``.
        asks: For a ``score``, which leaves the decision to the acceptance rule; for a ``decision``; or for
            ``both``.
        scale: The lowest and highest score.
        votes: How often each sample is asked about.
        temperature: None for the server's own. At 0 all votes would be equal.
        max_tokens: Of a reply; None for the server's own limit.
        images: Columns of images (n, height, width) that are shown with the question, as PNG; None for all
            that the data have.
        levels: A pixel of these images counts 0..levels; None for as the data say.
        cache: An SQLite file of all replies, shared by as many runs as like. Without one, a resumed round
            asks again, and nothing counts the cost.
        price: Of a million prompt tokens and of a million completion tokens.
    """

    judge_type: ClassVar[type[Judge]] = CostedJudge

    model: Annotated[str, Field(min_length=1)]
    rubric: Annotated[str, AfterValidator(_checked_rubric)]
    asks: Literal["score", "decision", "both"] = "score"
    scale: tuple[float, float] = (0.0, 1.0)
    votes: Annotated[int, Field(ge=1)] = 1
    temperature: Annotated[float, Field(ge=0)] | None = 0.0
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    images: tuple[str, ...] | None = None
    levels: Annotated[int, Field(ge=1, le=255)] | None = None
    cache: Path | None = None
    price: tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]] = (0.0, 0.0)

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
        self._key()

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
            DataError: The rubric names a column that the samples do not have, or an image is none.
            ConfigError: The server cannot be reached or refuses for good, or the key is missing.
            StorageError: The cache cannot be written.
        """
        bodies = self._bodies(samples)
        keys = [[self._cache_key(body, vote) for vote in range(self.votes)] for body in bodies]
        replies = self._replies(
            {key: body for votes, body in zip(keys, bodies, strict=True) for key in votes}
        )
        return verdicts_of(self._counted([self._vote(replies[key]) for key in votes]) for votes in keys)

    def usage(self) -> Usage | None:
        """What this judge's model has cost so far; None without a cache.

        Raises:
            StorageError: The cache cannot be read.
        """
        if self.cache is None:
            return None
        with closing(Cache(self.cache)) as cache:
            totals = cache.totals(self._name())
        prompt, completion = self.price
        cost = (totals.prompt_tokens * prompt + totals.completion_tokens * completion) / 1e6
        return Usage(**totals._asdict(), cost=cost)

    # -- asking ------------------------------------------------------------------------------------------

    def _bodies(self, samples: Samples) -> list[bytes]:
        """The request about each sample: canonical JSON, so that equal questions have equal bytes."""
        common: dict[str, Any] = {
            "model": self.model,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "verdict", "strict": True, "schema": self._schema()},
            },
        }
        common |= {} if self.temperature is None else {"temperature": self.temperature}
        common |= {} if self.max_tokens is None else {"max_tokens": self.max_tokens}
        return [
            json.dumps(
                {**common, "messages": [{"role": "user", "content": content}]}, sort_keys=True
            ).encode()
            for content in self._questions(samples)
        ]

    def _questions(self, samples: Samples) -> Iterator[str | list[dict[str, Any]]]:
        template = _TEMPLATES.from_string(self.rubric)
        columns = {
            name: column.tolist() if isinstance(column := samples[name], np.ndarray) else column
            for name in _asked_about(self.rubric)
        }
        for row in range(len(samples)):
            try:
                text = template.render({name: column[row] for name, column in columns.items()})
            except (TemplateError, TypeError, ValueError) as e:
                raise DataError(f"the rubric does not fit the samples ({e})", got=", ".join(samples)) from e
            images = [_data_url(samples, name, row, self._levels()) for name in self.images or ()]
            shown = [{"type": "image_url", "image_url": {"url": url}} for url in images]
            yield [{"type": "text", "text": text}, *shown] if shown else text

    def _levels(self) -> int:
        if self.levels is None:
            raise ConfigError(
                f"verifier {self.kind!r}: levels is open",
                expected="a number, or data that say it",
                fix="set levels, or call suited_to(dataset.schema()) first",
            )
        return self.levels

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

    def _replies(self, bodies: dict[str, bytes]) -> dict[str, Reply | Failure]:
        if self.cache is None:
            return self._ask(f"{self.url}/chat/completions", bodies, lambda _, content: _reply(content))
        with closing(Cache(self.cache)) as cache:
            known = {key: reply for key in bodies if (reply := cache.get(key)) is not None}

            def read(key: str, content: Any) -> Reply:
                reply = _reply(content)
                cache.put(key, self._name(), reply)
                return reply

            unknown = {key: body for key, body in bodies.items() if key not in known}
            # What failed is not kept: an outage is no verdict, and the next run shall ask again.
            return {**known, **self._ask(f"{self.url}/chat/completions", unknown, read)}

    def _name(self) -> str:
        return f"{self.model} at {self.url}"

    def _cache_key(self, body: bytes, vote: int) -> str:
        # The URL is part of it: many local servers serve whatever they like under one model name.
        return hashlib.sha256(b"\0".join([self.url.encode(), str(vote).encode(), body])).hexdigest()

    # -- counting votes ----------------------------------------------------------------------------------

    def _vote(self, reply: Reply | Failure) -> OneVerdict:
        if isinstance(reply, Failure):
            return OneVerdict.abstention(reply.reason)
        try:
            return read_answer(read_json(reply.content), self._wanted(), self.scale)
        except Unreadable as e:
            return OneVerdict.abstention(f"the verdict cannot be read: {e}")

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
                score, Decision.ABSTAIN, f"{tally[0][1]} votes to accept, and as many to reject"
            )
        decision, count = tally[0]
        said = next(vote.reason for vote in voting if vote.decision == decision)
        return OneVerdict(score, decision, f"{count} of {len(votes)} votes: {said}")


def _reply(content: Any) -> Reply:
    """The reply in a chat completion; a refusal is one, too, which no parser will take for a verdict.

    Raises:
        Unreadable: It is no chat completion.
    """
    try:
        message = content["choices"][0]["message"]
        text = message.get("content") or message.get("refusal")
        usage = content.get("usage") or {}
        tokens = [int(usage.get(name) or 0) for name in ("prompt_tokens", "completion_tokens")]
    except (TypeError, KeyError, IndexError, AttributeError, ValueError, OverflowError) as e:
        raise Unreadable(f"no chat completion ({type(e).__name__}: {e})") from e
    if not isinstance(text, str):
        raise Unreadable("a chat completion without text")
    if not all(0 <= count < 2**40 for count in tokens):
        raise Unreadable("a chat completion with impossible numbers of tokens")
    return Reply(sound_text(text), *tokens)


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
