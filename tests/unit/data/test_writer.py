"""The output: complete or not there, under predictable names, read back by `datasets`."""

from __future__ import annotations

import errno
import itertools
import json
import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from wd14.data.report import Tally
from wd14.data.writer import DatasetWriter, OutputRow
from wd14.errors import ConfigError, JobStoppedError, MissingImageError, OutputError
from wd14.images.reading import read_picture
from wd14.types import Destination, InputRow, PictureToSave, RowReport, Status, Summary


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, name in enumerate(["a.png", "b.png", "c.png"]):
        Image.new("RGB", (4, 4), (number * 40, 0, 0)).save(folder / name)
    return folder


def destination(tmp_path: Path, name: str = "out", **more: Any) -> Destination:
    return Destination(parent=tmp_path / "sets", name=name, staging=tmp_path / "sets", **more)


@dataclass(frozen=True)
class Prepared:
    """A row and its picture, as the pipeline gives them to the writer."""

    row: OutputRow
    picture: PictureToSave


_indices = itertools.count()


def row(path: Path | None, caption: str = "a, b", **more: Any) -> Prepared:
    name = more.pop("name", path.name if path else "x.png")
    rest = {key: more.pop(key) for key in ("data", "columns", "folder") if key in more}
    source_row = InputRow(next(_indices), name, name, path=path, **rest)
    png = more.pop("png", None)
    picture = PictureToSave(read_picture(source_row)) if png is None else PictureToSave(png, as_png=True)
    return Prepared(OutputRow(source_row, caption, **more), picture)


def put(writer: DatasetWriter, prepared: Prepared) -> str:
    return writer.add(replace(prepared.row, staged=writer.stage(prepared.row.input, prepared.picture)))


def write(place: Destination, rows: list[Prepared], **more: Any) -> Path:
    writer = DatasetWriter(place, **more)
    tally = Tally()
    for number, prepared in enumerate(rows):
        name = put(writer, prepared)
        result = RowReport(
            number, prepared.row.input.source, Status.CAPTIONED, prepared.row.input.name, name, prepared.row.caption
        )
        writer.report(result)
        tally.add(result, result.source)
    return Path(writer.finish(tally.summary(seconds=0, output=None), {"made_by": "a test"}))


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "train" / "metadata.jsonl").read_text("utf-8").splitlines()]


def test_the_dataset_is_complete_and_byte_for_byte(tmp_path: Path, pictures: Path) -> None:
    place = write(destination(tmp_path), [row(pictures / "b.png", "ö, 猫"), row(pictures / "a.png", "x")])
    assert place == tmp_path / "sets" / "out"
    assert lines(place) == [{"file_name": "b.png", "caption": "ö, 猫"}, {"file_name": "a.png", "caption": "x"}]
    for name in ("a.png", "b.png"):
        assert (place / "train" / name).read_bytes() == (pictures / name).read_bytes()
    report = json.loads((place / ".wd14" / "report.json").read_text("utf-8"))
    assert [row["output"] for row in report["rows"]] == ["train/b.png", "train/a.png"]
    assert report["summary"] == {"rows": 2, "captioned": 2, "captioned_from_scores": 0, "rejected": 0, "failed": 0}
    assert json.loads((place / ".wd14" / "provenance.json").read_text("utf-8")) == {"made_by": "a test"}
    assert sorted(path.name for path in place.iterdir()) == [".wd14", "train"]
    assert sorted(path.name for path in (place / "train").iterdir()) == ["a.png", "b.png", "metadata.jsonl"]
    assert sorted(path.name for path in (place / ".wd14").iterdir()) == ["provenance.json", "report.json"]
    assert [path.name for path in (tmp_path / "sets").iterdir()] == ["out"]


def test_nothing_can_be_seen_before_the_end_and_nothing_is_left_when_it_is_abandoned(
    tmp_path: Path, pictures: Path
) -> None:
    writer = DatasetWriter(destination(tmp_path))
    put(writer, row(pictures / "a.png"))
    assert [path.name for path in (tmp_path / "sets").iterdir() if not path.name.startswith(".")] == []
    writer.abandon()
    assert list((tmp_path / "sets").iterdir()) == []


