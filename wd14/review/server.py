"""The server of `review --serve`: the page, the dataset's pictures, its edits, and a job that applies them.

It listens on 127.0.0.1, answers nobody without the token in its address (see `guard`), and writes `.wd14/edits.json`.
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from wd14.errors import CaptionerError, ConfigError, HostError
from wd14.images.formats import sniff_extension
from wd14.review.edit_file import EditFile
from wd14.review.entries import entry_from
from wd14.review.guard import NO_FRAMES, Guard, answer

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

T = TypeVar("T")

#: Bytes of the longest request: an edit of some 480,000 pictures.
LONGEST_REQUEST = 32 << 20

#: Pictures that browsers show, by the extension that goes with their first bytes. Nothing else is given a type.
_MEDIA_TYPES = {
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".ico": "image/x-icon",
    ".jxl": "image/jxl",
    ".heic": "image/heic",
    ".heif": "image/heif",
    ".tif": "image/tiff",
}
_ROW = re.compile(r"\d{1,9}", re.ASCII)

#: Seconds in which requests that are being answered may end when the server does.
_GRACE = 5


class JobRunsError(CaptionerError):
    """A job is running already."""


@dataclass(frozen=True)
class Site:
    """What the server shows, and what it lets a page do. All may be called from several threads at once.

    Attributes:
        page: the page's HTML.
        picture: the picture of a row, encoded; None where there is none.
        thumbnail: the same, small.
        edits: the dataset's edits.
        apply: starts a job with thresholds by category; raises JobRunsError, or ConfigError where none can run.
        state: where the job stands, as JSON can hold it.
    """

    page: bytes
    picture: Callable[[int], bytes | None]
    thumbnail: Callable[[int], bytes | None]
    edits: EditFile
    apply: Callable[[Mapping[str, float]], None]
    state: Callable[[], Mapping[str, Any]]


class ReviewServer:
    """A server that has its port and its token; `running` opens it.

    Attributes:
        token: 192 random bits.
        address: of the page, for the terminal of whoever started the server.

    Args:
        port: to listen on; 0 = a free one.

    Raises:
        ConfigError: the port is taken.
    """

    def __init__(self, port: int = 0) -> None:
        self.token = secrets.token_urlsafe(24)
        self._socket = socket.socket()
        if sys.platform != "win32":  # there it would let another program take the port
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            self._socket.close()
            reason = getattr(error, "strerror", None) or error
            raise ConfigError(f"port {port} cannot be used ({reason}): choose another one, or none") from error
        self.port: int = self._socket.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}/{self.token}/"

    @contextlib.contextmanager
    def running(self, site: Site) -> Iterator[str]:
        """Serves until the block has ended, and answers what was asked before that.

        Yields:
            An address that leads to the page once, to start a browser with.

        Raises:
            HostError: the server did not start.
        """
        import uvicorn

        guard = Guard(_application(site), self.token, self.port)
        config = uvicorn.Config(
            guard,
            http="h11",
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            log_level="error",  # anybody on this machine could fill the terminal with warnings
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE,
        )
        server = uvicorn.Server(config)
        # In a thread of its own: Ctrl-C is the main thread's business.
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [self._socket]}, name="wd14-server", daemon=True
        )
        thread.start()
        try:
            while not server.started:
                if not thread.is_alive():
                    raise HostError("the review server did not start: see the lines above")
                time.sleep(0.01)
            yield f"http://127.0.0.1:{self.port}/{guard.once}/"
        finally:
            server.should_exit = True
            thread.join(2 * _GRACE)
            self._socket.close()


def _application(site: Site) -> Starlette:
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.routing import Route

    handlers = _Handlers(site)
    routes = [
        Route("/{token}/", handlers.page),
        Route("/{token}/picture/{row}", handlers.picture),
        Route("/{token}/thumbnail/{row}", handlers.thumbnail),
        Route("/{token}/edits", handlers.edits),
        Route("/{token}/edits", handlers.add_edits, methods=["POST"]),
        Route("/{token}/apply", handlers.job),
        Route("/{token}/apply", handlers.start_job, methods=["POST"]),
    ]
    app = Starlette(
        routes=routes,
        exception_handlers={
            HTTPException: lambda _, error: answer({"error": error.detail}, error.status_code),
            _BadRequestError: lambda _, error: answer({"error": str(error)}, error.status),
            JobRunsError: lambda _, error: answer({"error": str(error)}, 409),
            CaptionerError: lambda _, error: answer({"error": str(error)}, 500),
            Exception: lambda _, error: answer({"error": f"unexpected error: {type(error).__name__}"}, 500),
        },
    )
    app.router.redirect_slashes = False
    return app


class _BadRequestError(Exception):
    """A request that is not as it should be."""

    def __init__(self, words: str, status: int = 400) -> None:
        super().__init__(words)
        self.status = status


class _Handlers:
    """Answers requests that the guard let through."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def page(self, _request: Request) -> Response:
        from starlette.responses import HTMLResponse

        return HTMLResponse(self._site.page, headers={"Content-Security-Policy": NO_FRAMES})

    def picture(self, request: Request) -> Response:
        return _picture(self._site.picture, request)

    def thumbnail(self, request: Request) -> Response:
        return _picture(self._site.thumbnail, request)

    def edits(self, request: Request) -> Response:
        since = _whole_number(request.query_params.get("since", "0"))
        return self._changed(self._site.edits.since(since))

    async def add_edits(self, request: Request) -> Response:
        return await _with_body(request, self._add_edits)

    def _add_edits(self, content: Mapping[str, Any]) -> Response:
        values = content.get("entries")
        if not isinstance(values, list):
            raise _BadRequestError("entries: expected a list of edits")
        try:
            entries = [entry_from(value, number) for number, value in enumerate(values, 1)]
        except ConfigError as error:
            raise _BadRequestError(str(error)) from error
        return self._changed(self._site.edits.merge(entries, _whole_number(content.get("since", 0))))

    def _changed(self, found: tuple[list[Any], int]) -> Response:
        entries, revision = found
        path = str(self._site.edits.path)
        return answer({"entries": [each.as_json() for each in entries], "revision": revision, "path": path})

    def job(self, _request: Request) -> Response:
        return answer(self._site.state())

    async def start_job(self, request: Request) -> Response:
        return await _with_body(request, self._start_job)

    def _start_job(self, content: Mapping[str, Any]) -> Response:
        thresholds = content.get("thresholds", {})
        if not isinstance(thresholds, dict) or not all(map(_is_number, thresholds.values())):
            raise _BadRequestError("thresholds: expected an object with a number for each category")
        try:
            self._site.apply(thresholds)
        except ConfigError as error:
            raise _BadRequestError(str(error)) from error
        return answer(self._site.state(), 202)


