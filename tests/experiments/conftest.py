"""Settings that no test has to wait for."""

import pytest

from veriloop.executors.serial import Serial
from veriloop.experiments.base import Setting


@pytest.fixture(scope="session")
def smoke() -> Setting:
    """The smallest scale, in this process."""
    return Setting("smoke", 0, Serial())
