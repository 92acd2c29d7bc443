"""Downloads with the real client, old or new, from a local server that speaks the hub's protocol."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import numpy as np
import pytest
from huggingface_hub import constants

from tests.support.clip_vocabulary import small_vocabulary
from tests.support.hub_server import COMMIT, FakeHub, running_hub
from tests.support.model_hub import OLD_CLIENT, cache, forget_sessions, hub, no_connection_is_left_to_other_tests
from tests.support.onnx_models import random_weights, save_model, wd14_folder, write_csv
from wd14 import CaptionConfig, Tagger
from wd14.errors import DownloadError, JobStoppedError, LabelsError, ModelContractError, ModelNotFoundError
from wd14.input_spec import InputSpec
from wd14.model.files import clip_vocabulary, download, registry
from wd14.model.files.by_hand import folder_by_hand
from wd14.model.files.description import FileDescription, LabelsDescription, ModelDescription
from wd14.model.files.find import find_model, is_here
from wd14.published import Published
from wd14.stop import StopToken
from wd14.token_counting import clip_tokens, token_counter

__all__ = ["cache", "hub", "no_connection_is_left_to_other_tests"]

ROOT = Path(__file__).parents[2]
PINNED = "someone/pinned-tagger"
OPEN = "someone/open-tagger"
SIZE = 32

pytestmark = OLD_CLIENT


@pytest.fixture
def files(tmp_path: Path) -> dict[str, bytes]:
    """The two files of a WD14 tagger."""
    folder = tmp_path / "published"
    wd14_folder(folder, tags=2000, size=SIZE)
    return {name: (folder / name).read_bytes() for name in ("model.onnx", "selected_tags.csv")}


def described(files: dict[str, bytes], **changes: Any) -> ModelDescription:
    """A row of the registry for these files."""
    model, labels = files["model.onnx"], files["selected_tags.csv"]
    values: dict[str, Any] = {
        "id": PINNED,
        "repo": PINNED,
        "revision": COMMIT,
        "model": FileDescription("model.onnx", hashlib.sha256(model).hexdigest(), len(model)),
        "labels": LabelsDescription("selected_tags.csv", hashlib.sha256(labels).hexdigest(), len(labels)),
        "spec": InputSpec(size=SIZE),
        "thresholds": {"all": 0.5},
    }
    return ModelDescription(**(values | changes))


def know(monkeypatch: pytest.MonkeyPatch, description: ModelDescription) -> ModelDescription:
    monkeypatch.setattr(registry, "_BY_ID", {description.id: description})
    return description


@pytest.fixture
def pinned(hub: FakeHub, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> ModelDescription:
    """A model of the registry, on the hub."""
    hub.add(PINNED, {**files, "model.safetensors": b"not needed", "README.md": b"neither"})
    return know(monkeypatch, described(files))


@pytest.fixture
def unpinned(hub: FakeHub, files: dict[str, bytes]) -> str:
    """A model that only the hub knows."""
    hub.add(OPEN, files)
    return OPEN


def offline(monkeypatch: pytest.MonkeyPatch, yes: bool) -> None:
    """HF_HUB_OFFLINE, which the client reads at its import."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", yes)
    forget_sessions()


def content(path: Path) -> bytes:
    return path.resolve().read_bytes()


# ── As it should go ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_first_run_fetches_two_files_and_the_second_asks_nobody(
    hub: FakeHub, pinned: ModelDescription, files: dict[str, bytes]
) -> None:
    assert not is_here(pinned)
    first = find_model(PINNED)
    assert content(first.model_path) == files["model.onnx"]
    fetched = {request.path.rpartition("/")[2] for request in hub.asked("GET") if f"/{PINNED}/" in request.path}
    assert fetched == set(files), "the weights of other programs are not fetched"
    assert all("wd14-captioner" in request.user_agent for request in hub.asked("GET", "model.onnx"))
    assert (COMMIT in first.model_path.parts, first.thresholds) == (True, Published({"all": 0.5}))
    assert is_here(pinned)
    hub.requests.clear()
    assert find_model(PINNED) == first
    assert hub.requests == []
    assert Tagger.load(PINNED).run(np.zeros((2, SIZE, SIZE, 3), np.float32)).shape == (2, 2000)


