"""Folders with metadata files, as `datasets`, people and the host's page write them."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.sources import put, read
from tests.support.tally import tally
from wd14.data.sources import chosen_columns, metadata, metadata_lines
from wd14.errors import CaptionerError, ColumnNotFoundError, EmptySourceError, RowError, SourceError

posix = pytest.mark.skipif(sys.platform == "win32", reason="links of POSIX")


def lines(path: Path, *rows: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), "utf-8")


def test_what_the_hosts_page_uploads(tmp_path: Path) -> None:
    put(tmp_path / "b.png")
    put(tmp_path / "a.png")
    (tmp_path / "index.json").write_text('{"dataset_id": "x", "location": "local"}')
    lines(
        tmp_path / "metadata.jsonl",
        {"file_name": "b.png", "label": "", "split": "train"},
        {"file_name": "a.png", "label": "", "split": "train"},
    )
    seen = read(tmp_path)
    assert seen.names == ["b.png", "a.png"], "rows keep the order of the lines"
    assert seen.columns == ("image", "label", "split")
    assert seen.log == []


def test_a_split_column_picks_rows(tmp_path: Path) -> None:
    for name in "abc":
        put(tmp_path / f"{name}.png")
    lines(
        tmp_path / "metadata.jsonl",
        {"file_name": "a.png", "split": "test"},
        {"file_name": "b.png", "split": ""},
        {"file_name": "c.png", "split": "test"},
    )
    assert read(tmp_path).names == ["b.png"]
    assert any("test (2)" in line for line in read(tmp_path).log)
    assert read(tmp_path, split="test").names == ["a.png", "c.png"]
    assert read(tmp_path, split="all").names == ["a.png", "b.png", "c.png"]


def test_metadata_in_split_folders(tmp_path: Path) -> None:
    for split, name in (("train", "a"), ("validation", "b")):
        put(tmp_path / split / f"{name}.png")
        lines(tmp_path / split / "metadata.jsonl", {"file_name": f"{name}.png", "caption": f"old {name}"})
    seen = read(tmp_path, append_tags=True)
    assert (seen.names, seen.captions, seen.log[-1][:23]) == (["a.png"], ["old a"], "Reading the split train")
    assert read(tmp_path, split="all").sources == ["train/metadata.jsonl line 1", "validation/metadata.jsonl line 1"]


def test_pictures_that_the_metadata_does_not_list_are_said(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "sub/c.png"):
        put(tmp_path / name)
    lines(tmp_path / "metadata.jsonl", {"file_name": "./a.png"})
    seen = read(tmp_path)
    assert seen.names == ["a.png"]
    assert any("2 pictures" in line and "b.png" in line for line in seen.log)


def test_bad_lines_fail_and_name_themselves(tmp_path: Path) -> None:
    put(tmp_path / "good.png")
    (tmp_path / "metadata.jsonl").write_bytes(
        b'\xef\xbb\xbf{"file_name": "good.png"}\r\n'
        b"{broken\r\n"
        b'["good.png"]\r\n'
        b"\r\n"
        b'{"label": 1}\r\n'
        b'{"file_name": "caf\xe9.png"}\r\n'
        b'{"file_name": 7}\r\n'
        b'{"file_name": ""}\r\n' + b'{"file_name":' * 5000 + b"\r\n"
        b'{"file_name": "good.png"}'
    )
    seen = read(tmp_path)
    assert [s.source for s in seen.rows if s.error is None] == ["metadata.jsonl line 1", "metadata.jsonl line 10"]
    assert len(seen.rows) == 9, "the empty line is no row"
    for number, words in {2: "JSON", 3: "list", 5: "file_name", 6: "UTF-8", 7: "int", 8: "file_name", 9: ""}.items():
        assert words in seen.failed[f"metadata.jsonl line {number}"]


@pytest.mark.parametrize(
    "name",
    [
        *("../secret.png", "sub/../../secret.png", "..\\secret.png", "/etc/passwd", "C:\\x.png", "\\\\server\\x.png"),
        *("file:///etc/passwd", "http://x/y.png", "data:image/png;base64,AAAA", "nul\0.png", "\ud800.png", "a/" * 3000),
        *(".", "..", "sub", "~/x.png"),
    ],
)
def test_names_that_lead_out_or_nowhere_fail(tmp_path: Path, name: str) -> None:
    put(tmp_path / "secret.png")
    folder = tmp_path / "data"
    put(folder / "sub" / "a.png")
    lines(folder / "metadata.jsonl", {"file_name": name}, {"file_name": "sub/a.png"})
    seen = read(folder, follow_symlinks=name != "/etc/passwd", append_tags=True)
    bad, good = seen.rows
    assert isinstance(bad.error, RowError)
    assert "/" not in bad.name
    assert good.error is None


@posix
def test_links_in_the_way_of_a_listed_file(tmp_path: Path) -> None:
    put(tmp_path / "secret" / "s.png")
    folder = tmp_path / "data"
    put(folder / "a.png")
    (folder / "way").symlink_to(tmp_path / "secret")
    (folder / "s.png").symlink_to(tmp_path / "secret" / "s.png")
    (folder / "in.png").symlink_to("a.png")
    lines(folder / "metadata.jsonl", {"file_name": "way/s.png"}, {"file_name": "s.png"}, {"file_name": "in.png"})
    assert list(read(folder).failed) == ["metadata.jsonl line 1", "metadata.jsonl line 2"]
    assert read(folder, follow_symlinks=True).failed == {}


@posix
def test_a_metadata_file_that_is_a_link_out_is_not_read(tmp_path: Path) -> None:
    lines(tmp_path / "elsewhere.jsonl", {"file_name": "a.png"})
    put(tmp_path / "data" / "a.png")
    put(tmp_path / "data" / "b.png")
    (tmp_path / "data" / "metadata.jsonl").symlink_to(tmp_path / "elsewhere.jsonl")
    seen = read(tmp_path / "data")
    assert seen.names == ["a.png", "b.png"]
    assert any("metadata.jsonl" in line for line in seen.log)


def test_missing_and_repeated_files(tmp_path: Path) -> None:
    put(tmp_path / "a.png")
    lines(tmp_path / "metadata.jsonl", *({"file_name": name} for name in ["a.png", "gone.png", "a.png"]))
    seen = read(tmp_path)
    assert seen.names == ["a.png", "gone.png", "a.png"]
    assert seen.failed["metadata.jsonl line 2"].startswith("MissingImageError: file not found: gone.png")


def test_paths_as_windows_writes_them(tmp_path: Path) -> None:
    put(tmp_path / "sub" / "a.png")
    lines(tmp_path / "metadata.jsonl", {"file_name": "sub\\a.png"})
    seen = read(tmp_path)
    assert (seen.names, seen.failed, seen.log) == (["a.png"], {}, [])


def test_image_columns_of_other_names(tmp_path: Path) -> None:
    put(tmp_path / "a.png")
    put(tmp_path / "a_mask.png")
    lines(tmp_path / "metadata.jsonl", {"file_name": "a.png", "mask_file_name": "a_mask.png"})
    seen = read(tmp_path, image_field="mask")
    assert (seen.names, seen.columns) == (["a_mask.png"], ("image", "mask"))
    with pytest.raises(ColumnNotFoundError, match=r"'img'.*image, mask"):
        read(tmp_path, image_field="img")


def test_file_name_wins_over_a_column_called_image(tmp_path: Path) -> None:
    put(tmp_path / "a.png")
    lines(tmp_path / "metadata.jsonl", {"file_name": "a.png", "image": "b.png", "_file_name": 1})
    seen = read(tmp_path)
    assert (seen.names, seen.columns) == (["a.png"], ("image", "_file_name"))


def test_a_mask_of_its_own_beside_the_name_of_a_mask(tmp_path: Path) -> None:
    put(tmp_path / "a.png")
    line = {"file_name": "a.png", "mask_file_name": "a.png", "mask": 7, "image_file_name": "x"}
    lines(tmp_path / "metadata.jsonl", line)
    seen = read(tmp_path, keep_columns=True)
    assert (seen.names, seen.failed) == (["a.png"], {})
    assert seen.rows[0].columns == {"mask_file_name": "a.png", "mask": 7, "image_file_name": "x"}


def test_a_line_that_is_too_long_is_one_failed_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata_lines, "_LONGEST_LINE", 100)
    put(tmp_path / "a.png")
    lines(tmp_path / "metadata.jsonl", {"file_name": "x" * 500}, {"file_name": "a.png"})
    seen = read(tmp_path)
    assert seen.sources == ["metadata.jsonl line 1", "metadata.jsonl line 2"]
    assert "longer than" in seen.failed["metadata.jsonl line 1"]
    assert seen.rows[1].error is None


def test_a_row_of_csv_that_is_too_long_is_one_failed_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata_lines, "_LONGEST_LINE", 100)
    put(tmp_path / "a.png")
    many_lines = 'a.png,"' + "x\n" * 90 + '"\n'
    (tmp_path / "metadata.csv").write_text("file_name,text\na.png," + "x" * 500 + "\na.png,one\n" + many_lines)
    seen = read(tmp_path, append_tags=True)
    assert "longer than" in seen.failed["metadata.csv line 2"]
    assert (seen.captions[1], seen.rows[1].source) == ("one", "metadata.csv line 3")
    assert "longer than" in str(seen.rows[2].error)


@pytest.mark.parametrize("name", ["metadata.jsonl", "metadata.csv"])
def test_a_hole_in_a_metadata_file_ends_the_reading_of_it(tmp_path: Path, name: str) -> None:
    put(tmp_path / "a.png")
    with (tmp_path / name).open("wb") as file:
        file.write(b'{"file_name": "a.png"}\n' if name.endswith("l") else b"file_name\na.png\n")
        file.truncate(1 << 40)
    seen = read(tmp_path)
    assert [row.error is None for row in seen.rows] == [True, False]
    assert "what comes after it is not read" in str(seen.rows[1].error)


def test_columns_and_splits_without_end_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "_MOST_NAMES", 5)
    monkeypatch.setattr(chosen_columns, "MOST_COLUMNS", 2)
    put(tmp_path / "a.png")
    rows = ({"file_name": "a.png", "split": f"split {number}", f"key {number}": 1} for number in range(200))
    lines(tmp_path / "metadata.jsonl", *rows)
    seen = read(tmp_path, keep_columns=True)
    assert seen.columns == ("image", "split", "key 0", "key 1", "key 2")
    assert "Not kept: 2 columns after the first 2" in seen.log
    assert seen.rows[0].columns == {"split": "split 0", "key 0": 1}
    assert max(map(len, seen.log)) < 2000


def test_metadata_of_something_else(tmp_path: Path) -> None:
    put(tmp_path / "a.png")
    lines(tmp_path / "metadata.jsonl", {"id": 1, "score": 2})
    with pytest.raises(ColumnNotFoundError, match="id, score"):
        read(tmp_path)
    (tmp_path / "metadata.jsonl").write_text("")
    with pytest.raises(EmptySourceError):
        read(tmp_path)
    (tmp_path / "metadata.jsonl").write_text('[\n  {"file_name": "a.png"}\n]')
    with pytest.raises(SourceError, match="one JSON list"):
        read(tmp_path)
    (tmp_path / "metadata.jsonl").write_bytes('{"file_name": "a.png"}'.encode("utf-16"))
    with pytest.raises(SourceError, match="UTF-16"):
        read(tmp_path)


def test_csv_as_spreadsheets_save_it(tmp_path: Path) -> None:
    put(tmp_path / "a.png")
    put(tmp_path / "b, c.png")
    (tmp_path / "metadata.csv").write_bytes(
        '\ufefffile_name,caption,n\r\na.png,"one, ""two""\r\nthree",1\r\n"b, c.png",,2\r\n\r\n'.encode()
    )
    seen = read(tmp_path, append_tags=True, keep_columns=True)
    assert seen.names == ["a.png", "b, c.png"]
    assert seen.captions == ['one, "two"\r\nthree', None]
    assert seen.rows[1].columns == {"caption": "", "n": "2"}

    (tmp_path / "metadata.csv").write_bytes("file_name;caption\na.png;é\n".encode())
    assert read(tmp_path, append_tags=True).captions == ["é"]


def test_bad_lines_of_csv(tmp_path: Path) -> None:
    put(tmp_path / "a.png")
    (tmp_path / "metadata.csv").write_bytes(
        b'file_name,caption\na.png,one, two\na.png,caf\xe9\na.png,good\na.png,"not ended\na.png,lost\n'
    )
    seen = read(tmp_path, append_tags=True)
    assert "quotes" in seen.failed["metadata.csv line 2"]
    assert "UTF-8" in seen.failed["metadata.csv line 3"]
    assert seen.captions[2] == "good"
    assert "CSV" in str(seen.rows[-1].error), "rows that an open quote swallows are not lost without a word"


def test_one_metadata_file_a_folder(tmp_path: Path) -> None:
    put(tmp_path / "a.png")
    put(tmp_path / "b.png")
    lines(tmp_path / "metadata.jsonl", {"file_name": "a.png"})
    (tmp_path / "metadata.csv").write_text("file_name\nb.png\n")
    seen = read(tmp_path)
    assert seen.names == ["a.png"]
    assert any("metadata.csv is not" in line for line in seen.log)


def test_a_metadata_file_given_by_its_own_path(tmp_path: Path) -> None:
    put(tmp_path / "photos" / "a.png")
    put(tmp_path / "photos" / "b.png")
    lines(tmp_path / "photos" / "metadata.jsonl", {"file_name": "a.png"})
    lines(tmp_path / "photos" / "chosen.jsonl", {"file_name": "b.png"})
    seen = read(tmp_path / "photos" / "metadata.jsonl")
    assert (seen.name, seen.names) == ("photos", ["a.png"])
    seen = read(tmp_path / "photos" / "chosen.jsonl")
    assert (seen.name, seen.names) == ("chosen", ["b.png"])


def test_captions_come_from_the_column_or_else_from_the_file_beside(tmp_path: Path) -> None:
    for name in "abcd":
        put(tmp_path / f"{name}.png")
        (tmp_path / f"{name}.txt").write_text(f"beside {name}")
    lines(
        tmp_path / "metadata.jsonl",
        {"file_name": "a.png", "text": "in the row"},
        {"file_name": "b.png", "text": None},
        {"file_name": "c.png"},
        {"file_name": "d.png", "text": ["first", "second"]},
    )
    assert read(tmp_path, append_tags=True).captions == ["in the row", "beside b", "beside c", "first"]
    assert read(tmp_path).captions == [None] * 4


def test_tags_in_a_list_are_one_caption(tmp_path: Path) -> None:
    put(tmp_path / "a.png")
    lines(tmp_path / "metadata.jsonl", {"file_name": "a.png", "tags": ["solo", "1girl"]})
    assert read(tmp_path, append_tags=True, caption_separator="; ").captions == ["solo; 1girl"]


def test_columns_are_kept_as_json_holds_them(tmp_path: Path) -> None:
    put(tmp_path / "a.png")
    line = (
        '{"file_name": "a.png", "n": NaN, "big": 1e999, "deep": {"x": [1, null]}, "bad": "\\ud800", "split": "train"}'
    )
    lines(tmp_path / "metadata.jsonl", line)
    (row,) = read(tmp_path, keep_columns=True).rows
    kept = json.loads(json.dumps(dict(row.columns), allow_nan=False, ensure_ascii=False).encode())
    assert kept == {"n": None, "big": None, "deep": {"x": [1, None]}, "bad": "?", "split": "train"}
    assert read(tmp_path).rows[0].columns == {}


_GOOD = b'{"file_name": "a.png", "split": "train", "text": "solo, 1girl", "n": 3}\n'
_mutation = st.one_of(
    st.binary(max_size=60),
    st.tuples(st.integers(0, len(_GOOD)), st.integers(0, 12), st.binary(max_size=8)).map(
        lambda cut: _GOOD[: cut[0]] + cut[2] + _GOOD[cut[0] + cut[1] :]
    ),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
        max_leaves=5,
    ).map(lambda value: json.dumps({"file_name": value, "split": value, "text": value}).encode()),
)


@settings(deadline=None, max_examples=400)
@given(st.lists(_mutation, min_size=1, max_size=6), st.sampled_from(["metadata.jsonl", "metadata.csv"]))
def test_mutated_metadata_has_typed_outcomes_only(rows: list[bytes], name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        put(path / "a.png")
        header = b"file_name,split,text,n\n" if name.endswith(".csv") else b""
        (path / name).write_bytes(header + b"\n".join(rows))
        tally("metadata files fuzzed")
        try:
            seen = read(path, split="all", keep_columns=True, append_tags=True)
        except CaptionerError:
            return
        for row in seen.rows:
            assert row.error is not None or row.path == path.resolve() / "a.png"
            assert os.sep not in row.name
            assert row.source.isprintable()
            json.dumps([row.name, row.caption, dict(row.columns)], allow_nan=False, ensure_ascii=False).encode()
