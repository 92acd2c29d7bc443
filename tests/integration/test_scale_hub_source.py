"""Datasets of the hub in shards: read by the real client from a local server, they have the rows of their own files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.dataset_hub import COMMIT, DatasetHub, dataset_hub, environment_of
from tests.support.scale_sets import parquet_files, picture_folder, tar_files

#: The client reads its endpoint when it is imported, so that each job is a process of its own.
_JOB = """
import hashlib, json, sys
from wd14.config import CaptionConfig
from wd14.data.cutting import list_source, open_shard
from wd14.errors import CaptionerError
from wd14.images.reading import read_picture
from wd14.process import run_to_its_end
from wd14.stop import StopToken
def read():
    result = {"log": [], "sources": []}
    config = CaptionConfig.from_values(json.loads(sys.argv[1]))
    try:
        for source in sys.argv[2:]:
            listing = list_source(source, config, log=result["log"].append)
            rows = []
            for shard in listing.shards(config, 10):
                with open_shard(
                    listing.place, listing.kind, shard, config, columns=listing.columns, log=print, stop=StopToken()
                ) as opened:
                    rows += [[row.key, hashlib.sha256(read_picture(row)).hexdigest()] for row in opened]
            result["sources"].append({"place": str(listing.place), "name": listing.name, "rows": rows})
    except CaptionerError as error:
        result |= {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(result))
run_to_its_end(read)
"""


def job(hub: DatasetHub, tmp_path: Path, *sources: str, settings: dict[str, Any], **more: str) -> dict[str, Any]:
    environment = environment_of(hub, tmp_path) | more
    command = [sys.executable, "-c", _JOB, json.dumps(settings), *sources]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_datasets_of_the_hub_have_the_rows_of_their_files(tmp_path: Path) -> None:
    folders = {"pictures": picture_folder(tmp_path / "pictures", 25, of_a_folder=10)}
    folders["tars"] = tar_files(tmp_path / "tars", 22, of_a_tar=10)
    folders["tables"] = parquet_files(tmp_path / "tables", 45, of_a_file=30, of_a_group=7)
    with dataset_hub({f"me/{name}": files_of(folder) for name, folder in folders.items()}) as hub:
        here = [str(folder) for folder in folders.values()]
        there = ["me/pictures", "me/tars", "hf://datasets/me/tables@main"]
        result = job(hub, tmp_path, *there, *here, settings={})
        assert "error" not in result
        found, expected = result["sources"][:3], result["sources"][3:]
        assert [each["rows"] for each in found] == [each["rows"] for each in expected]
        assert [len(each["rows"]) for each in found] == [25, 22, 45]
        assert [each["place"] for each in found] == [f"hf://datasets/me/{name}@{COMMIT}" for name in folders]
        assert [each["name"] for each in found] == list(folders)


def test_a_configuration_and_a_split_mean_their_own_files(tmp_path: Path) -> None:
    folder = tmp_path / "source"
    parquet_files(folder / "one", 5)
    parquet_files(folder / "two" / "a", 6, first=100)
    parquet_files(folder / "two" / "b", 7, first=200)
    card = "---\nconfigs:\n- config_name: one\n  data_files: one/*.parquet\n- config_name: two\n  data_files:\n"
    card += "  - {split: train, path: two/a/*.parquet}\n  - {split: test, path: two/b/*.parquet}\n---\n"
    (folder / "README.md").write_text(card)
    with dataset_hub({"me/configured": files_of(folder)}) as hub:
        result = job(hub, tmp_path, "me/configured:one", "me/configured:two", settings={})
        assert [len(each["rows"]) for each in result["sources"]] == [5, 6]
        assert result["sources"][1]["rows"][0][0].startswith("two/a/")
        result = job(hub, tmp_path, "me/configured:two", settings={"split": "test"})
        assert [len(each["rows"]) for each in result["sources"]] == [7]
        wrong = job(hub, tmp_path, "me/configured:three", settings={})["error"]
        assert "configuration three of the hub's dataset me/configured cannot be read" in wrong


@pytest.mark.parametrize(
    ("source", "more", "words"),
    [
        ("me/nothing", {}, "is not there, or is private: then set HF_TOKEN"),
        ("me/nothing", {"HF_HUB_OFFLINE": "1"}, "set to work offline (HF_HUB_OFFLINE): download it"),
        ("me/nothing", {"HF_ENDPOINT": "http://127.0.0.1:9"}, "could not be reached"),
        ("hf://me/nothing", {}, "expected OWNER/NAME or hf://datasets/OWNER/NAME"),
    ],
)
def test_what_the_hub_does_not_have_is_said(tmp_path: Path, source: str, more: dict[str, str], words: str) -> None:
    with dataset_hub({}) as hub:
        assert words in job(hub, tmp_path, source, settings={}, **more)["error"]
