"""Fixtures: a hub of models on this machine, and the real client with a cache of its own."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from huggingface_hub import constants, file_download
from huggingface_hub.utils import _http

from tests.support.hub_server import FakeHub, running_hub
from wd14.model.files import download

#: The old client (requests) leaves connections to the garbage collector.
OLD_CLIENT = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module", autouse=True)
def no_connection_is_left_to_other_tests() -> Iterator[None]:
    """Ends those of the module, wherever it is imported."""
    yield
    gc.collect()


def forget_sessions() -> None:
    """Closes the client's connections; it keeps what HF_HUB_OFFLINE was when they were made."""
    name = "reset_sessions" if hasattr(_http, "reset_sessions") else "close_session"
    getattr(_http, name)()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The client's cache, empty; nothing of the user's is used."""
    folder = tmp_path / "hf" / "hub"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    forget_sessions()
    yield folder
    forget_sessions()


@pytest.fixture
def hub(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """The hub; nobody waits long for it."""
    hasty = SimpleNamespace(sleep=lambda _: None, time=time.time, monotonic=time.monotonic)
    monkeypatch.setattr(file_download, "time", hasty)
    monkeypatch.setattr(_http, "time", hasty)
    monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", 1)
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 1)
    monkeypatch.setattr(download, "_WAITS", (0.05, 0.05))
    # The client forgets what is left of a part of this size when the connection is cut; ours are small files.
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 9000)
    with running_hub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server
