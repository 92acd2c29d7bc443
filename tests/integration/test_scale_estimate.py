"""`scale SOURCE --estimate`: a sample of every kind of source, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.onnx_models import wd14_folder
from tests.support.scale_runs import make_run
from tests.support.scale_sets import parquet_files, picture_folder, tar_files
from tests.support.scale_workers import planned
from wd14.config import CaptionConfig
from wd14.errors import ConfigError
from wd14.scale import estimate as estimating
from wd14.scale.estimate import Estimate, Range
from wd14.scale.looks import estimate_of
from wd14.scale.sampling import Sample, take_sample
from wd14.scored_rows import Ran
from wd14.stop import StopToken


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    wd14_folder(folder, tags=12, size=32)
    return folder


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimating, "_SHORTEST", 0.1)


def sampled(source: Path, rows: int) -> Sample:
    config = CaptionConfig()
    return take_sample(str(source), config, shard_rows=rows, log=lambda _: None, tick=lambda *_: None, stop=StopToken())


@pytest.mark.parametrize("make", [picture_folder, tar_files, parquet_files])
def test_a_sample_is_spread_over_the_source(make: Callable[[Path, int], Path], tmp_path: Path) -> None:
    source = make(tmp_path / "set", 2500)
    sample = sampled(source, 100)
    assert sample.shards > 10
    assert sample.sampled_shards == min(50, sample.shards)
    assert 150 <= len(sample.pictures) <= 250
    assert sample.rows == 2500
    keys = [row.key for row in sample.pictures]
    assert len(set(keys)) == len(keys)
    assert all(row.data for row in sample.pictures)


def test_lines_for_a_person(tmp_path: Path, model: Path) -> None:
    source = picture_folder(tmp_path / "set", 60)
    (source / "00000/bad.png").write_bytes(b"no picture")
    (source / "00000/gone.png").symlink_to("/nowhere/at/all.png")
    more: dict[str, Any] = {"workers": 2, "price": 1.5, "shard_rows": 20}
    more |= {"log": lambda _: None, "progress": lambda _: None, "stop": StopToken()}
    lines = list(estimate_of(str(source), {"custom_model": str(model)}, **more))
    assert lines[0] == "Sample: 62 pictures of set, from 4 of 4 shards; 2 of them cannot be read"
    assert lines[1].startswith("Decoding alone: ")
    assert " pictures/s on cpu." in lines[1]
    assert lines[2].startswith("A worker like this machine: ")
    assert lines[3].startswith("62 pictures on 2 workers: ")
    assert lines[4].startswith("Cost at 1.5 for a worker in an hour: ")
    assert lines[5].startswith("Not counted: reading ")
    # Of a run that is planned the same, with what it was planned with.
    planned(source, tmp_path / "out", rows=20, custom_model=str(model))
    assert next(estimate_of(str(tmp_path / "out"), {}, **more)) == lines[0]


def estimated(*, device: str, decoding: float, model: float, **more: Any) -> Estimate:
    values: dict[str, Any] = {
        "sample": Sample("set", 100, 3_600_000, 10**9),
        "rows": Range(3_600_000, 3_600_000, 3_600_000),
        "decoding": Range(decoding, decoding, decoding),
        "model": Range(model, model, model),
        "ran": Ran(device, "exact"),
        "threads": 8,
        "workers": 4,
        "price": 2.0,
    }
    return Estimate(**values | more)


def test_on_a_cpu_decoding_and_the_model_share_the_cores_and_on_a_gpu_they_do_not() -> None:
    on_cpu = estimated(device="cpu", decoding=100, model=100)
    assert on_cpu.rate.value == pytest.approx(50)
    assert on_cpu.hours.value == pytest.approx(5)
    assert on_cpu.hours.low < 5 < on_cpu.hours.high
    on_gpu = estimated(device="cuda", decoding=50, model=100)
    assert on_gpu.rate.value == pytest.approx(50)
    assert on_gpu.limit == "Decoding limits it: the GPU waits 50% of the time, more cores help."
    assert "a faster GPU helps" in estimated(device="cuda", decoding=200, model=100).limit
    assert "a GPU helps most" in estimated(device="cpu", decoding=200, model=10).limit


def test_pictures_of_an_archive_on_a_store_are_told_from_its_bytes(tmp_path: Path) -> None:
    for captions in (False, True):
        source = tar_files(tmp_path / f"set-{captions}", 400, of_a_tar=200, captions=captions)
        sample = replace(sampled(source, 100), rows=None)
        rows = estimating._rows_of(sample)
        assert rows.low <= 400 <= rows.high
        assert rows.high / rows.low < 6  # of pictures of 100 bytes; of 100 kB it is next to nothing


def test_an_unsure_sample_gives_wide_bounds() -> None:
    about = Range.about(100, 0.05)
    assert (about.low, about.value, about.high) == pytest.approx((100 / 1.1, 100, 110))
    wide = estimated(device="cuda", decoding=1000, model=100, rows=Range(1_800_000, 3_600_000, 7_200_000))
    assert wide.hours.low == pytest.approx(1.25 / 1.1)
    assert wide.hours.value == pytest.approx(2.5)
    assert wide.hours.high == pytest.approx(5 * 1.1)


def test_captions_from_stored_scores_are_not_estimated(tmp_path: Path) -> None:
    run = make_run(tmp_path / "out", [])
    run.output.manifest.write(replace(run.manifest, kind="stored").to_json().encode())
    with pytest.raises(ConfigError, match="no picture is read and no model runs"):
        sampled(tmp_path / "out", 10)
