"""Datasets of the hub, streamed by the real client from a local server that speaks its protocol."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.dataset_hub import DatasetHub, dataset_hub, environment_of
from tests.support.sources import photo

#: The client reads its endpoint when it is imported, so that each job is a process of its own; it ends as the program
#: does, since a library's thread may still be reading.
_JOB = """
import json, sys
from wd14.images.reading import read_picture
from wd14.config import CaptionConfig
from wd14.data.reader import open_source
from wd14.errors import CaptionerError, RowError
from wd14.process import run_to_its_end
def read():
    source, settings, rows = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
    result = {"log": [], "rows": []}
    try:
        with open_source(source, CaptionConfig.from_values(settings), log=result["log"].append) as opened:
            result |= {"name": opened.name, "total": opened.total, "columns": opened.columns}
            for row in opened:
                described = {"name": row.name, "source": row.source, "caption": row.caption}
                described |= {"columns": dict(row.columns), "error": str(row.error) if row.error else None}
                described["data"] = read_picture(row).hex() if not row.error else None
                result["rows"].append(described)
                if len(result["rows"]) == rows:
                    break
    except CaptionerError as error:
        result |= {"error": type(error).__name__, "message": str(error)}
    print(json.dumps(result))
run_to_its_end(read)
"""


def job(hub: DatasetHub, tmp_path: Path, source: str, *, rows: int = -1, **settings: Any) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", _JOB, source, json.dumps(settings), str(rows)],
        capture_output=True,
        text=True,
        env=environment_of(hub, tmp_path),
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def parquet(count: int, first: int = 0) -> bytes:
    rows = [{"bytes": photo("JPEG", first + n), "path": f"{first + n}.jpg"} for n in range(count)]
    table = pa.table({"image": rows, "text": [f"text {first + n}" for n in range(count)]})
    features = {"image": {"_type": "Image"}, "text": {"dtype": "string", "_type": "Value"}}
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


def archive(count: int) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for number in range(count):
            for ending, data in (("jpg", photo("JPEG", number)), ("txt", f"text {number}".encode())):
                member = tarfile.TarInfo(f"{number}.{ending}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    return file.getvalue()


def zipped(count: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        for number in range(count):
            packed.writestr(f"{number}.jpg", photo("JPEG", number))
    return file.getvalue()


REPOS = {
    "painter/parquet": {
        "README.md": b"# pictures\n",
        "data/train-00000-of-00002.parquet": parquet(2),
        "data/train-00001-of-00002.parquet": parquet(1, 2),
        "data/test-00000-of-00001.parquet": parquet(1, 3),
    },
    "painter/folder": {
        "a.jpg": photo("JPEG", 0),
        "sub/b.jpg": photo("JPEG", 1),
        "metadata.csv": b"file_name,text\na.jpg,first\nsub/b.jpg,second\n",
    },
    "painter/zip": {"data.zip": zipped(2)},
    "painter/webdataset": {"train-0000.tar": archive(3)},
    "painter/script": {"script.py": b"open('/tmp/wd14-was-run', 'w')\n"},
    "painter/empty": {"README.md": b"# nothing\n"},
}


@pytest.fixture(scope="module")
def hub() -> Iterator[DatasetHub]:
    with dataset_hub(REPOS) as running:
        yield running


def test_parquet(hub: DatasetHub, tmp_path: Path) -> None:
    result = job(hub, tmp_path, "painter/parquet", append_tags=True, keep_columns=True)
    assert result["name"] == "parquet"
    assert result["columns"] == ["image", "text"]
    assert [row["name"] for row in result["rows"]] == ["0.jpg", "1.jpg", "2.jpg"]
    assert [row["caption"] for row in result["rows"]] == ["text 0", "text 1", "text 2"]
    assert result["rows"][0]["columns"] == {"text": "text 0"}
    assert [bytes.fromhex(row["data"]) for row in result["rows"]] == [photo("JPEG", n) for n in range(3)]
    assert any("test" in line for line in result["log"])


def test_a_split_and_stopping_half_way(hub: DatasetHub, tmp_path: Path) -> None:
    assert [s["name"] for s in job(hub, tmp_path, "painter/parquet", split="test")["rows"]] == ["3.jpg"]
    assert len(job(hub, tmp_path, "painter/parquet", split="all", rows=2)["rows"]) == 2
    result = job(hub, tmp_path, "painter/parquet", split="other")
    assert (result["error"], "train, test" in result["message"]) == ("SplitNotFoundError", True)
    result = job(hub, tmp_path, "painter/parquet", image_field="picture")
    assert (result["error"], "image (Image), text (string)" in result["message"]) == ("ColumnNotFoundError", True)


def test_pictures_with_files_of_their_own(hub: DatasetHub, tmp_path: Path) -> None:
    result = job(hub, tmp_path, "painter/folder", append_tags=True)
    assert [(s["name"], s["caption"], s["error"]) for s in result["rows"]] == [
        ("a.jpg", "first", None),
        ("b.jpg", "second", None),
    ]
    assert bytes.fromhex(result["rows"][1]["data"]) == photo("JPEG", 1)


def test_pictures_in_a_zip(hub: DatasetHub, tmp_path: Path) -> None:
    result = job(hub, tmp_path, "painter/zip")
    assert [bytes.fromhex(s["data"]) for s in result["rows"]] == [photo("JPEG", n) for n in range(2)]
    assert [s["name"] for s in result["rows"]] == ["0.jpg", "1.jpg"]


def test_webdataset(hub: DatasetHub, tmp_path: Path) -> None:
    result = job(hub, tmp_path, "painter/webdataset", image_field="jpg")
    assert [bytes.fromhex(s["data"]) for s in result["rows"]] == [photo("JPEG", n) for n in range(3)]


@pytest.mark.parametrize("name", ["script", "empty"])
def test_what_cannot_be_read(hub: DatasetHub, tmp_path: Path, name: str) -> None:
    result = job(hub, tmp_path, f"painter/{name}")
    assert result["error"] in ("SourceError", "SourceNotFoundError")
    assert f"painter/{name}" in result["message"]
    assert not Path("/tmp/wd14-was-run").exists()


def test_neither_here_nor_there(hub: DatasetHub, tmp_path: Path) -> None:
    result = job(hub, tmp_path, "painter/nothing")
    assert result["error"] == "SourceNotFoundError"
    assert "no folder or file" in result["message"]
    assert "hub's dataset painter/nothing" in result["message"]


def test_an_answer_that_leads_out_of_the_clients_cache_is_refused(tmp_path: Path) -> None:
    with dataset_hub(REPOS) as hub:
        hub.etag = '"../../../../outside"'
        result = job(hub, tmp_path, "painter/parquet")
    assert result["error"] == "SourceError"
    assert "names no file of the cache" in result["message"]
    assert not list(tmp_path.rglob("outside*"))
