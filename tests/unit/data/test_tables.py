"""Parquet, Arrow and saved datasets, written by the real libraries."""

from __future__ import annotations

import datetime
import os
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.sources import photo, put, read
from wd14.config import CaptionConfig
from wd14.data.reader import open_source
from wd14.data.sources import arrow_messages, table_files, tables
from wd14.errors import ColumnNotFoundError, SourceError, SplitNotFoundError
from wd14.images.reading import read_picture

posix = pytest.mark.skipif(sys.platform == "win32", reason="links of POSIX")


def write(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, **options)
    return path


def pictures(count: int) -> list[dict[str, Any]]:
    return [{"bytes": photo("JPEG", number), "path": f"folder/{number}.jpg"} for number in range(count)]


@pytest.mark.parametrize("form", ["struct", "bytes", "path"])
@pytest.mark.parametrize("extension", [".parquet", ".arrow"])
def test_the_ways_in_which_a_column_holds_pictures(tmp_path: Path, form: str, extension: str) -> None:
    for number in range(3):
        put(tmp_path / "folder" / f"{number}.jpg", number)
    values = {
        "struct": pictures(3),
        "bytes": [photo("JPEG", number) for number in range(3)],
        "path": [f"folder/{number}.jpg" for number in range(3)],
    }[form]
    table = pa.table({"image": values})
    if extension == ".parquet":
        pq.write_table(table, tmp_path / "rows.parquet")
    else:
        with pa.OSFile(str(tmp_path / "rows.arrow"), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
    for source in (tmp_path, tmp_path / f"rows{extension}"):
        seen = read(source)
        assert [read_picture(row) for row in seen.rows] == [photo("JPEG", number) for number in range(3)]
        assert (
            seen.names == ["000000.jpg", "000001.jpg", "000002.jpg"] if form == "bytes" else ["0.jpg", "1.jpg", "2.jpg"]
        )
        assert seen.sources[2] == f"rows{extension} row 2"
        assert seen.total == 3


def test_splits_as_datasets_names_files(tmp_path: Path) -> None:
    for name, count in {"train-00000-of-00002": 2, "train-00001-of-00002": 1, "my_split-00000-of-00001": 3}.items():
        write(tmp_path / "data" / f"{name}.parquet", {"image": pictures(count)})
    write(tmp_path / "data" / "dev.parquet", {"image": pictures(4)})
    assert read(tmp_path).total == 3
    assert read(tmp_path, split="my_split").total == 3
    assert read(tmp_path, split="validation").total == 4
    assert read(tmp_path, split="all").total == 10
    with pytest.raises(SplitNotFoundError, match="train, validation, my_split"):
        read(tmp_path, split="other")


def test_only_the_asked_columns_are_carried(tmp_path: Path) -> None:
    columns = {
        "image": pictures(2),
        "caption": ["old", None],
        "score": [1.5, float("nan")],
        "when": [datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.UTC), None],
        "price": [Decimal("1.50"), None],
        "tags": [["a", "b"], []],
        "mask": [b"x", b"y"],
    }
    path = write(tmp_path / "rows.parquet", columns)
    plain = read(path)
    assert (plain.captions, dict(plain.rows[0].columns)) == ([None, None], {})
    seen = read(path, keep_columns=True, append_tags=True)
    assert seen.captions == ["old", None]
    assert seen.rows[0].columns == {
        "caption": "old",
        "score": 1.5,
        "when": "2026-01-02T03:04:00+00:00",
        "price": "1.50",
        "tags": ["a", "b"],
    }
    assert seen.rows[1].columns["score"] is None
    assert any("mask (binary)" in line for line in seen.log)


