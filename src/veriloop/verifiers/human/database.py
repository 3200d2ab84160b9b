"""The database of a store of verdicts: its tables and transactions."""

import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from ...errors import ConfigError, StorageError
from ...sqlite_wal import write_ahead

metadata: sa.MetaData = sa.MetaData()

samples: sa.Table = sa.Table(
    "samples",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("key", sa.String(64), nullable=False, unique=True),
    # Where it was made; all null for known samples.
    sa.Column("arm", sa.Text),
    sa.Column("round", sa.Integer),
    sa.Column("chunk", sa.Integer),
    sa.Column("row", sa.Integer),
    sa.Column("words", sa.Text, nullable=False),  # a JSON object of texts
    sa.Column("picture", sa.LargeBinary),
    sa.Column("truth", sa.String(7)),  # the correct verdict of a known sample
    sa.Column("wanted", sa.Integer, nullable=False),
    sa.Column("given", sa.Integer, nullable=False, default=0),
    sa.Column("open", sa.Boolean, nullable=False),  # whether a run waits for verdicts on it
    sa.Index("samples_open", "open", "id"),
    sa.Index("samples_truth", "truth"),
)

verdicts: sa.Table = sa.Table(
    "verdicts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("sample", sa.ForeignKey("samples.id"), nullable=False),
    sa.Column("annotator", sa.Text, nullable=False),
    sa.Column("answer", sa.String(7), nullable=False),
    sa.Column("at", sa.Double, nullable=False),  # seconds since 1970
    sa.UniqueConstraint("sample", "annotator"),
    sa.Index("verdicts_annotator", "annotator", "id"),
)

leases: sa.Table = sa.Table(
    "leases",
    metadata,
    sa.Column("sample", sa.ForeignKey("samples.id"), primary_key=True),
    sa.Column("annotator", sa.Text, primary_key=True),
    sa.Column("until", sa.Double, nullable=False),  # seconds since 1970
)

remarks: sa.Table = sa.Table(
    "remarks",  # kept even if the verdict is undone
    metadata,
    sa.Column("sample", sa.ForeignKey("samples.id"), primary_key=True),
    sa.Column("annotator", sa.Text, primary_key=True),
    sa.Column("first", sa.String(7), nullable=False),  # the answer given first
    sa.Column("comment", sa.Text),
    sa.Column("seconds", sa.Double),  # from showing the sample to the first answer
)

secrets: sa.Table = sa.Table(
    "secrets",
    metadata,
    sa.Column("name", sa.String(16), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)


def checked_url(url: str) -> sa.URL:
    """Parse the URL of a store.

    Raises:
        ConfigError: It is not a URL of an SQLite file or a PostgreSQL database.
    """
    expected = "sqlite:///FILE or postgresql://USER@HOST/NAME"
    try:
        parsed = sa.make_url(url)
    except ArgumentError:
        raise ConfigError("store", got=url, expected=expected) from None
    kind = parsed.get_backend_name()
    if kind not in ("sqlite", "postgresql"):
        raise ConfigError("store", got=kind, expected=expected)
    if kind == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise ConfigError("store", got=url, expected=expected, fix="use a file, so that verdicts are kept")
    return parsed


_databases: dict[str, "Database"] = {}
_opening = threading.Lock()


def open_database(url: str) -> "Database":
    """Return the database at ``url``, one per process; missing tables are created.

    Raises:
        ConfigError: The URL is wrong.
        StorageError: The database cannot be reached.
    """
    with _opening:
        found = _databases.get(url)
        if found is None or not found.in_place():
            if found is not None:
                found.close()
            found = _databases[url] = Database(url)
        return found


class Database:
    """An SQLite file or a PostgreSQL database. Safe for threads and processes.

    Attributes:
        name: URL without the password.
        insert: Insert statement that supports ``ON CONFLICT``.
        secret: Secret of the store, used to draw known samples.
    """

    def __init__(self, url: str) -> None:
        parsed = checked_url(url)
        self.name: str = parsed.render_as_string(hide_password=True)
        try:
            self._engine = sa.create_engine(parsed, pool_size=20, max_overflow=20)
        except ModuleNotFoundError as e:
            raise ConfigError(f"store {self.name} needs the package {e.name!r}", fix="install it") from e
        is_sqlite = parsed.get_backend_name() == "sqlite"
        self.insert: Callable[..., sqlite.Insert] | Callable[..., postgresql.Insert] = (
            sqlite.insert if is_sqlite else postgresql.insert
        )
        # One write at a time per process. SQLite allows no more, and retries when busy would delay one
        # verdict in a hundred by many seconds. On PostgreSQL two simultaneous requests would get the same
        # sample.
        self._turn = threading.Lock()
        if is_sqlite:
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        self._file = Path(parsed.database or "").absolute() if is_sqlite else None
        self._opened: tuple[int, int] | None = None
        with self.writing() as connection:
            if not is_sqlite:
                # Two processes that create the tables at once would conflict.
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(zlib.crc32(b"veriloop"))))
            metadata.create_all(connection)
            made = self.insert(secrets).on_conflict_do_nothing()
            connection.execute(made, {"name": "schedule", "value": token_hex()})
            self.secret: str = connection.execute(sa.select(secrets.c.value)).scalar_one()
        self._opened = self._at_path()

    def in_place(self) -> bool:
        """Whether the path still leads to the opened file: an open SQLite file survives its removal."""
        return self._opened == self._at_path()

    def _at_path(self) -> tuple[int, int] | None:
        """Return device and number of the file at the path of an SQLite database."""
        try:
            found = self._file and self._file.stat()
        except OSError:
            return None
        return (found.st_dev, found.st_ino) if found else None

    def close(self) -> None:
        """Close idle connections; the next transaction opens new ones."""
        self._engine.dispose()

    def check(self) -> None:
        """Check the whole database.

        Raises:
            StorageError: It is damaged.
        """
        if self._engine.dialect.name == "sqlite":
            with self.reading() as connection:
                found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
            if found != "ok":
                raise StorageError(
                    f"the store of verdicts {self.name} is damaged", got=str(found), fix="restore the file"
                )

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Open a read-only transaction.

        Raises:
            StorageError: The database cannot be used.
        """
        with self._errors(), self._engine.connect().execution_options(reading=True) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Open a transaction; its changes are durable after the block, and rolled back if it raised.

        Raises:
            StorageError: The database cannot be used.
        """
        with self._errors(), self._turn, self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _errors(self) -> Iterator[None]:
        if self._opened and not self.in_place():
            raise StorageError(
                f"the file of the store of verdicts {self.name} was removed or replaced while it was open",
                fix="put it back, or start the command again",
            )
        try:
            yield
        except SQLAlchemyError as e:
            reason = str(getattr(e, "orig", None) or e).strip().splitlines()[0]
            raise StorageError(
                f"the store of verdicts {self.name} cannot be used: {reason}",
                fix="check its URL, or restore it",
            ) from e


def _prepare_sqlite(connection: Any, record: object) -> None:
    connection.isolation_level = None  # transactions are started below, not by the driver
    write_ahead(connection, synchronous="FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: sa.Connection) -> None:
    # A writer that starts as a reader would be refused instead of waiting if another one was faster.
    reading = connection.get_execution_options().get("reading")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def count(connection: sa.Connection, *where: sa.ColumnElement[bool]) -> int:
    """Return the number of rows in the tables named in ``where``."""
    return connection.scalar(sa.select(sa.func.count()).where(*where)) or 0


def counted(*where: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
    """Return `count` as part of a larger statement, correlated with its tables."""
    return sa.select(sa.func.count()).where(*where).scalar_subquery()
