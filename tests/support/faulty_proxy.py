"""A proxy in front of a server of this machine that refuses, drops or holds up requests when it is told to."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

#: `503` and so on answer so; `drop` closes the connection, `cut` after half of the answer; `stall` never answers.
Fault = Literal["503", "429", "500", "drop", "cut", "stall"]

_CODES = {"503": "SlowDown", "429": "TooManyRequests", "500": "InternalError"}


class FaultyProxy:
    """What is to go wrong.

    Attributes:
        port: where the proxy listens.
        requests: how many it got.
        answered: how many of them the server answered.
    """

    def __init__(self, port: int) -> None:
        self.port = str(port)
        self.requests = 0
        self.answered = 0
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._always: Fault | None = None
        self._most_a_second = 0
        self._recent: list[float] = []

    def fail_next(self, *faults: Fault) -> None:
        """The next requests fail so, one each."""
        with self._lock:
            self._faults += faults

    def fail_always(self, fault: Fault | None) -> None:
        """All requests fail so, until None is said."""
        self._always = fault

    def throttle(self, most_a_second: int) -> None:
        """More requests in a second are answered with 503 SlowDown; 0 = no limit."""
        self._most_a_second = most_a_second

    def next_fault(self) -> Fault | None:
        with self._lock:
            self.requests += 1
            if self._always is not None or self._faults:
                return self._always or self._faults.pop(0)
            now = time.monotonic()
            self._recent = [at for at in self._recent if now - at < 1]
            if self._most_a_second and len(self._recent) >= self._most_a_second:
                return "503"
            self._recent.append(now)
            self.answered += 1
            return None


@contextmanager
def faulty_proxy(server_port: str) -> Iterator[FaultyProxy]:
    """A proxy in front of a port of this machine, as long as the block lasts."""
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def handle_any(self) -> None:
            data = self._body()
            fault = proxy.next_fault()
            if fault in ("drop", "stall"):
                if fault == "stall":
                    ended.wait(60)
                self.close_connection = True
                return
            if fault in _CODES:
                text = f"<Error><Code>{_CODES[fault]}</Code><Message>Reduce your request rate.</Message></Error>"
                self._answer(int(fault), [("Content-Type", "application/xml")], text.encode())
                return
            connection = HTTPConnection("127.0.0.1", int(server_port))
            headers = {name: value for name, value in self.headers.items() if name.lower() != "transfer-encoding"}
            connection.request(self.command, self.path, data, headers | {"Content-Length": str(len(data))})
            answer = connection.getresponse()
            content, status, names = answer.read(), answer.status, answer.getheaders()
            connection.close()
            self._answer(status, names, content, cut=fault == "cut")

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = handle_any

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            data = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return data

        def _answer(self, status: int, headers: list[tuple[str, str]], data: bytes, *, cut: bool = False) -> None:
            self.send_response(status)
            length = next((value for name, value in headers if name.lower() == "content-length"), str(len(data)))
            for name, value in headers:
                if name.lower() not in ("content-length", "transfer-encoding", "connection", "server", "date"):
                    self.send_header(name, value)
            self.send_header("Content-Length", length if self.command == "HEAD" else str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data[: len(data) // 2] if cut else data)
            self.close_connection = cut

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            pass  # a client that went away

    server = Server(("127.0.0.1", 0), Handler)
    proxy = FaultyProxy(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
