"""A local server that speaks enough of the hub's dataset protocol for `datasets` to stream from it.

It answers what the client asks: the repository's facts (`/api/datasets/<id>`), its tree, facts of single paths
(`paths-info`), and HEAD and GET, with ranges, of `/datasets/<id>/resolve/<revision>/<path>`. With a token it takes new
repositories and commits: small files in the commit, the others by the protocol of Git LFS.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "b" * 40
#: What may write.
TOKEN = "hf_write"
#: Files that are sent apart from their commit.
_LFS = re.compile(r".*\.(parquet|tar|bin)")


class DatasetHub:
    """Dataset repositories, {id: {path: bytes}}, and what was asked for."""

    def __init__(self, repos: Mapping[str, Mapping[str, bytes]]) -> None:
        self.repos = {name: dict(files) for name, files in repos.items()}
        self.requests: list[str] = []
        self.url = ""
        self.etag: str | None = None  #: instead of the files' own
        self.private: set[str] = set()
        self.commits: list[list[str]] = []  #: paths of each commit
        self.answers: list[tuple[str, int]] = []  #: statuses to answer once: (part of the request, status)
        self._objects: dict[str, bytes] = {}

    def fault(self, request: str) -> int | None:
        """The status that a request is to get."""
        for place, (part, status) in enumerate(self.answers):
            if part in request:
                del self.answers[place]
                return status
        return None

    def write(self, method: str, path: str, body: bytes, token: str) -> tuple[int, Any] | None:
        """The answer to what needs a token; None for the rest."""
        action = re.fullmatch(r"/api/datasets/(?P<repo>[^/]+/[^/]+)/(?P<what>preupload|commit)/.*", path)
        batch = re.fullmatch(r"/datasets/(?P<repo>[^/]+/[^/]+)\.git/info/lfs/objects/batch", path)
        if method == "PUT" and path.startswith("/lfs/"):
            self._objects[path.removeprefix("/lfs/")] = body
            return 200, {}
        if path == "/api/validate-yaml":  # of a card
            return 200, {"errors": [], "warnings": []}
        if not (action or batch or path in ("/api/repos/create", "/api/whoami-v2")):
            return None
        if token != f"Bearer {TOKEN}":
            return 401, {"error": "Invalid credentials in Authorization header"}
        if action and action["what"] == "commit":
            return self._commit(action["repo"], body)
        asked = json.loads(body or b"{}")
        if action:
            modes = [(each["path"], "lfs" if _LFS.fullmatch(each["path"]) else "regular") for each in asked["files"]]
            return 200, {"files": [{"path": path, "uploadMode": mode, "shouldIgnore": False} for path, mode in modes]}
        if batch:
            return 200, {"transfer": "basic", "objects": [self._object(each) for each in asked["objects"]]}
        if path == "/api/repos/create":
            repo = f"{asked.get('organization') or 'me'}/{asked['name']}"
            self.repos.setdefault(repo, {".gitattributes": b"*.parquet filter=lfs\n"})
            if asked.get("private") or asked.get("visibility") == "private":  # newer clients say it so
                self.private.add(repo)
            return 200, {"url": f"{self.url}/datasets/{repo}", "id": repo}
        return 200, {"name": "me", "type": "user"}

    def _object(self, asked: dict[str, Any]) -> dict[str, Any]:
        found = {"oid": asked["oid"], "size": asked["size"]}
        if asked["oid"] not in self._objects:
            found["actions"] = {"upload": {"href": f"{self.url}/lfs/{asked['oid']}", "header": {}}}
        return found

    def _commit(self, repo: str, body: bytes) -> tuple[int, Any]:
        paths = []
        for line in body.decode().splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                self.repos[repo][value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                self.repos[repo][value["path"]] = self._objects[value["oid"]]
            if "path" in value:
                paths.append(value["path"])
        self.commits.append(paths)
        commit = f"{len(self.commits):040x}"
        return 200, {"success": True, "commitOid": commit, "commitUrl": f"{self.url}/datasets/{repo}/commit/{commit}"}

    def answer(self, path: str, body: bytes, query: str = "") -> tuple[int, Any]:
        """Status, and JSON or a file's bytes."""
        for repo, files in self.repos.items():
            for prefix in (f"/api/datasets/{repo}", f"/datasets/{repo}/resolve"):
                if path == prefix or path.startswith(prefix + "/"):
                    rest = path[len(prefix) :].strip("/")
                    if rest.startswith("tree/") and "recursive=true" not in query.lower():
                        return self._tree(files, rest[5:].partition("/")[2], deep=False)
                    return self._answer(repo, files, path, rest, body)
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

    def _tree(self, files: dict[str, bytes], folder: str, *, deep: bool = True) -> tuple[int, Any]:
        below = [name for name in files if not folder or name.startswith(folder + "/")]
        if not below:
            return 404, {"error": "Entry not found"}
        parents = {name[: match.start()] for name in below for match in re.finditer("/", name)}
        names = sorted({*below, *(parent for parent in parents if parent.startswith(folder) and parent != folder)})
        start = len(folder) + 1 if folder else 0
        return 200, [_describe(files, name) for name in names if deep or "/" not in name[start:]]


def _describe(files: dict[str, bytes], name: str) -> dict[str, Any] | None:
    if name in files:
        data = files[name]
        blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        described = {"type": "file", "path": name, "size": len(data), "oid": blob}
        if _LFS.fullmatch(name):
            described["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
        return described
    if any(other.startswith(name + "/") for other in files):
        return {"type": "directory", "path": name, "size": 0, "oid": "d" * 40}
    return None


def environment_of(hub: DatasetHub, folder: Path) -> dict[str, str]:
    """What a process needs that is to use the server, and keeps what it fetches in a folder."""
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(folder / "hf"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NO_PROXY": "127.0.0.1",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    environment.pop("HF_HUB_OFFLINE", None)
    return environment


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
            path, query = unquote(urlsplit(self.path).path), urlsplit(self.path).query
            request = f"{self.command} {path}"
            hub.requests.append(request)
            if (fault := hub.fault(request)) is not None:
                answer: tuple[int, Any] = fault, {"error": "on request"}
            else:
                written = hub.write(self.command, path, body, self.headers.get("Authorization") or "")
                answer = written or hub.answer(path, body, query)
            status, content = answer
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

        do_GET = do_HEAD = do_POST = do_PUT = _serve

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
