"""Mutated data files: typed outcomes only, and a process that lives."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.sources import photo
from tests.support.tally import tally

#: A process of its own: a library that is led astray by a file can end the one that it runs in.
_JOB = """
import json, pathlib, random, sys
from wd14.config import CaptionConfig
from wd14.data.reader import open_source
from wd14.errors import CaptionerError
path, first, count = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
config = CaptionConfig.from_values({"append_tags": True, "keep_columns": True})
whole, outcomes = path.read_bytes(), {}
for seed in range(first, first + count):
    dice, raw = random.Random(seed), bytearray(whole)
    for _ in range(dice.randint(1, 4)):
        near_the_end = dice.random() < 0.5
        place = -dice.randrange(1, min(len(raw), 1500)) if near_the_end else dice.randrange(len(raw))
        raw[place] = dice.choice([0, 255, 127, 128, dice.randrange(256)])
    if dice.random() < 0.15:
        del raw[dice.randrange(len(raw)):]
    path.write_bytes(raw)
    print(seed, flush=True)
    try:
        with open_source(path, config) as source:
            rows = list(source)
        outcome = "rows" if all(row.error is None for row in rows) else "failed rows"
        json.dumps([[row.name, row.caption, dict(row.columns)] for row in rows], allow_nan=False)
    except CaptionerError as error:
        outcome = type(error).__name__
    outcomes[outcome] = outcomes.get(outcome, 0) + 1
print(json.dumps(outcomes))
"""


KINDS = ["parquet", "arrow stream", "arrow file", "arrow compressed", "tar"]


def whole_file(kind: str) -> bytes:
    file = io.BytesIO()
    if kind == "tar":
        with tarfile.open(fileobj=file, mode="w") as archive:
            for number in range(3):
                for ending, data in (("jpg", photo("JPEG", number)), ("json", b'{"a": 1}')):
                    member = tarfile.TarInfo(f"{number}.{ending}")
                    member.size = len(data)
                    archive.addfile(member, io.BytesIO(data))
        return file.getvalue()
    rows = [{"bytes": photo("JPEG", number)[:200], "path": f"{number}.jpg"} for number in range(4)]
    table = pa.table({"image": rows, "text": ["a", "b", "c", "d"], "tags": [["x"], [], None, ["y"]]})
    if kind == "parquet":
        pq.write_table(table, file, row_group_size=2)
        return file.getvalue()
    make = pa.ipc.new_stream if kind == "arrow stream" else pa.ipc.new_file
    options = pa.ipc.IpcWriteOptions(compression="zstd" if kind == "arrow compressed" else None)
    if kind == "arrow compressed":
        table = table.set_column(1, "text", table["text"].dictionary_encode())
    with make(file, table.schema, options=options) as writer:
        writer.write_table(table, 2)
    return file.getvalue()


def fuzz(tmp_path: Path, kind: str, count: int) -> None:
    path = tmp_path / f"rows.{kind.split()[0]}"
    path.write_bytes(whole_file(kind))
    done = subprocess.run(
        [sys.executable, "-c", _JOB, str(path), "0", str(count)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    *seeds, last = done.stdout.splitlines()
    assert done.returncode == 0, f"seed {last}: {done.stderr[-2000:]}"
    outcomes = json.loads(last)
    assert len(seeds) == sum(outcomes.values()) == count
    assert set(outcomes) <= {
        *("rows", "failed rows", "SourceError", "EmptySourceError", "ColumnNotFoundError", "SplitNotFoundError")
    }
    tally("data files fuzzed", count)


@pytest.mark.parametrize("kind", KINDS)
def test_mutated_data_files(tmp_path: Path, kind: str) -> None:
    fuzz(tmp_path, kind, 400)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_many_mutated_data_files(tmp_path: Path, kind: str) -> None:
    fuzz(tmp_path, kind, 10_000)
