"""SQLite files that several processes open at the same time."""

import sqlite3
import time

PATIENCE_S = 60.0
_PAUSE_S = 0.01


def write_ahead(connection: sqlite3.Connection, *, synchronous: str) -> None:
    """Let readers and one writer of a file work at the same time; each waits up to a minute for a busy file.

    Switching a new file to the write-ahead log needs a lock that SQLite does not wait for: two processes that
    open a new file at the same moment need this wait, and `busy_timeout` does not provide it.

    Args:
        connection: New connection, outside a transaction.
        synchronous: ``NORMAL`` keeps committed data through a kill, ``FULL`` also through a power loss.

    Raises:
        sqlite3.OperationalError: The file stayed locked, or cannot be read or written.
    """
    connection.execute(f"PRAGMA busy_timeout = {PATIENCE_S * 1000:.0f}")
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError as e:
            if e.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        time.sleep(_PAUSE_S)
    connection.execute(f"PRAGMA synchronous = {synchronous}")
