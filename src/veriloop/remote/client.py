"""Send many requests to a server over HTTP, with retries, and report every failure.

All HTTP traffic to services goes through `ask`. The retry loop is implemented here: a retry library would
provide a loop and exponential waits, but the important decisions would still be up to the caller: what each
status means, a wait requested by the server, and questions that are reworded.
"""

import asyncio
import json
import math
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import httpx
from typing_extensions import override

from ..advance import RowsDone, report
from ..errors import BudgetError, ConfigError, VeriloopError
from .objects import Unreadable
from .service import Service, masked

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

LARGEST_REPLY = 16 * 2**20
"""Largest reply in bytes after decompression; a larger one is not read to its end."""
_LARGEST_COMPLAINT = 64 * 2**10
"""Largest error reply in bytes."""

_TRY_AGAIN = frozenset({408, 409, 425, 429})
"""Client errors that mean "try again later", in addition to all statuses from 500."""
_MAYBE_THE_QUESTION = frozenset({400, 403, 413, 422})
"""Refusals that may concern a single question, too long or filtered. All others concern the settings."""
_USELESS_AT_MOST = 3
"""Number of questions without a single usable answer after which the settings are considered wrong."""


class Failure(NamedTuple):
    """A question without an answer, and why.

    ``outage``: it may be answered later. ``refused``: the server does not answer this question.
    ``unreadable``: the replies are not in the requested form.
    """

    reason: str
    kind: Literal["outage", "refused", "unreadable"] = "outage"


@dataclass
class Known:
    """What this process has learned about a service, so that it is learned only once.

    Attributes:
        answered: Whether it has answered a question.
        useless: Number of questions refused or answered unreadably before the first answer.
        form: How to ask it for JSON, see `veriloop.remote.llm`; None until decided.
        form_proven: Whether it has answered a question in this form.
        wordless: Number of completions without text before the first one with text.
        spoke: Whether it has written a text.
        requests: Number of requests sent to it.
    """

    answered: bool = False
    useless: int = 0
    form: str | None = None
    form_proven: bool = False
    wordless: int = 0
    spoke: bool = False
    requests: int = 0


KNOWN: dict[tuple[str, str], Known] = {}
"""By URL and model."""


def requests_sent() -> int:
    """Return the number of requests this process has sent to all services."""
    return sum(known.requests for known in KNOWN.values())


class Conversation(ABC, Generic[K, T]):
    """Questions by a key of the caller's choice, and how replies are parsed.

    Args:
        url: Full address.
        model: Name of the model that knowledge about the server belongs to; empty if there is none.
    """

    def __init__(self, url: str, model: str = "") -> None:
        self.url = url
        self.known: Known = KNOWN.setdefault((url, model), Known())

    @abstractmethod
    def body(self, key: K) -> bytes:
        """Return the question as JSON."""

    @abstractmethod
    def read(self, key: K, content: Any) -> T:
        """Parse a decoded reply; called as soon as it arrives.

        Raises:
            Unreadable: It is not in the requested form, and the question is asked again.
        """

    def reworded(self, key: K, status: int, complaint: str, sent: bytes) -> bool:
        """Whether a refused question should be asked again at once in other words."""
        return False

    def before_request(self) -> None:
        """Called before every request.

        Raises:
            BudgetError: No more requests are allowed.
        """


class Plain(Conversation[K, T]):
    """A conversation whose questions are known from the start.

    Args:
        url: Full address.
        bodies: Questions as JSON, by key.
        reader: Function called with the key and the decoded reply; raises `Unreadable`.
        model: Name of the model, as in `Conversation`.
    """

    def __init__(
        self, url: str, bodies: Mapping[K, bytes], reader: Callable[[K, Any], T], model: str = ""
    ) -> None:
        super().__init__(url, model)
        self._bodies, self._reader = bodies, reader

    @override
    def body(self, key: K) -> bytes:
        return self._bodies[key]

    @override
    def read(self, key: K, content: Any) -> T:
        return self._reader(key, content)


