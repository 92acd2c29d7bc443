"""Whole jobs in the classic host: queue, watch, stop, find the result; and every way to get it wrong."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support.classic_host import ClassicHost, opened_document
from tests.support.slow import slow_model

CONFIG: dict[str, Any] = {
    "dataset_name": "my-pics",
    "template_name": "first-task",
    "generation_model": "builtin/colours",
    "image_field": "image",
    "thresh": 0.35,
    "general_threshold": None,
    "character_threshold": 0.85,
    "caption_separator": ", ",
    "output_dataset_name": "",
}


@pytest.fixture
def host(tmp_path: Path) -> ClassicHost:
    return ClassicHost(tmp_path / "home")


def add_pictures(host: ClassicHost, number: int, name: str = "my-pics") -> Path:
    """A dataset as the page's drop zone leaves it: pictures and a metadata.jsonl that knows no image column."""
    folder = host.datasets / name
    folder.mkdir()
    colours = random.Random(number)
    with (folder / "metadata.jsonl").open("w", encoding="utf-8") as metadata:
        for index in range(number):
            colour = tuple(colours.randrange(256) for _ in range(3))
            Image.new("RGB", (40 + index % 7, 40), colour).save(folder / f"p{index:05}.png")
            metadata.write(json.dumps({"file_name": f"p{index:05}.png", "label": "", "split": "train"}) + "\n")
    host.register(folder)
    return folder


def fingerprint(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def python_path(folder: Path) -> dict[str, str]:
    """An environment in which a folder comes before all others on the path."""
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))}


def left_in_temp(host: ClassicHost) -> list[str]:
    return [path.name for path in (host.workspace / "temp").iterdir() if not path.name.startswith("plugin_input")]


def test_a_queued_job_ends_under_generated_datasets(host: ClassicHost, photos: Path) -> None:
    shutil.copytree(photos, host.datasets / "my-pics")
    host.register(host.datasets / "my-pics")
    before = fingerprint(host.datasets / "my-pics")
    done = host.run({**CONFIG, "output_dataset_name": "My Captions"})
    assert done.shown == "Success: captioned 5 of 5 pictures"
    assert (done.status, done.progress, done.returncode) == ("COMPLETE", 100, 0)
    assert done.data["dataset_id"] == "my-captions"
    assert host.generated() == ["my-captions"]
    captions = host.captions("my-captions")
    assert sorted(captions) == ["astronaut.png", "camera.png", "china.jpg", "coffee.png", "rocket.jpg"]
    assert all(captions.values())
    index = json.loads((host.datasets / "my-captions" / "index.json").read_text("utf-8"))
    assert index["location"] == "local"
    assert index["json_data"]["sample_count"] == 5
    assert done.data["generator"] == "colours, general 0.35"
    last = done.output.splitlines()[-4:]
    assert last[0] == "\x1b[1;32mResult: the dataset my-captions (Datasets > Generated Datasets)\x1b[0m"
    assert "set Caption Column to caption" in last[1]
    assert {"start_time", "end_time", "template_name"} <= set(done.data)
    for words in ("Dataset: my-pics, 5 pictures", "Model: builtin/colours", "on cpu", "Captioned 5 of 5 pictures"):
        assert words in done.output
    assert fingerprint(host.datasets / "my-pics") == before
    assert left_in_temp(host) == []


def test_view_output_ends_with_a_link_that_opens_the_review_page(host: ClassicHost) -> None:
    """The page is one file: from there it does not reach the dataset's pictures."""
    add_pictures(host, 3)
    done = host.run(CONFIG)
    page = opened_document(host.workspace, done.output.splitlines()[-1])
    data = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
    assert [base64.b64decode(each)[8:12] for each in data["thumbnails"]["inline"]] == [b"WEBP"] * 3
    assert data["dataset"]["folder"] == ""


