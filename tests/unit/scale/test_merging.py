"""What a merge writes beside the shards, and what it refuses."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq
import pytest

from tests.support.scale_runs import LABELS, MadeRun, captioned, failed, make_run, write_shard
from wd14.data.pieces import SHARD_ROWS
from wd14.errors import AllRowsFailedError, ScaleError
from wd14.scale import run_check
from wd14.scale.merging import MergeResult, is_merged, merge

#: The files that a merge writes.
WRITTEN = {"index.parquet", "tags.csv", "findings.json", "report.json", "provenance.json", "README.md", "_SUCCESS"}


def merged(run: MadeRun, **more: Any) -> MergeResult:
    return merge(run.output, run.manifest, run.config, LABELS, **more)


def json_of(run: MadeRun, name: str) -> Any:
    return json.loads((run.output.root / name).read())


def bytes_of(run: MadeRun) -> dict[str, bytes]:
    """What the merge wrote, without the date."""
    files = {name: (run.output.root / name).read() for name in sorted(WRITTEN)}
    made = json.loads(files.pop("provenance.json"))
    return files | {"provenance": json.dumps({key: value for key, value in made.items() if key != "made_at"}).encode()}


def test_the_files_say_what_the_shards_hold(tmp_path: Path) -> None:
    """Three shards: 6 rows with captions, 2 that failed, one picture three times over two shards."""
    shards = [
        [captioned("a/1.png", 1), captioned("a/2.png", "same"), failed("a/3.png", "cut off")],
        [captioned("b/1.png", "same", ["blue_hair", "1girl"]), captioned("b/2.png", "same"), failed("b/3\udce9.png")],
        [captioned("c/1.png", 5), captioned("c/2.png", 6, ["smile", "solo", "a_(b)"])],
    ]
    run = make_run(tmp_path / "out", shards, {"thresh": 0.4})
    said: list[str] = []

    result = merged(run, say=said.append)

    assert (result.summary.total, result.summary.captioned, result.summary.failed) == (8, 6, 2)
    assert (result.copies.groups, result.copies.pictures) == (1, 3)
    report = json_of(run, "report.json")
    assert report["summary"]["rows"] == 8
    assert report["reasons"] == {"not an image": 2}
    assert [each["id"] for each in report["failures"]] == ["a/3.png", "b/3\udce9.png"]
    assert [each["captioned"] for each in report["shards"]] == [2, 2, 2]
    assert (tmp_path / "out/tags.csv").read_text().splitlines()[:4] == [
        "tag,category,pictures,share,times_as_usual",
        "1girl,general,5,0.833333,1.177",
        "solo,general,5,0.833333,1.471",
        "smile,general,5,0.833333,2.942",
    ]
    index = pq.read_table(tmp_path / "out/index.parquet").to_pylist()
    assert [(each["file"], each["rows"], each["first"], each["last"]) for each in index] == [
        ("shards/00000.parquet", 3, "a/1.png", "a/3.png"),
        ("shards/00001.parquet", 3, "b/1.png", "b/3?.png"),
        ("shards/00002.parquet", 2, "c/1.png", "c/2.png"),
    ]
    findings = json_of(run, "findings.json")["findings"]
    same = next(each for each in findings if each["rule"] == "same-picture")
    assert same["pictures"] == ["a/2.png", "b/1.png", "b/2.png"]
    assert json_of(run, "provenance.json")["command"].startswith("wd14-captioner scale pictures OUTPUT --thresh=0.4")
    assert said[-1].startswith("Check of the captions and pictures: ")
    assert is_merged(run.output, run.manifest)


def test_the_card_tells_datasets_where_the_shards_are(tmp_path: Path) -> None:
    run = make_run(tmp_path / "out", [[captioned("a.png", 1)], [captioned("b.png", 2), failed("c.png")]])
    merged(run)
    loaded = datasets.load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded["id"][:] == ["a.png", "b.png", "c.png"]
    card = (tmp_path / "out/README.md").read_text()
    assert "size_categories:\n- n<1K\n" in card
    assert "`1girl` 2" in card
    assert "| thumbnail |" in card
    assert "| existing |" not in card


def test_a_merge_done_again_writes_the_same(tmp_path: Path) -> None:
    rows = [[captioned(f"{shard}/{row}.png", (shard, row % 7)) for row in range(40)] for shard in range(3)]
    run = make_run(tmp_path / "out", rows)
    merged(run)
    first = bytes_of(run)
    merged(run)
    assert bytes_of(run) == first


def test_above_the_limit_whole_shards_are_checked_and_copies_are_found_in_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_check, "MOST_ROWS", 25)
    rows = [[captioned(f"{shard}/{row}.png", (shard, row)) for row in range(10)] for shard in range(9)]
    rows[0][3] = captioned("0/copy.png", (8, 8))
    rows[2][5] = captioned("2/no tags.png", "x", [])
    run = make_run(tmp_path / "out", rows)

    result = merged(run)

    found = json_of(run, "findings.json")
    assert found["remarks"] == [
        "20 of 90 pictures, in 2 whole shards evenly spread, were checked; exact copies were looked for among all, and"
        " pictures that look alike were not"
    ]
    by_rule = {each["rule"]: each["pictures"] for each in found["findings"]}
    assert by_rule["same-picture"] == ["0/copy.png", "8/8.png"]
    assert by_rule["no-caption"] == ["2/no tags.png"]  # shard 2 is one of the two
    assert result.copies.superfluous == 1


def test_shards_that_are_not_done_are_named(tmp_path: Path) -> None:
    run = make_run(tmp_path / "out", [[captioned("a.png", 1)], None, [captioned("c.png", 3)], None])
    with pytest.raises(ScaleError, match=r"2 shards of 4 not done: 1, 3\."):
        merged(run, set_aside={1: "cut off"})
    with pytest.raises(ScaleError, match=r"1 shard of 4 not done"):
        merged(run, set_aside={1: "cut off"}, skip_failed=True)
    assert not run.output.success.exists()

    merged(run, set_aside={1: "cut off", 3: "gone"}, skip_failed=True)

    assert json_of(run, "report.json")["set_aside"] == [
        {"shard": 1, "reason": "cut off"},
        {"shard": 3, "reason": "gone"},
    ]
    assert "without 2 shards that could not be done" in json_of(run, "findings.json")["remarks"][0]
    assert not is_merged(run.output, run.manifest)  # the next run tries them again
    for shard in (1, 3):
        write_shard(run.output, run.manifest, shard, [captioned(f"{shard}.png", shard)])
    assert merged(run).summary.total == 4
    assert is_merged(run.output, run.manifest)


def test_a_run_without_any_caption_is_no_dataset(tmp_path: Path) -> None:
    run = make_run(tmp_path / "out", [[failed("a.png", "cut off")], [failed("b.png")]])
    with pytest.raises(AllRowsFailedError, match=r"none of 2 pictures could be captioned; the first: a\.png: cut off"):
        merged(run)
    assert not run.output.success.exists()


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("done/00001.json", "is no marker of a run"),
        ("summaries/00001.npz", "is not as it was written"),
        ("shards/00001.parquet", "is not as it was written"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, file: str, message: str) -> None:
    run = make_run(tmp_path / "out", [[captioned("a.png", 1)], [captioned("b.png", 2)]])
    merged(run)
    place = tmp_path / "out" / file
    place.write_bytes(place.read_bytes()[:20])
    with pytest.raises(ScaleError, match=message) as raised:
        merged(run)
    assert place.name in str(raised.value)
    place.unlink()
    with pytest.raises(ScaleError, match=r"not done|has gone"):
        merged(run)
    assert not run.output.success.exists()


def test_files_that_killed_workers_left_half_written_are_removed(tmp_path: Path) -> None:
    run = make_run(tmp_path / "out", [[captioned("a.png", 1)]])
    root = tmp_path / "out"
    gone = [root / "shards/.00000.parquet.0123abcd.partial", root / ".report.json.0123abcd.partial"]
    stay = [root / ".README.md.0123abcd.partial", root / "shards/notes.partial", root / ".notes.partial"]
    for path in [*gone, *stay]:
        path.write_bytes(b"x")
    os.utime(gone[1], (time.time() - 3600,) * 2)
    merged(run)
    assert [path.exists() for path in [*gone, *stay]] == [False, False, True, True, True]


def test_a_file_of_another_run_is_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path / "out", [[captioned("a.png", 1)], [captioned("b.png", 2)]])
    marker = tmp_path / "out/done/00001.json"
    marker.write_text(marker.read_text().replace(run.manifest.hash, "0" * 64))
    with pytest.raises(ScaleError, match="another shard or run"):
        merged(run)


def test_the_merge_says_where_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wd14.ticking.TICK", 0.0)
    run = make_run(tmp_path / "out", [[captioned("a.png", 1)], [captioned("b.png", 2)]])
    seen = []
    merge(run.output, run.manifest, run.config, LABELS, tick=lambda *where: seen.append(where))
    assert {what for _, _, what in seen} >= {"markers", "summaries", "captions"}
    assert SHARD_ROWS == 10_000
