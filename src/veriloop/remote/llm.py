"""A language model behind an OpenAI-compatible URL that returns JSON: request forms, cache and budget."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from typing_extensions import override

from ..errors import BudgetError, ConfigError
from .cache import Cache
from .client import Conversation, Failure, ask
from .completions import Completion, body_of, completion_of
from .service import Service, endpoint

Content = str | list[dict[str, Any]]
"""Content of a message: text, or parts of which the first is text."""

FORMS = ("json_schema", "json_object", "none")
"""Ways to ask for JSON, the strictest first. All but the first put the schema into the prompt."""
_UNKNOWN_FORM = frozenset({400, 404, 422})
_FORM = re.compile(r"response.?format|json.?schema|json.?object|structured.?output", re.IGNORECASE)


class Usage(BaseModel):
    """The cost of a model so far, over all replies in its cache.

    Attributes:
        replies: Number of replies.
        prompt_tokens: Number of prompt tokens as counted by the server.
        completion_tokens: Number of completion tokens as counted by the server.
        cost: Cost at the model's ``price``, in its currency.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    replies: int
    prompt_tokens: int
    completion_tokens: int
    cost: float


class LLM(Service, frozen=True):
    """A chat model that is asked for JSON objects.

    Attributes:
        model: Name of the model on the server.
        temperature: Sampling temperature; None for the server's default.
        max_tokens: Largest number of tokens in a reply; None for the server's default.
        response_format: How the server is asked for JSON. ``auto`` starts with ``json_schema``; if the server
            refuses, it uses ``json_object``, then ``none``, and this process remembers what worked. All but
            ``json_schema`` put the schema into the prompt.
        cache: Path of an SQLite file with all replies, which any number of runs may share. Without it, a
            resumed round asks again, and costs are not counted.
        price: Prices of a million prompt tokens and of a million completion tokens.
        max_requests: Largest number of requests to this model, including retries, counted in the cache over
            all its users.
        max_cost: Largest cost of replies at ``price``, counted in the same way. Requests in progress when it
            is reached are still read and paid for.

    The other fields are those of `Service`.
    """

    model: Annotated[str, Field(min_length=1)]
    temperature: Annotated[float, Field(ge=0)] | None = 0.0
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    response_format: Literal["auto", "json_schema", "json_object", "none"] = "auto"
    cache: Path | None = None
    price: tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]] = (0.0, 0.0)
    max_requests: Annotated[int, Field(ge=0)] | None = None
    max_cost: Annotated[float, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _budget_can_be_counted(self) -> Self:
        if self.cache is None and not (self.max_requests is None and self.max_cost is None):
            raise ConfigError(
                "max_requests and max_cost are counted in the cache, but there is none",
                fix="set cache, such as cache: judge.sqlite",
            )
        if self.max_cost is not None and self.price == (0.0, 0.0):
            raise ConfigError(
                "max_cost needs the price of tokens",
                fix="set price, such as price: [0.15, 0.60] for a million prompt and completion tokens",
            )
        return self

    def ask_for_objects(
        self, contents: Sequence[Content], schema: Mapping[str, Any], times: int = 1
    ) -> list[list[Completion | Failure]]:
        """Ask each of ``contents``, ``times`` times, for an object that matches ``schema``.

        Equal questions are asked once.

        Returns:
            The replies for each of ``contents``.

        Raises:
            ConfigError: The server cannot be reached or refuses permanently, or the key is missing.
            BudgetError: The budget is used up. All replies are in the cache.
            StorageError: The cache cannot be written.
        """
        keys = [[self._cache_key(content, schema, k) for k in range(times)] for content in contents]
        asked = {key: content for row, content in zip(keys, contents, strict=True) for key in row}
        if self.cache is None:
            replies = ask(self, asked, _Talk(self, asked, schema, None))
        else:
            with closing(Cache(self.cache)) as cache:
                known = {key: reply for key in asked if (reply := cache.get(key)) is not None}
                talk = _Talk(self, asked, schema, cache)
                talk.known.answered |= bool(known)
                # Failures are not stored: an outage is not a verdict, and the next run should ask again.
                replies = {**known, **ask(self, [key for key in asked if key not in known], talk)}
        return [[replies[key] for key in row] for row in keys]

    def usage(self) -> Usage | None:
        """Return the cost of this model so far; None without a cache.

        Raises:
            StorageError: The cache cannot be read.
        """
        if self.cache is None:
            return None
        with closing(Cache(self.cache)) as cache:
            totals = cache.totals(self.name)
        return Usage(**totals._asdict(), cost=self.cost(totals.prompt_tokens, totals.completion_tokens))

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Return the cost of these tokens, at ``price``."""
        return (prompt_tokens * self.price[0] + completion_tokens * self.price[1]) / 1e6

    @property
    def name(self) -> str:
        """Name of this model in the cache."""
        # The URL is included, because many local servers serve different models under one name.
        return f"{self.model} at {self.url}"

    def question(self, content: Content, schema: Mapping[str, Any], form: str) -> bytes:
        """Return the request in one of `FORMS`."""
        question: dict[str, Any] = {"model": self.model}
        question |= {} if self.temperature is None else {"temperature": self.temperature}
        question |= {} if self.max_tokens is None else {"max_tokens": self.max_tokens}
        if form == "json_schema":
            described = {"name": "verdict", "strict": True, "schema": schema}
            question["response_format"] = {"type": form, form: described}
        else:
            question |= {"response_format": {"type": form}} if form == "json_object" else {}
            content = _with_schema(content, schema)
        return body_of({**question, "messages": [{"role": "user", "content": content}]})

    def _cache_key(self, content: Content, schema: Mapping[str, Any], k: int) -> str:
        # The form that the server accepted does not matter: it is the same question.
        form = "json_schema" if self.response_format == "auto" else self.response_format
        body = self.question(content, schema, form)
        return hashlib.sha256(b"\0".join([self.url.encode(), str(k).encode(), body])).hexdigest()


def _with_schema(content: Content, schema: Mapping[str, Any]) -> Content:
    wish = "\n\nAnswer with one JSON object that keeps to this JSON schema, and nothing else:\n"
    wish += json.dumps(schema)
    if isinstance(content, str):
        return content + wish
    first, *others = content
    return [{**first, "text": first["text"] + wish}, *others]


class _Talk(Conversation[str, Completion]):
    """Chat completions, by their keys in the cache."""

    def __init__(
        self, llm: LLM, asked: Mapping[str, Content], schema: Mapping[str, Any], cache: Cache | None
    ) -> None:
        super().__init__(endpoint(llm.url, "chat/completions"), llm.model)
        self._llm, self._asked, self._schema, self._cache = llm, asked, schema, cache

    @property
    def _form(self) -> str:
        wanted = self._llm.response_format
        return (self.known.form or FORMS[0]) if wanted == "auto" else wanted

    @override
    def body(self, key: str) -> bytes:
        return self._llm.question(self._asked[key], self._schema, self._form)

    @override
    def read(self, key: str, content: Any) -> Completion:
        completion = completion_of(content)
        self.known.form_proven = True
        if self._cache is not None:
            self._cache.put(key, self._llm.name, completion)
        if self._llm.max_cost is not None and not completion.prompt_tokens + completion.completion_tokens:
            raise ConfigError(
                f"{self._llm.url} does not count tokens, so max_cost cannot be enforced",
                fix="set max_requests instead",
            )
        return completion

    @override
    def reworded(self, key: str, status: int, complaint: str, sent: bytes) -> bool:
        automatic = self._llm.response_format == "auto" and not self.known.form_proven
        if not automatic or status not in _UNKNOWN_FORM or not _FORM.search(complaint):
            return False
        if sent != self.body(key):
            # Another question has found it out in the meantime.
            return True
        place = FORMS.index(self._form) + 1
        if place == len(FORMS):
            return False
        self.known.form = FORMS[place]
        return True

    @override
    def before_request(self) -> None:
        if self._cache is None:
            return
        spent, llm = self._cache.spent(self._llm.name), self._llm
        cost = llm.cost(spent.prompt_tokens, spent.completion_tokens)
        for setting, so_far, most, what in (
            ("max_requests", spent.requests, llm.max_requests, "requests"),
            ("max_cost", cost, llm.max_cost, "spent on tokens"),
        ):
            if most is not None and so_far >= most:
                raise BudgetError(
                    f"the budget of model {llm.model} is used up",
                    got=f"{so_far:,.10g} {what}",
                    expected=f"less than {setting} {most:,.10g}",
                    fix=f"raise {setting} and resume; all replies are in {llm.cache}",
                )
        self._cache.count_request(llm.name)
