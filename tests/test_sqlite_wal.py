import sqlite3
import threading
from pathlib import Path

import pytest

from veriloop import sqlite_wal
from veriloop.sqlite_wal import write_ahead


def opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False)


def test_a_new_file_that_another_one_writes_is_waited_for(tmp_path: Path) -> None:
    first, second = opened(tmp_path / "file"), opened(tmp_path / "file")
    first.execute("BEGIN IMMEDIATE")  # still with a rollback journal: SQLite does not wait for this lock
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        second.execute("PRAGMA journal_mode = WAL")
    threading.Timer(0.2, first.execute, ("COMMIT",)).start()
    write_ahead(second, synchronous="FULL")
    assert second.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert second.execute("PRAGMA synchronous").fetchone() == (2,)
    assert second.execute("PRAGMA busy_timeout").fetchone() == (60_000,)


def test_a_file_that_stays_locked_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_wal, "PATIENCE_S", 0.05)
    first, second = opened(tmp_path / "file"), opened(tmp_path / "file")
    first.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        write_ahead(second, synchronous="NORMAL")


def test_what_is_no_such_file_is_an_error_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"no data base" * 100)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        write_ahead(opened(tmp_path / "file"), synchronous="NORMAL")