def test_a_copy_that_another_program_fetched_is_used(hub: FakeHub, pinned: ModelDescription) -> None:
    for name in ("model.onnx", "selected_tags.csv"):
        huggingface_hub.hf_hub_download(PINNED, name, revision=COMMIT, endpoint=hub.url)
    hub.requests.clear()
    find_model(PINNED)
    assert hub.requests == []


@pytest.mark.parametrize("terminal", [False, True])
def test_lines_of_progress_where_there_is_no_terminal(
    hub: FakeHub, pinned: ModelDescription, monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal, raising=False)
    monkeypatch.setattr(download, "_LINE", 0.2)
    hub.fail(path="model.onnx", slow=0.1)
    lines: list[str] = []
    find_model(PINNED, log=lines.append)
    said = [line.removeprefix(f"Downloading {PINNED}/model.onnx: ") for line in lines]
    if terminal:
        assert said == [], "the client's own bar is enough"
        return
    shares = [int(line.split("%")[0]) for line in said]
    assert shares == sorted(shares)
    assert 0 < shares[0] < 100
    assert re.fullmatch(r"\d+% of 0\.0 MB, 0\.0 MB/s, [\d.]+ s left", said[-1])


def test_no_line_before_a_hundredth_has_arrived(
    hub: FakeHub, pinned: ModelDescription, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: False, raising=False)
    clock = SimpleNamespace(monotonic=lambda: 0.0, time=time.time)
    monkeypatch.setattr(download, "time", clock)
    lines: list[str] = []
    progress = download._Progress(download.RemoteFile(PINNED, "model.onnx", COMMIT), lines.append)
    progress.total = 1_000_000_000
    blobs = cache / f"models--{PINNED.replace('/', '--')}" / "blobs"
    blobs.mkdir(parents=True)
    earlier = blobs / "earlier.incomplete"
    earlier.write_bytes(bytes(20_000_000))
    os.utime(earlier, (1, 1))  # what another download left behind

    (blobs / "now.incomplete").touch()
    for seconds, size in ((10.0, 9_999_999), (20.0, 10_000_000), (30.0, 210_000_000), (31.0, 250_000_000)):
        clock.monotonic = lambda seconds=seconds: seconds
        os.truncate(blobs / "now.incomplete", size)
        progress.look()
    assert lines == [
        f"Downloading {PINNED}/model.onnx: 1% of 1,000 MB",
        f"Downloading {PINNED}/model.onnx: 21% of 1,000 MB, 20.0 MB/s, 40 s left",
    ], "nothing before a hundredth, nothing within five seconds"


def test_an_id_that_the_registry_does_not_have(hub: FakeHub, unpinned: str, files: dict[str, bytes]) -> None:
    first = find_model(unpinned)
    assert content(first.model_path) == files["model.onnx"]
    assert (first.thresholds, first.spec.size) == (Published(), SIZE)
    hub.requests.clear()
    assert find_model(unpinned) == first
    assert [(request.method, request.path) for request in hub.requests] == [
        ("HEAD", f"/{OPEN}/resolve/main/selected_tags.csv")
    ], "whether main has moved is asked; nothing is fetched"


def test_the_identity_is_that_of_the_same_files_in_a_folder(unpinned: str, tmp_path: Path) -> None:
    assert find_model(unpinned).identity == find_model(tmp_path / "published").identity


