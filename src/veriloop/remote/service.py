"""The address of a service, its retries, and its key, which is never written down."""

import os
import re
from typing import Annotated
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from pydantic import AfterValidator, Field

from ..errors import ConfigError, VeriloopError
from ..parts import Checked

_USERINFO = re.compile(r"(?<=//)[^/@\s]+(?=@)")
_SECRETS = frozenset({"key", "apikey", "token", "accesstoken", "password", "secret", "sig", "signature"})
"""Names of query parameters that hold secrets, without their dashes."""
HIDDEN = "***"


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        sound = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or 1) > 0
        sound = sound and url.isprintable() and not any(c.isspace() for c in url)
        secret = "@" in parts.netloc or _names_secret(parts.query)
    except ValueError:
        sound, secret = False, False
    # Even an invalid URL may contain a password.
    if secret or (not sound and "@" in url):
        # Not a ConfigError, because Pydantic would show the whole URL next to its message.
        raise VeriloopError(
            "the service's URL contains a password or key, and run folders store URLs",
            fix="remove it from the URL, and set key_variable to an environment variable's name",
        )
    if not sound:
        raise ConfigError("not a URL of a server", got=url, expected="such as http://localhost:8000/v1")
    return url.rstrip("/")


def _names_secret(query: str) -> bool:
    names = [re.sub("[-_]", "", name).lower() for name, _ in parse_qsl(query, keep_blank_values=True)]
    return not _SECRETS.isdisjoint(names)


URL = Annotated[str, AfterValidator(_checked_url)]
"""URL of a server; one with a password is refused, because run folders store URLs."""


def endpoint(url: str, path: str) -> str:
    """Return ``url`` with ``path`` appended; a query stays at the end."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{path}"))


def masked(text: str, key: str | None) -> str:
    """Return ``text`` in one line, without the key and without passwords in URLs."""
    # Servers may repeat an unknown key, and proxy settings in the environment may contain theirs.
    text = text.replace(key, HIDDEN) if key else text
    return _USERINFO.sub(HIDDEN, " ".join(text.split()))


class Patience(Checked, frozen=True):
    """Timeouts and retries of a service.

    A question is retried after a timeout, a broken connection, an unreadable reply, and the statuses 408,
    409, 425, 429 and 500 to 599. The waits are backoff, 2 backoff, 4 backoff, ... seconds, and at least what
    ``Retry-After`` asks for. There is no jitter: ``concurrency`` limits the load on the server.

    Attributes:
        concurrency: Largest number of questions in progress at a time.
        timeout: Seconds until a reply must be complete.
        retries: Number of retries per question.
        backoff: Seconds before the first retry.
        longest_wait: Longest wait in seconds between two tries. If a server asks for more, the question is
            given up.
    """

    concurrency: Annotated[int, Field(ge=1, le=1_000)] = 16
    timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 60.0
    retries: Annotated[int, Field(ge=0)] = 5
    backoff: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    longest_wait: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 60.0


class Service(Patience, frozen=True):
    """A service behind a URL.

    Attributes:
        url: URL of the server, without a password. Proxies are taken from the environment (``HTTPS_PROXY``,
            ``NO_PROXY``).
        key_variable: Name of the environment variable with the key, sent as ``Authorization: Bearer KEY``.
            Only this name is ever written down.

    The other fields are those of `Patience`.
    """

    url: URL
    key_variable: str | None = None

    def key(self) -> str | None:
        """Return the key, if the service has one.

        Raises:
            ConfigError: The variable is not set, or its value cannot be sent in a header.
        """
        if self.key_variable is None:
            return None
        key = os.environ.get(self.key_variable, "").strip()
        if not key or not key.isascii() or not key.isprintable():
            raise ConfigError(
                f"the environment variable {self.key_variable} does not contain a key",
                fix=f"set it with: export {self.key_variable}=...",
            )
        return key
