"""What reading costs: imports that a run does not need, memory that grows with the dataset."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.sources import put

_HEAVY = {"datasets", "pandas", "pyarrow", "huggingface_hub", "fsspec", "requests", "httpx"}


def told_by(code: str, *arguments: str) -> str:
    """What a process of its own prints."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("with_metadata", [False, True])
def test_a_folder_of_pictures_needs_no_data_libraries(tmp_path: Path, with_metadata: bool) -> None:
    put(tmp_path / "a.png")
    if with_metadata:
        (tmp_path / "metadata.jsonl").write_text('{"file_name": "a.png", "text": "old"}\n')
    code = f"""
import sys
from wd14.config import CaptionConfig
from wd14.data.reader import open_source
from wd14.images.reading import read_picture
config = CaptionConfig.from_values(dict(append_tags=True, keep_columns=True))
with open_source(sys.argv[1], config) as source:
    print(len([read_picture(row) for row in source]), sorted({_HEAVY!r} & set(sys.modules)))
"""
    assert told_by(code, str(tmp_path)).strip() == "1 []"


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from Linux's /proc")
@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_memory_stays_flat_over_a_big_file(tmp_path: Path, kind: str) -> None:
    """250 MB of pictures, in row groups and batches as `datasets` writes them."""
    schema = pa.schema([("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])), ("other", pa.binary())])
    path = tmp_path / f"rows.{kind}"
    writing = pq.ParquetWriter(path, schema) if kind == "parquet" else pa.ipc.new_stream(str(path), schema)
    with writing as writer:
        for start in range(0, 1000, 100):
            rows = [
                {"image": {"bytes": os.urandom(200_000), "path": f"{start + n}.jpg"}, "other": os.urandom(50_000)}
                for n in range(100)
            ]
            writer.write_batch(pa.RecordBatch.from_pylist(rows, schema=schema))
    code = """
import json, os, sys
from wd14.config import CaptionConfig
from wd14.data.reader import open_source
from wd14.images.reading import read_picture
page = os.sysconf("SC_PAGE_SIZE")
peaks = [0, 0, 0, 0]
with open_source(sys.argv[1], CaptionConfig()) as source:
    for row in source:
        assert len(read_picture(row)) == 200_000
        with open("/proc/self/statm") as file:
            now = int(file.read().split()[1]) * page / 1e6
        peaks[row.index // 250] = max(peaks[row.index // 250], now)
print(json.dumps(peaks))
"""
    peaks = json.loads(told_by(code, str(path)))
    assert peaks[3] < peaks[1] * 1.1
    assert max(peaks) < 300
