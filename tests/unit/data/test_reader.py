"""Opening a source: what kind it is, what it is called, which columns are read."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.sources import photo, put, read
from wd14.config import CaptionConfig
from wd14.data.reader import open_source
from wd14.data.sources import values
from wd14.data.sources.base import RawRow
from wd14.data.sources.input_rows import InputRowMaker
from wd14.errors import ColumnNotFoundError, EmptySourceError, SourceNotFoundError
from wd14.types import InputRow


def test_a_users_home_that_is_not_there() -> None:
    with pytest.raises(SourceNotFoundError, match="no user of that name"):
        read("~nobody-of-this-name/photos")


@pytest.mark.parametrize(("file", "name"), [("a.b.parquet", "a.b"), ("set.jsonl", "set"), ("metadata.jsonl", "photos")])
def test_names(tmp_path: Path, file: str, name: str) -> None:
    put(tmp_path / "photos" / "a.png")
    path = tmp_path / "photos" / file
    if path.suffix == ".parquet":
        pq.write_table(pa.table({"image": [photo()]}), path)
    else:
        path.write_text('{"file_name": "a.png"}\n')
    seen = read(path)
    assert (seen.name, seen.total, seen.log) == (name, 1, [])


def test_pictures_beside_other_files(tmp_path: Path) -> None:
    put(tmp_path / "a.png")
    for name in ("rows.tar", "film.mp4"):
        (tmp_path / name).write_bytes(b"x")
    pq.write_table(pa.table({"other": [1]}), tmp_path / "scores.parquet")
    assert read(tmp_path).log == [
        "Left out: 1 table beside the pictures (such as scores.parquet)",
        "Left out: 1 archive beside the pictures (such as rows.tar)",
        "Left out: 1 other file (.mp4 1)",
    ]


def test_a_table_that_has_the_column_wins_over_pictures(tmp_path: Path) -> None:
    put(tmp_path / "a.png")
    pq.write_table(pa.table({"image": ["a.png", "a.png"]}), tmp_path / "rows.parquet")
    assert read(tmp_path).sources == ["rows.parquet row 0", "rows.parquet row 1"]


def test_the_picture_is_neither_kept_nor_its_own_caption(tmp_path: Path) -> None:
    put(tmp_path / "a.png")
    line = {"file_name": "a.png", "text": "a.png", "prompt": "old", "n": 1}
    (tmp_path / "metadata.jsonl").write_text(json.dumps(line) + "\n")
    seen = read(tmp_path, image_field="text", append_tags=True, keep_columns=True)
    assert (seen.captions, seen.rows[0].columns) == (["old"], {"image": "a.png", "prompt": "old", "n": 1})


def test_the_usual_caption_column_is_the_first_of_several(tmp_path: Path) -> None:
    put(tmp_path / "a.png")
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "a.png", "text": "second", "caption": "first"}\n')
    assert read(tmp_path, append_tags=True).captions == ["first"]


def test_an_empty_table(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": pa.array([], pa.string())}), tmp_path / "rows.parquet")
    with pytest.raises(EmptySourceError, match="split train"):
        read(tmp_path)
    pq.write_table(pa.table({"img": ["x"]}), tmp_path / "rows.parquet")
    with pytest.raises(ColumnNotFoundError):
        read(tmp_path)


def test_a_source_whose_pictures_went_away(tmp_path: Path) -> None:
    put(tmp_path / "a.png")
    with open_source(tmp_path, CaptionConfig()) as source:
        (tmp_path / "a.png").unlink()
        with pytest.raises(EmptySourceError, match="holds no row"):
            list(source)


def test_close_ends_an_iteration_in_another_thread(tmp_path: Path) -> None:
    """It is in the middle of a row, so it cannot be closed from here."""
    for number in range(3):
        put(tmp_path / f"{number}.png")
    source = open_source(tmp_path, CaptionConfig())
    make, made = source._maker.make, []

    def close_meanwhile(*arguments: object) -> InputRow:
        source.close()
        made.append(arguments)
        return make(*arguments)  # type: ignore[arg-type]

    source._maker.make = close_meanwhile  # type: ignore[method-assign, assignment]
    assert len(list(source)) == 1
    assert len(made) == 1


@pytest.mark.parametrize("problem", [RecursionError("too deep"), OverflowError("too big"), MemoryError()])
def test_whatever_a_row_does_it_fails_at_most_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    for name in ("a.png", "b.png"):
        put(tmp_path / name)
    make = InputRowMaker.make

    def fail_first(self: InputRowMaker, index: int, raw: RawRow) -> InputRow:
        if index == 0:
            raise problem
        return make(self, index, raw)

    monkeypatch.setattr(InputRowMaker, "make", fail_first)
    assert list(read(tmp_path).failed) == ["a.png"]


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.tar"])
def test_a_value_nested_very_deep_fails_its_own_row(tmp_path: Path, name: str) -> None:
    deep = "[" * 600 + "]" * 600
    put(tmp_path / "a.jpg")
    path = tmp_path / name
    if name == "rows.jsonl":
        path.write_text(f'{{"file_name": "a.jpg", "x": {deep}}}\n{{"file_name": "a.jpg", "x": [1]}}\n')
    else:
        members = {"a.jpg": photo(), "a.json": f'{{"x": {deep}}}'.encode(), "b.jpg": photo()}
        with tarfile.open(path, "w") as archive:
            for member, data in members.items():
                info = tarfile.TarInfo(member)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    seen = read(path, keep_columns=True)
    assert [row.error is not None for row in seen.rows] == [True, False]
    assert "levels" in str(seen.rows[0].error)


def test_a_message_names_some_of_a_million_columns(tmp_path: Path) -> None:
    line = {f"column {number}" + "x" * 1000: 1 for number in range(1000)}
    (tmp_path / "rows.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(ColumnNotFoundError, match=r"column 0x.*\(1,000 in all\)") as caught:
        read(tmp_path / "rows.jsonl")
    assert len(str(caught.value)) < 15_000


def test_kept_columns_that_no_metadata_line_could_hold_fail_their_own_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(values, "_MOST_KEPT", 10_000)
    more = ["x" * 9_000, "x" * 11_000, ["x"] * 2_000, {"x" * 11_000: 1}]
    lines = [json.dumps({"file_name": "a.jpg", "more": each}) for each in more]
    put(tmp_path / "a.jpg")
    (tmp_path / "metadata.jsonl").write_text("\n".join(lines))
    seen = read(tmp_path, keep_columns=True)
    assert ["10,000 characters" in str(row.error) for row in seen.rows] == [False, True, True, True]
    assert not read(tmp_path).failed