def test_an_output_that_exists_is_never_touched(tmp_path: Path, pictures: Path) -> None:
    taken = tmp_path / "sets" / "out"
    taken.mkdir(parents=True)
    (taken / "mine.txt").write_text("mine")
    (tmp_path / "sets" / "out-2").write_text("a file of that name")
    assert write(destination(tmp_path), [row(pictures / "a.png")]).name == "out-3"
    assert [path.name for path in taken.iterdir()] == ["mine.txt"]


def test_a_place_that_is_taken_is_not_even_tried(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a rename onto another user's folder answers is not that it is taken."""
    (tmp_path / "sets" / "out" / "mine").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "sets" / "out-2").symlink_to(tmp_path / "elsewhere")
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if os.path.lexists(target):
            raise PermissionError(errno.EPERM, "not permitted")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    assert write(destination(tmp_path), [row(pictures / "a.png")]).name == "out-3"


def test_a_name_taken_while_the_job_ran_is_not_touched_either(tmp_path: Path, pictures: Path) -> None:
    """Taken at the last moment: the host's files are asked for right before the folder moves."""

    def files(name: str, summary: Summary, size: int) -> dict[str, str]:
        (tmp_path / "sets" / "out").mkdir(exist_ok=True)
        (tmp_path / "sets" / "out" / "mine").touch()
        return {"index.json": f"{name} {summary.succeeded} {size} \ud800"}

    place = write(destination(tmp_path, extra_files=files), [row(pictures / "a.png")])
    assert place.name == "out-2"
    assert (place / "index.json").read_text() == f"out-2 1 {(pictures / 'a.png').stat().st_size} ?"
    assert [path.name for path in (tmp_path / "sets" / "out").iterdir()] == ["mine"]


def test_folders_on_the_way_are_made(tmp_path: Path, pictures: Path) -> None:
    place = Destination(parent=tmp_path / "a" / "b", name="out", staging=tmp_path / "c" / "d")
    assert lines(write(place, [row(pictures / "a.png")]))[0]["file_name"] == "a.png"


def test_an_empty_folder_is_taken_over(tmp_path: Path, pictures: Path) -> None:
    """`mkdir out` before the run: the user means that folder."""
    (tmp_path / "sets" / "out").mkdir(parents=True)
    assert write(destination(tmp_path), [row(pictures / "a.png")]).name == "out"


def test_names_are_those_that_the_pictures_have_or_the_next_free_ones(tmp_path: Path) -> None:
    rows = [row(None, name="a.gif", data=b"GIF", png=b"PNG"), row(None, name="a.png", data=b"other")]
    place = write(destination(tmp_path), rows)
    assert [line["file_name"] for line in lines(place)] == ["a.png", "a-2.png"]
    assert (place / "train" / "a.png").read_bytes() == b"PNG"
    assert (place / "train" / "a-2.png").read_bytes() == b"other"


def test_rows_of_other_splits_lie_in_folders_of_their_own(tmp_path: Path) -> None:
    rows = [
        row(None, caption, data=caption.encode(), folder=folder)
        for folder, caption in (("train", "one"), ("test", "two"), ("train", "three"))
    ]
    place = write(destination(tmp_path), rows)
    assert sorted(path.name for path in place.iterdir()) == [".wd14", "test", "train"]
    for folder, captions in (("train", ["one", "three"]), ("test", ["two"])):
        metadata = (place / folder / "metadata.jsonl").read_text("utf-8").splitlines()
        assert [json.loads(line)["caption"] for line in metadata] == captions
    assert (place / "test" / "x.png").read_bytes() == b"two"
    report = json.loads((place / ".wd14" / "report.json").read_text("utf-8"))
    assert [each["output"] for each in report["rows"]] == ["train/x.png", "test/x.png", "train/x-2.png"]