def test_a_copy_of_a_known_model_in_a_folder_is_recognised(
    pinned: ModelDescription, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_BY_SHA256", {pinned.model.sha256: pinned})
    found = find_model(tmp_path / "published")
    assert found.thresholds == Published({"all": 0.5})
    assert found.identity == find_model(PINNED).identity


def test_another_revision_of_a_known_model_is_not_held_to_the_pins(
    hub: FakeHub, pinned: ModelDescription, files: dict[str, bytes], tmp_path: Path
) -> None:
    newer = tmp_path / "newer"
    wd14_folder(newer, tags=7, size=SIZE)
    hub.add(PINNED, {name: (newer / name).read_bytes() for name in files}, revision="dev")
    found = find_model(f"{PINNED}@dev")
    assert len(found.labels) == 7
    assert found.spec == pinned.spec


def test_kohyas_three_part_id(hub: FakeHub, tmp_path: Path) -> None:
    weights = random_weights(600)
    save_model(tmp_path / "m.onnx", weights, layout="NCHW", sigmoid=False, size=SIZE)
    mapping = {str(index): {"tag": f"t{index}", "category": "General"} for index in range(600)}
    hub.add(
        "cella110n/other",
        {
            "v9/model_optimized.onnx": (tmp_path / "m.onnx").read_bytes(),
            "v9/tag_mapping.json": json.dumps(mapping).encode(),
            "v9/selected_tags.csv": b"name,category\nfor another program,0\n",
        },
    )
    found = find_model("cella110n/other/v9")
    assert found.model_path.name == "model_optimized.onnx"
    assert (found.activation, found.spec.layout, found.labels.order) == ("sigmoid", "NCHW", "score")


def test_a_token_opens_a_private_model_and_is_told_to_nobody_else(
    hub: FakeHub, unpinned: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.private.add(OPEN)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    # The address of the content is signed: it needs no token, and the server that has it must not get one.
    served = hub.note

    def serve(request: Any) -> Any:
        if request.path.startswith("/cdn"):
            hub.private.discard(OPEN)
        return served(request)

    monkeypatch.setattr(hub, "note", serve)
    find_model(unpinned)
    assert all(request.authorization == "Bearer hf_secret" for request in hub.asked("HEAD"))
    content_requests = [request for request in hub.requests if request.path.startswith("/cdn")]
    assert content_requests
    assert all(request.authorization is None for request in content_requests)


# ── Cut off, damaged ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_cut_connection_is_taken_up_where_it_broke(
    hub: FakeHub, pinned: ModelDescription, files: dict[str, bytes]
) -> None:
    hub.fail(path="model.onnx", cut_after=9000, times=2)
    found = find_model(PINNED)
    assert content(found.model_path) == files["model.onnx"]
    ranges = [request.range for request in hub.asked("GET", "model.onnx")]
    assert ranges == [None, "bytes=9000-", "bytes=18000-"]


def test_a_server_that_ignores_where_to_go_on_costs_another_download(
    hub: FakeHub, pinned: ModelDescription, files: dict[str, bytes]
) -> None:
    hub.fail(path="model.onnx", cut_after=10_000)
    hub.fail(path="model.onnx", ignore_range=True)
    assert content(find_model(PINNED).model_path) == files["model.onnx"]


def test_a_download_that_never_ends_well_leaves_nothing_that_is_trusted(
    hub: FakeHub, pinned: ModelDescription, files: dict[str, bytes]
) -> None:
    hub.fail(path="model.onnx", cut_after=0, times=-1)
    with pytest.raises(DownloadError, match="the connection was cut") as caught:
        find_model(PINNED)
    assert f"{hub.url}/{PINNED}/resolve/{COMMIT}/model.onnx" in str(caught.value)
    assert not is_here(pinned)
    hub.faults.clear()
    assert content(find_model(PINNED).model_path) == files["model.onnx"]


@pytest.mark.parametrize("name", ["model.onnx", "selected_tags.csv"])
def test_a_file_that_arrives_damaged_is_fetched_again(
    hub: FakeHub, pinned: ModelDescription, files: dict[str, bytes], name: str
) -> None:
    hub.fail(path=name, corrupt=True)
    lines: list[str] = []
    found = find_model(PINNED, log=lines.append)
    assert content(found.model_path) == files["model.onnx"]
    assert content(found.labels_path) == files["selected_tags.csv"]
    assert any(f"The copy of {PINNED}/{name} is damaged (expected sha256" in line for line in lines)


def test_a_damaged_transfer_is_seen_without_a_pin_too(hub: FakeHub, unpinned: str, files: dict[str, bytes]) -> None:
    hub.fail(path="model.onnx", corrupt=True)
    assert content(find_model(unpinned).model_path) == files["model.onnx"]


def test_a_large_file_that_the_cache_keeps_in_its_shared_store(
    hub: FakeHub, unpinned: str, cache: Path, files: dict[str, bytes]
) -> None:
    """Its name there, at the end of two links, is not its sha256 (huggingface_hub 2.4, files of the Xet store)."""
    first = find_model(unpinned)
    blob = first.model_path.parent / first.model_path.readlink()
    stored = cache / "blobs" / "ab" / ("ab" * 32)
    stored.parent.mkdir(parents=True)
    blob.rename(stored)
    blob.symlink_to(stored)
    hub.requests.clear()
    assert find_model(unpinned) == first
    assert not hub.asked("GET", "model.onnx")
    stored.write_bytes(bytes(len(files["model.onnx"])))
    assert content(find_model(unpinned).model_path) == files["model.onnx"]
    assert not stored.exists()


@pytest.mark.parametrize("damage", ["other", "short", "link"])
def test_a_copy_that_went_bad_in_the_cache_is_repaired(
    pinned: ModelDescription, files: dict[str, bytes], damage: str
) -> None:
    path = find_model(PINNED).model_path
    if damage == "link":  # as a cache without symbolic links has it: the file itself in the place of the link
        path.unlink()
        path.write_bytes(b"x" * len(files["model.onnx"]))
    else:
        blob = path.resolve()
        blob.write_bytes(bytes(len(files["model.onnx"])) if damage == "other" else files["model.onnx"][:5000])
    lines: list[str] = []
    repaired = find_model(PINNED, log=lines.append).model_path
    assert content(repaired) == files["model.onnx"]
    assert len([line for line in lines if "is damaged" in line]) == 1


def test_a_hub_that_has_another_file_than_the_pinned_one(
    hub: FakeHub, pinned: ModelDescription, files: dict[str, bytes]
) -> None:
    hub.add(PINNED, files | {"model.onnx": bytes(len(files["model.onnx"]))})
    with pytest.raises(DownloadError, match="is not the expected file: expected sha256") as caught:
        find_model(PINNED)
    assert str(pinned.model.sha256) in str(caught.value)
    assert len(hub.asked("GET", "model.onnx")) == 2, "fetched again once, and no more"
    assert not is_here(pinned)
    hub.add(PINNED, files)
    assert content(find_model(PINNED).model_path) == files["model.onnx"]


# ── What a hub may answer ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        ({"status": 401}, ModelNotFoundError, "answered 401: there is no such model, or it is private.*HF_TOKEN"),
        (
            {"status": 403},
            DownloadError,
            r"answered 403.* Accept the terms at https://\S*/pinned-tagger, then",
        ),
        ({"status": 429}, DownloadError, "answered 429: too many requests.*HF_TOKEN"),
        ({"status": 500}, DownloadError, "answered 500. Try again later"),
        ({"stall": True}, DownloadError, "did not answer in time.*HTTPS_PROXY"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else None,
)
@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_a_hub_that_does_not_deliver(
    hub: FakeHub,
    pinned: ModelDescription,
    files: dict[str, bytes],
    method: str,
    fault: dict[str, Any],
    kind: type[Exception],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if fault == {"stall": True}:
        monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.3)
        monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", 0.3)
    hub.fail(method=method, path="model.onnx", times=-1, **fault)
    started = time.monotonic()
    with pytest.raises(kind, match=message) as caught:
        find_model(PINNED)
    assert time.monotonic() - started < 15
    text = str(caught.value)
    assert f"{PINNED}/model.onnx (revision {COMMIT}) could not be fetched" in text
    assert "\n" not in text
    if kind is DownloadError:
        assert f"fetch {hub.url}/{PINNED}/resolve/{COMMIT}/model.onnx and {hub.url}" in text
        assert str(folder_by_hand(PINNED)) in text
    assert not is_here(pinned)
    hub.faults.clear()
    assert content(find_model(PINNED).model_path) == files["model.onnx"]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_a_hub_that_is_busy_is_asked_again(hub: FakeHub, pinned: ModelDescription, method: str, status: int) -> None:
    hub.fail(method=method, path="model.onnx", status=status, times=2)
    assert find_model(PINNED).thresholds.by_category == pinned.thresholds


@pytest.mark.parametrize("seconds", [2, 3600])
def test_a_hub_that_says_when_to_ask_again(
    hub: FakeHub, pinned: ModelDescription, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(StopToken, "wait", lambda _, seconds: waited.append(seconds))
    hub.fail(method="HEAD", path="model.onnx", status=503, headers={"Retry-After": str(seconds)})
    if seconds == 2:
        find_model(PINNED)
        assert waited == [2.0]
    else:
        with pytest.raises(DownloadError, match="answered 503"):
            find_model(PINNED)
        assert waited == []


def test_a_gated_model(hub: FakeHub, unpinned: str) -> None:
    hub.gated.add(OPEN)
    with pytest.raises(DownloadError, match=r"the terms at https://huggingface.co/someone/open-tagger, then set"):
        find_model(unpinned)


def test_a_model_that_is_not_there(hub: FakeHub) -> None:
    with pytest.raises(ModelNotFoundError, match="no such model, or it is private"):
        find_model("nobody/nothing")
    with pytest.raises(ModelNotFoundError, match=r"Did you mean SmilingWolf/wd-vit-tagger-v3\?"):
        find_model("SmilingWolf/wd-vit-taggr-v3")


def test_a_revision_that_is_not_there(unpinned: str) -> None:
    with pytest.raises(ModelNotFoundError, match="no such revision"):
        find_model(f"{unpinned}@v7")


@pytest.mark.parametrize(
    ("there", "message"),
    [
        (["model.onnx"], "has no selected_tags.csv and no tag_mapping.json"),
        (["selected_tags.csv"], "has no model.onnx and no model_optimized.onnx"),
        ([], "has no selected_tags.csv"),
    ],
)
def test_a_repository_that_is_no_taggers(hub: FakeHub, files: dict[str, bytes], there: list[str], message: str) -> None:
    hub.add(OPEN, {name: files[name] for name in there})
    with pytest.raises(ModelNotFoundError, match=message):
        find_model(OPEN)
    assert not hub.asked("GET", "model.onnx"), "the large file is not fetched for nothing"


def test_a_repository_whose_files_are_none(hub: FakeHub, files: dict[str, bytes], tmp_path: Path) -> None:
    hub.add(OPEN, files | {"model.onnx": b"<!doctype html>" + b" " * 2000})
    with pytest.raises(ModelContractError, match="is a web page"):
        find_model(OPEN)
    write_csv(tmp_path / "few.csv", [0] * 5)
    hub.add(OPEN, files | {"selected_tags.csv": (tmp_path / "few.csv").read_bytes()}, revision="few")
    with pytest.raises(ModelContractError, match=r"has 5 tags, .* \(batch_size, 2000\)"):
        find_model(f"{OPEN}@few")
    hub.add(OPEN, files | {"selected_tags.csv": b"tag_id,count\n1,2\n"}, revision="odd")
    with pytest.raises(LabelsError, match="no column 'name'"):
        find_model(f"{OPEN}@odd")


def test_something_else_answers(hub: FakeHub, pinned: ModelDescription) -> None:
    """A proxy's or a hotel's page, with status 200 and none of the hub's headers."""
    hub.fail(method="HEAD", status=200, times=-1)
    with pytest.raises(DownloadError, match="what answered is not a Hugging Face hub"):
        find_model(PINNED)


# ── No hub, no room, no patience ────────────────────────────────────────────────────────────────────────────────────


NO_NETWORK = {
    "refused": {"HF_ENDPOINT": "http://127.0.0.1:9"},
    "no such host": {"HF_ENDPOINT": "http://hub.invalid"},
    "the proxy is off": {"HF_ENDPOINT": "https://hub.invalid", "HTTPS_PROXY": "http://127.0.0.1:9"},
    "no such proxy": {"HF_ENDPOINT": "https://hub.invalid", "HTTPS_PROXY": "http://proxy.invalid:3128"},
}


@pytest.mark.parametrize("model", [PINNED, OPEN])
@pytest.mark.parametrize("env", NO_NETWORK.values(), ids=NO_NETWORK)
def test_without_a_network_one_reason_is_said_at_once(
    cache: Path, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, env: dict[str, str], model: str
) -> None:
    know(monkeypatch, described(files))
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    started = time.monotonic()
    lines: list[str] = []
    with pytest.raises(DownloadError) as caught:
        find_model(model, log=lines.append)
    assert time.monotonic() - started < 10
    assert lines == [], "nothing is tried again"
    reasons = re.findall(r"the hub cannot be reached|the proxy refused the connection", str(caught.value))
    assert len(reasons) == 1
    assert "Check the network, the proxy (HTTPS_PROXY)" in str(caught.value)


def test_a_proxy_that_refuses_is_asked_once(
    cache: Path, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    know(monkeypatch, described(files))
    with running_hub() as proxy:  # answers CONNECT as it answers every method that it does not know
        monkeypatch.setenv("HF_ENDPOINT", "https://hub.invalid")
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        lines: list[str] = []
        with pytest.raises(DownloadError, match="the proxy refused the connection"):
            find_model(PINNED, log=lines.append)
    assert lines == []


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse what a full queue cannot take")
def test_a_firewall_that_swallows_everything(
    cache: Path, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client waits its time for each of the hub's addresses; all together get no more than one."""
    know(monkeypatch, described(files))
    monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", 1)
    with contextlib.ExitStack() as sockets:
        wall = sockets.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):  # fill the queue of a server that accepts nobody
            caller = sockets.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(wall.getsockname())
        addresses = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", wall.getsockname())] * 12
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)
        monkeypatch.setenv("HF_ENDPOINT", f"http://hub.invalid:{wall.getsockname()[1]}")
        started = time.monotonic()
        with pytest.raises(DownloadError, match="the hub did not answer in time"):
            find_model(PINNED)
        assert time.monotonic() - started < 6


def test_offline_says_what_to_fetch_and_where_to_put_it(
    hub: FakeHub, pinned: ModelDescription, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    offline(monkeypatch, True)
    folder = folder_by_hand(PINNED)
    assert folder is not None
    with pytest.raises(DownloadError) as caught:
        find_model(PINNED)
    text = str(caught.value)
    assert "not on this machine, and HF_HUB_OFFLINE forbids" in text
    for name in files:
        assert f"{hub.url}/{PINNED}/resolve/{COMMIT}/{name}" in text
    assert f"put both files into {folder}, or into any folder and name that as model" in text
    assert hub.requests == []

    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    assert find_model(PINNED).model_path == folder / "model.onnx"
    assert is_here(pinned)
    with pytest.raises(DownloadError, match="HF_HUB_OFFLINE"):
        find_model(f"{PINNED}@{'b' * 40}")  # another revision than the one that was put there
    (folder / "model.onnx").write_bytes(b"something else")
    with pytest.raises(DownloadError, match="is not the file of"):
        find_model(PINNED)


@pytest.mark.parametrize("model", [PINNED, OPEN])
def test_what_is_in_the_cache_needs_no_hub(
    hub: FakeHub, pinned: ModelDescription, unpinned: str, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = find_model(model)
    offline(monkeypatch, True)
    hub.requests.clear()
    assert find_model(model) == first
    assert hub.requests == []
    offline(monkeypatch, False)
    hub.fail(method="HEAD", status=500, times=-1)
    assert find_model(model) == first


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)),
        RuntimeError("Data processing error: I/O error: No space left on device (os error 28)"),  # hf_xet
    ],
    ids=["full", "quota", "xet"],
)
def test_a_full_disk_is_said(
    hub: FakeHub, pinned: ModelDescription, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", full)
    with pytest.raises(DownloadError, match=r"the disk is full\. Free some space, or set HF_HOME"):
        find_model(PINNED)


@pytest.mark.parametrize("fault", [{"slow": 0.2}, {"stall": True}], ids=["slow", "silent"])
def test_stop_ends_a_download_at_once(
    hub: FakeHub, pinned: ModelDescription, files: dict[str, bytes], fault: dict[str, Any]
) -> None:
    hub.fail(path="model.onnx", **fault)
    stop = StopToken()
    threading.Timer(0.5, stop.request).start()
    started = time.monotonic()
    with pytest.raises(JobStoppedError):
        find_model(PINNED, stop=stop)
    assert time.monotonic() - started < 2.5
    assert not is_here(pinned)
    hub.faults.clear()
    assert content(find_model(PINNED).model_path) == files["model.onnx"]


def test_stop_ends_the_wait_for_a_busy_hub(
    hub: FakeHub, pinned: ModelDescription, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "_WAITS", (30.0,))
    hub.fail(method="HEAD", path="model.onnx", status=500, times=-1)
    stop = StopToken()
    lines: list[str] = []

    def log(line: str) -> None:
        lines.append(line)
        stop.request()

    with pytest.raises(JobStoppedError):
        find_model(PINNED, log=log, stop=stop)
    assert lines == [f"{PINNED}/model.onnx: the hub answered 500; trying again in 30 s"]


def test_the_environment_is_followed_from_a_fresh_process(hub: FakeHub, unpinned: str, tmp_path: Path) -> None:
    """No patched client: HF_HOME, HF_ENDPOINT and HF_HUB_OFFLINE as a user sets them."""
    code = f"from wd14.model.files.find import find_model; print(find_model({unpinned!r}).model_path)"
    env = os.environ | {"PYTHONPATH": str(ROOT), "HF_HOME": str(tmp_path / "home"), "HF_ENDPOINT": hub.url}

    def run(**more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=env | more, check=False, timeout=60
        )

    refused = run(HF_HUB_OFFLINE="1")
    assert "DownloadError" in refused.stderr
    assert "HF_HUB_OFFLINE forbids asking the hub" in refused.stderr
    started = time.monotonic()
    unreachable = run(HF_ENDPOINT="http://127.0.0.1:9")
    assert time.monotonic() - started < 10
    assert "the hub cannot be reached. Check the network" in unreachable.stderr
    fetched = run()
    assert fetched.stdout.startswith(str(tmp_path / "home" / "hub")), fetched.stderr
    assert run(HF_HUB_OFFLINE="1").stdout == fetched.stdout


# ── A hub that answers with names of its own ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "header",
    [
        {"ETag": '"../../../../outside"'},
        {"X-Linked-Etag": '"../../../../outside"'},
        {"ETag": 'W/"/outside"'},
        {"ETag": '"..\\\\..\\\\outside"'},
        {"ETag": f'"{"e" * 5000}"'},
        {"X-Repo-Commit": "../../../outside"},
    ],
)
@pytest.mark.parametrize("honest", [0, 1])
def test_an_answer_that_leads_out_of_the_cache_is_refused(
    hub: FakeHub, unpinned: str, cache: Path, header: dict[str, str], honest: int
) -> None:
    """Whether the hub shows its face at the first question or at the second."""
    answer = {"X-Repo-Commit": COMMIT, "ETag": '"0a"', "X-Linked-Size": "4"}
    if honest:
        hub.fail(method="HEAD", path="selected_tags.csv", times=honest, status=200, headers=answer)
    hub.fail(method="HEAD", path="selected_tags.csv", times=-1, status=200, headers=answer | header)
    with pytest.raises(DownloadError, match=r"not to be trusted .* names no file of the cache.*HF_ENDPOINT"):
        find_model(unpinned)
    assert not list(cache.parents[1].rglob("outside*"))
    assert not hub.asked("GET")


