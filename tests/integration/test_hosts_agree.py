"""The same options give the same captions in a shell, as a plugin, and as a task."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.support.classic_host import ROOT, ClassicHost

#: Options of every kind, as a form or a task.yaml sends them: numbers, texts with blanks, switches, lists.
OPTIONS: dict[str, Any] = {
    "generation_model": "builtin/colours",
    "thresh": 0.3,
    "general_threshold": 0.4,
    "caption_separator": " | ",
    "image_size": 512,
    "undesired_tags": "simple background, *_palette",
    "trigger_words": "my style",
    "tag_order": "score",
    "remove_underscore": True,
    "rating": "last",
    "cache": False,
}


def shell(photos: Path, folder: Path) -> list[str]:
    command = [sys.executable, str(ROOT / "main.py"), "caption", str(photos), "--output", str(folder / "out")]
    for key, value in OPTIONS.items():
        option = key.replace("_", "-")
        if isinstance(value, bool):
            command.append(f"--{option}" if value else f"--no-{option}")
        else:
            command += [f"--{option}", str(value)]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    return (folder / "out" / "train" / "metadata.jsonl").read_text("utf-8").splitlines()


def plugin(photos: Path, folder: Path, *, strings: bool) -> list[str]:
    host = ClassicHost(folder / "classic")
    shutil.copytree(photos, host.datasets / "pics")
    host.register(host.datasets / "pics")
    extra = {"input_file": "no-such-file"} if strings else {}
    done = host.run({**OPTIONS, "dataset_name": "pics", "output_dataset_name": "out"}, **extra)
    assert done.shown.startswith("Success: "), done.output
    return (host.datasets / "out" / "train" / "metadata.jsonl").read_text("utf-8").splitlines()


def task(photos: Path, folder: Path) -> list[str]:
    home = folder / "lab"
    job = {"id": "7", "experiment_id": "alpha", "status": "LAUNCHING", "type": "REMOTE", "progress": 0}
    job["job_data"] = {"parameters": {**OPTIONS, "dataset_name": str(photos)}}
    workspace = home / "workspace"
    # Where a job lies has changed from one SDK to the next.
    for place in (workspace / "jobs" / "7", workspace / "experiments" / "alpha" / "jobs" / "7"):
        place.mkdir(parents=True)
        (place / "index.json").write_text(json.dumps(job))
    (workspace / "experiments" / "alpha" / "index.json").write_text(json.dumps({"id": "alpha", "name": "alpha"}))
    env = {**os.environ, "TFL_HOME_DIR": str(home), "_TFL_JOB_ID": "7", "_TFL_EXPERIMENT_ID": "alpha"}
    subprocess.run(
        [sys.executable, str(ROOT / "main.py"), "--task"], check=True, capture_output=True, env=env, cwd=home
    )
    (metadata,) = workspace.rglob("metadata.jsonl")
    return metadata.read_text("utf-8").splitlines()


@pytest.mark.skipif(find_spec("lab") is None, reason="the SDK `transformerlab` is not installed")
def test_the_same_options_give_the_same_captions_everywhere(photos: Path, tmp_path: Path) -> None:
    expected = shell(photos, tmp_path)
    captions = [json.loads(line)["caption"] for line in expected]
    assert len(set(captions)) == 5
    assert all(caption.startswith("my style | ") for caption in captions)
    assert plugin(photos, tmp_path / "typed", strings=False) == expected
    assert plugin(photos, tmp_path / "strings", strings=True) == expected
    assert task(photos, tmp_path) == expected
