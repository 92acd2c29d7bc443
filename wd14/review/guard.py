"""What stands before the review server: whoever lacks the token, or comes from another site, gets no answer."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, NamedTuple

from wd14.review.edit_file import json_bytes

if TYPE_CHECKING:
    from starlette.responses import Response

#: An ASGI application's types.
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

#: On every answer. The address holds the token: no other site and no cache may learn it.
HEADERS = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
#: On every answer but the page, which brings its own: what is shown by itself, such as a picture, can do nothing.
NOTHING_ALLOWED = "default-src 'none'; frame-ancestors 'none'; sandbox"
#: Added to the page's own policy, which cannot say this from within the page.
NO_FRAMES = "frame-ancestors 'none'"

#: The header in which a page sends the token again with what changes something.
TOKEN_HEADER = b"x-review-token"


class Refusal(NamedTuple):
    """Why a request is not answered."""

    status: int
    words: str


class Guard:
    """An application, and who may ask it.

    Args:
        app: answers what is let through; its paths begin with the token.
        token: opens everything.
        port: the server's.

    Attributes:
        once: first part of a path that leads to the page a single time: other users of a machine can see the address
            that a browser is started with.
    """

    def __init__(self, app: App, token: str, port: int) -> None:
        self._app = app
        self._token = token
        self._hosts = {f"{name}:{port}".encode() for name in ("127.0.0.1", "localhost")}
        self.once: str | None = secrets.token_urlsafe(24)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        from starlette.responses import RedirectResponse

        if scope["type"] != "http":
            return

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                more = {**HEADERS, "Content-Security-Policy": NOTHING_ALLOWED}
                message["headers"] = [
                    *message["headers"],
                    *(
                        (key.encode(), value.encode())
                        for key, value in more.items()
                        if key.lower().encode() not in given
                    ),
                ]
            await send(message)

        app: App = self._app
        if (refusal := self._refusal(scope)) is not None:
            app = answer({"error": refusal.words}, refusal.status)
        elif self._opens_once(_first_part(scope)):
            app = RedirectResponse(f"/{self._token}/", 303)
        await app(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Refusal | None:
        values = _values(scope)
        # A name of another site may lead to this machine (DNS rebinding): only these two are ours.
        if len(values(b"host")) != 1 or values(b"host")[0].lower() not in self._hosts:
            return Refusal(403, "this server answers to 127.0.0.1 and localhost only")
        first = _first_part(scope)
        is_once = self.once is not None and _same(first, self.once)
        if not (_same(first, self._token) or (is_once and scope["method"] == "GET")):
            return Refusal(404, "there is nothing here: open the whole address that was printed")
        if scope["method"] in {"GET", "HEAD"}:
            return None
        origins = [b"http://" + values(b"host")[0].lower()]
        if any(origin.lower() not in origins for origin in values(b"origin")):
            return Refusal(403, "the request came from another site")
        if any(site != b"same-origin" for site in values(b"sec-fetch-site")):
            return Refusal(403, "the request came from another site")
        if [kind.partition(b";")[0].strip().lower() for kind in values(b"content-type")] != [b"application/json"]:
            return Refusal(415, "expected JSON (Content-Type: application/json)")
        if not all(_same(token.decode("latin-1"), self._token) for token in values(TOKEN_HEADER) or [b""]):
            return Refusal(403, "the token is missing (X-Review-Token)")
        return None

    def _opens_once(self, first: str) -> bool:
        is_once = self.once is not None and _same(first, self.once)
        if is_once:
            self.once = None
        return is_once


def answer(content: Any, status: int = 200) -> Response:
    """A JSON answer."""
    from starlette.responses import Response

    return Response(json_bytes(content), status, media_type="application/json")


def _values(scope: Scope) -> Callable[[bytes], list[bytes]]:
    """All values of a header."""
    return lambda wanted: [value for name, value in scope["headers"] if name.lower() == wanted]


def _first_part(scope: Scope) -> str:
    parts = str(scope["path"]).split("/")
    return parts[1] if len(parts) > 1 else ""


def _same(text: str, secret: str) -> bool:
    """Whether two texts are the same, in a time that does not tell how much of them is."""
    return secrets.compare_digest(text.encode("utf-8", "replace"), secret.encode())