def test_answers_are_checked_once_and_for_all(hub: FakeHub, unpinned: str) -> None:
    """Also after the client has begun anew, as it does by itself when a connection fails."""
    forget_sessions()
    find_model(unpinned)
    made = [huggingface_hub.get_session()]
    forget_sessions()
    made.append(huggingface_hub.get_session())
    for client in made:
        hooks: Any = getattr(client, "event_hooks", None) or getattr(client, "hooks", None)
        assert [hook.__name__ for hook in hooks["response"]] == ["_check"]


CLIP = download.RemoteFile("openai/clip", "tokenizer.json", COMMIT)


@pytest.fixture
def vocabulary(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """CLIP's vocabulary, a small one, on the hub and pinned."""
    data = small_vocabulary(["serafuku</w>"])
    hub.add(CLIP.repo, {CLIP.path: data})
    pinned = replace(CLIP, sha256=hashlib.sha256(data).hexdigest())
    monkeypatch.setattr(clip_vocabulary, "CLIP_VOCABULARY", pinned)
    return data


def test_the_vocabulary_is_fetched_once_and_counts_exactly(
    hub: FakeHub, vocabulary: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    count = clip_tokens(log=lines.append, stop=StopToken())
    assert count.is_exact
    assert count("serafuku serafuku") == 2
    assert lines == []
    offline(monkeypatch, True)
    assert token_counter(CaptionConfig(max_tokens=75), log=lines.append, stop=StopToken()).is_exact  # type: ignore[union-attr]
    assert len(hub.asked("GET", CLIP.path)) == 1
    assert token_counter(CaptionConfig(), log=lines.append, stop=StopToken()) is None


def test_another_vocabulary_than_the_pinned_one_is_refused(hub: FakeHub, vocabulary: bytes) -> None:
    hub.add(CLIP.repo, {CLIP.path: small_vocabulary(["other</w>"])})
    lines: list[str] = []
    count = clip_tokens(log=lines.append, stop=StopToken())
    assert not count.is_exact
    assert lines[-1].startswith("Tokens are estimated, ")
    assert "openai/clip/tokenizer.json is not the expected file: expected sha256" in lines[-1]


def test_without_a_network_tokens_are_estimated_until_the_vocabulary_is_put_there(
    hub: FakeHub, vocabulary: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    offline(monkeypatch, True)
    lines: list[str] = []
    assert not clip_tokens(log=lines.append, stop=StopToken()).is_exact
    (line,) = lines
    assert "HF_HUB_OFFLINE forbids asking the hub" in line
    folder = folder_by_hand(CLIP.repo)
    assert folder is not None
    assert line.endswith(
        f"Without the hub: fetch {hub.url}/openai/clip/resolve/{COMMIT}/tokenizer.json and put it into {folder}."
    )
    folder.mkdir(parents=True)
    (folder / "tokenizer.json").write_bytes(vocabulary)
    assert clip_tokens(log=lines.append, stop=StopToken()).is_exact
    (folder / "tokenizer.json").write_bytes(vocabulary + b" ")
    assert not clip_tokens(log=lines.append, stop=StopToken()).is_exact
    assert f"{folder / 'tokenizer.json'} is not the expected file" in lines[-1]


def test_without_the_package_nothing_is_fetched(
    hub: FakeHub, vocabulary: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    lines: list[str] = []
    assert not clip_tokens(log=lines.append, stop=StopToken()).is_exact
    assert lines == [
        "Tokens are estimated, about a third too many. For the exact number: pip install 'tokenizers>=0.20'."
    ]
    assert hub.requests == []
