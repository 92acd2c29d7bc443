"""From a source's row to an InputRow: the picture, its name, the caption that it came with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.sources import photo, put
from wd14.data.sources.base import RawRow
from wd14.data.sources.confinement import Confinement
from wd14.data.sources.input_rows import InputRowMaker
from wd14.errors import MissingImageError, NotAnImageError, RowError, UnreadableImageError
from wd14.types import InputRow


def make(
    value: Any,
    folder: Path | None = None,
    *,
    caption: str = "caption",
    separator: str = ", ",
    keep_splits: bool = False,
    **more: Any,
) -> InputRow:
    confinement = None if folder is None else Confinement(folder, follow_symlinks=False)
    maker = InputRowMaker(
        confinement,
        image="image",
        caption=caption,
        caption_extension=".txt",
        separator=separator,
        kept=["kept"],
        keep_splits=keep_splits,
    )
    values = {"image": value, **more.pop("values", {})}
    return maker.make(7, RawRow("row 7", values, folder=folder and folder.resolve(), **more))


@pytest.mark.parametrize(
    ("value", "error"),
    [
        *((None, MissingImageError), ("", MissingImageError), ({"bytes": None, "path": None}, MissingImageError)),
        *((3, NotAnImageError), (["a.png"], NotAnImageError), (MissingImageError("gone"), MissingImageError)),
        *(("a.png", UnreadableImageError), ({"bytes": None, "path": "/etc/passwd"}, UnreadableImageError)),
    ],
)
def test_values_that_are_no_picture(value: Any, error: type[RowError]) -> None:
    row = make(value)
    assert type(row.error) is error
    assert (row.path, row.data, row.source, row.index) == (None, None, "row 7", 7)


@pytest.mark.parametrize("value", [b"x", bytearray(b"x"), memoryview(b"x"), {"bytes": b"x", "path": "/etc/passwd"}])
def test_bytes_win_over_a_path(value: Any) -> None:
    row = make(value)
    assert (row.data, row.path, row.error) == (b"x", None, None)


def test_a_row_without_a_folder_names_no_files(tmp_path: Path) -> None:
    put(tmp_path / "a.png")
    confinement = Confinement(tmp_path, follow_symlinks=False)
    maker = InputRowMaker(
        confinement, image="image", caption=None, caption_extension=None, separator=",", kept=(), keep_splits=False
    )
    assert isinstance(maker.make(0, RawRow("row", {"image": str(tmp_path / "a.png")})).error, UnreadableImageError)


def test_an_absolute_path_needs_permission(tmp_path: Path) -> None:
    picture = put(tmp_path / "a.png")
    assert isinstance(make(str(picture), tmp_path).error, UnreadableImageError)
    assert make(str(picture), tmp_path, may_be_absolute=True).path == picture.resolve()


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ({"bytes": photo("PNG"), "path": "folder/a b.png"}, "a b.png"),
        ({"bytes": photo("PNG"), "path": "hf://datasets/o/n@main/a.png?download=1"}, "a.png"),
        ({"bytes": photo("PNG"), "path": "zip://sub/a.png::hf://datasets/o/n/data.zip"}, "a.png"),
        ({"bytes": photo("PNG"), "path": "a"}, "a.png"),
        ({"bytes": photo("JPEG"), "path": "a.bin"}, "a.bin.jpg"),
        (photo("PNG"), "000007.png"),
        (b"?", "000007"),
        ({"bytes": photo("PNG"), "path": "a:b.png"}, "a_b.png"),
    ],
)
def test_names(value: Any, name: str) -> None:
    assert make(value).name == name


def test_the_name_that_the_source_gives_wins() -> None:
    assert make({"bytes": b"x", "path": "b.png"}, name="sub/a.png").name == "a.png"


@pytest.mark.parametrize(
    ("caption", "value", "expected"),
    [
        *(
            ("text", " solo, cat \n", "solo, cat"),
            ("text", "\ud800", "?"),
            ("text", " ", "beside"),
            ("text", 3, "beside"),
        ),
        *(("caption", ["one", "two"], "one"), ("tags", ["a", None, "b"], "a; b"), ("tags", [], "beside")),
    ],
)
def test_the_caption_of_a_row(tmp_path: Path, caption: str, value: Any, expected: str) -> None:
    put(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("beside")
    row = make("a.png", tmp_path, caption=caption, separator="; ", values={caption: value})
    assert (row.caption, row.error) == (expected, None)


def test_a_caption_file_that_cannot_be_read_fails_the_row(tmp_path: Path) -> None:
    """Its text would be lost when the caption is replaced."""
    put(tmp_path / "a.png")
    (tmp_path / "a.txt").write_bytes(b"caf\xe9")
    row = make("a.png", tmp_path)
    assert "caption file a.txt" in str(row.error)
    assert (row.path, row.caption) == (None, None)
    (tmp_path / "a.txt").write_bytes(b"x" * ((1 << 20) + 1))
    assert "over 1 MiB" in str(make("a.png", tmp_path).error)
    (tmp_path / "a.txt").write_bytes(b" ")
    assert (make("a.png", tmp_path).caption, make("a.png", tmp_path).error) == (None, None)


def test_captions_that_are_not_wanted_are_not_read() -> None:
    maker = InputRowMaker(
        None, image="image", caption="text", caption_extension=None, separator=",", kept=(), keep_splits=False
    )
    assert maker.make(0, RawRow("row", {"image": b"x", "text": "old"})).caption is None


def test_kept_columns() -> None:
    assert make(b"x", values={"kept": float("nan"), "other": 1}).columns == {"kept": None}


@pytest.mark.parametrize(
    ("split", "folder"), [("train", "train"), ("test", "test"), ("val", "validation"), ("extra", "train")]
)
def test_a_row_goes_into_the_folder_of_its_split_where_splits_are_kept(split: str, folder: str) -> None:
    assert make(b"x", split=split, keep_splits=True).folder == folder
    assert make(b"x", split=split).folder == "train"
