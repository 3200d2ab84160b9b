"""Replies of a judge, kept on disk: one that was paid for is never asked for again."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from ..errors import CorruptFileError, StorageError

T = TypeVar("T")

_TABLES = """
CREATE TABLE IF NOT EXISTS replies (
    key TEXT PRIMARY KEY, model TEXT NOT NULL, content TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL
) WITHOUT ROWID;
"""


class Reply(NamedTuple):
    """What a model said, and the tokens that it cost."""

    content: str
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

    def get(self, key: str) -> Reply | None:
        """The reply under ``key``, if there is one."""
        row = self._or_error(
            lambda: self._connection.execute(
                "SELECT content, prompt_tokens, completion_tokens FROM replies WHERE key = ?", (key,)
            ).fetchone()
        )
        return Reply(*row) if row else None

    def put(self, key: str, model: str, reply: Reply) -> None:
        """Keep a reply; the first one stays when another process was faster."""
        self._or_error(
            lambda: self._connection.execute(
                "INSERT OR IGNORE INTO replies VALUES (?, ?, ?, ?, ?)", (key, model, *reply)
            )
        )

    def totals(self, model: str) -> Totals:
        """Of all replies of ``model``."""
        row = self._or_error(
            lambda: self._connection.execute(
                "SELECT count(*), coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0)"
                " FROM replies WHERE model = ?",
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
        connection = sqlite3.connect(self.path, timeout=60, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
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
