"""A judge's server on loopback that misbehaves as real ones do, and counts what it is asked.

What it does to a question is written in the question, as ``[kind]``, or ``[kind once]`` when only the
first try is to suffer:

    slow 429 500 cut hang envelope: the transport fails; "once" it succeeds at the next try
    malformed schema refusal: a chat completion that is no verdict
    400 401: refused

``python misbehaving_server.py SECONDS`` serves until it is stopped, and prints its URL. A GET tells how many
requests there were.
"""

import json
import re
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TRANSPORT = ("slow", "429", "500", "cut", "hang", "envelope")
CONTENT = ("malformed", "schema", "refusal")
MARK = re.compile(r"\[(\w+)( once)?\]")


def fair_score(text: str) -> float:
    """What the server scores ``text`` when nothing goes wrong: 0, 0.01, ..., 1."""
    return zlib.crc32(text.encode()) % 101 / 100


class MisbehavingServer(ThreadingHTTPServer):
    """Serves ``/v1/chat/completions`` and ``/verdicts`` while it is entered.

    Attributes:
        seconds: How long a fair reply takes.
        asked: The tries of each question, by its text.
        bodies: Every request's decoded JSON, in the order of arrival.
        most_at_once: The most requests that were under way together.
        authorization: The header of that name in the last request.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(
        self, seconds: float = 0.0, decide: Callable[[str, int], dict[str, Any]] | None = None
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seconds = seconds
        self.decide = decide or (lambda text, try_: {"reason": "as it is", "score": fair_score(text)})
        self.asked: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.authorization: str | None = None
        self.most_at_once = self.under_way = 0
        self.lock = threading.Lock()
        self.leaving = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> "MisbehavingServer":
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.leaving.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that gave up are what this server is for; no word about them."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._send(200, json.dumps({"requests": len(self._server().bodies)}).encode())

    def do_POST(self) -> None:
        server = self._server()
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        chat = self.path == "/v1/chat/completions"
        text = _question(body) if chat else json.dumps(body["samples"])
        with server.lock:
            server.asked[text] += 1
            try_ = server.asked[text]
            server.bodies.append(body)
            server.authorization = self.headers.get("Authorization")
            server.under_way += 1
            server.most_at_once = max(server.most_at_once, server.under_way)
        try:
            time.sleep(server.seconds)
            marks = [kind for kind, once in MARK.findall(text) if not (once and try_ > 1)]
            self._reply(marks[0] if marks else "", text, try_, body if not chat else None)
        finally:
            with server.lock:
                server.under_way -= 1

    def _reply(self, kind: str, text: str, try_: int, samples: dict[str, Any] | None) -> None:
        if kind == "hang":
            self._server().leaving.wait()
            self.close_connection = True
        elif kind == "cut":
            self._send(200, b'{"choices": [{"mess', length=4_000)
            self.close_connection = True
        elif kind == "429":
            self._send(429, b'{"error": {"message": "slow down"}}', {"Retry-After": "0.02"})
        elif kind in {"500", "400", "401"}:
            self._send(int(kind), b'{"error": "no, not with the key secret-key"}')
        elif kind == "envelope":
            self._send(200, b'{"choices": []}' if try_ % 2 else b"<html>busy</html>")
        else:
            if kind == "slow":
                time.sleep(0.05)
            self._send(200, json.dumps(self._content(kind, text, try_, samples)).encode())

    def _content(self, kind: str, text: str, try_: int, samples: dict[str, Any] | None) -> dict[str, Any]:
        if samples is not None:
            verdicts = [self._server().decide(s.get("text", str(s)), try_) for s in samples["samples"]]
            return {"verdicts": verdicts[1:] if kind == "schema" else verdicts}
        verdict = json.dumps(self._server().decide(text, try_))
        content: str | None = {
            "malformed": f"I would say {verdict[:-4]}",
            "schema": '{"score": "very good", "verdict": 7}',
        }.get(kind, verdict)
        message: dict[str, Any] = {"role": "assistant", "content": content}
        if kind == "refusal":
            message = {"role": "assistant", "content": None, "refusal": "I cannot help with that."}
        usage = {"prompt_tokens": 100, "completion_tokens": 10}
        return {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}

    def _send(
        self, status: int, content: bytes, headers: dict[str, str] | None = None, length: int | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(length or len(content)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None: ...

    def _server(self) -> MisbehavingServer:
        assert isinstance(self.server, MisbehavingServer)
        return self.server


def _question(body: dict[str, Any]) -> str:
    content = body["messages"][0]["content"]
    return content if isinstance(content, str) else content[0]["text"]


if __name__ == "__main__":
    with MisbehavingServer(float(sys.argv[1])) as running:
        print(running.url, flush=True)
        running.leaving.wait()
