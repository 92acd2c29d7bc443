"""The hub's reader without a hub: what happens while a picture is being fetched."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from wd14.data.sources import huggingface
from wd14.data.sources.huggingface import HubDataset, HubId


class Stream(list[dict[str, Any]]):
    """Rows of a split, as `datasets` streams them."""

    features = None
    info = None
    split = "train"

    def take(self, count: int) -> Stream:
        return Stream(self[:count])


def hub_dataset(monkeypatch: pytest.MonkeyPatch, count: int) -> HubDataset:
    rows = Stream({"image": {"bytes": None, "path": f"hf://datasets/o/n/{n}.png"}} for n in range(count))
    monkeypatch.setattr(huggingface, "_open_streams", lambda _: {"train": rows})
    return HubDataset(HubId("o/n"))


def test_pictures_are_fetched_side_by_side_and_come_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    running = most = 0
    lock = threading.Lock()

    def fetch(address: str) -> bytes:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1
        return address.encode()

    monkeypatch.setattr(huggingface, "_fetch", fetch)
    rows = list(hub_dataset(monkeypatch, 24).rows(["train"], ["image"]))
    assert [row.values["image"]["bytes"] for row in rows] == [f"hf://datasets/o/n/{n}.png".encode() for n in range(24)]
    assert most > 1


def test_a_fetch_that_hangs_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def fetch(address: str) -> bytes:
        if not address.endswith("/0.png"):
            release.wait(60)
        return b"x"

    monkeypatch.setattr(huggingface, "_fetch", fetch)
    rows = hub_dataset(monkeypatch, 24).rows(["train"], ["image"])
    next(rows)
    started = time.monotonic()
    rows.close()  # type: ignore[attr-defined]  # a generator
    assert time.monotonic() - started < 3
    hanging = [thread for thread in threading.enumerate() if thread.name.startswith("wd14-hub")]
    assert hanging
    assert all(thread.daemon for thread in hanging), "or a stopped process would wait for them"
    release.set()
