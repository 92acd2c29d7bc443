"""The worker of `scale`: what it writes is what `caption` would, the same bytes whoever makes them, or nothing."""

from __future__ import annotations

import errno
import json
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.support.onnx_models import wd14_folder
from tests.support.scale_workers import done, planned
from wd14 import CaptionConfig, caption_dataset
from wd14.model.files.find import find_model
from wd14.places import Place
from wd14.scale.attempts import Attempts
from wd14.scale.hashed_file import HashedFile
from wd14.scale.output import Output
from wd14.scale.shard_file import read_shard
from wd14.scale.worker import Worker
from wd14.threads import limit_cores

PICTURES = 24


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tagger of forty tags."""
    folder = tmp_path_factory.mktemp("model")
    wd14_folder(folder, tags=40, size=32)
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures with captions and another column; one is no picture, one is cut short, two are the same."""
    folder = tmp_path_factory.mktemp("set")
    lines = []
    for number in range(PICTURES):
        name = f"{number:02d}.{'png' if number % 3 else 'jpg'}"
        Image.new("RGB", (40 + number, 30), (number * 10, 255 - number * 10, 120)).save(folder / name)
        lines.append(json.dumps({"file_name": name, "text": f"tag_{number}, seen", "ours": {"row": number, "é": [1]}}))
    (folder / "07.png").write_bytes(b"no picture")
    (folder / "09.jpg").write_bytes((folder / "12.jpg").read_bytes()[:300])
    (folder / "11.png").write_bytes((folder / "10.png").read_bytes())
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def _all_cores() -> Iterator[None]:
    yield
    limit_cores(None)


@pytest.mark.parametrize(
    "parameters",
    [
        {"thresh": 0.2, "remove_underscore": True, "rating": "first"},
        {"caption_style": "animagine", "append_tags": True, "keep_columns": True},
        {"threshold_mode": "mcut", "trigger_words": "mine", "max_tokens": 20, "tag_order": "score"},
    ],
)
def test_the_captions_are_those_of_a_job(
    model: Path, pictures: Path, tmp_path: Path, parameters: dict[str, Any]
) -> None:
    parameters = {"custom_model": str(model), **parameters}
    done(*planned(pictures, tmp_path / "out", rows=10, **parameters))
    caption_dataset(pictures, CaptionConfig.from_values(parameters | {"cache": False}), output=tmp_path / "set")
    lines = (tmp_path / "set" / "train" / "metadata.jsonl").read_text("utf-8").splitlines()
    expected = {line["file_name"]: line for line in map(json.loads, lines)}
    rows = pq.read_table(tmp_path / "out" / "shards").to_pylist()
    assert {row["id"]: row["caption"] for row in rows if row["status"] == "captioned"} == {
        name: line["caption"] for name, line in expected.items()
    }
    assert [row["id"] for row in rows] == sorted(path.name for path in pictures.iterdir() if path.suffix != ".jsonl")
    if "keep_columns" in parameters:
        assert json.loads(rows[3]["columns"]) == {"text": "tag_3, seen", "ours": {"row": 3, "é": [1]}}
        assert rows[3]["existing"] == "tag_3, seen"


def test_rows_say_what_is_known_of_them(model: Path, pictures: Path, tmp_path: Path) -> None:
    task, shards = planned(pictures, tmp_path / "out", rows=100, custom_model=str(model))
    (marker,) = done(task, shards)
    assert (marker.rows, marker.captioned, marker.failed) == (24, 22, 2)
    assert marker.reasons == {"no picture": 1, "damaged": 1}
    assert [name for name, _ in marker.failures] == ["07.png", "09.jpg"]
    assert (marker.first, marker.last) == ("00.jpg", "23.png")
    labels = find_model(str(model)).labels
    rows = {row.id: row for row in read_shard(Place(tmp_path / "out/shards/00000.parquet"), labels)}
    good, bad = rows["05.png"], rows["07.png"]
    assert (good.width, good.height, good.size) == (45, 30, (pictures / "05.png").stat().st_size)
    assert good.sharpness is not None
    assert len(good.thumbnail or b"") == 256
    ratings = good.dense(len(labels))[:4]
    assert (ratings > 0).all()
    assert rows["10.png"].scores is not None
    assert rows["11.png"].scores is not None
    assert np.array_equal(rows["10.png"].scores[1], rows["11.png"].scores[1])
    assert (bad.status, bad.caption, bad.tags, bad.scores, bad.size) == ("failed", None, None, None, 10)
    assert "not an image" in (bad.reason or "")


def test_the_bytes_are_the_same_whoever_makes_them(model: Path, pictures: Path, tmp_path: Path) -> None:
    parameters = {"custom_model": str(model), "keep_columns": True}
    ways: dict[str, dict[str, Any]] = {"a": {}, "b": {"cores": 1, "backwards": True}}
    for name, more in ways.items():
        task, shards = planned(pictures, tmp_path / name, rows=5, form="webdataset", **parameters)
        done(task, shards, **more)
    paths = sorted([*(tmp_path / "a/shards").iterdir(), *(tmp_path / "a/summaries").iterdir()])
    files = [path.relative_to(tmp_path / "a") for path in paths]
    assert len(files) == 3 * shards
    assert [(tmp_path / "a" / file).read_bytes() for file in files] == [
        (tmp_path / "b" / file).read_bytes() for file in files
    ]


