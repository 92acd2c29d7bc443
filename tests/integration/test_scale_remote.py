"""Sources on an object store and on the hub give the rows of the same source on this machine, shard by shard."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.s3_server import Bucket
from tests.support.scale_sets import picture_folder, tar_files, tiny_picture
from wd14.config import CaptionConfig
from wd14.data import remote
from wd14.data.cutting import Listing, list_source, open_shard
from wd14.data.pieces import Piece
from wd14.errors import EmptySourceError, SourceChangedError, SourceError, SourceNotFoundError
from wd14.images.reading import read_picture
from wd14.stop import StopToken

ROWS = 10


@pytest.fixture
def bucket(s3_port: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty bucket of its own, and temporary files where they can be counted."""
    (tmp_path / "temporary").mkdir()
    (tmp_path / "aws").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    bucket = Bucket(tmp_path / "aws", s3_port, "remote-" + hashlib.sha256(str(tmp_path).encode()).hexdigest()[:16])
    for name, value in bucket.env.items():
        monkeypatch.setenv(name, value)
    return bucket


def rows_of(listing: Listing, shard: Sequence[Piece], config: CaptionConfig) -> list[dict[str, Any]]:
    """What the rows of a shard hold, wherever the pictures are."""
    found = []
    with open_shard(
        listing.place, listing.kind, shard, config, columns=listing.columns, log=lambda _: None, stop=StopToken()
    ) as source:
        for row in source:
            data = None if row.error else hashlib.sha256(read_picture(row)).hexdigest()
            error = None if row.error is None else f"{type(row.error).__name__}: {row.error}"
            found.append(
                {"key": row.key, "data": data, "caption": row.caption, "error": error} | {"columns": dict(row.columns)}
            )
    return found


def all_rows(source: str, **settings: Any) -> list[dict[str, Any]]:
    config = CaptionConfig.from_values(settings)
    listing = list_source(source, config, log=lambda _: None)
    return [row for shard in listing.shards(config, ROWS) for row in rows_of(listing, shard, config)]


def pictures(folder: Path) -> None:
    picture_folder(folder, 25, of_a_folder=10)
    for path in sorted(folder.rglob("*.png"))[::2]:
        path.with_suffix(".txt").write_text(f"tags of {path.stem}")
    (folder / "a.png").mkdir()
    (folder / "a.png" / "notes.txt").write_text("no picture")
    (folder / "earlier" / ".wd14").mkdir(parents=True)
    (folder / "earlier" / ".wd14" / "provenance.json").write_text('{"made_by": "wd14-captioner 2.0"}')
    (folder / "earlier" / "result.png").write_bytes(tiny_picture(0)[1])


def archives(folder: Path) -> None:
    tar_files(folder, 30, of_a_tar=12, captions=True)
    (folder / "broken.tar").write_bytes((folder / "00000.tar").read_bytes()[:3000])
    tar_files(folder / "packed", 5, mode="w:gz")


def tables(folder: Path, *, folder_of: str = "data", rows: int = 45) -> None:
    (folder / folder_of).mkdir(parents=True)
    for file in range(2):
        made = [tiny_picture(100 * file + number) for number in range(rows)]
        table = pa.table(
            {
                "image": [{"bytes": data, "path": name} for name, data in made],
                "text": [f"text of {name}" for name, _ in made],
                "filling": [name * 5000 for name, _ in made],
            }
        )
        pq.write_table(table, folder / folder_of / f"train-{file:05d}-of-00002.parquet", row_group_size=7)


def metadata(folder: Path, *, kind: str = "jsonl") -> None:
    picture_folder(folder / "files", 23)
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*") if path.is_file())
    lines: list[dict[str, Any]] = [{"file_name": name, "text": f"text of {name}"} for name in [*files, "missing.png"]]
    lines += [{"file_name": "/etc/passwd"}, {"file_name": "../outside.png"}, {"text": "no picture"}]
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(lines), folder / "metadata.parquet", row_group_size=9)
    elif kind == "csv":
        text = "".join(f"{line.get('file_name', '')},{line.get('text', '')}\n" for line in lines)
        (folder / "metadata.csv").write_text("file_name,text\n" + text)
    else:
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / "metadata.jsonl").write_text(text + "{broken\n")


@pytest.mark.parametrize(
    "make",
    [
        pictures,
        archives,
        tables,
        metadata,
        lambda folder: metadata(folder, kind="csv"),
        lambda folder: metadata(folder, kind="parquet"),
    ],
    ids=["pictures", "archives", "tables", "jsonl", "csv", "parquet"],
)
def test_a_source_on_a_store_has_the_rows_of_the_same_source_here(make: Any, tmp_path: Path, bucket: Bucket) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    make(folder)
    bucket.fill(folder)
    settings = {"append_tags": True, "keep_columns": True}
    here, there = all_rows(str(folder), **settings), all_rows(f"s3://{bucket.name}", **settings)
    assert len(here) > 2 * ROWS
    assert there == here
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_long_archive_is_cut_by_its_headers_and_one_file_is_a_source(
    tmp_path: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "LARGEST_WHOLE_ARCHIVE", 1000)
    folder = tar_files(tmp_path / "source", 47, of_a_tar=40)
    bucket.fill(folder)
    config = CaptionConfig.from_values({})
    listing = list_source(f"s3://{bucket.name}", config, log=lambda _: None)
    shards = list(listing.shards(config, ROWS))
    assert [sum(piece.rows or 0 for piece in shard) for shard in shards] == [10, 10, 10, 10, 7]
    rows = [row for shard in shards for row in rows_of(listing, shard, config)]
    assert rows == all_rows(str(folder))
    assert all_rows(f"s3://{bucket.name}/00000.tar") == all_rows(str(folder / "00000.tar"))