def test_columns_of_all_files_of_which_only_the_asked_ones_are_read(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", {"image": [b"x"]})
    write(tmp_path / "b.parquet", {"image": [b"y"], "other": [1]})
    table = tables.table_folder(tmp_path, ["a.parquet", "b.parquet"])
    assert [column.name for column in table.columns] == ["image", "other"]
    assert [dict(row.values) for row in table.rows(["train"], ["image"])] == [{"image": b"x"}, {"image": b"y"}]


def test_damage_in_the_middle_of_a_row_group_loses_the_rows_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.parquet", {"image": [b"x"] * 40})
    iter_batches = pq.ParquetFile.iter_batches

    def break_off(*arguments: Any, **options: Any) -> Any:
        yield next(iter_batches(*arguments, **options))
        raise OSError("damaged\nbadly")

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", break_off)
    seen = read(path)
    assert [row.error is None for row in seen.rows] == [True] * 16 + [False] * 24
    assert seen.failed["a.parquet row 16"].endswith("row group 0 is damaged: damaged")


@pytest.mark.parametrize("extension", [".parquet", ".arrow"])
def test_a_file_is_closed_at_the_end_and_not_when_memory_is_cleared(tmp_path: Path, extension: str) -> None:
    table = pa.table({"image": [b"x"]})
    path = tmp_path / f"a{extension}"
    if extension == ".parquet":
        pq.write_table(table, path)
    else:
        with pa.ipc.new_stream(str(path), table.schema) as writer:
            writer.write_table(table)
    with tables.TableFile(path, path.name, "train").open() as file:
        assert not file._file.closed
    assert file._file.closed


@pytest.mark.parametrize(("claimed", "rows"), [(10**12, 1), (-1, 1), (3, 3)])
def test_a_damaged_file_may_claim_any_number_of_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, claimed: int, rows: int
) -> None:
    write(tmp_path / "a.parquet", {"image": [b"x"]})
    monkeypatch.setattr(table_files.ParquetFile, "rows", lambda *_: iter([table_files.LostRows(claimed, "damaged")]))
    table = tables.table_folder(tmp_path, ["a.parquet"])
    assert len(list(table.rows(["train"], ["image"]))) == rows


@pytest.mark.parametrize(
    ("kind", "can_hold_images", "can_be_json"),
    [
        *((pa.string(), True, True), (pa.large_string(), True, True), (pa.binary(), True, False)),
        *(
            (pa.large_binary(), True, False),
            (pa.binary(3), True, False),
            (pa.dictionary(pa.int8(), pa.string()), True, True),
        ),
        *((pa.struct([("path", pa.string())]), True, True), (pa.struct([("bytes", pa.binary())]), True, False)),
        *(
            (pa.struct([("x", pa.string())]), False, True),
            (pa.int64(), False, True),
            (pa.list_(pa.binary()), False, False),
        ),
    ],
)
def test_which_columns_can_hold_pictures(tmp_path: Path, kind: Any, can_hold_images: bool, can_be_json: bool) -> None:
    write(tmp_path / "a.parquet", {"x": pa.array([None], kind)})
    (column,) = tables.table_folder(tmp_path, ["a.parquet"]).columns
    assert (column.can_hold_images, column.can_be_json) == (can_hold_images, can_be_json)


