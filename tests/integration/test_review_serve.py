"""`review DATASET --serve` as its user has it: a process, a page that talks to it, Apply, Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from PIL import Image

from tests.integration.conftest import ROOT, Run
from tests.support.onnx_models import wd14_folder
from tests.support.planted import PICTURES, plant
from wd14 import serving
from wd14.cli.main import main
from wd14.config import CaptionConfig
from wd14.pipeline import caption_dataset
from wd14.review.edit_file import EditFile
from wd14.review.entries import Entry
from wd14.reviewing import review_dataset
from wd14.serving import ApplyJob
from wd14.stop import StopToken

COLOURS = ("red", "green", "blue", "white")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    wd14_folder(tmp_path / "model", size=32)
    return tmp_path / "model"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, colour in enumerate(COLOURS):
        Image.new("RGB", (40 + number, 30), colour).save(folder / f"{colour}.png")
    Image.new("RGBA", (30, 30), (255, 0, 0, 90)).save(folder / "glass.png")  # is saved as RGB on white
    return folder


class Page:
    """A page of a server that runs in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        assert process.stdout is not None
        for line in process.stdout:
            self.lines.append(line)
            if "Ctrl-C ends" in line:
                break
        found = re.search(r"http://\S+", "".join(self.lines))
        assert found is not None, self.lines
        self.address = found[0]

    def ask(self, path: str, body: Any = None) -> Any:
        token = self.address.split("/")[3]
        headers = {"Content-Type": "application/json", "X-Review-Token": token}
        data = None if body is None else json.dumps(body).encode()
        try:
            with urlopen(Request(self.address + path, data, headers), timeout=30) as answer:
                content = answer.read()
                return json.loads(content) if answer.headers["Content-Type"] == "application/json" else content
        except HTTPError as error:
            return {"status": error.code, **json.loads(error.read())}

    def save(self, *edits: dict[str, Any]) -> Any:
        common = {"at": 1, "rev": 0, "undone": False}
        return self.ask("edits", {"entries": [{"id": f"e{n}", **common, **edit} for n, edit in enumerate(edits)]})

    def apply(self, **thresholds: float) -> dict[str, Any]:
        started = self.ask("apply", {"thresholds": thresholds})
        assert started["state"] in {"running", "done"}, started
        deadline = time.monotonic() + 60
        while (state := self.ask("apply"))["state"] == "running":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        found: dict[str, Any] = state
        return found

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        output, _ = self.process.communicate(timeout=60)
        self.lines += output.splitlines()
        return self.process.returncode


@contextmanager
def served(dataset: Path, *words: str | Path) -> Iterator[Page]:
    process = subprocess.Popen(
        [sys.executable, "-m", "wd14.cli", "review", str(dataset), "--serve", "--no-browser", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=dataset.parent,
        env=os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"},
    )
    try:
        yield Page(process)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]


def captions(dataset: Path) -> dict[str, str]:
    lines = (dataset / "train" / "metadata.jsonl").read_text("utf-8").splitlines()
    return {row["file_name"]: row["caption"] for row in map(json.loads, lines)}


