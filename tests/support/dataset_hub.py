"""A local server that speaks enough of the hub's dataset protocol for `datasets` to stream from it.

It answers what the client asks: the repository's facts (`/api/datasets/<id>`), its tree, facts of single paths
(`paths-info`), and HEAD and GET, with ranges, of `/datasets/<id>/resolve/<revision>/<path>`.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "b" * 40


class DatasetHub:
    """Dataset repositories, {id: {path: bytes}}, and what was asked for."""

    def __init__(self, repos: Mapping[str, Mapping[str, bytes]]) -> None:
        self.repos = {name: dict(files) for name, files in repos.items()}
        self.requests: list[str] = []
        self.url = ""
        self.etag: str | None = None  #: instead of the files' own

    def answer(self, path: str, body: bytes) -> tuple[int, Any]:
        """Status, and JSON or a file's bytes."""
        for repo, files in self.repos.items():
            for prefix in (f"/api/datasets/{repo}", f"/datasets/{repo}/resolve"):
                if path == prefix or path.startswith(prefix + "/"):
                    return self._answer(repo, files, path, path[len(prefix) :].strip("/"), body)
        return 404, {"error": "Repository not found"}

    def _answer(self, repo: str, files: dict[str, bytes], path: str, rest: str, body: bytes) -> tuple[int, Any]:
        action, _, rest = rest.partition("/")
        if path.startswith("/datasets/"):
            return (200, files[rest]) if rest in files else (404, {"error": "Entry not found"})
        if action in ("", "revision"):
            siblings = [{"rfilename": name} for name in sorted(files)]
            facts = {"id": repo, "sha": COMMIT, "private": False, "gated": False, "disabled": False, "tags": []}
            return 200, {**facts, "downloads": 0, "likes": 0, "siblings": siblings, "cardData": None}
        if action == "tree":
            return self._tree(files, rest.partition("/")[2])
        if action == "paths-info":
            text = body.decode()
            asked = json.loads(text)["paths"] if text.startswith("{") else parse_qs(text).get("paths", [])
            return 200, [found for name in asked if (found := _describe(files, name.strip("/"))) is not None]
        return 404, {"error": f"nothing at {action}"}

    def _tree(self, files: dict[str, bytes], folder: str) -> tuple[int, Any]:
        below = [name for name in files if not folder or name.startswith(folder + "/")]
        if not below:
            return 404, {"error": "Entry not found"}
        parents = {name[: match.start()] for name in below for match in re.finditer("/", name)}
        names = sorted({*below, *(parent for parent in parents if parent.startswith(folder) and parent != folder)})
        return 200, [_describe(files, name) for name in names]


def _describe(files: dict[str, bytes], name: str) -> dict[str, Any] | None:
    if name in files:
        return {"type": "file", "path": name, "size": len(files[name]), "oid": hashlib.sha1(files[name]).hexdigest()}
    if any(other.startswith(name + "/") for other in files):
        return {"type": "directory", "path": name, "size": 0, "oid": "d" * 40}
    return None


@contextmanager
def dataset_hub(repos: Mapping[str, Mapping[str, bytes]]) -> Iterator[DatasetHub]:
    """The server, running; its `url` is what HF_ENDPOINT wants."""
    hub = DatasetHub(repos)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            """Nothing on the terminal."""

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = unquote(urlsplit(self.path).path)
            hub.requests.append(f"{self.command} {path}")
            status, content = hub.answer(path, body)
            headers = {"X-Repo-Commit": COMMIT}
            if isinstance(content, bytes):
                headers |= {"ETag": hub.etag or f'"{hashlib.sha1(content).hexdigest()}"', "Accept-Ranges": "bytes"}
                wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
                if wanted:
                    first, last = int(wanted[1]), int(wanted[2] or len(content) - 1)
                    headers["Content-Range"] = f"bytes {first}-{min(last, len(content) - 1)}/{len(content)}"
                    status, content = 206, content[first : last + 1]
            else:
                if status == 404:
                    missing = content["error"].split()[0]
                    headers["X-Error-Code"] = "RepoNotFound" if missing == "Repository" else "EntryNotFound"
                content = json.dumps(content).encode()
                headers["Content-Type"] = "application/json"
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_HEAD = do_POST = _serve

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
