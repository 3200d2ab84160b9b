"""Questions to a server over HTTP: many at a time, again when it fails, and never given up in silence."""

import asyncio
import math
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Annotated, Any, NamedTuple, TypeVar

from pydantic import AfterValidator, Field

from ..errors import ConfigError, MissingExtraError
from .base import Verifier

try:
    import httpx
except ModuleNotFoundError as e:
    raise MissingExtraError.of("httpx", "judge") from e

K = TypeVar("K")
T = TypeVar("T")

_TRY_AGAIN = frozenset({408, 409, 425, 429})
"""Client errors that mean "not now". Those of 500 and above do, too."""
_NEVER = frozenset({301, 302, 307, 308, 401, 402, 404, 405})
"""Answers that no sample will change: the address, the key or the account is wrong."""


def _checked_url(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as e:
        raise ConfigError("not a URL", got=url, expected="such as http://localhost:8000/v1") from e
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise ConfigError("not a URL of a server", got=url, expected="such as http://localhost:8000/v1")
    if parsed.userinfo:
        raise ConfigError(
            "the URL holds a password, and run folders keep URLs",
            fix="name an environment variable in key_variable instead",
        )
    return url.rstrip("/")


class Failure(NamedTuple):
    """A question that got no answer, and why."""

    reason: str


class Unreadable(Exception):
    """A reply that is not what was asked for."""


class RemoteVerifier(Verifier, frozen=True):
    """A verifier behind a URL: how it is asked, whatever it is asked.

    A question is tried again after a time-out, a broken connection, a reply that cannot be read, and the
    statuses 408, 409, 425, 429 and 500 to 599. The waits are backoff, 2 backoff, 4 backoff, ... seconds, and
    at least what ``Retry-After`` asks for. There is no jitter: ``concurrency`` is what spares the server.

    Attributes:
        url: Where the server is.
        key_variable: The environment variable that holds the key, sent as ``Authorization: Bearer KEY``.
            Only the variable's name is ever written down.
        concurrency: The most questions under way at a time.
        timeout: Seconds until a reply must be complete.
        retries: How often a question is tried again.
        backoff: Seconds before the second try.
        longest_wait: The most seconds between two tries. A server that asks for more is given up.
    """

    url: Annotated[str, AfterValidator(_checked_url)]
    key_variable: str | None = None
    concurrency: Annotated[int, Field(ge=1, le=1_000)] = 16
    timeout: Annotated[float, Field(gt=0)] = 60.0
    retries: Annotated[int, Field(ge=0)] = 5
    backoff: Annotated[float, Field(ge=0)] = 1.0
    longest_wait: Annotated[float, Field(ge=0)] = 60.0

    def _ask(self, url: str, bodies: Mapping[K, bytes], read: Callable[[K, Any], T]) -> dict[K, T | Failure]:
        """Post every body to ``url``.

        Args:
            url: Full address.
            bodies: JSON, by a key of the caller's.
            read: Called with the key and the decoded reply as soon as it is in; raises `Unreadable`.

        Returns:
            By key, what ``read`` returned, or why there is nothing.

        Raises:
            ConfigError: Nobody listens at ``url``, it refuses us for good, or the key is missing.
        """
        key = self._key()
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})

        async def all_of_them() -> dict[K, T | Failure]:
            replies: dict[K, T | Failure] = {}
            waiting = iter(bodies.items())
            limits = httpx.Limits(max_connections=self.concurrency)
            async with httpx.AsyncClient(headers=headers, timeout=None, limits=limits) as client:

                async def work() -> None:
                    for name, body in waiting:
                        post = partial(client.post, url, content=body)
                        replies[name] = await self._patiently(post, partial(read, name), key)

                async with asyncio.TaskGroup() as workers:
                    for _ in range(min(self.concurrency, len(bodies))):
                        workers.create_task(work())
            return replies

        try:
            return _run(all_of_them) if bodies else {}
        except ExceptionGroup as group:
            raise group.exceptions[0] from None

    async def _patiently(
        self, post: Callable[[], Awaitable[httpx.Response]], read: Callable[[Any], T], key: str | None
    ) -> T | Failure:
        reason = ""
        for attempt in range(self.retries + 1):
            wait = min(self.backoff * 2**attempt, self.longest_wait)
            try:
                async with asyncio.timeout(self.timeout):
                    response = await post()
            except TimeoutError:
                reason = f"no reply within {self.timeout:g} s"
            except httpx.ConnectError as e:
                if attempt == self.retries:
                    raise ConfigError(
                        f"no connection to {self.url}",
                        got=str(e),
                        fix="start the server or mend the url; finished rounds are safe",
                    ) from e
                reason = "no connection"
            except httpx.HTTPError as e:
                reason = f"the connection broke: {e}"
            else:
                if response.is_success:
                    try:
                        return read(response.json())
                    except (Unreadable, ValueError, RecursionError) as e:
                        reason = f"the reply cannot be read: {e}"
                else:
                    reason = _status(response, key)
                    if response.status_code in _NEVER:
                        raise ConfigError(
                            f"{self.url} refuses", got=reason, fix="check url, key_variable and the account"
                        )
                    if response.status_code < 500 and response.status_code not in _TRY_AGAIN:
                        return Failure(reason)
                    wait = max(wait, _retry_after(response))
                    if wait > self.longest_wait:
                        return Failure(f"{reason}; it asked to wait {wait:.0f} s")
            if attempt < self.retries:
                await asyncio.sleep(wait)
        return Failure(f"{reason}, tried {self.retries + 1} times")

    def _key(self) -> str | None:
        if self.key_variable is None:
            return None
        key = os.environ.get(self.key_variable, "").strip()
        if not key or not key.isascii():
            raise ConfigError(
                f"the environment variable {self.key_variable} holds no key",
                fix=f"set it with: export {self.key_variable}=...",
            )
        return key


def _run(make: Callable[[], Awaitable[T]]) -> T:
    async def main() -> T:
        return await make()

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(main())
    # A notebook has a loop of its own, which must not wait for us; another thread may have another loop.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(main())).result()


def _status(response: httpx.Response, key: str | None) -> str:
    text = " ".join(response.text.split())
    # Servers like to repeat a key that they do not know.
    text = text.replace(key, "***") if key else text
    return f"status {response.status_code}" + (f": {text[:200]}" if text else "")


def _retry_after(response: httpx.Response) -> float:
    """Seconds that the server asks to wait: a number or a date (RFC 9110, 10.2.3); 0 when it does not."""
    asked = response.headers.get("Retry-After", "")
    try:
        seconds = float(asked)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(asked).timestamp() - time.time()
        except ValueError:
            return 0.0
    return max(seconds, 0.0) if math.isfinite(seconds) else 0.0