def sha(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def test_apply_writes_what_caption_writes_with_the_same_edits(
    pictures: Path, model: Path, tmp_path: Path, cli: Run
) -> None:
    run = ("caption", pictures, "--custom-model", model, "--thresh", "0.5")
    assert cli(*run, "--output", "set").returncode == 0
    dataset = tmp_path / "set"
    edits: list[dict[str, Any]] = [
        {"op": "remove", "tag": "tag_7", "rows": "all"},
        {"op": "add", "tag": "by hand", "rows": [sha(pictures / "red.png"), sha(pictures / "glass.png")]},
        {"op": "set", "caption": "a caption, tag_5", "rows": [sha(pictures / "blue.png")]},
        {"op": "reject", "rows": [sha(pictures / "white.png")]},
    ]
    with served(dataset) as page:
        data = json.loads(re.search(rb'id="data">(.*?)</script>', page.ask(""), re.DOTALL)[1])  # type: ignore[index]
        assert (data["edits"], data["server"]["apply"]) == ([], True)
        assert page.ask("picture/0") == (dataset / data["names"][0]).read_bytes()
        assert page.ask("thumbnail/0")[:4] == b"RIFF"
        page.save(*edits)
        state = page.apply(general=0.55)
        assert (state["state"], state["error"], state["done"]) == ("done", None, 5)
        assert Path(state["output"]) == tmp_path / "set-2"
        assert page.apply(general=0.55)["output"] == str(tmp_path / "set-3")
        assert page.end() == 0
    assert cli(*run, "--output", "wanted", "--edits", dataset / ".wd14" / "edits.json", "--general-threshold", "0.55")
    wanted = captions(tmp_path / "wanted")
    assert wanted["blue.png"] == "a caption, tag_5"
    assert wanted["red.png"].endswith("by hand")
    assert wanted["glass.png"].endswith("by hand")
    assert "white.png" not in wanted
    assert captions(tmp_path / "set-2") == captions(tmp_path / "set-3") == wanted
    assert any("tag_7" in caption for caption in captions(dataset).values())  # it stays as it was


def test_a_dataset_of_others_keeps_its_captions_but_for_the_edits(pictures: Path, tmp_path: Path) -> None:
    for colour in (*COLOURS, "glass"):
        (pictures / f"{colour}.txt").write_text(f"my {colour}, old")
    with served(pictures) as page:
        page.save({"op": "remove", "tag": "old", "rows": [sha(pictures / "red.png")]})
        state = page.apply()
        assert (state["state"], state["error"]) == ("done", None)
        assert page.end() == 0
    found = captions(Path(state["output"]))
    assert found == {f"{name}.png": f"my {name}, old" for name in ("glass", *COLOURS)} | {"red.png": "my red"}
    assert (pictures / "red.txt").read_text() == "my red, old"


def test_the_source_that_is_named_is_captioned(pictures: Path, model: Path, tmp_path: Path, cli: Run) -> None:
    """Where a run added its tags to captions, the dataset itself would have them twice."""
    for colour in (*COLOURS, "glass"):
        (pictures / f"{colour}.txt").write_text("mine")
    assert cli("caption", pictures, "--custom-model", model, "--append-tags", "--output", "set").returncode == 0
    with served(tmp_path / "set") as page:
        refused = page.ask("apply", {"thresholds": {}})
        assert refused["status"] == 400
        assert "--source" in refused["error"]
    with served(tmp_path / "set", "--source", pictures) as page:
        state = page.apply()
        assert state["error"] is None
    assert captions(Path(state["output"])) == captions(tmp_path / "set")


def test_the_plan_of_a_studied_dataset_stays_what_it_was(tmp_path: Path) -> None:
    """Its captions came from the plan that lies with it; another study, without the rejected ones, may differ."""
    planted = plant(tmp_path / "planted")
    values = {"purpose": "character", "trigger_words": "mychar", "custom_model": str(planted.model)}
    made = caption_dataset(planted.pictures, CaptionConfig.from_values(values), output=tmp_path / "set")
    dataset = Path(made.output or "")
    plan = dataset / ".wd14" / "plan.json"
    decided = json.loads(plan.read_text("utf-8"))
    kept = next(each for each in decided["decisions"] if each["decision"] == "folded")
    kept["decision"] = "kept"  # as a person would who edits it
    plan.write_text(json.dumps(decided), "utf-8")
    rejected = [sha(planted.pictures / name) for name in ("00.png", "01.png")]
    edits = EditFile(dataset)
    edits.merge([Entry("a", 1, {"op": "reject", "rows": rejected})])
    job = ApplyJob(review_dataset(dataset), dataset, None, edits.path, say=lambda _: None, stop=StopToken())
    job.start({})
    job.wait()
    assert job.state()["error"] is None
    found = captions(Path(job.state()["output"]))
    assert len(found) == PICTURES - 2
    spelled = kept["tag"].replace("_", " "), kept["tag"]
    assert any(word in caption for caption in found.values() for word in spelled)


def test_ctrl_c_leaves_the_edits_and_no_half_dataset(pictures: Path, model: Path, tmp_path: Path, cli: Run) -> None:
    assert cli("caption", pictures, "--custom-model", model, "--output", "set").returncode == 0
    with served(tmp_path / "set") as page:
        page.save({"op": "add", "tag": "late", "rows": "all"})
        page.ask("apply", {"thresholds": {}})
        assert page.end() == 0
    assert json.loads((tmp_path / "set" / ".wd14" / "edits.json").read_text())["edits"][0]["tag"] == "late"
    assert not list(tmp_path.glob(".*wd14*"))
    if (tmp_path / "set-2").exists():
        assert len(captions(tmp_path / "set-2")) == 5
    assert not any("Traceback" in line for line in page.lines)


def test_a_job_that_fails_says_why(pictures: Path, model: Path, tmp_path: Path, cli: Run) -> None:
    assert cli("caption", pictures, "--custom-model", model, "--output", "set").returncode == 0
    with served(tmp_path / "set", "--source", tmp_path / "gone") as page:
        state = page.apply()
        assert state["state"] == "failed"
        assert "gone" in state["error"]
        assert page.ask("apply", {"thresholds": {"general": 7}})["status"] == 400
        assert page.end() == 0


def test_without_the_extra_packages_one_line_says_what_to_install(
    pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(serving, "find_spec", lambda name: None if name == "uvicorn" else object())
    assert main(["review", str(pictures), "--serve"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert 'pip install "wd14-captioner[review]"' in line


def test_options_of_the_server_need_it(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["review", str(pictures), "--port", "8000"]) == 2
    assert capsys.readouterr().err == "wd14-captioner: --port needs --serve\n"
    assert main(["review", str(pictures), "--serve", "--output", "page.html"]) == 2
    assert "do not go together" in capsys.readouterr().err
    assert not (pictures / ".wd14").exists()
