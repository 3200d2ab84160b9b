"""A server that does as a test says, and the faulty server of the shared cases."""

import importlib.util
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from veriloop.remote import client


class Scripted(ThreadingHTTPServer):
    """Answers the k-th request, from 0 on, with what ``answer(question, k)`` returns.

    That is a status, a body (bytes, or anything that becomes JSON), and maybe headers.
    """

    daemon_threads = True

    def __init__(self, answer: Callable[[Any, int], tuple[Any, ...]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.questions: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_port}/v1"

    def __enter__(self) -> "Scripted":
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that gave up are what this server is for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Scripted)
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with server.lock:
            k = len(server.questions)
            server.questions.append(question)
            server.headers.append(dict(self.headers))
            server.paths.append(self.path)
        status, body, *more = server.answer(question, k)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        for name, value in (more[0] if more else {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None: ...


def chat(text: str | None, finish: str = "stop", **message: Any) -> dict[str, Any]:
    """A chat completion of 100 and 10 tokens."""
    choice = {"message": {"role": "assistant", "content": text, **message}, "finish_reason": finish}
    return {"choices": [choice], "usage": {"prompt_tokens": 100, "completion_tokens": 10}}


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "KNOWN", {})


@pytest.fixture
def serve() -> Iterator[Callable[..., Scripted]]:
    with ExitStack() as running:
        yield lambda answer: running.enter_context(Scripted(answer))


@pytest.fixture
def reply() -> Callable[..., dict[str, Any]]:
    return chat


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[Callable[[str], Any]]:
    """Starts the shared cases' faulty server in a mode; its ``count`` is the file with their number."""
    folder = os.environ.get("VERILOOP_CASES")
    if not folder:
        pytest.skip("VERILOOP_CASES does not name the folder of shared cases")
    path = Path(folder) / "fake_server.py"
    spec = importlib.util.spec_from_file_location("fake_server", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    running: list[ThreadingHTTPServer] = []

    def start(mode: str) -> SimpleNamespace:
        server = module.serve(0, mode, tmp_path / "count")
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        running.append(server)
        return SimpleNamespace(url=f"http://127.0.0.1:{server.server_port}/v1", count=tmp_path / "count")

    yield start
    for server in running:
        server.shutdown()
        server.server_close()