def test_datasets_loads_rows_and_archives(model: Path, pictures: Path, tmp_path: Path) -> None:
    import datasets

    task, shards = planned(pictures, tmp_path / "out", rows=10, form="webdataset", custom_model=str(model))
    done(task, shards)
    rows = datasets.load_dataset(
        "parquet", data_files=f"{tmp_path}/out/shards/*.parquet", split="train", cache_dir=str(tmp_path / "cache")
    )
    assert len(rows) == PICTURES
    # `datasets` wants pictures of one format: those of the archive are sorted out first.
    with tarfile.open(tmp_path / "out/shards/00001.tar") as archive:
        members = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
    assert list(members)[:3] == ["00001-000000.png", "00001-000000.json", "00001-000000.txt"]
    assert members["00001-000000.png"] == (pictures / "10.png").read_bytes()
    assert json.loads(members["00001-000000.json"])["id"] == "10.png"

    only = tmp_path / "only"
    only.mkdir()
    for number in range(1, 6):
        Image.new("RGB", (30, 40), (number * 40, 0, 90)).save(only / f"{number}.png")
    done(*planned(only, tmp_path / "tars", rows=3, form="webdataset", custom_model=str(model)))
    loaded = datasets.load_dataset(
        "webdataset", data_files=f"{tmp_path}/tars/shards/*.tar", split="train", cache_dir=str(tmp_path / "cache")
    )
    assert [row["png"].size for row in loaded] == [(30, 40)] * 5
    assert all(row["txt"] for row in loaded)


def test_what_is_done_is_not_done_again(model: Path, pictures: Path, tmp_path: Path) -> None:
    task, shards = planned(pictures, tmp_path / "out", rows=100, custom_model=str(model))
    (first,) = done(task, shards)
    (tmp_path / "out/shards/00000.parquet").unlink()
    assert done(task, shards) == [first]
    assert not (tmp_path / "out/shards/00000.parquet").exists()


def test_a_failed_row_ends_the_run_where_that_is_wanted(model: Path, pictures: Path, tmp_path: Path) -> None:
    task, _ = planned(pictures, tmp_path / "out", rows=100, custom_model=str(model), on_error="stop")
    outcome = Worker(task)(0)
    assert outcome.fatal is not None
    assert "07.png (metadata.jsonl line 8): not an image" in outcome.fatal
    assert _written(tmp_path / "out") == []


def _written(output: Path) -> list[str]:
    """Files that the worker wrote."""
    folders = ("shards", "done", "attempts")
    return sorted(str(path.relative_to(output)) for name in folders for path in (output / name).rglob("*.*"))


def test_a_full_disk_is_fatal_and_leaves_nothing_half(
    model: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, _ = planned(pictures, tmp_path / "out", rows=100, form="webdataset", custom_model=str(model))
    worker, write = Worker(task), HashedFile.write

    def full(self: HashedFile, data: bytes) -> int:
        if self.size > 5000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, data)

    with monkeypatch.context() as patch:
        patch.setattr(HashedFile, "write", full)
        outcome = worker(0)
    assert outcome.fatal is not None
    assert "No space left on device" in outcome.fatal
    assert _written(tmp_path / "out") == []
    assert worker(0).marker is not None
    assert _written(tmp_path / "out") == ["done/00000.json", "shards/00000.parquet", "shards/00000.tar"]


def test_a_shard_that_fails_twice_is_set_aside_until_the_next_run(model: Path, pictures: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for path in pictures.glob("0*.*"):
        (source / path.name).write_bytes(path.read_bytes())
    task, _ = planned(source, tmp_path / "out", rows=3, custom_model=str(model))
    (source / "04.png").unlink()
    worker = Worker(task)
    assert "04.png" in (worker(1).set_aside or "")
    assert worker(0).marker is not None
    assert len(list((tmp_path / "out/attempts/a-start").iterdir())) == 2
    (source / "04.png").write_bytes((pictures / "04.png").read_bytes())
    assert Worker(replace(task, start="another"))(1).set_aside is not None  # it is another file, by its time


def test_a_shard_that_fails_once_is_done_by_the_second_attempt(
    model: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, _ = planned(pictures, tmp_path / "out", rows=100, custom_model=str(model))
    write, failures = HashedFile.write, [OSError(errno.EIO, "Input/output error")]

    def flaky(self: HashedFile, data: bytes) -> int:
        if failures:
            raise failures.pop()
        return write(self, data)

    monkeypatch.setattr(HashedFile, "write", flaky)
    outcome = Worker(task)(0)
    assert not failures
    assert outcome.marker is not None
    assert outcome.marker.rows == PICTURES
    assert _written(tmp_path / "out") == ["done/00000.json", "shards/00000.parquet"]


def test_an_attempt_that_was_killed_counts(
    model: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, _ = planned(pictures, tmp_path / "out", rows=100, custom_model=str(model))
    begun = []
    with monkeypatch.context() as patch:
        patch.setattr(Worker, "_files_of", lambda worker, shard: begun.append(_written(tmp_path / "out")))
        Worker(task)(0)
    assert begun[0] == ["attempts/a-start/00000-1.json"]  # noted before anything can kill it
    shutil.rmtree(tmp_path / "out/attempts")
    for _ in range(2):
        Attempts(Output(Place(tmp_path / "out")), task.start, 0).begin()
    assert "killed" in (Worker(task)(0).set_aside or "")
    assert Worker(replace(task, start="another"))(0).marker is not None


def test_another_model_than_the_planned_one_is_fatal(model: Path, pictures: Path, tmp_path: Path) -> None:
    task, _ = planned(pictures, tmp_path / "out", rows=100, custom_model=str(model))
    wd14_folder(tmp_path / "other", tags=30, size=32)
    outcome = Worker(replace(task, parameters={"custom_model": str(tmp_path / "other")}))(0)
    assert "another model" in (outcome.fatal or "")
    assert _written(tmp_path / "out") == []