def test_a_server_that_reads_the_output_no_longer_costs_no_job(host: ClassicHost) -> None:
    add_pictures(host, 3)
    job = host.queue(CONFIG, stdout=Path("/dev/full"))
    assert job.wait().shown == "Success: captioned 3 of 3 pictures"
    assert host.generated() == ["my-pics_captions"]


def test_names_that_are_taken_are_left_alone(host: ClassicHost) -> None:
    source = add_pictures(host, 3)
    assert host.run(CONFIG).data["dataset_id"] == "my-pics_captions"
    first = fingerprint(host.datasets / "my-pics_captions")
    for wanted, got in [("", "my-pics_captions-2"), ("My  Pics!", "my-pics-2"), ("../my-pics", "my-pics-3")]:
        before = fingerprint(source)
        done = host.run({**CONFIG, "output_dataset_name": wanted})
        assert done.shown == "Success: captioned 3 of 3 pictures"
        assert done.data["dataset_id"] == got
        assert fingerprint(source) == before
    assert fingerprint(host.datasets / "my-pics_captions") == first
    assert host.generated() == ["my-pics-2", "my-pics-3", "my-pics_captions", "my-pics_captions-2"]


def test_a_bad_picture_fails_alone(host: ClassicHost) -> None:
    source = add_pictures(host, 4)
    (source / "p00002.png").write_bytes(b"<html>not a picture</html>")
    done = host.run(CONFIG)
    assert done.shown == "Success: captioned 3 of 4 pictures, 1 failed"
    assert "line 3" in done.output  # of metadata.jsonl
    assert done.output.count("a web page, not an image") == 1
    assert sorted(host.captions("my-pics_captions")) == ["p00000.png", "p00001.png", "p00003.png"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"dataset_name": ""}, "No dataset is chosen"),
        ({"dataset_name": "gone"}, "no dataset 'gone' (deleted or renamed?); there are: empty, my-pics"),
        ({"dataset_name": "empty"}, "empty holds no picture"),
        ({"image_field": "picture"}, "Image Field (image_field) is 'picture'"),
        ({"output_dataset_name": "日本"}, "Output Dataset Name (output_dataset_name) is '日本'; allowed"),
        ({"thresh": 7}, "Tag Confidence Threshold (thresh) is 7; allowed: a number from 0 to 1"),
    ],
    ids=lambda value: json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else "",
)
def test_the_executions_tab_tells_why_a_job_failed(host: ClassicHost, change: dict[str, Any], reason: str) -> None:
    source = add_pictures(host, 1)
    (host.datasets / "empty").mkdir()
    host.register(host.datasets / "empty")
    before = fingerprint(source)
    done = host.run({**CONFIG, **change})
    assert done.shown.startswith("Failure: ")
    assert reason in done.shown
    assert done.output.count(done.shown.removeprefix("Failure: ")) == 1
    assert done.returncode == 1
    assert "Traceback" not in done.output
    assert "end_time" in done.data
    assert host.generated() == []
    assert fingerprint(source) == before
    assert left_in_temp(host) == []


def test_values_of_other_forms_and_nones_do_no_harm(host: ClassicHost) -> None:
    add_pictures(host, 2)
    leaked = {
        "mode": "x",
        "model": "y",
        "exp": "1",
        "batch_size": None,
        "tag_order": "",
        "in_place": True,
        "caption_files": "True",
        "section_how_it_runs": None,
        "generation_type": "scratch",
        "note": "--x",
    }
    done = host.run({**CONFIG, **leaked})
    assert done.shown == "Success: captioned 2 of 2 pictures"
    assert not list(host.datasets.rglob("*.txt"))
    for title in ("In Place", "Caption Files"):
        assert done.output.count(f"{title} is left at its default here: ") == 1