def _picture(read: Callable[[int], bytes | None], request: Request) -> Response:
    from starlette.exceptions import HTTPException
    from starlette.responses import Response

    row = str(request.path_params["row"])
    data = read(int(row)) if _ROW.fullmatch(row) else None
    media_type = None if data is None else _MEDIA_TYPES.get(sniff_extension(data[:64]))
    if data is None or media_type is None:
        raise HTTPException(404, "there is no such picture")
    return Response(data, media_type=media_type, headers={"Cache-Control": "private, max-age=600"})


async def _with_body(request: Request, handle: Callable[[Mapping[str, Any]], T]) -> T:
    """Hands a request's JSON object to what answers it, in a thread: it may read and write files."""
    from starlette.concurrency import run_in_threadpool

    data = await _body(request)

    def run() -> T:
        try:
            content = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise _BadRequestError(f"expected JSON: {error}") from error
        if not isinstance(content, dict):
            raise _BadRequestError("expected a JSON object")
        return handle(content)

    return await run_in_threadpool(run)


async def _body(request: Request) -> bytes:
    from starlette.requests import ClientDisconnect

    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > LONGEST_REQUEST:
                raise _BadRequestError(f"the request is longer than {LONGEST_REQUEST >> 20} MiB", 413)
            parts.append(part)
    except ClientDisconnect as error:  # the page was closed: nobody hears the answer
        raise _BadRequestError("the request was cut off") from error
    return b"".join(parts)


def _whole_number(value: Any) -> int:
    text = str(value)
    if not re.fullmatch(r"\d{1,15}", text, re.ASCII):
        raise _BadRequestError("since: expected the revision of an earlier answer")
    return int(text)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
