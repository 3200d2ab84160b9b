"""Where a service is, how patiently it is asked, and that its key is never written down."""

import os
import re
from typing import Annotated
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from pydantic import AfterValidator, Field

from ..errors import ConfigError, VeriloopError
from ..parts import Checked

_USERINFO = re.compile(r"(?<=//)[^/@\s]+(?=@)")
_SECRETS = frozenset({"key", "apikey", "token", "accesstoken", "password", "secret", "sig", "signature"})
"""Names of a query's parameters that hold secrets, without their dashes."""
HIDDEN = "***"


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        sound = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or 1) > 0
        sound = sound and url.isprintable() and not any(c.isspace() for c in url)
        secret = "@" in parts.netloc or _names_secret(parts.query)
    except ValueError:
        sound, secret = False, False
    # What is no URL may still have been meant to hold a password.
    if secret or (not sound and "@" in url):
        # No ConfigError: Pydantic would show the whole URL beside its message.
        raise VeriloopError(
            "a service's URL holds a password or key, and run folders keep URLs",
            fix="take it out of the URL, and name an environment variable with the key in key_variable",
        )
    if not sound:
        raise ConfigError("not a URL of a server", got=url, expected="such as http://localhost:8000/v1")
    return url.rstrip("/")


def _names_secret(query: str) -> bool:
    names = [re.sub("[-_]", "", name).lower() for name, _ in parse_qsl(query, keep_blank_values=True)]
    return not _SECRETS.isdisjoint(names)


URL = Annotated[str, AfterValidator(_checked_url)]
"""The address of a server; one that holds a password is refused, because run folders keep addresses."""


def endpoint(url: str, path: str) -> str:
    """``url`` with ``path`` after its own; a query stays at the end."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{path}"))


def masked(text: str, key: str | None) -> str:
    """``text`` in one line, without the key and without passwords in URLs."""
    # Servers like to repeat a key that they do not know, and proxies stand in the environment with theirs.
    text = text.replace(key, HIDDEN) if key else text
    return _USERINFO.sub(HIDDEN, " ".join(text.split()))


class Patience(Checked, frozen=True):
    """How a service is asked, whatever it is asked.

    A question is tried again after a time-out, a broken connection, a reply that cannot be read, and the
    statuses 408, 409, 425, 429 and 500 to 599. The waits are backoff, 2 backoff, 4 backoff, ... seconds, and
    at least what ``Retry-After`` asks for. There is no jitter: ``concurrency`` is what spares the server.

    Attributes:
        concurrency: The most questions under way at a time.
        timeout: Seconds until a reply must be complete.
        retries: How often a question is tried again.
        backoff: Seconds before the second try.
        longest_wait: The most seconds between two tries. A server that asks for more is given up.
    """

    concurrency: Annotated[int, Field(ge=1, le=1_000)] = 16
    timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 60.0
    retries: Annotated[int, Field(ge=0)] = 5
    backoff: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    longest_wait: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 60.0


class Service(Patience, frozen=True):
    """A service behind a URL.

    Attributes:
        url: Where the server is, without a password. Proxies are those of the environment (``HTTPS_PROXY``,
            ``NO_PROXY``).
        key_variable: The environment variable that holds the key, sent as ``Authorization: Bearer KEY``.
            Only the variable's name is ever written down.

    The other fields are those of `Patience`.
    """

    url: URL
    key_variable: str | None = None

    def key(self) -> str | None:
        """The key, if the service has one.

        Raises:
            ConfigError: The variable is not set, or holds what no header can carry.
        """
        if self.key_variable is None:
            return None
        key = os.environ.get(self.key_variable, "").strip()
        if not key or not key.isascii() or not key.isprintable():
            raise ConfigError(
                f"the environment variable {self.key_variable} holds no key",
                fix=f"set it with: export {self.key_variable}=...",
            )
        return key