def ask(service: Service, keys: Iterable[K], conversation: Conversation[K, T]) -> dict[K, T | Failure]:
    """Ask every question, and wait for all replies.

    A service that has not answered yet is asked one question at a time, so that wrong settings cost a few
    requests instead of thousands.

    Returns:
        By key, what ``conversation`` parsed, or why there is nothing.

    Raises:
        ConfigError: No server answers at the URL, it refuses permanently, or the key is missing.
        BudgetError: The conversation allows no more requests. Requests in progress were read first.
    """
    keys = list(keys)
    asking = _Asking(service, conversation)
    try:
        return _run(lambda: asking.all_of(keys)) if keys else {}
    except ExceptionGroup as group:
        raise group.exceptions[0] from None


class _Asking(Generic[K, T]):
    def __init__(self, service: Service, conversation: Conversation[K, T]) -> None:
        self._service, self._conversation = service, conversation
        self._key = service.key()

    async def all_of(self, keys: list[K]) -> dict[K, T | Failure]:
        """Return the reply or the failure for each key, asking for several at a time.

        Raises:
            BudgetError: The budget is spent; the replies that came before are stored.
        """
        replies: dict[K, T | Failure] = {}
        spent: list[BudgetError] = []
        waiting = iter(keys)
        async with self._client() as client:
            await self._first(client, waiting, replies)

            async def work() -> None:
                """Ask for one key after the other until none is left or the budget is spent."""
                for name in waiting:
                    try:
                        replies[name] = await self._patiently(client, name)
                        report(RowsDone(len(replies), len(keys)))
                    except BudgetError as e:
                        # The others end in the same way, but first read the replies that are already paid
                        # for.
                        spent.append(e)
                        return

            async with asyncio.TaskGroup() as workers:
                for _ in range(min(self._service.concurrency, len(keys) - len(replies))):
                    workers.create_task(work())
        if spent:
            raise spent[0]
        return replies

    async def _first(
        self, client: httpx.AsyncClient, waiting: Iterator[K], replies: dict[K, T | Failure]
    ) -> None:
        known = self._conversation.known
        for name in waiting if not known.answered else ():
            reply = replies[name] = await self._patiently(client, name)
            # A busy or slow server can be asked many questions at a time.
            if not isinstance(reply, Failure) or reply.kind == "outage":
                return
            known.useless += 1
            if known.useless >= _USELESS_AT_MOST:
                raise ConfigError(
                    f"{self._conversation.url} answered no question",
                    got=reply.reason,
                    fix="check url, model and the questions; finished rounds are safe",
                )

    def _client(self) -> httpx.AsyncClient:
        headers = {"Content-Type": "application/json"}
        headers |= {"Authorization": f"Bearer {self._key}"} if self._key else {}
        # The whole request has a time limit; a separate one detects that nothing accepts the connection.
        timeout = httpx.Timeout(None, connect=min(self._service.timeout / 2, 20.0))
        limits = httpx.Limits(max_connections=self._service.concurrency)
        try:
            httpx.URL(self._conversation.url)
        except httpx.InvalidURL as e:
            raise ConfigError(f"not a URL ({e})", got=self._conversation.url) from e
        try:
            return httpx.AsyncClient(headers=headers, timeout=timeout, limits=limits)
        except (ValueError, ImportError, httpx.InvalidURL) as e:
            raise ConfigError(
                f"the proxies in the environment cannot be used ({masked(str(e), self._key)})",
                fix="check HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY",
            ) from None

    async def _patiently(self, client: httpx.AsyncClient, name: K) -> T | Failure:
        service, conversation = self._service, self._conversation
        attempt = 0
        while True:
            conversation.before_request()
            conversation.known.requests += 1
            sent = conversation.body(name)
            outcome, asked_to_wait = await self._once(client, sent), 0.0
            if isinstance(outcome, _Broken):
                failure = Failure(outcome.reason)
            elif outcome.ok:
                reply = self._read(name, outcome)
                if not isinstance(reply, Failure):
                    return reply
                failure = reply
            else:
                complaint = self._masked(outcome.content.decode(errors="replace"))
                if conversation.reworded(name, outcome.status, complaint, sent):
                    continue
                failure = self._judged(outcome.status, complaint)
                asked_to_wait = retry_after(outcome.headers)
            if failure.kind == "refused":
                return failure
            if asked_to_wait > service.longest_wait:
                return Failure(f"{failure.reason}; it asked to wait {asked_to_wait:.0f} s")
            if attempt == service.retries:
                if isinstance(outcome, _Broken) and not outcome.connected:
                    raise ConfigError(
                        f"no connection to {conversation.url}",
                        got=outcome.reason,
                        fix="start the server or correct the url; finished rounds are safe",
                    )
                tried = "once" if attempt == 0 else f"{attempt + 1} times"
                return failure._replace(reason=f"{failure.reason}, tried {tried}")
            wait = min(service.backoff * 2 ** min(attempt, 60), service.longest_wait)
            await asyncio.sleep(max(wait, asked_to_wait))
            attempt += 1

    async def _once(self, client: httpx.AsyncClient, body: bytes) -> "_Reply | _Broken":
        try:
            async with (
                asyncio.timeout(self._service.timeout),
                client.stream("POST", self._conversation.url, content=body) as response,
            ):
                most = LARGEST_REPLY if response.is_success else _LARGEST_COMPLAINT
                content = bytearray()
                async for piece in response.aiter_bytes():
                    content += piece
                    if len(content) > most:
                        break
        except TimeoutError:
            return _Broken(f"no reply within {self._service.timeout:g} s")
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as e:
            return _Broken(self._masked(_cause(e)), connected=False)
        except httpx.HTTPError as e:
            return _Broken(f"the connection broke: {self._masked(str(e) or type(e).__name__)}")
        return _Reply(response.status_code, response.is_success, response.headers, bytes(content))

    def _read(self, name: K, reply: "_Reply") -> T | Failure:
        if len(reply.content) > LARGEST_REPLY:
            return Failure(f"the reply is larger than {LARGEST_REPLY:,} bytes", "unreadable")
        try:
            read = self._conversation.read(name, json.loads(reply.content))
        except VeriloopError:
            raise
        except (Unreadable, ValueError, RecursionError) as e:
            return Failure(f"the reply cannot be read: {self._masked(str(e))}", "unreadable")
        self._conversation.known.answered = True
        return read

    def _judged(self, status: int, complaint: str) -> Failure:
        """Return what an error status means: an outage, a refusal of this question, or the end."""
        reason = f"status {status}" + (f": {complaint[:200]}" if complaint else "")
        if status in _MAYBE_THE_QUESTION:
            return Failure(reason, "refused")
        # OpenAI sends a retry status for accounts without credit, which waiting does not fix.
        if status >= 500 or (status in _TRY_AGAIN and "insufficient_quota" not in complaint):
            return Failure(reason)
        raise ConfigError(
            f"{self._conversation.url} refuses",
            got=reason,
            fix="check url, model, key_variable and the account; finished rounds are safe",
        )

    def _masked(self, text: str) -> str:
        return masked(text, self._key)


