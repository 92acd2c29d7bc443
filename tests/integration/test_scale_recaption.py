"""Captions again from the shards of an earlier run, and captions by the plan of a dataset in shards."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.support.scale_workers import InProcess
from tests.support.scripted_model import Tag, save_scripted_model
from wd14 import caption_dataset
from wd14.config import CaptionConfig
from wd14.errors import CaptionerError, ConfigError, ScaleError, SourceError
from wd14.scale.driver import run_scale
from wd14.scale.request import ScaleRequest
from wd14.scale.task import Outcome, Task
from wd14.stop import StopToken
from wd14.types import Log, Progress

PICTURES = 40
#: Tags that every picture has, and tags whose score is a picture's own: from 0 to `gain` by its blue.
TAGS = [
    *(Tag("general", 9, 0.4), Tag("explicit", 9, 0.1, gain=0.8)),
    *(Tag("1girl", 0, 0.97, count=5_113_288), Tag("solo", 0, 0.9, count=4_253_220)),
    *(Tag("blue_hair", 0, 0.93, count=704_952), Tag("long_hair", 0, 0.3, gain=0.5, count=3_645_082)),
    *(Tag("aqua_hair", 0, 0.1, gain=0.5, count=90_000), Tag("red_eyes", 0, 0.88, count=900_000)),
    *(Tag("smile", 0, 0.05, gain=0.9, count=2_000_000), Tag("outdoors", 0, 0.7, gain=-0.65, count=400_000)),
    *(Tag("school_uniform", 0, 0.36, count=500_000), Tag("watermark", 0, 0.45, count=60_000)),
    *(Tag("sketch", 0, 0.02, gain=0.5, count=70_000), Tag("hatsune_miku_(vocaloid)", 4, 0.3, gain=0.7, count=100_000)),
]


@pytest.fixture(autouse=True)
def _in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wd14.scale.local_engine.LocalEngine", InProcess)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`model`, and `set`: pictures, two that are none, and existing captions beside some."""
    folder = tmp_path_factory.mktemp("recaption")
    save_scripted_model(folder / "model", TAGS)
    (folder / "set").mkdir()
    for number in range(PICTURES):
        Image.new("RGB", (20, 20), (number, 0, number * 255 // PICTURES)).save(folder / "set" / f"{number:02d}.png")
        if number % 3 == 0:
            (folder / "set" / f"{number:02d}.txt").write_text("arona, a girl by the sea")
    for number in (7, 23):
        (folder / "set" / f"{number:02d}.png").write_bytes(b"no picture %d" % number)
    return folder


def scale(source: Path, output: Path, **parameters: Any) -> bool:
    form = parameters.pop("format", "parquet")
    request = ScaleRequest(str(source), str(output), parameters, format=form, shard_rows=12)
    return run_scale(request, say=lambda line: SAID.append(line), progress=lambda now: SHOWN.append(now))


SAID: list[str] = []
SHOWN: list[Progress] = []


def earlier(folder: Path, **parameters: Any) -> Path:
    """The output of an earlier run; made once."""
    output = folder / f"earlier {parameters}"
    if not output.exists():
        scale(folder / "set", output, custom_model=str(folder / "model"), **parameters)
    return output


def rows(output: Path, *columns: str) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    for path in sorted((output / "shards").glob("*.parquet")):
        table = pq.read_table(path)
        found += zip(*(table[column].to_pylist() for column in columns), strict=True)
    return found


def statuses(output: Path) -> list[str]:
    return [status.removesuffix("-from-scores") for (status,) in rows(output, "status")]


@pytest.mark.parametrize(
    "parameters",
    [
        {"thresh": 0.5, "character_threshold": 0.6, "rating": "last"},
        {"caption_style": "anima"},
        {"threshold_mode": "mcut", "tag_order": "score"},
        {"max_tokens": 12, "remove_underscore": True},
        {"append_tags": True, "caption_style": "animagine"},
        {"purpose": "character", "trigger_words": "arona", "keep_tags": "red eyes"},
        {"purpose": "style", "trigger_words": "inkwash", "caption_style": "illustrious"},
        {"fold_tags": "*_hair", "undesired_tags": "smile"},
    ],
    ids=lambda parameters: "+".join(parameters),
)
def test_captions_are_those_of_a_run_over_the_pictures(
    folder: Path, tmp_path: Path, parameters: Mapping[str, Any]
) -> None:
    model = str(folder / "model")
    kept = {"append_tags": True} if "append_tags" in parameters else {}
    first = earlier(folder, **kept)
    scale(folder / "set", tmp_path / "anew", custom_model=model, **parameters)
    shutil.move(folder / "model", folder / "moved")  # nothing of the model is needed
    try:
        scale(first, tmp_path / "again", **parameters)
    finally:
        shutil.move(folder / "moved", folder / "model")
    whole = ("id", "sha256", "reason", "caption", "tags", "scores", "thumbnail")
    assert rows(tmp_path / "again", *whole) == rows(tmp_path / "anew", *whole)
    assert statuses(tmp_path / "again") == statuses(tmp_path / "anew")
    reports = [json.loads((tmp_path / run / "report.json").read_text()) for run in ("again", "anew")]
    assert reports[0]["reasons"] == reports[1]["reasons"] == {"no picture": 2}
    assert reports[0]["failures"] == reports[1]["failures"]
    assert len({caption for (caption,) in rows(tmp_path / "again", "caption")}) > 2
    for name in ("plan.json", "tags.csv"):
        again, anew = tmp_path / "again" / name, tmp_path / "anew" / name
        assert again.exists() == anew.exists()
        if again.exists() and name == "tags.csv":
            assert again.read_bytes() == anew.read_bytes()
    # And they are those of the command `caption`.
    config = CaptionConfig.from_values({"custom_model": model, "cache": False, "review": False, **parameters})
    made = Path(caption_dataset(folder / "set", config, output=tmp_path / "captioned").output or "")
    lines = map(json.loads, (made / "train" / "metadata.jsonl").read_text().splitlines())
    captions = {line["file_name"]: line["caption"] for line in lines}
    assert dict(pair for pair in rows(tmp_path / "again", "id", "caption") if pair[1] is not None) == captions
    plans = [json.loads(path.read_text()) for path in sorted(tmp_path.glob("*/plan.json"))]
    if config.studies:
        plans.append(json.loads((made / ".wd14" / "plan.json").read_text()))
        for plan in plans:
            del plan["dataset"], plan["differing"]  # pictures are named by ids here
        assert plans[0] == plans[1] == plans[2]


def test_rows_are_rejected_and_edited_and_taken_back(folder: Path, tmp_path: Path) -> None:
    sha256 = dict(rows(earlier(folder), "id", "sha256"))
    edits = [
        {"op": "reject", "rows": [sha256["05.png"], sha256["07.png"]]},  # the second failed before
        {"op": "add", "tag": "by hand", "rows": [sha256["06.png"]]},
        {"op": "remove", "tag": "1girl", "rows": "all"},
    ]
    (tmp_path / "edits.json").write_text(json.dumps({"version": 1, "edits": edits}))
    scale(earlier(folder), tmp_path / "edited", edits=str(tmp_path / "edits.json"))
    found = {row: rest for row, *rest in rows(tmp_path / "edited", "id", "status", "caption", "reason", "scores")}
    assert found["05.png"][:3] == ["rejected", None, None]
    assert found["05.png"][3]
    assert found["07.png"][0] == "rejected"
    assert found["23.png"][0] == "failed"
    assert found["23.png"][2]
    assert found["06.png"][1].endswith(", by hand")
    assert "1girl" not in found["06.png"][1]
    report = json.loads((tmp_path / "edited" / "report.json").read_text())
    assert (report["summary"]["rejected"], report["summary"]["failed"]) == (2, 1)
    scale(tmp_path / "edited", tmp_path / "back")
    assert statuses(tmp_path / "back") == statuses(earlier(folder))
    captions = [rows(output, "caption") for output in (tmp_path / "back", earlier(folder))]
    assert captions[0] == captions[1]


def test_pictures_go_along_in_archives(folder: Path, tmp_path: Path) -> None:
    first = earlier(folder, format="webdataset")
    scale(first, tmp_path / "again", format="webdataset", thresh=0.5, trigger_words="arona")
    scale(
        folder / "set",
        tmp_path / "anew",
        format="webdataset",
        custom_model=str(folder / "model"),
        thresh=0.5,
        trigger_words="arona",
    )
    names = sorted(path.name for path in (tmp_path / "anew" / "shards").glob("*.tar"))
    assert len(names) == 4
    for name in names:
        one, other = (tmp_path / run / "shards" / name for run in ("again", "anew"))
        assert one.read_bytes() == other.read_bytes()
    with tarfile.open(tmp_path / "again" / "shards" / names[0]) as archive:
        texts = [member for member in archive if member.name.endswith(".txt")]
        text = archive.extractfile(texts[0])
        assert text is not None
        assert text.read().startswith(b"arona, ")
    with pytest.raises(ConfigError, match="has no pictures"):
        scale(earlier(folder), tmp_path / "none", format="webdataset")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"append_tags": True}, "has no column 'existing'"),
        ({"thresh": 0.001}, "no score below 0.01 is kept"),
        ({"profile": "reference"}, "was made with 'kohya'"),
        ({"custom_model": "builtin/colours"}, "the scores in .* are of"),
        ({"keep_columns": True}, "was made with False"),
        ({"threshold_mode": "model"}, "no published"),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_what_stored_scores_cannot_answer_is_refused(
    folder: Path, tmp_path: Path, parameters: Mapping[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        scale(earlier(folder), tmp_path / "again", **parameters)
    assert not (tmp_path / "again" / "manifest.json").exists()


def test_a_shard_that_was_changed_or_swapped_is_named(folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(earlier(folder), source)
    shard = source / "shards" / "00001.parquet"
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 255
    shard.write_bytes(data)
    with pytest.raises(ScaleError, match=r"00001\.parquet has changed since the run was planned, or is damaged"):
        scale(source, tmp_path / "again")
    shard.unlink()
    with pytest.raises(ScaleError, match=r"00001\.parquet has gone: put it back"):
        scale(source, tmp_path / "again")
    (source / "_SUCCESS").unlink()
    with pytest.raises(SourceError, match="is not complete"):
        scale(source, tmp_path / "other")


def test_a_plan_that_is_interrupted_ends_in_the_same_bytes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = {"purpose": "character", "trigger_words": "arona", "format": "webdataset"}
    scale(earlier(folder, format="webdataset"), tmp_path / "whole", **parameters)

    class Killed(InProcess):
        def run(self, task: Task, shards: Sequence[int], *, log: Log, stop: StopToken) -> Iterator[Outcome]:
            for done, outcome in enumerate(super().run(task, shards, log=log, stop=stop), 1):
                yield outcome
                if task.phase == "plan" and done == 2:
                    # As if killed after the archive of a shard was in place, and before its rows or marker were.
                    shutil.copy(tmp_path / "whole" / "shards" / "00002.tar", tmp_path / "cut" / "shards" / "00002.tar")
                    raise ScaleError("killed")

    monkeypatch.setattr("wd14.scale.local_engine.LocalEngine", Killed)
    with pytest.raises(CaptionerError, match="killed"):
        scale(earlier(folder, format="webdataset"), tmp_path / "cut", **parameters)
    assert len(list((tmp_path / "cut" / "captioned").iterdir())) == 2
    (tmp_path / "cut" / "captioned" / "00001.json").unlink()  # its files are in place
    monkeypatch.setattr("wd14.scale.local_engine.LocalEngine", InProcess)
    scale(earlier(folder, format="webdataset"), tmp_path / "cut", **parameters)
    last = [each for each in SHOWN if each.note.endswith("of 4 shards")][-1]
    assert (last.note, last.done, last.failed) == ("4 of 4 shards", PICTURES, 2)  # each counts once
    for path in sorted((tmp_path / "whole" / "shards").iterdir()):
        assert path.read_bytes() == (tmp_path / "cut" / "shards" / path.name).read_bytes()
    assert any("after:  arona, " in line for line in SAID)
    assert rows(tmp_path / "cut", "caption") != rows(earlier(folder, format="webdataset"), "caption")


def test_a_plan_that_is_given_and_made_of_a_sample(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    character = {"purpose": "character", "trigger_words": "arona"}
    scale(earlier(folder), tmp_path / "whole", **character)
    plan = json.loads((tmp_path / "whole" / "plan.json").read_text())
    (folded,) = [entry for entry in plan["decisions"] if entry["tag"] == "blue_hair" and "beside" not in entry]
    assert folded["decision"] == "folded"
    folded["decision"] = "kept"
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    scale(earlier(folder), tmp_path / "edited", plan=str(tmp_path / "plan.json"), **character)
    assert not any("blue_hair" in (caption or "") for (caption,) in rows(tmp_path / "whole", "caption"))
    assert all("blue_hair" in caption for (caption,) in rows(tmp_path / "edited", "caption") if caption is not None)

    monkeypatch.setattr("wd14.scale.planning.STUDIED_ROWS", 8)
    scale(earlier(folder), tmp_path / "sample", plan=str(tmp_path / "plan.json"), **character)
    sampled = json.loads((tmp_path / "sample" / "plan.json").read_text())
    assert sampled["pictures"] == 8
    assert sampled["notes"][0].startswith("The plan is of a sample: of every 5 pictures one was studied, 8 of 38.")
    assert not any("other pictures" in note for note in sampled["notes"])
    whole, sample = ((tmp_path / run / "tags.csv").read_text() for run in ("edited", "sample"))
    assert whole == sample


def test_a_shard_of_another_run_in_the_place_of_ones_own(folder: Path, tmp_path: Path) -> None:
    class Swapped(InProcess):
        def run(self, task: Task, shards: Sequence[int], *, log: Log, stop: StopToken) -> Iterator[Outcome]:
            if task.phase == "plan":
                shutil.copy(earlier(folder) / "shards" / "00001.parquet", tmp_path / "out" / "shards")
            yield from super().run(task, shards, log=log, stop=stop)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("wd14.scale.local_engine.LocalEngine", Swapped)
        with pytest.raises(ScaleError, match=r"00001\.parquet is not the shard that its marker tells of"):
            scale(earlier(folder), tmp_path / "out", fold_tags="smile")


def test_a_failure_ends_the_run_where_it_is_to(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CaptionerError, match=r"07\.png: .*image"):
        scale(earlier(folder), tmp_path / "out", on_error="stop")