def test_the_image_column_is_never_guessed(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.parquet", {"img": pictures(1), "label": [3]})
    with pytest.raises(ColumnNotFoundError, match=r"'image'.*img \(struct.*label \(int64\)"):
        read(path)
    with pytest.raises(ColumnNotFoundError, match="holds int64 and no pictures"):
        read(path, image_field="label")
    assert read(path, image_field="img").total == 1


def test_paths_in_a_column_stay_inside_the_folder(tmp_path: Path) -> None:
    secret = put(tmp_path / "secret.jpg")
    inside = put(tmp_path / "data" / "a.jpg")
    values = [str(inside), "a.jpg", str(secret), "../secret.jpg", "", None, "gone.jpg"]
    write(tmp_path / "data" / "rows.parquet", {"image": values})
    seen = read(tmp_path / "data")
    assert [row.error is None for row in seen.rows] == [True, True, *[False] * 5]
    assert "outside" in seen.failed["rows.parquet row 2"]
    trusted = read(tmp_path / "data", follow_symlinks=True)
    assert [row.error is None for row in trusted.rows] == [True, True, True, *[False] * 4]


@posix
def test_absolute_paths_and_links(tmp_path: Path) -> None:
    put(tmp_path / "secret.jpg")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    values = [str(tmp_path / "data" / "link.jpg"), "link.jpg", str(tmp_path / "pipe.jpg")]
    write(tmp_path / "data" / "rows.parquet", {"image": values})
    assert len(read(tmp_path / "data").failed) == 3
    followed = read(tmp_path / "data", follow_symlinks=True, image_field="image")
    assert "rows.parquet row 1" not in followed.failed
    assert len(read(tmp_path / "data", follow_symlinks=True).failed) >= 1, "a pipe never opens"


def test_pictures_beside_a_table_that_has_no_such_column(tmp_path: Path) -> None:
    put(tmp_path / "a.png")
    write(tmp_path / "scores.parquet", {"file": ["a.png"], "score": [1.0]})
    seen = read(tmp_path)
    assert seen.names == ["a.png"]
    assert any("scores.parquet" in line for line in seen.log)


def test_metadata_parquet(tmp_path: Path) -> None:
    put(tmp_path / "a.png")
    put(tmp_path / "b.png")
    write(tmp_path / "metadata.parquet", {"file_name": ["b.png", "../x.png"], "text": ["old", "older"]})
    seen = read(tmp_path, append_tags=True)
    assert (seen.names[0], seen.captions[0], len(seen.failed)) == ("b.png", "old", 1)


def test_broken_files_are_named(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", {"image": pictures(1)})
    (tmp_path / "b.parquet").write_bytes(b"PAR1 this is none")
    with pytest.raises(SourceError, match=r"b\.parquet cannot be read"):
        read(tmp_path)
    (tmp_path / "c.arrow").write_bytes(b"neither")
    with pytest.raises(SourceError, match=r"c\.arrow cannot be read"):
        read(tmp_path / "c.arrow")
    (tmp_path / "d.parquet").write_bytes(b"")
    with pytest.raises(SourceError, match=r"d\.parquet"):
        read(tmp_path / "d.parquet")


def test_a_damaged_row_group_loses_its_own_rows_only(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.parquet", {"image": pictures(6)}, row_group_size=2, compression="gzip")
    column = pq.ParquetFile(path).metadata.row_group(1).column(0)
    raw = bytearray(path.read_bytes())
    start = column.dictionary_page_offset or column.data_page_offset
    for place in range(start, start + column.total_compressed_size):
        raw[place] ^= 0x5A
    path.write_bytes(raw)
    seen = read(path)
    assert [row.error is None for row in seen.rows] == [True, True, False, False, True, True]
    assert "row group 1" in seen.failed["rows.parquet row 2"]


def test_a_truncated_arrow_file(tmp_path: Path) -> None:
    saved = datasets.Dataset.from_dict({"image": pictures(8)}).cast_column("image", datasets.Image())
    saved.save_to_disk(str(tmp_path / "saved"))
    file = next((tmp_path / "saved").glob("*.arrow"))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(SourceError, match=file.name):
        read(tmp_path / "saved")


def test_what_save_to_disk_writes(tmp_path: Path) -> None:
    for number in range(3):
        put(tmp_path / "photos" / f"{number}.jpg", number)
    files = [str(tmp_path / "photos" / f"{number}.jpg") for number in range(3)]
    rows = datasets.Dataset.from_dict({"image": files, "text": ["x", "y", "z"]}).cast_column("image", datasets.Image())
    rows.select([2, 0]).save_to_disk(str(tmp_path / "saved"))
    seen = read(tmp_path / "saved", append_tags=True)
    assert (seen.names, seen.captions, seen.columns) == (["2.jpg", "0.jpg"], ["z", "x"], ("image", "text"))
    assert read_picture(seen.rows[0]) == (tmp_path / "photos" / "2.jpg").read_bytes()

    datasets.DatasetDict({"test": rows, "train": rows.select([1])}).save_to_disk(str(tmp_path / "both"))
    assert read(tmp_path / "both").names == ["1.jpg"]
    assert read(tmp_path / "both", split="test").total == 3
    assert read(tmp_path / "both", split="all").total == 4


@pytest.mark.parametrize("name", ["../x.arrow", "/etc/passwd", "..", "", None, "a\0b"])
def test_a_saved_dataset_names_files_of_its_own_only(tmp_path: Path, name: str | None) -> None:
    import json

    (tmp_path / "state.json").write_text(json.dumps({"_data_files": [{"filename": name}]}))
    with pytest.raises(SourceError, match="expected the plain name"):
        read(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "{}", '{"_data_files": 3}', '{"_data_files": [{"filename": "no.arrow"}]}']
)
def test_a_damaged_description(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(SourceError):
        read(tmp_path)


@posix
def test_what_a_saved_dataset_says_of_itself(tmp_path: Path) -> None:
    rows = datasets.Dataset.from_dict({"image": [b"x"]}, split="validation")
    rows.save_to_disk(str(tmp_path / "saved"))
    with pytest.raises(SplitNotFoundError, match="the source has: validation "):
        read(tmp_path / "saved", split="test")
    file = next((tmp_path / "saved").glob("*.arrow"))
    file.rename(tmp_path / "elsewhere.arrow")
    file.symlink_to(tmp_path / "elsewhere.arrow")
    with pytest.raises(SourceError, match="follow_symlinks"):
        read(tmp_path / "saved")
    (tmp_path / "saved" / "state.json").write_text('{"_indices_data_files": [{}], "_data_files": [{}]}')
    with pytest.raises(SourceError, match="indices: save it again"):
        read(tmp_path / "saved")


def test_stopping_half_way_closes_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.parquet", {"image": pictures(40)})
    opened = set(open_files())
    source = open_source(path, CaptionConfig())
    rows = iter(source)
    for _ in range(3):
        next(rows)
    source.close()
    assert set(open_files()) == opened
    with open_source(path, CaptionConfig()) as source:
        assert len(list(source)) == 40
    assert set(open_files()) == opened


def open_files() -> list[str]:
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        pytest.skip("open files are counted on Linux")
    found = []
    for link in folder.iterdir():
        try:
            found.append(os.readlink(link))  # noqa: PTH115
        except OSError:
            continue
    return [name for name in found if not name.startswith(("pipe:", "socket:", "anon_inode:", "/proc"))]


def test_a_parquet_file_that_a_newer_version_wrote() -> None:
    seen = read(Path(__file__).parents[2] / "golden/reader/pyarrow-26.parquet", append_tags=True, keep_columns=True)
    assert seen.failed == {}
    assert (seen.names, seen.captions) == (["0.jpg", "1.jpg", "2.jpg"], ["a", "b", "c"])
    assert [row.columns["n"] for row in seen.rows] == [1, 2, 3]
    assert [row.columns["tags"] for row in seen.rows] == [["x"], [], None]
    assert all(read_picture(row).startswith(b"\xff\xd8\xff") for row in seen.rows)


def test_a_table_with_pictures_of_its_own_keeps_them_beside_a_column_file_name(tmp_path: Path) -> None:
    names = ["0.jpg", "gone.jpg"]
    image_first = write(tmp_path / "a" / "rows.parquet", {"image": pictures(2), "file_name": names})
    name_first = write(tmp_path / "b" / "rows.parquet", {"file_name": names, "image": pictures(2)})
    metadata = write(tmp_path / "c" / "metadata.parquet", {"image": pictures(2), "file_name": names})
    for path in (image_first, image_first.parent, name_first, metadata, metadata.parent):
        seen = read(path, keep_columns=True)
        assert (seen.failed, [read_picture(row) for row in seen.rows]) == ({}, [photo("JPEG", 0), photo("JPEG", 1)])
        assert [row.columns for row in seen.rows] == [{"file_name": name} for name in names]


def test_the_picture_of_a_table_whose_column_image_has_none(tmp_path: Path) -> None:
    put(tmp_path / "0.jpg")
    columns = {"image": [7], "file_name": ["0.jpg"]}
    assert read(write(tmp_path / "rows.parquet", columns)).names == ["0.jpg"]
    columns = {"image": ["not a file"], "file_name": ["0.jpg"], "mask_file_name": ["0.jpg"]}
    path = write(tmp_path / "metadata.parquet", columns)
    assert (read(path).names, read(path, image_field="mask").names) == (["0.jpg"], ["0.jpg"])


@pytest.mark.parametrize("extension", [".parquet", ".arrow"])
def test_of_two_columns_of_one_name_the_first_counts(tmp_path: Path, extension: str) -> None:
    table = pa.table([pa.array([photo()]), pa.array([b"other"]), pa.array([1])], names=["image", "image", "n"])
    path = tmp_path / f"rows{extension}"
    if extension == ".parquet":
        pq.write_table(table, path)
    else:
        with pa.ipc.new_stream(str(path), table.schema) as writer:
            writer.write_table(table)
    seen = read(path, keep_columns=True)
    assert (read_picture(seen.rows[0]), seen.columns, seen.rows[0].columns) == (photo(), ("image", "n"), {"n": 1})


def repeated(value: Any, times: int) -> pa.DictionaryArray:
    """A column that holds one value, and says how often it appears."""
    return pa.DictionaryArray.from_arrays(pa.array([0] * times, pa.int32()), pa.array([value]))


#: Lives as long as any memory that was taken from it.
MEASURED = pa.proxy_memory_pool(pa.default_memory_pool())


def test_a_value_that_is_stored_once_is_not_in_memory_for_many_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 4 << 20
    monkeypatch.setattr(table_files, "_BYTES_AT_ONCE", size)
    table = pa.table({"image": repeated(b"x" * size, 64)})
    pq.write_table(table, tmp_path / "a.parquet", dictionary_pagesize_limit=1 << 30, store_schema=False)
    before = pa.default_memory_pool()
    pa.set_memory_pool(MEASURED)
    try:
        with open_source(tmp_path / "a.parquet", CaptionConfig()) as source:
            assert sum(row.error is None for row in source) == 64
    finally:
        pa.set_memory_pool(before)
    assert MEASURED.max_memory() < 8 * size


@pytest.mark.parametrize("extension", [".parquet", ".arrow"])
def test_a_row_that_is_small_in_the_file_and_huge_in_memory_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extension: str
) -> None:
    monkeypatch.setattr(table_files, "_LARGEST_ROW", 1 << 20)
    tags = pa.ListArray.from_arrays(pa.array([0, 1000, 1001], pa.int32()), repeated("x" * 2000, 1001))
    none = pa.ListArray.from_arrays(pa.array([0, 1, 100_000], pa.int32()), pa.nulls(100_000))
    path = tmp_path / f"a{extension}"
    for column, failed in ((tags, 0), (none, 1)):
        table = pa.table({"image": [photo()] * 2, "more": column})
        if extension == ".parquet":
            pq.write_table(table, path)
        else:
            with pa.ipc.new_stream(str(path), table.schema) as writer:
                writer.write_table(table)
        assert list(read(path, keep_columns=True).failed) == [f"a{extension} row {failed}"]


@pytest.mark.parametrize("value", [pa.string(), pa.string_view()])
def test_a_large_map_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: pa.DataType) -> None:
    monkeypatch.setattr(table_files, "_LARGEST_ROW", 2 << 20)
    monkeypatch.setattr(table_files, "_SMALL", 1000)
    maps = [[("a", "x" * 1500)], None, [], [("a", "x"), ("b", "x" * (3 << 20))], [("a", "x" * 1500), ("b", None)]]
    table = pa.table({"image": [photo()] * 5, "more": pa.array(maps, pa.map_(pa.string(), value))})
    path = tmp_path / "a.arrow"
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table)
    assert list(read(path, keep_columns=True).failed) == ["a.arrow row 3"]


