"""The review server, with a real socket: who gets an answer, and what requests can do."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from wd14.errors import ConfigError
from wd14.review.edit_file import EditFile
from wd14.review.server import LONGEST_REQUEST, JobRunsError, ReviewServer, Site

SHA = "cd" * 32


def png() -> bytes:
    file = BytesIO()
    Image.new("RGB", (2, 2)).save(file, "PNG")
    return file.getvalue()


#: Rows of the dataset: a picture, and something that only claims to be one.
PICTURES = {0: png(), 1: b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"}


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Client:
    """A browser's tab, or whoever else talks to the server."""

    server: ReviewServer
    folder: Path
    applied: list[dict[str, float]] = field(default_factory=list)

    @property
    def headers(self) -> dict[str, str]:
        host = f"127.0.0.1:{self.server.port}"
        return {
            "Host": host,
            "Origin": f"http://{host}",
            "Sec-Fetch-Site": "same-origin",
            "Content-Type": "application/json",
            "X-Review-Token": self.server.token,
        }

    def ask(self, path: str, method: str = "GET", body: Any = None, token: str | None = None, **headers: str) -> Answer:
        """`headers` replace the usual ones; an empty one is left out."""
        all_headers = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        connection = HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        path = f"/{self.server.token if token is None else token}/{path}"
        connection.putrequest(method, path, skip_host=True)
        for name, value in all_headers.items():
            if value:
                connection.putheader(name, value)
        if data is not None and "Transfer-Encoding" not in all_headers:
            connection.putheader("Content-Length", str(len(data)))
        connection.endheaders(data)
        answer = connection.getresponse()
        found = Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        connection.close()
        return found

    def save(self, *entries: dict[str, Any], **more: Any) -> Answer:
        return self.ask("edits", "POST", {"entries": list(entries), **more})


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    server = ReviewServer()
    client = Client(server, tmp_path)

    def apply(thresholds: Any) -> None:
        if client.applied:
            raise JobRunsError("one runs")
        if "moon" in thresholds:
            raise ConfigError("no such category")
        client.applied.append(thresholds)

    site = Site(
        page=b"<!DOCTYPE html><title>page</title>",
        picture=PICTURES.get,
        thumbnail=lambda row: PICTURES[0] if row == 0 else None,
        edits=EditFile(tmp_path),
        apply=apply,
        state=lambda: {"state": "running" if client.applied else "idle"},
    )
    with server.running(site):
        yield client


def entry(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "at": 1, "rev": 0, "undone": False, "op": "add", "tag": "x", "rows": [SHA], **more}


def test_whoever_has_the_token_gets_the_page_and_its_pictures(client: Client) -> None:
    page = client.ask("")
    assert (page.status, page.body[:9]) == (200, b"<!DOCTYPE")
    assert client.ask("picture/0").body == client.ask("thumbnail/0").body == PICTURES[0]
    assert client.ask("picture/0").headers["content-type"] == "image/png"
    for path in ("", "picture/0", "edits", "nowhere"):
        headers = client.ask(path).headers
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "server" not in headers


def test_nobody_else_does(client: Client) -> None:
    for token in ("", "x", "%C3%A9", "..", "%00", "x" * 5000, client.server.token[:-1], client.server.token + "x"):
        for path in ("", "picture/0", "edits"):
            found = client.ask(path, token=token)
            assert found.status == 404
            assert client.server.token not in found.body.decode()
        assert client.ask("edits", "POST", {"entries": [entry("a")]}, token=token).status == 404
    assert client.ask(client.server.token + "/", token="").status == 404
    assert list(client.folder.iterdir()) == []


def test_another_name_for_this_machine_is_refused(client: Client) -> None:
    """DNS rebinding: the name of somebody else's site leads here."""
    for host in ["evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:{port}", ""]:
        found = client.ask("", Host=host.format(port=client.server.port))
        assert found.status in {400, 403}
        assert b"<title>" not in found.body


#: Headers of requests that a page of another site could send.
FOREIGN: list[dict[str, str]] = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:8338"},
    {"Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "same-site"},
    {"Content_Type": "text/plain"},  # what a form can send without being asked
    {"Content_Type": ""},
    {"X_Review_Token": ""},
    {"X_Review_Token": "x"},
]


def test_another_site_changes_nothing(client: Client) -> None:
    for headers in FOREIGN:
        for path, body in (("edits", {"entries": [entry("a")]}), ("apply", {})):
            assert client.ask(path, "POST", body, **headers).status in {403, 415}
    assert client.applied == []
    assert list(client.folder.iterdir()) == []
    assert client.save(entry("a")).status == 200


PATHS = [
    *("picture/../../etc/passwd", "picture/..%2f..%2fetc%2fpasswd", "picture//etc/passwd", "picture/%2e%2e"),
    *("picture/-1", "picture/9999999999", "picture/" + "9" * 6000, "picture/0x0", "picture/%D9%A3", "picture/0%00"),
    *("picture/", "picture/1", "picture/2", "thumbnail/1", ".wd14/edits.json", "edits/"),
]


def test_no_path_leads_to_anything_else(client: Client) -> None:
    """Not even to what a dataset has that is no picture: row 1 holds a script."""
    for path in PATHS:
        found = client.ask(path)
        assert (path, found.status) == (path, 404)
        assert set(found.json) == {"error"}


