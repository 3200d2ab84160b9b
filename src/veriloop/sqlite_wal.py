"""SQLite files that several processes open at the same time."""

import sqlite3
import time

PATIENCE_S = 60.0
_PAUSE_S = 0.01


def write_ahead(connection: sqlite3.Connection, *, synchronous: str) -> None:
    """Let readers and one writer of a file work side by side; whoever finds it busy waits up to a minute.

    A new file changes over to the write-ahead log only under a lock that SQLite does not wait for: two
    processes that open a new file at the same moment need this wait, and `busy_timeout` does not give it.

    Args:
        connection: Just opened, outside a transaction.
        synchronous: ``NORMAL`` keeps what was committed through a kill, ``FULL`` through a loss of power.

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
