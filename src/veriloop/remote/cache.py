"""Cache of a language model's replies on disk: a reply that was paid for is never requested again."""

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
    """Usage of a model: the requests sent, answered or not, and the tokens of all replies."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Totals(NamedTuple):
    """Totals over all replies of a model: their number and their tokens."""

    replies: int
    prompt_tokens: int
    completion_tokens: int


class Cache:
    """An SQLite file of replies by key; a reply survives kill -9 once `put` has returned.

    Any number of processes on one machine may use it at a time. It does not work on network file systems,
    because of SQLite's write-ahead log.

    Raises:
        StorageError: The file cannot be read or written.
        CorruptFileError: It is not a cache file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = self._or_error(self._opened)

    def get(self, key: str) -> Completion | None:
        """Return the reply for ``key``, if there is one."""
        row = self._or_error(
            lambda: self._connection.execute(
                "SELECT text, finish, reason, prompt_tokens, completion_tokens"
                " FROM completions WHERE key = ?",
                (key,),
            ).fetchone()
        )
        return Completion(*row) if row else None

    def put(self, key: str, model: str, reply: Completion) -> None:
        """Store a reply; if another process was faster, its reply stays, but both count as cost."""

        def write() -> None:
            """Write the reply and its cost in one transaction."""
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
        """Count a request that is sent."""
        self._or_error(
            lambda: self._connection.execute(
                "INSERT INTO spent VALUES (?, 1, 0, 0)"
                " ON CONFLICT (model) DO UPDATE SET requests = requests + 1",
                (model,),
            )
        )

    def spent(self, model: str) -> Spent:
        """Return the usage of ``model``, by everyone who uses this file."""
        row = self._or_error(
            lambda: self._connection.execute(
                "SELECT requests, prompt_tokens, completion_tokens FROM spent WHERE model = ?", (model,)
            ).fetchone()
        )
        return Spent(*row) if row else Spent()

    def totals(self, model: str) -> Totals:
        """Return the totals over all replies of ``model``."""
        row = self._or_error(
            lambda: self._connection.execute(
                "SELECT count(*), coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0)"
                " FROM completions WHERE model = ?",
                (model,),
            ).fetchone()
        )
        return Totals(*row)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _opened(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Without an isolation level, every statement is a separate transaction. The thread may differ from
        # the caller's, but there is only one at a time.
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
                f"the cache {self.path} was not written by veriloop ({e})",
                fix="choose another file, or delete this one",
            ) from e