def test_other_methods_are_refused(client: Client) -> None:
    assert [client.ask("edits", method, {}).status for method in ("PUT", "DELETE", "OPTIONS", "PATCH")] == [405] * 4
    assert client.ask("", "POST", {}).status == 405


BODIES = [
    *(b"", b"half a {", b"[]", b"5", b"[" * 100_000, b'{"entries": 5}', b'{"entries": [5]}', b"\xff\xfe"),
    b'{"entries": [{"op": "set", "caption": "\\ud83d", "rows": "all", "id": "a", "at": 1, "rev": 0, "undone": false}]}',
    *(b'{"entries": [{"op": "explode"}]}', b'{"entries": [], "since": -1}', b'{"entries": [], "since": NaN}'),
    b'{"entries": [], "since": ' + b"9" * 5000 + b"}",
]


def test_what_is_no_edit_is_said_and_nothing_is_written(client: Client) -> None:
    for body in BODIES:
        found = client.ask("edits", "POST", body)
        assert (body[:60], found.status) == (body[:60], 400)
        assert found.json["error"]
    assert list(client.folder.iterdir()) == []


def test_a_request_without_end_is_cut_off(client: Client) -> None:
    """Whether or not it says before how long it is."""
    with socket.create_connection(("127.0.0.1", client.server.port), timeout=20) as sending:
        head = f"POST /{client.server.token}/edits HTTP/1.1\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in client.headers.items())
        sending.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        sent = 0
        try:
            for _ in range(LONGEST_REQUEST // (1 << 20) + 16):
                sending.sendall(b"100000\r\n" + b" " * (1 << 20) + b"\r\n")
                sent += 1 << 20
            answer = sending.recv(100)
        except OSError:  # it hung up
            answer = b""
    assert b" 413 " in answer or answer == b""
    assert client.ask("edits").json["entries"] == []


def test_a_page_that_is_closed_while_it_saves_is_no_error(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    head = f"POST /{client.server.token}/edits HTTP/1.1\r\nContent-Length: 9\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in client.headers.items())
    for half in (f"{head}\r\n{{", "no HTTP\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", client.server.port), timeout=20) as sending:
            sending.sendall(half.encode())
    assert client.save(entry("a")).status == 200
    assert caplog.messages == []


def test_pages_that_are_open_at_once_lose_nothing(client: Client) -> None:
    """They save at random, undo, and hear of each other."""
    failed: list[Any] = []

    def page(number: int) -> None:
        revision = 0
        for step in range(8):
            found = client.save(entry(f"{number}-{step}", tag=f"{number} {step}"), since=revision)
            revision = found.json.get("revision", 0)
            if found.status != 200:
                failed.append(found)
        client.save(entry(f"{number}-0", rev=1, undone=True))

    threads = [threading.Thread(target=page, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    content = json.loads((client.folder / ".wd14" / "edits.json").read_text("utf-8"))
    assert sorted(edit["tag"] for edit in content["edits"]) == [f"{a} {b}" for a in range(6) for b in range(1, 8)]
    everything = client.ask("edits").json
    assert len(everything["entries"]) == 48
    assert sum(each["undone"] for each in everything["entries"]) == 6
    assert client.ask(f"edits?since={everything['revision']}").json["entries"] == []


def test_an_edit_of_any_text_comes_back_as_it_was(client: Client) -> None:
    caption = "</script>\u2028 \U0001f431 漢字 \x1b[2J\n \"'"
    sent = {key: value for key, value in entry("a", op="set", caption=caption).items() if key != "tag"}
    client.ask("edits", "POST", json.dumps({"entries": [sent]}).encode())
    assert client.ask("edits").json["entries"] == [sent]


def test_one_job_at_a_time(client: Client) -> None:
    assert client.ask("apply").json == {"state": "idle"}
    wrong: list[Any] = [{"moon": 0.5}, {"general": "0.5"}, {"general": True}, []]
    for thresholds in wrong:
        assert client.ask("apply", "POST", {"thresholds": thresholds}).status == 400
    assert client.ask("apply", "POST", {"thresholds": {"general": 0.5}}).status == 202
    second = client.ask("apply", "POST", {"thresholds": {}})
    assert (second.status, second.json) == (409, {"error": "one runs"})
    assert client.applied == [{"general": 0.5}]


def test_the_address_for_the_browser_leads_to_the_page_once(tmp_path: Path) -> None:
    """Other users of a machine see with which address a program was started."""
    server = ReviewServer()
    site = Site(b"page", lambda _: None, lambda _: None, EditFile(tmp_path), lambda _: None, dict)
    client = Client(server, tmp_path)
    with server.running(site) as address:
        once = address.split("/")[3]
        assert client.ask("edits", "POST", {"entries": []}, token=once).status == 404
        first = client.ask("", token=once)
        assert (first.status, first.headers["location"]) == (303, f"/{server.token}/")
        assert client.ask("", token=once).status == 404


def test_it_listens_to_this_machine_only_and_says_when_a_port_is_taken() -> None:
    first = ReviewServer()
    assert first._socket.getsockname()[0] == "127.0.0.1"
    first._socket.listen()
    with pytest.raises(ConfigError, match=f"port {first.port} cannot be used"):
        ReviewServer(first.port)
    first._socket.close()
    with pytest.raises(ConfigError, match="port 70000"):
        ReviewServer(70000)
