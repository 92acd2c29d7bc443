"""Whole jobs on datasets and models that are broken at random: rows or a clear error, and a process that lives."""

from __future__ import annotations

import io
import json
import random
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.faults import Faults, Outcome, small_model
from tests.support.mutate import flip, mutate
from tests.support.picture_files import FAMILIES, broken, originals
from tests.support.tally import tally, tally_most

#: As in `test_limits`.
MOST_MEGABYTES = 2500
SAFETY = "import resource; resource.setrlimit(resource.RLIMIT_DATA, (4 << 30, 4 << 30))"

EXTENSIONS = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp", "TIFF": ".tif"}


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faults]:
    with Faults(tmp_path_factory.mktemp("runs")) as server:
        yield server


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_model(tmp_path_factory.mktemp("model"))


def run(faults: Faults, source: Path, model: Path, output: Path, *words: str) -> Outcome:
    """Runs a job; however it ends, it ends as it should."""
    options = ("--output", output, "--custom-model", model, "--cache-folder", output.parent / "cache")
    done = faults.run("caption", source, *options, "--append-tags", "--keep-columns", *words, setup=SAFETY)
    assert done.status in (0, 1, 2), done.said[-3000:]
    assert "Traceback" not in done.said, done.said[-3000:]
    assert "flaw in the program" not in done.said, done.said[-3000:]
    assert done.status == 0 or done.err, "a reason is given"
    assert done.megabytes < MOST_MEGABYTES
    tally_most("memory of a job on broken files, in MB", round(done.megabytes))
    return done


def broken_pictures(faults: Faults, model: Path, folder: Path, seeds: range) -> None:
    """One folder of broken pictures with broken captions beside them: every one has its row in the report."""
    source = folder / "source"
    source.mkdir(parents=True)
    for seed in seeds:
        family = FAMILIES[seed % len(FAMILIES)]
        name = f"{seed:06}{EXTENSIONS.get(family, '.png')}"
        (source / name).write_bytes(broken(family, seed))
        dice = random.Random(seed)
        text = mutate("my words, größer, 長い髪".encode(), dice, [b"\xff\xfeA\0", b"\n\r\0"])
        (source / name).with_suffix(".txt").write_bytes(text)
    run(faults, source, model, folder / "out", "--max-megapixels", "4")
    rows = json.loads((folder / "out" / ".wd14" / "report.json").read_text("utf-8"))["rows"]
    assert len(rows) == len(seeds)
    assert all(row["status"] in ("captioned", "captioned-from-scores") or row["reason"] for row in rows)
    tally("broken files in whole jobs", 2 * len(seeds))


def _whole_tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for number, data in enumerate(originals("JPEG")):
            for ending, part in (("jpg", data), ("json", b'{"artist": "me", "n": [1, {"x": 2}]}'), ("txt", b"a, b")):
                member = tarfile.TarInfo(f"{number}.{ending}")
                member.size = len(part)
                archive.addfile(member, io.BytesIO(part))
    return file.getvalue()


def _whole_zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, data in enumerate(originals("PNG")):
            archive.writestr(f"set/{number}.png", data)
            archive.writestr(f"set/{number}.txt", "a, b")
    return file.getvalue()


def _whole_metadata() -> bytes:
    lines = [{"file_name": f"{number}.png", "text": "a, b", "n": [1, {"x": 2.5}]} for number in range(3)]
    return "\n".join(map(json.dumps, lines)).encode()


def _whole_csv() -> bytes:
    return b'file_name,text,n\n0.png,"a, b",1\n1.png,c,2\n2.png,"d ""e""",x\n'


def _whole_parquet() -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = io.BytesIO()
    rows = [{"bytes": data, "path": f"{number}.png"} for number, data in enumerate(originals("PNG"))]
    pq.write_table(pa.table({"image": rows, "text": [f"a {number}" for number in range(len(rows))]}), file)
    return file.getvalue()


WHOLE: dict[str, Callable[[], bytes]] = {
    "a.tar": _whole_tar,
    "a.zip": _whole_zip,
    "a.parquet": _whole_parquet,
    "metadata.jsonl": _whole_metadata,
    "metadata.csv": _whole_csv,
}


def broken_files(faults: Faults, model: Path, folder: Path, name: str, seeds: range) -> None:
    """A job on each of many broken versions of a file."""
    source = folder / "source"
    source.mkdir()
    for number, data in enumerate(originals("PNG")[:3]):
        if name.startswith("metadata"):
            (source / f"{number}.png").write_bytes(data)
    whole = WHOLE[name]()
    captioned = 0
    for seed in seeds:
        dice = random.Random(f"{name} {seed}")
        (source / name).write_bytes(flip(whole, dice) if seed % 2 else mutate(whole, dice, [whole]))
        captioned += run(faults, source, model, folder / "out" / str(seed)).status == 0
    assert captioned > len(seeds) / 10, "broken so that nothing can be read tries nothing"
    tally("broken files in whole jobs", len(seeds))


def broken_models(faults: Faults, model: Path, folder: Path, seeds: range) -> None:
    """A job with each of many broken models and label files."""
    source, place = folder / "source", folder / "model"
    for each in (source, place):
        each.mkdir()
    (source / "a.png").write_bytes(originals("PNG")[0])
    for seed in seeds:
        for file in model.iterdir():
            data = file.read_bytes()
            dice = random.Random(f"{file.name} {seed}")
            (place / file.name).write_bytes(mutate(data, dice, [data]) if dice.random() < 0.6 else data)
        run(faults, source, place, folder / "out" / str(seed))
    tally("broken models in whole jobs", len(seeds))


def test_broken_pictures_and_captions(faults: Faults, model: Path, tmp_path: Path) -> None:
    broken_pictures(faults, model, tmp_path, range(300))


@pytest.mark.parametrize("name", WHOLE)
def test_broken_archives_and_tables(faults: Faults, model: Path, tmp_path: Path, name: str) -> None:
    broken_files(faults, model, tmp_path, name, range(15))


def test_broken_models(faults: Faults, model: Path, tmp_path: Path) -> None:
    broken_models(faults, model, tmp_path, range(20))


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_twenty_thousand_broken_files(faults: Faults, model: Path, tmp_path: Path) -> None:
    for first in range(0, 10_000, 1000):
        broken_pictures(faults, model, tmp_path / str(first), range(first, first + 1000))


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", WHOLE)
def test_many_broken_archives_and_tables(faults: Faults, model: Path, tmp_path: Path, name: str) -> None:
    broken_files(faults, model, tmp_path, name, range(100, 500))


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_many_broken_models(faults: Faults, model: Path, tmp_path: Path) -> None:
    broken_models(faults, model, tmp_path, range(100, 600))