@pytest.mark.parametrize("kind", ["string", "list", "struct", "dictionary"])
def test_views_of_text_and_bytes_count_as_what_they_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Polars writes them: all values of a column in a few buffers, of which each row has a part."""
    monkeypatch.setattr(table_files, "_LARGEST_ROW", 20_000)
    monkeypatch.setattr(table_files, "_SMALL", 1000)
    texts: Any = pa.array([*("x" * 1500 for _ in range(20)), "x" * 30_000, None, ""], pa.string_view())
    more = {
        "string": texts,
        "list": pa.ListArray.from_arrays(pa.array([*range(23), 22], pa.int32()), texts),
        "struct": pa.StructArray.from_arrays([texts], ["a"]),
        "dictionary": pa.DictionaryArray.from_arrays(pa.array([*range(21), None, 22], pa.int32()), texts),
    }[kind]
    table = pa.table({"image": pa.array([photo()] * 23, pa.binary_view()), "more": more})
    path = tmp_path / "a.arrow"
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table)
    assert list(read(path, keep_columns=True).failed) == ["a.arrow row 20"]


def test_columns_are_measured_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_files, "_LARGEST_ROW", 1 << 20)
    columns = {f"text{number}": ["x", "x" * (400 << 10)] for number in range(3)}
    path = write(tmp_path / "a.parquet", {"image": pictures(2), **columns})
    assert list(read(path, keep_columns=True).failed) == ["a.parquet row 1"]
    assert not read(path).failed


def test_a_row_group_that_is_almost_nothing_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_files, "MAX_BYTES", 0)
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"image": [bytes(1 << 20)]}), path, compression="zstd", use_dictionary=False)
    assert "over 100 times the file's" in read(path).failed["a.parquet row 0"]


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_a_footer_that_says_less_than_its_row_group_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setattr(table_files, "MAX_BYTES", 0)
    path, nulls = tmp_path / "a.parquet", pa.nulls(1 << 20, pa.int8())
    columns = {"image": [photo()], "text": ["x" * (4 << 20)], "list": pa.ListArray.from_arrays([0, 1 << 20], nulls)}
    for column in ("text", "list"):
        table = pa.table({"image": columns["image"], column: columns[column]})
        pq.write_table(table, path, compression="zstd", use_dictionary=False, data_page_version=version)
        said = varint(pq.read_metadata(path).row_group(0).total_byte_size)
        assert path.read_bytes().count(said) == 1
        path.write_bytes(path.read_bytes().replace(said, varint(1000, len(said))))
        assert "over 100 times the file's" in read(path, keep_columns=True).failed["a.parquet row 0"]
        assert not read(path).failed


def varint(number: int, length: int = 1) -> bytes:
    """A number as Parquet's footer has it, in at least that many bytes."""
    number, data = 2 * number, bytearray()
    while number or len(data) < length:
        data.append(number & 127 | 128)
        number >>= 7
    data[-1] &= 127
    return bytes(data)