def test_kept_columns_and_scores_stand_beside_the_caption(tmp_path: Path) -> None:
    columns = {"label": 3, "text": "as it was", "caption": "kept", "file_name": "z", "image": "i"}
    rows = [row(None, "solo", data=b"x", columns=columns, scores=(("solo", 0.5),))]
    assert lines(write(destination(tmp_path), rows, caption_column="text")) == [
        {
            "file_name": "x.png",
            "text": "solo",
            "label": 3,
            "text_source": "as it was",
            "caption": "kept",
            "file_name_source": "z",
            "image_source": "i",
            "scores": [{"tag": "solo", "score": 0.5}],
        }
    ]


def test_a_column_that_would_not_load_becomes_json_text_in_every_line_and_this_is_said(tmp_path: Path) -> None:
    values: list[dict[str, Any]] = [{"size": 1, "note": "a"}, {"size": "big", "note": None}, {"note": "2021-01-01"}]
    rows = [row(None, data=b"x", columns=columns) for columns in values]
    said: list[str] = []
    assert [line | {"file_name": ""} for line in lines(write(destination(tmp_path), rows, log=said.append))] == [
        {"file_name": "", "caption": "a, b", "size": size, "note": each["note"]}
        for size, each in zip(["1", '"big"', "null"], values, strict=True)
    ]
    assert said == ["Written as JSON text, since `datasets` would not load them as they are: size"]
    said.clear()
    rows = [row(None, data=b"x", folder=folder, columns={"size": 1}) for folder in ("train", "test")]
    write(destination(tmp_path), [*rows, row(None, data=b"x", folder="validation")], log=said.append)
    assert said == ["Written as JSON text, since `datasets` would not load them as they are: size"]


def test_a_stop_ends_the_writing_of_columns_as_json_text(tmp_path: Path) -> None:
    """With many rows and columns it takes minutes."""

    def stop() -> None:
        raise JobStoppedError("stopped")

    writer = DatasetWriter(destination(tmp_path), tick=stop)
    for value in (1, "a"):
        put(writer, row(None, png=b"x", columns={"mixed": value}))
    with pytest.raises(JobStoppedError):
        writer.finish(Tally().summary(seconds=0, output=None), {})
    writer.abandon()
    assert list(destination(tmp_path).parent.iterdir()) == []


def test_renamed_columns_keep_clear_of_each_other(tmp_path: Path) -> None:
    columns = {"caption": 1, "caption_source": 2, "mask_file_name": 3, "a\0": 4, "a?": 5}
    said: list[str] = []
    assert lines(write(destination(tmp_path), [row(None, data=b"x", columns=columns)], log=said.append)) == [
        {
            "file_name": "x.png",
            "caption": "a, b",
            "caption_source2": 1,
            "caption_source": 2,
            "mask_file_name_source": 3,
            "a?_source": 4,
            "a?": 5,
        }
    ]
    assert said == [
        "Renamed, since the output or `datasets` has another use for the name: caption -> caption_source2,"
        " mask_file_name -> mask_file_name_source, a\\x00 -> a?_source"
    ]


def test_caption_files_are_kohyas(tmp_path: Path) -> None:
    rows = [row(None, "one", data=b"1", name="a.png"), row(None, "two", data=b"2", name="a.jpg")]
    place = write(destination(tmp_path), rows, caption_files=".txt")
    assert [line["file_name"] for line in lines(place)] == ["a.png", "a-2.jpg"]
    assert (place / "train" / "a.txt").read_bytes() == b"one\n"
    assert (place / "train" / "a-2.txt").read_bytes() == b"two\n"


def test_text_that_utf8_cannot_hold_costs_no_row(tmp_path: Path) -> None:
    place = write(destination(tmp_path), [row(None, "猫\ud800", data=b"1", name="a.png")], caption_files=".txt")
    assert (place / "train" / "a.txt").read_text("utf-8") == "猫?\n"
    assert (place / "train" / "metadata.jsonl").read_text("utf-8") == '{"file_name": "a.png", "caption": "猫?"}\n'


def test_caption_files_need_an_extension_of_text_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="caption_extension"):
        DatasetWriter(destination(tmp_path), caption_files=".png")