def test_of_a_table_only_the_footer_and_the_row_groups_are_fetched(tmp_path: Path, bucket: Bucket) -> None:
    tables(tmp_path / "source", rows=200)
    bucket.fill(tmp_path / "source")
    config = CaptionConfig.from_values({})
    listing = list_source(f"s3://{bucket.name}", config, log=lambda _: None)
    shard = list(listing.shards(config, 20))[3]
    what = listing.place, listing.kind, shard, config
    columns = listing.columns
    del listing  # with the footers
    with open_shard(*what, columns=columns, log=print, stop=StopToken()):
        (fetched,) = (path for path in (tmp_path / "temporary").rglob("*.parquet") if path.stat().st_blocks)
        assert 0 < fetched.stat().st_blocks * 512 < 0.7 * fetched.stat().st_size


@pytest.mark.parametrize(
    ("kind", "change"),
    [("pictures", "gone"), ("pictures", "bytes"), ("tar", "bytes"), ("table", "gone"), ("metadata", "bytes")],
)
def test_a_file_that_changed_since_the_plan_fails_the_shard(
    kind: str, change: str, tmp_path: Path, bucket: Bucket
) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    {"pictures": pictures, "tar": archives, "table": tables, "metadata": metadata}[kind](folder)
    bucket.fill(folder)
    config = CaptionConfig.from_values({})
    listing = list_source(f"s3://{bucket.name}", config, log=lambda _: None)
    assert listing.kind == kind
    shard = next(iter(listing.shards(config, ROWS)))
    file = shard[-1].file
    if change == "gone":
        bucket.remove(file)
    else:
        bucket.put(file, (folder / file).read_bytes()[:-1] + b"!")
    with pytest.raises(SourceChangedError, match=f"{file} has {'gone' if change == 'gone' else 'changed'} since"):
        rows_of(listing, shard, config)
    assert len(list((tmp_path / "temporary").glob("*.wd14-partial"))) == 1  # the listing's own


def test_what_is_no_source_is_said(tmp_path: Path, bucket: Bucket) -> None:
    config = CaptionConfig.from_values({})
    with pytest.raises(SourceNotFoundError, match=f"There is nothing at s3://{bucket.name}/nowhere"):
        list_source(f"s3://{bucket.name}/nowhere", config, log=print)
    bucket.put("texts/a.txt", b"text")
    with pytest.raises(EmptySourceError, match=f"s3://{bucket.name}/texts holds no picture"):
        list_source(f"s3://{bucket.name}/texts", config, log=print)
    bucket.put("zips/a.zip", b"PK")
    with pytest.raises(SourceError, match=r"holds zip archives .* unpack them, or pack the pictures into tar archives"):
        list_source(f"s3://{bucket.name}/zips", config, log=print)
    bucket.put("bad/a.parquet", b"PAR1 no footer PAR1")
    with pytest.raises(SourceError, match=r"a\.parquet cannot be read"):
        list_source(f"s3://{bucket.name}/bad", config, log=print)


def test_a_row_names_no_file_of_this_machine(tmp_path: Path, bucket: Bucket) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(tiny_picture(1)[1])
    names = [str(secret), "../secret.png", "metadata.parquet"]
    pq.write_table(pa.table({"file_name": names}), tmp_path / "metadata.parquet")
    bucket.put("metadata.parquet", (tmp_path / "metadata.parquet").read_bytes())
    rows = all_rows(f"s3://{bucket.name}")
    assert [row["data"] is None for row in rows[:2]] == [True, True]
    assert ["outside" in rows[0]["error"], "leads out" in rows[1]["error"]] == [True, True]


def test_odd_names_cost_no_other_picture(tmp_path: Path, bucket: Bucket) -> None:
    """A store's keys are no paths: some are named as URLs are, and folders may have no name."""
    picture = tiny_picture(1)[1]
    for key in ("a::b.png", "a//b.png", "/c.png", "folder/", "q?token=1.png", "é \u202e#.png"):
        bucket.put(key, picture)
    lines: list[str] = []
    list_source(f"s3://{bucket.name}", CaptionConfig(), log=lines.append)
    rows = all_rows(f"s3://{bucket.name}")
    assert [row["key"] for row in rows] == ["a::b.png", "q?token=1.png", "é \u202e#.png"]
    assert [row["error"] for row in rows] == [None] * 3
    assert lines == ["/ is a folder without a name: left out", "a// is a folder without a name: left out"]

    names = ["x?key=1.png", "x::y.png", "\ud800.png", "n" * 2000 + ".png", "a\0.png", ".", "a::b.png"]
    text = "".join(json.dumps({"file_name": name}) + "\n" for name in names)
    bucket.put("metadata.jsonl", text.encode())
    rows = all_rows(f"s3://{bucket.name}", append_tags=True)
    errors = [str(row["error"]).partition(":")[0] for row in rows]
    missing, unreadable = "MissingImageError", "UnreadableImageError"
    assert errors == [missing, missing, unreadable, unreadable, missing, unreadable, "None"]
    assert str(tmp_path) not in str(rows)