def test_a_value_that_python_cannot_hold_fails_its_own_row(tmp_path: Path) -> None:
    columns = {"image": [photo()] * 3, "when": pa.array([0, 2**50, 1], pa.timestamp("ms"))}
    path = write(tmp_path / "rows.parquet", columns)
    assert list(read(path, keep_columns=True).failed) == ["rows.parquet row 1"]
    zones = {"image": [photo()], "when": pa.array([0], pa.timestamp("s", "Nowhere/At_All"))}
    assert len(read(write(path, zones), keep_columns=True).failed) == 1
    assert read(path).failed == {}


@pytest.mark.parametrize("new_writer", [pa.ipc.new_file, pa.ipc.new_stream])
@pytest.mark.parametrize("is_dictionary", [True, False])
def test_a_part_of_an_arrow_file_that_is_almost_nothing_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_writer: Any, is_dictionary: bool
) -> None:
    monkeypatch.setattr(arrow_messages, "MAX_BYTES", 100_000)
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    path = tmp_path / "a.arrow"
    for data in (photo(), bytes(1 << 20)):
        table = pa.table({"n": [1], "image": repeated(data, 1) if is_dictionary else pa.array([data])})
        with new_writer(str(path), table.schema, options=options) as writer:
            writer.write_table(table)
        if data == photo():
            assert read_picture(read(path).rows[0]) == photo()
    with pytest.raises(SourceError, match="over 100 times its own"):
        read(path)
