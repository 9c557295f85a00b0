"""A real HTTP server on a free loopback port that misbehaves on request.

    with ApiServer() as api:
        api.serve("/contacts", lambda asked: Answer(json={"results": [...]}))
        api.queue(Answer(status=503, headers={"Retry-After": "1"}))    # before anything else answers

What was asked is kept in ``api.asked``. How rows come in pages is left to ``api_pages``.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class Asked:
    """One request as it arrived; header names in lower case."""

    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode()))


@dataclass(frozen=True)
class Answer:
    """One answer; ``fault`` makes it a broken one.

    Faults: ``close`` sends nothing, ``reset`` resets the connection, ``cut`` promises more bytes than it sends.
    """

    status: int = 200
    json: Any = None
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: str | None = None

    def body(self) -> bytes:
        if self.content is not None:
            return self.content
        return b"" if self.json is None else json.dumps(self.json).encode()


class ApiServer:
    """The server, as a context manager."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._routes: dict[str, Callable[[Asked], Answer]] = {}
        self._queued: deque[Answer] = deque()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def serve(self, path: str, answer: Callable[[Asked], Answer] | Answer) -> None:
        """Answer a path; ``*`` at its end stands for anything."""
        self._routes[path] = answer if callable(answer) else lambda _: answer

    def queue(self, *answers: Answer) -> None:
        """Answer the next requests so, whatever they ask."""
        self._queued.extend(answers)

    def count(self, path: str) -> int:
        """How often a path was asked."""
        return sum(each.path == path for each in self.asked)

    def answer(self, asked: Asked) -> Answer:
        with self._lock:
            self.asked.append(asked)
            if self._queued:
                return self._queued.popleft()
        for path, route in self._routes.items():
            if asked.path == path or (path.endswith("*") and asked.path.startswith(path[:-1])):
                return route(asked)
        return Answer(status=404, json={"message": f"no such path {asked.path}"})


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are part of the tests."""


def _handler(api: ApiServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, parts.path, dict(parse_qsl(parts.query, True)), headers, body)  # noqa: FBT003
            self._send(api.answer(asked))

        def _send(self, answer: Answer) -> None:
            if answer.fault == "reset":
                linger = b"\1\0\0\0\0\0\0\0"
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            if answer.fault in {"close", "reset"}:
                self.close_connection = True
                return
            body = answer.body()
            length = len(body) + (1_000 if answer.fault == "cut" else 0)
            headers = {"Content-Type": "application/json", **answer.headers, "Content-Length": str(length)}
            head = f"HTTP/1.1 {answer.status} X\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items()) + "\r\n"
            with contextlib.suppress(ConnectionError):
                self.connection.sendall(head.encode() + body)
            if answer.fault == "cut":
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
            """Tests read ``asked`` instead."""

    return Handler
