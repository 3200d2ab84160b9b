"""Stores on both data bases, and a run that asks people."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from veriloop.testing.postgres import NoPostgresError, postgres
from veriloop.verifiers.human.database import open_database


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of an empty data base on a server of our own."""
    try:
        with postgres() as url:
            yield url
    except NoPostgresError as e:
        pytest.skip(str(e))


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty store, on each of the data bases in turn."""
    url = f"sqlite:///{tmp_path}/verdicts.db"
    if request.param == "postgresql":
        url = _new_database(request.getfixturevalue("postgres_server"))
    yield url
    open_database(url).close()


def _new_database(url: str) -> str:
    server = sa.make_url(url)
    name = f"test_{uuid4().hex}"
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.set(database=name).render_as_string(hide_password=False)
