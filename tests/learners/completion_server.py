"""A small server with OpenAI's interface: ``python completion_server.py PORT``. It writes what it was asked.

With a second argument, a file, it adds a line to it when it starts: its process's number.

Every prompt's first request is answered with 503, as a busy server would.
"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

seen: set[str] = set()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.reply(200, {"data": [{"id": "veriloop"}]})

    def do_POST(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        question["key"] = self.headers.get("Authorization")
        text = json.dumps(question)
        if question["model"] != "veriloop":
            self.reply(404, {"error": f"no model {question['model']}"})
        elif text not in seen:
            seen.add(text)
            self.reply(503, {"error": "busy"})
        elif self.path == "/v1/chat/completions":
            self.reply(200, {"choices": [{"message": {"content": text}}]})
        elif question["max_tokens"] == 1:
            self.reply(200, {"surprise": True})
        else:
            self.reply(200, {"choices": [{"text": f" {text}\n"}]})

    def reply(self, status: int, content: dict) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


if __name__ == "__main__":
    if sys.argv[2:]:
        with Path(sys.argv[2]).open("a") as log:
            log.write(f"{os.getpid()}\n")
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
