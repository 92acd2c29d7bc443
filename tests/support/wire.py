"""A WebSocket that a browser is driven over: the DevTools protocol and WebDriver BiDi look the same at this level."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

Answer = dict[str, Any]


class WireError(Exception):
    """The browser refused a command."""


class Wire:
    """Commands out, answers and events in.

    Args:
        address: of the WebSocket.
        on_event: is called with each event, on a thread of this object's: it must not wait for an answer.
    """

    def __init__(self, address: str, on_event: Callable[[Answer], None]) -> None:
        self._open = ExitStack()
        socket = connect(address, max_size=None, open_timeout=30, compression=None, proxy=None)
        self._socket = self._open.enter_context(socket)
        self._on_event = on_event
        self._answers: dict[int, Future[Answer]] = {}
        self._lock = threading.Lock()
        self._last = 0
        self._thread = threading.Thread(target=self._listen, name="browser", daemon=True)
        self._thread.start()

    def send(self, method: str, params: Answer, **more: str) -> Future[Answer]:
        """Sends a command and does not wait for its answer."""
        answer: Future[Answer] = Future()
        with self._lock:
            self._last += 1
            self._answers[self._last] = answer
            self._socket.send(json.dumps({"id": self._last, "method": method, "params": params, **more}))
        return answer

    def call(self, method: str, params: Answer | None = None, timeout: float = 60, **more: str) -> Answer:
        """The answer to a command.

        Raises:
            WireError: the browser refused it.
        """
        return self.send(method, params or {}, **more).result(timeout)

    def close(self) -> None:
        self._open.close()
        self._thread.join(10)

    def _listen(self) -> None:
        try:
            for message in self._socket:
                self._take(json.loads(message))
        except ConnectionClosed:
            pass
        finally:
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(WireError("the browser ended"))

    def _take(self, message: Answer) -> None:
        number = message.get("id")
        if number is None:
            self._on_event(message)
            return
        answer = self._answers.pop(number)
        if "error" in message:
            answer.set_exception(WireError(json.dumps(message)))
        else:
            answer.set_result(message.get("result", {}))
