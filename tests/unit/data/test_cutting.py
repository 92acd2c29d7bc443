"""Sources in shards: together they have the rows of the whole source, and each is read by itself."""

from __future__ import annotations

import json
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.scale_sets import parquet_files, picture_folder, tar_files, tiny_picture
from tests.support.sources import photo, put
from wd14.config import CaptionConfig
from wd14.data import piece_source
from wd14.data.cutting import list_source, open_shard
from wd14.data.layouts import OpenedLayout, open_layout
from wd14.data.pieces import Piece
from wd14.data.reader import open_source
from wd14.errors import SourceChangedError
from wd14.places import Place
from wd14.stop import StopToken
from wd14.types import InputRow


def shards_of(source: Path, rows: int, **settings: Any) -> list[list[InputRow]]:
    """The rows of each shard; what is known of the shards goes through JSON, as on its way to a worker."""
    config = CaptionConfig.from_values(settings)
    listing = list_source(str(source), config, log=lambda _: None)
    columns = json.loads(json.dumps(listing.columns))
    shards = []
    for pieces in listing.shards(config, rows):
        travelled = [Piece.from_json(json.loads(json.dumps(piece.to_json()))) for piece in pieces]
        assert travelled == list(pieces)
        with open_shard(
            Place(listing.place.url), listing.kind, travelled, config, columns=columns, log=print, stop=StopToken()
        ) as shard:
            shards.append(list(shard))
            assert shard.total in (None, len(shards[-1]))
            assert [row.index for row in shards[-1]] == list(range(len(shards[-1])))
    return shards


def seen(row: InputRow) -> tuple[Any, ...]:
    """What of a row does not depend on its number."""
    name = "" if row.name.partition(".")[0] == f"{row.index:06d}" else row.name
    return row.key, name, row.source, row.path, row.data, str(row.error), row.caption, dict(row.columns), row.folder


def folder_of_everything(folder: Path) -> Path:
    """Pictures at any depth, among them what may not be read."""
    for number in range(7):
        put(folder / f"sub {number % 3}" / f"{number}.png", number % 3).with_suffix(".txt").write_text(f"of {number}")
    put(folder / "ä.jpg")
    put(folder.parent / "outside.jpg")
    put(folder / os.fsdecode(b"odd \xff\n.jpg"))
    (folder / "link.jpg").symlink_to("ä.jpg")
    (folder / "out.jpg").symlink_to("../outside.jpg")
    (folder / "gone.jpg").symlink_to("nothing")
    (folder / "a.png").mkdir()
    os.mkfifo(folder / "pipe.png")
    put(folder / "result/train/x.png")
    (folder / "result/.wd14").mkdir()
    (folder / "result/.wd14/provenance.json").write_text('{"made_by": "wd14-captioner 2"}')
    put(folder / "shards/x.png")
    (folder / "shards/manifest.json").write_text('{"made_by": "wd14-captioner 2"}')
    return folder


def folder_with_splits(folder: Path) -> Path:
    for split in ("train", "val", "test"):
        for number in range(3):
            put(folder / split / "deep" / f"{split}{number}.png", number)
    return folder


