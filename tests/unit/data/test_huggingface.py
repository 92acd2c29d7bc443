"""The hub's reader without a hub: ids, URLs, and what happens while pictures are being fetched."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from typing import Any

import datasets
import pytest

from wd14.data.sources import huggingface
from wd14.data.sources.huggingface import HubDataset, HubId
from wd14.errors import ImageTooLargeError, MissingImageError, RowError, SourceError, UnreadableImageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("owner/name", HubId("owner/name")),
        ("o-w/n.a_me@main:large set", HubId("o-w/n.a_me", "main", "large set")),
        ("owner/name@refs/pr/1", HubId("owner/name", "refs/pr/1")),
        ("owner/name:config", HubId("owner/name", None, "config")),
        *(
            (text, None)
            for text in ("name", "a/b/c", "../name", "owner/..", "a/b--c", "/a/b", "a/b@", "é/b", "a/b@c/../d")
        ),
    ],
)
def test_ids(text: str, expected: HubId | None) -> None:
    assert HubId.parse(text) == expected


def test_the_name_of_an_id() -> None:
    assert HubId("owner/name", "main", "config").name == "name"


class Stream(list[dict[str, Any]]):
    """Rows of a split, as `datasets` streams them; breaks off at a row that is None."""

    features = None
    info = None
    split = "train"

    def take(self, count: int) -> Stream:
        return Stream(self[:count])

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for row in super().__iter__():
            if row is None:
                raise ConnectionError("the hub\nwent away")
            yield row


def hub_dataset(monkeypatch: pytest.MonkeyPatch, *rows: Any) -> HubDataset:
    monkeypatch.setattr(huggingface, "_open_streams", lambda _: {"train": Stream(rows)})
    return HubDataset(HubId("o/n"))


def files(count: int) -> list[dict[str, Any]]:
    return [{"image": {"bytes": None, "path": f"hf://datasets/o/n/{n}.png"}} for n in range(count)]


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
    rows = list(hub_dataset(monkeypatch, *files(24)).rows(["train"], ["image"]))
    assert [row.values["image"]["bytes"] for row in rows] == [f"hf://datasets/o/n/{n}.png".encode() for n in range(24)]
    assert [row.source for row in rows] == [f"o/n train row {n}" for n in range(24)]
    assert most > 1


def test_a_fetch_that_hangs_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def fetch(address: str) -> bytes:
        if not address.endswith("/0.png"):
            release.wait(60)
        return b"x"

    monkeypatch.setattr(huggingface, "_fetch", fetch)
    rows = hub_dataset(monkeypatch, *files(24)).rows(["train"], ["image"])
    next(rows)
    started = time.monotonic()
    rows.close()  # type: ignore[attr-defined]  # a generator
    assert time.monotonic() - started < 3
    hanging = [thread for thread in threading.enumerate() if thread.name.startswith("wd14-hub")]
    assert all(thread.daemon for thread in hanging), "or a stopped process would wait for them"
    assert 0 < len(hanging) <= 8, "those that hang, and not the one that reads the rows"
    release.set()
    for thread in hanging:
        thread.join(10)
    assert not any(thread.is_alive() for thread in hanging), "they end when they can"


def test_a_stream_that_breaks_off_gives_the_rows_before(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = hub_dataset(monkeypatch, {"image": b"0"}, {"image": b"1"}, None).rows(["train"], ["image"])
    assert [next(rows).values["image"], next(rows).values["image"]] == [b"0", b"1"]
    with pytest.raises(SourceError, match="o/n cannot be read from row 2 of train on: the hub went away"):
        next(rows)
    with pytest.raises(SourceError, match="went away"):
        hub_dataset(monkeypatch, None)


@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc/passwd", "zip://a.png::file:///a.zip", "http://x/a.png", "/etc/passwd", "a.png", "hf", ""),
        *("zip://a.png", "zip://a.png::http://x/a.zip", "http://x::hf://datasets/o/n/a.png"),
    ],
)
def test_a_row_names_files_of_the_hub_only(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setattr("fsspec.open", lambda *_: pytest.fail("it was opened"))
    bad, good = hub_dataset(monkeypatch, {"image": {"bytes": None, "path": url}}, {"image": b"x"}).rows(["train"], [])
    assert isinstance(bad.error, UnreadableImageError)
    assert good.error is None


@pytest.mark.parametrize(
    ("problem", "error"),
    [
        (FileNotFoundError("no"), MissingImageError),
        (ConnectionError("x"), UnreadableImageError),
        (ValueError(), RowError),
    ],
)
def test_a_picture_that_cannot_be_fetched_fails_alone(
    monkeypatch: pytest.MonkeyPatch, problem: Exception, error: type[RowError]
) -> None:
    def refuse(*_: Any) -> None:
        raise problem

    monkeypatch.setattr("fsspec.open", refuse)
    bad, good = hub_dataset(monkeypatch, *files(1), {"image": b"x"}).rows(["train"], ["image"])
    assert isinstance(bad.error, error)
    assert good.error is None


@pytest.mark.parametrize("is_declared", [True, False])
def test_a_picture_that_is_too_large_to_be_fetched(monkeypatch: pytest.MonkeyPatch, is_declared: bool) -> None:
    monkeypatch.setattr(huggingface, "_LARGEST_FETCHED", 1000)

    class Remote(io.BytesIO):
        size = 10**12 if is_declared else None

        def read(self, size: int | None = -1, /) -> bytes:
            assert size == 1001
            return super().read(size)

    monkeypatch.setattr("fsspec.open", lambda *_: Remote(bytes(5000)))
    (row,) = hub_dataset(monkeypatch, *files(1)).rows(["train"], ["image"])
    assert isinstance(row.error, ImageTooLargeError)


class Declared(Stream):
    """A stream that says what it has."""

    features = datasets.Features(
        {
            "image": datasets.Image(),
            "path": datasets.Value("string"),
            "raw": datasets.Value("large_binary"),
            "label": datasets.ClassLabel(names=["a", "b"]),
            "number": datasets.Value("int64"),
            "masks": datasets.Sequence(datasets.Image()),
            "blobs": {"a": datasets.Value("binary")},
            "words": datasets.Sequence(datasets.Value("string")),
        }
    )

    class info:
        splits = {"train": datasets.SplitInfo("train", num_examples=0)}  # noqa: RUF012


def test_columns_and_counts_as_the_dataset_declares_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface, "_open_streams", lambda _: {"train": Declared()})
    hub = HubDataset(HubId("o/n"))
    assert hub.splits == {"train": None}, "0 is what it says when nobody counted"
    columns = {column.name: column for column in hub.columns}
    assert {name for name, column in columns.items() if column.can_hold_images} == {"image", "path", "raw"}
    assert {name for name, column in columns.items() if column.can_be_json} == {"path", "label", "number", "words"}
    assert str(columns["image"]) == "image (Image)"
