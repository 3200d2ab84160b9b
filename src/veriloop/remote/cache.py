"""Replies of a language model, kept on disk: one that was paid for is never asked for again."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from ..errors import CorruptFileError, StorageError
from ..sqlite_wal import write_ahead
from .completions import Completion

T = TypeVar("T")

_TABLES = """
CREATE TABLE IF NOT EXISTS completions (
    key TEXT PRIMARY KEY, model TEXT NOT NULL, text TEXT NOT NULL, finish TEXT NOT NULL, reason TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS spent (
    model TEXT PRIMARY KEY, requests INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL
) WITHOUT ROWID;
"""


class Spent(NamedTuple):
    """On a model: the requests that were sent, answered or not, and the tokens of all replies."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Totals(NamedTuple):
    """Over all replies of a model: how many, and their tokens."""

    replies: int
    prompt_tokens: int
    completion_tokens: int


class Cache:
    """An SQLite file of replies by key; a reply is safe from kill -9 once `put` has returned.

    Any number of processes of one machine may use it at a time. Not for network file systems, on which
    SQLite's write-ahead log does not work.

    Raises:
        StorageError: The file cannot be read or written.
        CorruptFileError: It is not one of ours.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = self._or_error(self._opened)

    def get(self, key: str) -> Completion | None:
        """The reply under ``key``, if there is one."""
        row = self._or_error(
            lambda: self._connection.execute(
                "SELECT text, finish, reason, prompt_tokens, completion_tokens"
                " FROM completions WHERE key = ?",
                (key,),
            ).fetchone()
        )
        return Completion(*row) if row else None

    def put(self, key: str, model: str, reply: Completion) -> None:
        """Keep a reply; the first one stays when another process was faster, but both have cost."""

        def write() -> None:
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                self._connection.execute(
                    "INSERT OR IGNORE INTO completions VALUES (?, ?, ?, ?, ?, ?, ?)", (key, model, *reply)
                )
                self._connection.execute(
                    "INSERT INTO spent VALUES (?1, 0, ?2, ?3) ON CONFLICT (model) DO UPDATE SET"
                    " prompt_tokens = prompt_tokens + ?2, completion_tokens = completion_tokens + ?3",
                    (model, reply.prompt_tokens, reply.completion_tokens),
                )

        self._or_error(write)

    def count_request(self, model: str) -> None:
        """Say that a request is sent."""
        self._or_error(
            lambda: self._connection.execute(
                "INSERT INTO spent VALUES (?, 1, 0, 0)"
                " ON CONFLICT (model) DO UPDATE SET requests = requests + 1",
                (model,),
            )
        )

    def spent(self, model: str) -> Spent:
        """On ``model``, by all who use this file."""
        row = self._or_error(
            lambda: self._connection.execute(
                "SELECT requests, prompt_tokens, completion_tokens FROM spent WHERE model = ?", (model,)
            ).fetchone()
        )
        return Spent(*row) if row else Spent()

    def totals(self, model: str) -> Totals:
        """Of all replies of ``model``."""
        row = self._or_error(
            lambda: self._connection.execute(
                "SELECT count(*), coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0)"
                " FROM completions WHERE model = ?",
                (model,),
            ).fetchone()
        )
        return Totals(*row)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _opened(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Without an isolation level every statement is its own transaction. The thread may be another one
        # than the caller's, but only one at a time.
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        write_ahead(connection, synchronous="NORMAL")
        connection.executescript(_TABLES)
        return connection

    def _or_error(self, action: Callable[[], T]) -> T:
        try:
            return action()
        except (sqlite3.OperationalError, OSError) as e:
            raise StorageError(
                f"cannot use the cache {self.path}: {e}", fix="make room, or choose another file"
            ) from e
        except sqlite3.DatabaseError as e:
            raise CorruptFileError(
                f"the cache {self.path} is no file of ours ({e})",
                fix="choose another file, or delete this one",
            ) from e