def pack(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            source = path.with_name("member")
            source.write_bytes(data)
            archive.add(source, name)
            source.unlink()
    return path


def tars(folder: Path) -> Path:
    """Archives: long names, rows without pictures, others than the first has, one that is cut, one that is none."""
    tar_files(folder, 9, of_a_tar=4, captions=True)
    odd = {
        "README.md": b"hello",
        "n" * 150 + "/a.jpg": photo(),
        "b.json": b'{"text": "b", "extra": 1}',
        "b.jpg": photo(),
    }
    pack(folder / "odd.tar", {**odd, "c.txt": b"alone", "c.d/e.png": photo("PNG"), "._x.jpg": b"", "d.npy": b"0" * 999})
    pack(folder / "packed.tar.gz", {f"{number}.jpg": photo("JPEG", number) for number in range(5)}, "w:gz")
    whole = pack(folder / "cut.tar", {f"{number}.png": tiny_picture(number)[1] for number in range(6)})
    whole.write_bytes(whole.read_bytes()[: 5 * 1024 - 700])
    (folder / "none.tar").write_bytes(b"no archive" * 1000)
    (folder / "empty.tar").write_bytes(b"")
    return folder


def tables(folder: Path) -> Path:
    parquet_files(folder, 23, of_a_file=10, of_a_group=4, captions=True)
    one_group = pa.table({"image": [tiny_picture(number)[1] for number in range(40)], "caption": ["other"] * 40})
    pq.write_table(one_group, folder / "one_group.parquet")
    pq.write_table(one_group.slice(0, 6), folder / "validation.parquet")
    pq.write_table(one_group.slice(0, 0), folder / "none.parquet")
    with pa.OSFile(str(folder / "z.arrow"), "wb") as file, pa.ipc.new_stream(file, one_group.schema) as writer:
        for batch in one_group.to_batches(max_chunksize=7):
            writer.write_batch(batch)
    return folder


def damaged_table(folder: Path) -> Path:
    path = parquet_files(folder, 30, of_a_group=6) / "00000.parquet"
    data = bytearray(path.read_bytes())
    column = pq.read_metadata(path).row_group(2).column(0)
    place = column.data_page_offset
    data[place : place + 60] = b"\xff" * 60
    path.write_bytes(data)
    return path


def saved(folder: Path) -> Path:
    rows = [{"image": photo("JPEG", number), "text": f"t{number}"} for number in range(11)]
    parts = {"train": datasets.Dataset.from_list(rows), "extra": datasets.Dataset.from_list(rows[:4])}
    datasets.DatasetDict(parts).save_to_disk(str(folder), num_shards={"train": 2, "extra": 1})
    return folder


def paths_in_a_table(folder: Path) -> Path:
    names = [put(folder / "pictures" / f"{number}.png", number).name for number in range(5)]
    table = pa.table({"file_name": [f"pictures/{name}" for name in [*names, "gone.png"]], "text": list("abcdef")})
    pq.write_table(table, folder / "metadata.parquet", row_group_size=2)
    return folder


def json_lines(folder: Path) -> Path:
    for number in range(6):
        put(folder / "deep" / f"{number}.png", number)
    put(folder / "top.png")
    rows = [json.dumps({"file_name": f"{number}.png", "text": f"ä {number}", "n": number}) for number in range(6)]
    rows[3:3] = ["{broken", "", json.dumps({"file_name": "0.png", "split": "validation"}), json.dumps({"text": "none"})]
    (folder / "deep/metadata.jsonl").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(rows).encode())
    (folder / "metadata.jsonl").write_text('{"file_name": "top.png", "mask_file_name": "deep/1.png"}\n')
    return folder


def csv_rows(folder: Path) -> Path:
    for number in range(6):
        put(folder / f"{number}.png", number)
    rows = [f'{number}.png,"of ä\n{number}",x' for number in range(6)]
    rows[2:2] = ["0.png,a,b,c,d", "", '1.png,"x"y,z']
    (folder / "metadata.csv").write_bytes(b"\xef\xbb\xbf" + "\n".join(["file_name,text,more", *rows]).encode())
    return folder


def zips(folder: Path) -> Path:
    folder.mkdir()
    for archive in ("a", "b"):
        with zipfile.ZipFile(folder / f"{archive}.zip", "w") as file:
            for number in range(5):
                file.writestr(f"{archive}{number}.png", photo("PNG", number))
                file.writestr(f"{archive}{number}.txt", f"of {number}")
    return folder


def first_file(make: Callable[[Path], Path], name: str) -> Callable[[Path], Path]:
    return lambda folder: make(folder) / name


