"""The rows of a shard as a file: everything comes back, and damage is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from wd14.errors import ScaleError
from wd14.places import Place
from wd14.scale import shard_file
from wd14.scale.hashed_file import HashedFile
from wd14.scale.shard_file import RowRecord, ShardFile, ShardFileWriter, read_shard, schema, stored_names
from wd14.types import Labels

LABELS = Labels(("general", "solo", "solo", "smile \ud800", "été"), ("rating", *["general"] * 4))


def write(path: Path, rows: list[RowRecord], labels: Labels = LABELS) -> HashedFile:
    with HashedFile(path) as file:
        columns = schema(manifest="abc", shard=3, with_columns=True, with_existing=True)
        writer = ShardFileWriter(file, stored_names(labels), columns)
        for row in rows:
            writer.add(row)
        writer.close()
    return file


def rows(number: int) -> list[RowRecord]:
    """Rows with all that a row may have, and with nothing of it, in turns."""
    full = {
        "size": 4,
        "width": 5,
        "height": 6,
        "caption": "solo, été",
        "tags": ("solo", "été"),
        "sharpness": 2.5,
        "thumbnail": bytes(256),
        "columns": '{"a": 1}',
        "existing": "there",
    }
    scores = np.array([0, 2, 4], np.int32), np.array([0.5, 0.25, 1.0], np.float32)
    return [
        RowRecord(f"{each}.png", "captioned", sha256="ab" * 32, scores=scores, **full)  # type: ignore[arg-type]
        if each % 2
        else RowRecord(f"{each}.png", "failed", reason="it is cut short")
        for each in range(number)
    ]


def test_rows_come_back_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_file, "_GROUP_ROWS", 3)
    made = rows(8)
    write(tmp_path / "a", made)
    with ShardFile(Place(tmp_path / "a"), LABELS) as file:
        assert (file.manifest, file.shard, file.rows) == ("abc", 3, 8)
        found = list(file)
    for row, expected in zip(found, made, strict=True):
        for name in RowRecord.__dataclass_fields__.keys() - {"scores"}:
            assert getattr(row, name) == getattr(expected, name)
        assert row.dense(5).tolist() == expected.dense(5).tolist()
        assert (row.scores is None) == (expected.scores is None)
    some = list(read_shard(Place(tmp_path / "a"), LABELS, ["caption"]))
    assert [row.caption for row in some] == [row.caption for row in made]
    assert all(row.scores is None for row in some)


def test_what_utf8_cannot_hold_is_written_as_a_question_mark(tmp_path: Path) -> None:
    write(tmp_path / "a", [RowRecord("\udcff.png", "captioned", caption="x", tags=("\ud800",), columns="\ud800")])
    (row,) = read_shard(Place(tmp_path / "a"), LABELS)
    assert (row.id, row.tags, row.columns) == ("?.png", ("?",), "?")


def test_the_file_knows_its_own_hash(tmp_path: Path) -> None:
    import hashlib

    file = write(tmp_path / "a", rows(5))
    data = (tmp_path / "a").read_bytes()
    assert (file.sha256, file.size) == (hashlib.sha256(data).hexdigest(), len(data))


def test_a_damaged_or_foreign_file_is_told(tmp_path: Path) -> None:
    write(tmp_path / "a", rows(50))
    data = (tmp_path / "a").read_bytes()
    cases = {"short": data[:-30], "text": b"hello", "flipped": data[:200] + b"\xff" * 60 + data[260:]}
    for name, damaged in cases.items():
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(ScaleError, match="is no shard of a run, or is damaged"):
            list(read_shard(Place(tmp_path / name), LABELS))
    with pytest.raises(ScaleError, match="the model has no tag"):
        list(read_shard(Place(tmp_path / "a"), Labels(("general",), ("rating",))))
