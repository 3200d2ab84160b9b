"""A server that misbehaves, for the verifiers that ask one."""

import importlib.util
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def serve() -> Iterator[Any]:
    """Starts a `MisbehavingServer`, see misbehaving_server.py; it ends with the test."""
    path = Path(__file__).with_name("misbehaving_server.py")
    spec = importlib.util.spec_from_file_location("misbehaving_server", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with ExitStack() as running:
        yield lambda *args, **fields: running.enter_context(module.MisbehavingServer(*args, **fields))