SOURCES: dict[str, Callable[[Path], Path]] = {
    "pictures": folder_of_everything,
    "splits": folder_with_splits,
    "picture": lambda folder: put(folder / "one.png"),
    "tars": tars,
    "tar": first_file(tars, "odd.tar"),
    "cut tar": first_file(tars, "cut.tar"),
    "tables": tables,
    "table": first_file(tables, "one_group.parquet"),
    "damaged table": damaged_table,
    "saved": saved,
    "paths": paths_in_a_table,
    "jsonl": json_lines,
    "jsonl file": first_file(json_lines, "deep/metadata.jsonl"),
    "csv": csv_rows,
    "zips": zips,
    "zip": first_file(zips, "a.zip"),
}
SETTINGS: list[dict[str, Any]] = [
    {},
    {"split": "all", "append_tags": True, "keep_columns": True},
    {"follow_symlinks": True, "append_tags": True},
]


@pytest.mark.parametrize("kind", SOURCES)
def test_the_rows_of_all_shards_are_the_rows_of_the_source(tmp_path: Path, kind: str) -> None:
    source = SOURCES[kind](tmp_path / "set")
    for settings in SETTINGS:
        with open_source(source, CaptionConfig.from_values(settings)) as whole:
            expected = [seen(row) for row in whole]
        assert all(key for key, *_ in expected)
        for rows in (1, 2, 3, 5, 1000):
            shards = shards_of(source, rows, **settings)
            assert [seen(row) for shard in shards for row in shard] == expected, (settings, rows)


def test_shards_have_about_the_wanted_rows(tmp_path: Path) -> None:
    assert [len(shard) for shard in shards_of(picture_folder(tmp_path / "a", 23), 10)] == [10, 10, 3]
    assert [len(shard) for shard in shards_of(tar_files(tmp_path / "b", 40, of_a_tar=4), 10)] == [8] * 5
    assert [len(shard) for shard in shards_of(tar_files(tmp_path / "c", 40, of_a_tar=40), 10)] == [10] * 4
    assert [len(shard) for shard in shards_of(parquet_files(tmp_path / "d", 40, of_a_group=3), 10)] == [9, 9, 9, 9, 4]


def test_the_keys_name_the_rows(tmp_path: Path) -> None:
    keys = {
        kind: [row.key for shard in shards_of(make(tmp_path / kind), 4) for row in shard]
        for kind, make in SOURCES.items()
    }
    assert not [key for key in keys["pictures"] if key.startswith(("result/", "shards/"))]
    assert keys["splits"][0] == "train/deep/train0.png"
    assert keys["tars"][0] == "00000.tar/00000000.png"
    assert keys["table"][-1] == "one_group.parquet#39"
    assert keys["jsonl"][:2] == ["deep/0.png", "deep/1.png"]
    assert "deep/metadata.jsonl#4" in keys["jsonl"]
    assert keys["zip"][0] == "a0.png"


@pytest.mark.parametrize("kind", ["splits", "tars", "tables", "jsonl", "zips"])
@pytest.mark.parametrize("change", ["gone", "changed"])
def test_a_file_that_is_another_than_it_was(tmp_path: Path, kind: str, change: str) -> None:
    config = CaptionConfig()
    source = SOURCES[kind](tmp_path / "set")
    listing = list_source(str(source), config, log=print)
    first = next(file for file in listing.files() if file.size)
    pieces = next(shard for shard in listing.shards(config, 2) if shard[-1].size)
    path = source / first.relative
    if change == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes() + b" ")
    with (
        pytest.raises(SourceChangedError, match="changed" if kind == "zips" else f"has {change}"),
        open_shard(
            listing.place, listing.kind, pieces, config, columns=listing.columns, log=print, stop=StopToken()
        ) as shard,
    ):
        list(shard)


def test_zip_archives_are_looked_over_once_for_all_shards_of_a_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def counted(*arguments: Any, **named: Any) -> OpenedLayout:
        calls.append(arguments)
        return open_layout(*arguments, **named)

    monkeypatch.setattr(piece_source, "open_layout", counted)
    assert len(shards_of(zips(tmp_path / "set"), 2)) == 5
    assert len(calls) == 1
