"""The data base behind a store of verdicts: its tables, and transactions on them."""

import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from secrets import token_hex
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from ...errors import ConfigError, StorageError
from ...sqlite_wal import write_ahead

metadata = sa.MetaData()

samples = sa.Table(
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
    sa.Column("truth", sa.String(7)),  # the right verdict, of a known sample
    sa.Column("wanted", sa.Integer, nullable=False),
    sa.Column("given", sa.Integer, nullable=False, default=0),
    sa.Column("open", sa.Boolean, nullable=False),  # whether a run waits for verdicts on it
    sa.Index("samples_open", "open", "id"),
    sa.Index("samples_truth", "truth"),
)

verdicts = sa.Table(
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

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("sample", sa.ForeignKey("samples.id"), primary_key=True),
    sa.Column("annotator", sa.Text, primary_key=True),
    sa.Column("until", sa.Double, nullable=False),  # seconds since 1970
)

remarks = sa.Table(
    "remarks",  # beside a verdict; it outlives one that is taken back
    metadata,
    sa.Column("sample", sa.ForeignKey("samples.id"), primary_key=True),
    sa.Column("annotator", sa.Text, primary_key=True),
    sa.Column("first", sa.String(7), nullable=False),  # the answer given first
    sa.Column("comment", sa.Text),
    sa.Column("seconds", sa.Double),  # from when the sample was shown to the first answer
)

secrets = sa.Table(
    "secrets",
    metadata,
    sa.Column("name", sa.String(16), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)


def checked_url(url: str) -> sa.URL:
    """The parsed URL of a store.

    Raises:
        ConfigError: It is no URL of an SQLite file or a PostgreSQL data base.
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
        raise ConfigError("store", got=url, expected=expected, fix="name a file, so that verdicts are kept")
    return parsed


@cache
def open_database(url: str) -> "Database":
    """The data base at ``url``, one for each process; its tables are made if they are not there.

    Raises:
        ConfigError: The URL is wrong.
        StorageError: The data base cannot be reached.
    """
    return Database(url)


class Database:
    """An SQLite file or a PostgreSQL data base. Safe for threads and processes.

    Attributes:
        name: Its URL without the password.
        insert: An insert that knows ``ON CONFLICT``.
        secret: Made once for each store; by it known samples are drawn.
    """

    def __init__(self, url: str) -> None:
        parsed = checked_url(url)
        self.name = parsed.render_as_string(hide_password=True)
        try:
            self._engine = sa.create_engine(parsed, pool_size=20, max_overflow=20)
        except ModuleNotFoundError as e:
            raise ConfigError(f"store {self.name} needs the package {e.name!r}", fix="install it") from e
        is_sqlite = parsed.get_backend_name() == "sqlite"
        self.insert = sqlite.insert if is_sqlite else postgresql.insert
        # One write at a time in each process. SQLite allows no more, and who finds it busy tries again later:
        # one verdict in a hundred then waits for many seconds. On PostgreSQL two annotators who ask at the
        # very same time would be handed the same sample.
        self._turn = threading.Lock()
        if is_sqlite:
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        with self.writing() as connection:
            if not is_sqlite:
                # Two processes that make the tables at once would trip over each other.
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(zlib.crc32(b"veriloop"))))
            metadata.create_all(connection)
            made = self.insert(secrets).on_conflict_do_nothing()
            connection.execute(made, {"name": "schedule", "value": token_hex()})
            self.secret: str = connection.execute(sa.select(secrets.c.value)).scalar_one()

    def close(self) -> None:
        """Close idle connections; the next transaction opens new ones."""
        self._engine.dispose()

    def check(self) -> None:
        """Look through the whole data base.

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
        """A transaction that changes nothing.

        Raises:
            StorageError: The data base cannot be used.
        """
        with self._errors(), self._engine.connect().execution_options(reading=True) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction; its changes are on the disk when the block has ended, and gone if it raised.

        Raises:
            StorageError: The data base cannot be used.
        """
        with self._errors(), self._turn, self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as e:
            reason = str(getattr(e, "orig", None) or e).strip().splitlines()[0]
            raise StorageError(
                f"the store of verdicts {self.name} cannot be used: {reason}",
                fix="check its URL, or restore it",
            ) from e


def _prepare_sqlite(connection: Any, record: object) -> None:
    connection.isolation_level = None  # transactions are begun below, not by the driver
    write_ahead(connection, synchronous="FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: sa.Connection) -> None:
    # A writer that began as a reader would be refused, not made to wait, when another one was faster.
    reading = connection.get_execution_options().get("reading")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def count(connection: sa.Connection, *where: sa.ColumnElement[bool]) -> int:
    """How many rows there are of the tables that ``where`` speaks of."""
    return connection.scalar(sa.select(sa.func.count()).where(*where)) or 0


def counted(*where: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
    """`count` as a part of a larger statement; what that one speaks of, too, is taken from its row."""
    return sa.select(sa.func.count()).where(*where).scalar_subquery()
