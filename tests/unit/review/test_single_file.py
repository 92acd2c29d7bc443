"""The page as a single file: its thumbnails are in it up to a limit, and nothing else of it changes."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from wd14.errors import OutputError
from wd14.review import single_file
from wd14.review.page import write_page
from wd14.review.single_file import data_of, write_single_file

DATA = {
    "version": 1,
    "dataset": {"name": "</script> & <b>", "folder": "../"},
    "status": [0, 2, 0, 0],
    "thumbnails": {"pattern": "thumbnails/{row}.webp", "missing": [1]},
}


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Four rows; the second one failed and has no thumbnail."""
    folder = tmp_path / "set" / ".wd14"
    (folder / "thumbnails").mkdir(parents=True)
    for row, size in ((0, 5), (2, 3), (3, 2)):
        (folder / "thumbnails" / f"{row}.webp").write_bytes(bytes([row]) * size)
    write_page(folder / "review.html", DATA)
    return folder.parent


def inlined(path: Path) -> list[bytes | None]:
    found = data_of(path)["thumbnails"]["inline"]
    return [None if each is None else base64.b64decode(each) for each in found]


def test_thumbnails_are_in_the_file(dataset: Path, tmp_path: Path) -> None:
    target = tmp_path / "one.html"
    assert write_single_file(dataset, target) == 0
    assert inlined(target) == [b"\0" * 5, None, b"\2" * 3, b"\3" * 2]
    found = data_of(target)
    assert found["dataset"] == {"name": "</script> & <b>", "folder": ""}
    assert {key: found[key] for key in ("version", "status")} == {"version": 1, "status": [0, 2, 0, 0]}


def test_the_limit_is_kept_and_said(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(single_file, "MOST_THUMBNAIL_BYTES", 7)
    target = tmp_path / "one.html"
    assert write_single_file(dataset, target) == 1
    assert inlined(target) == [b"\0" * 5, None, None, b"\3" * 2]


def test_a_dataset_without_a_page_has_none(tmp_path: Path) -> None:
    assert write_single_file(tmp_path, tmp_path / "one.html") is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "<p>", '<script id="data">[]</script>', '<script id="data">{</script>'])
def test_what_is_no_page_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / ".wd14").mkdir()
    (tmp_path / ".wd14" / "review.html").write_text(text)
    with pytest.raises(OutputError, match="is no review page"):
        write_single_file(tmp_path, tmp_path / "one.html")