def test_what_was_scored_is_what_is_written(tmp_path: Path, pictures: Path) -> None:
    """A picture that changes after it was read: the caption goes with the bytes that were read."""
    prepared, before = row(pictures / "a.png"), (pictures / "a.png").read_bytes()
    (pictures / "a.png").write_bytes(b"another")
    assert (write(destination(tmp_path), [prepared]) / "train" / "a.png").read_bytes() == before


def test_a_discarded_picture_takes_no_room(tmp_path: Path, pictures: Path) -> None:
    writer = DatasetWriter(destination(tmp_path))
    prepared = row(pictures / "a.png")
    staged = writer.stage(prepared.row.input, prepared.picture)
    writer.discard(staged)
    assert not Path(staged.path).exists()
    writer.discard(staged)
    writer.abandon()


def test_a_staged_picture_is_renamed_and_not_copied(tmp_path: Path, pictures: Path) -> None:
    writer = DatasetWriter(destination(tmp_path))
    prepared = row(pictures / "a.png")
    staged = writer.stage(prepared.row.input, prepared.picture)
    writer.add(replace(prepared.row, staged=staged))
    assert not Path(staged.path).exists()
    writer.abandon()


def test_a_row_whose_picture_was_not_staged_fails(tmp_path: Path, pictures: Path) -> None:
    writer = DatasetWriter(destination(tmp_path))
    with pytest.raises(MissingImageError):
        writer.add(row(pictures / "a.png").row)
    writer.abandon()


def test_a_system_that_refuses_is_an_output_error(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    writer = DatasetWriter(destination(tmp_path))
    prepared = row(pictures / "a.png")
    monkeypatch.setattr("wd14.data.writer.write_new_file", refuse)
    with pytest.raises(OutputError, match=r"cannot write the dataset .*out: No space left on device"):
        writer.stage(prepared.row.input, prepared.picture)
    writer.abandon()
    monkeypatch.setattr("wd14.data.writer.ReportWriter", refuse)
    with pytest.raises(OutputError, match="No space"):
        DatasetWriter(destination(tmp_path))
    assert list((tmp_path / "sets").iterdir()) == []


def test_a_name_that_the_filesystem_refuses_is_said_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> None:
        raise OSError(errno.ENAMETOOLONG, "File name too long")

    monkeypatch.setattr(Path, "lstat", refuse)
    with pytest.raises(OutputError, match="File name too long; choose another output"):
        DatasetWriter(destination(tmp_path))


def test_files_have_ordinary_permissions(tmp_path: Path, pictures: Path) -> None:
    (pictures / "a.png").chmod(0o400)
    mask = os.umask(0)
    os.umask(mask)
    place = write(destination(tmp_path), [row(pictures / "a.png")])
    assert stat.S_IMODE((place / "train" / "a.png").stat().st_mode) == 0o666 & ~mask
    assert stat.S_IMODE(place.stat().st_mode) == 0o777 & ~mask


def test_what_a_killed_run_left_is_cleared_and_a_living_one_is_not(tmp_path: Path, pictures: Path) -> None:
    alive = DatasetWriter(destination(tmp_path, "alive"))
    put(alive, row(pictures / "a.png"))
    child = os.fork()
    if child == 0:  # the child's run ends as kill -9 ends it: with nothing cleaned up
        put(DatasetWriter(destination(tmp_path, "killed")), row(pictures / "a.png"))
        os._exit(0)
    os.waitpid(child, 0)
    left = {path.name.split("-")[0] for path in (tmp_path / "sets").iterdir()}
    assert left == {".alive", ".killed"}
    foreign = tmp_path / "sets" / ".other.wd14-partial"
    foreign.mkdir()
    DatasetWriter(destination(tmp_path, "next")).abandon()
    left = {path.name.split("-")[0] for path in (tmp_path / "sets").iterdir()}
    assert left == {".alive", ".other.wd14"}
    assert Path(alive.finish(Tally().summary(seconds=0, output=None), {})).name == "alive"


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "sets").write_text("a file where a folder should be")
    with pytest.raises(OutputError, match="choose another output"):
        DatasetWriter(destination(tmp_path))