class _Reply(NamedTuple):
    status: int
    ok: bool
    headers: Mapping[str, str]
    content: bytes


class _Broken(NamedTuple):
    """No reply, and why; possibly not even a connection."""

    reason: str
    connected: bool = True


def _run(make: Callable[[], Awaitable[T]]) -> T:
    async def main() -> T:
        """Await what ``make`` returns; asyncio.run needs a coroutine."""
        return await make()

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(main())
    # A notebook already runs an event loop, which must not block; another thread may run another loop.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(copy_context().run, lambda: asyncio.run(main())).result()


def _cause(error: BaseException) -> str:
    """Return why there is no connection, in a few words; httpx only reports that all attempts failed."""
    seen: list[BaseException] = [error]
    for e in seen:
        if isinstance(e, ConnectionRefusedError):
            return "connection refused"
        if isinstance(e, socket.gaierror):
            return f"no such host ({e.strerror})"
        if isinstance(e, httpx.ConnectTimeout):
            return "the connection was not accepted in time"
        if isinstance(e, BaseExceptionGroup):
            seen += e.exceptions
        seen += [cause for cause in (e.__cause__, e.__context__) if cause is not None and cause not in seen]
    return str(error) or type(error).__name__


def retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds a server asks to wait: a number or a date (RFC 9110, 10.2.3); 0 if it does not."""
    asked = headers.get("Retry-After", "")
    try:
        seconds = float(asked)
    except ValueError:
        try:
            date = parsedate_to_datetime(asked)
            # One of the three date formats has no time zone, and means GMT.
            date = date if date.tzinfo else date.replace(tzinfo=UTC)
            seconds = date.timestamp() - time.time()
        except (ValueError, OverflowError):
            return 0.0
    return max(seconds, 0.0) if math.isfinite(seconds) else 0.0