def test_a_dataset_of_the_hub_is_handed_on_by_its_id(host: ClassicHost) -> None:
    folder = host.datasets / "someone_pictures"
    folder.mkdir()
    host.register(folder, dataset_id="someone/pictures", location="huggingface")
    done = host.run({**CONFIG, "dataset_name": "someone/pictures"}, env={"HF_HUB_OFFLINE": "1"})
    assert done.shown.startswith("Failure: ")
    assert "someone/pictures" in done.shown
    assert "no dataset" not in done.shown


def test_stop_is_obeyed_and_the_scores_are_kept(host: ClassicHost, tmp_path: Path) -> None:
    add_pictures(host, 160)
    slow = {**CONFIG, "generation_model": str(slow_model(tmp_path / "slow", 3)), "batch_size": 1}
    job = host.queue(slow)
    job.wait_for_progress()
    running = json.loads(job.record.read_text("utf-8"))["job_data"]
    job.stop()
    pressed = time.monotonic()
    done = job.wait()
    assert time.monotonic() - pressed < 4  # 2 s for the job, and what the interpreter takes to end on a busy machine
    assert done.shown == "Stopped"
    assert done.data["completion_details"].startswith("Stopped after ")
    assert "pictures" in running["generator"]
    assert done.data["generator"].endswith(" of 160 pictures")
    assert host.generated() == []
    assert left_in_temp(host) == []
    again = host.run(slow)
    assert again.shown == "Success: captioned 160 of 160 pictures"
    kept = int(again.output.partition(" from stored scores")[0].rpartition("(")[2])
    assert kept > 0


def test_stop_pressed_in_the_queue_is_obeyed_before_anything_is_read(host: ClassicHost) -> None:
    add_pictures(host, 1)
    job = host.queue(CONFIG)
    job.stop()
    done = job.wait()
    assert done.shown == "Stopped"
    assert "Dataset:" not in done.output


def test_a_record_that_was_wiped_is_restored(host: ClassicHost, tmp_path: Path) -> None:
    add_pictures(host, 50)
    config = {**CONFIG, "generation_model": str(slow_model(tmp_path / "slow", 3)), "batch_size": 1}
    job = host.queue(config)
    job.wait_for("Model: ")
    job.record.write_text('{"progress": 3}', "utf-8")  # as two writers at once leave it
    done = job.wait()
    assert done.shown == "Success: captioned 50 of 50 pictures"
    assert done.data["config"] == config
    assert json.loads(job.record.read_text("utf-8"))["type"] == "GENERATE"


def test_a_module_of_the_same_name_in_the_host_is_not_taken_for_ours(host: ClassicHost) -> None:
    add_pictures(host, 1)
    others = host.home / "elsewhere" / "wd14"
    others.mkdir(parents=True)
    (others / "__init__.py").write_text("raise RuntimeError('the wrong wd14')\n")
    done = host.run(CONFIG, env=python_path(others.parent))
    assert done.shown == "Success: captioned 1 of 1 picture"


def test_a_missing_package_is_named(host: ClassicHost) -> None:
    add_pictures(host, 1)
    broken = host.home / "elsewhere"
    (broken / "pydantic").mkdir(parents=True)
    (broken / "pydantic" / "__init__.py").write_text("raise ImportError(\"No module named 'pydantic'\")\n")
    done = host.run(CONFIG, env=python_path(broken))
    assert "pydantic" in done.shown
    assert "install the plugin again" in done.shown
    assert done.shown.removeprefix("Failure: ") in done.output


def test_output_is_plain_whatever_the_locale(host: ClassicHost) -> None:
    source = add_pictures(host, 1)
    (source / "metadata.jsonl").unlink()
    (source / "p00000.png").rename(source / "Ünï 日本 \N{RIGHT-TO-LEFT OVERRIDE}.png")
    (source / "böse.png").write_bytes(b"no picture")
    done = host.run(CONFIG, env={"PYTHONIOENCODING": "ascii"})
    assert done.shown == "Success: captioned 1 of 2 pictures, 1 failed"
    assert "b\\xf6se.png" in done.output
