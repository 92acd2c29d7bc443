"""How far a run is, said from its markers, attempts and leases."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.scale_runs import MadeRun, make_run
from wd14.errors import ScaleError
from wd14.places import Place
from wd14.scale.lease import Lease
from wd14.scale.marker import Marker
from wd14.scale.output import Output
from wd14.scale.status import rate_of, read_status, status_lines
from wd14.stop import StopToken


def planned(root: Path, shards: int, *, rows: int | None, **parameters: object) -> MadeRun:
    run = make_run(root, [None] * shards, parameters)
    run = replace(run, manifest=replace(run.manifest, rows=rows))
    run.output.manifest.write(run.manifest.to_json().encode())
    return run


def done(run: MadeRun, shard: int, *, at: float, seconds: float, phase: str = "score", **more: object) -> None:
    marker = Marker(shard, run.manifest.hash, rows=1000, captioned=1000, at=at, seconds=seconds)
    marker = replace(marker, **more)  # type: ignore[arg-type]
    run.output.marker(phase, shard).write(marker.to_bytes())  # type: ignore[arg-type]


def attempt(run: MadeRun, name: str, reason: str | None) -> None:
    (run.output.root / f"attempts/{name}.json").write(json.dumps({"reason": reason} if reason else {}).encode())


def lines(run: MadeRun) -> list[str]:
    return list(status_lines(read_status(run.output)))


def test_a_run_that_nobody_works_on(tmp_path: Path) -> None:
    run = planned(tmp_path / "out", 10, rows=10_000)
    now = time.time()
    for shard in range(4):  # one worker, 100 pictures a second
        done(run, shard, at=now - 7200 + 10 * shard, seconds=10)
    done(run, 4, at=now - 7150, seconds=10, captioned=990, failed=10, reasons={"not an image": 7, "truncated": 3})
    attempt(run, "a1/00004-1", "a reason that a marker overrules")
    attempt(run, "a1/00006-1", "the archive is cut short")
    attempt(run, "a1/00006-2", "the archive is cut\x1b short again")
    attempt(run, "a1/00007-1", None)
    attempt(run, "a1/00008-1", None)
    attempt(run, "a1/00008-2", None)
    (run.output.root / "attempts/a1/notes.txt").write(b"of somebody else")
    assert lines(run) == [
        f"{run.output.root}: captions of pictures, 10,000 pictures in 10 shards, by owner/tagger",
        "Done: 5 of 10 shards (50%), 5,000 pictures, 4,990 with a caption",
        "Failed: 10 pictures: 7 not an image, 3 truncated",
        "Set aside, since they failed twice: 2 shards. The next run tries again.",
        "  shard 6: the archive is cut\\x1b short again",
        "  shard 8: its process ended without a word: it was killed, or had not enough memory",
        "Left: 5 shards, 5,000 pictures; at 100.0 pictures/s 50 s of work",
        "Nobody is at work. To go on, run the same command again.",
    ]
    run.output.success.write(b"")  # merged with --skip-failed
    assert lines(run)[-1] == "Everything else is merged: the run is complete without 5 of 10 shards."


def test_a_run_at_work_and_one_that_is_complete(tmp_path: Path) -> None:
    run = planned(tmp_path / "out", 3, rows=None)
    done(run, 0, at=time.time(), seconds=5)
    attempt(run, "a1/00001-1", None)
    with Lease(run.output, "part-2", print, StopToken()):
        said = lines(run)
        assert said[0].endswith("about 30,000 pictures in 3 shards, by owner/tagger")
        assert said[2] == "Left: 2 shards, about 2,000 pictures; at 200.0 pictures/s 10 s"
        assert said[3].startswith("At work: a run of part 2 on ")
        assert said[4].startswith("1 shard under way; the last was complete 0.")
    done(run, 1, at=time.time(), seconds=5)
    done(run, 2, at=time.time(), seconds=5)
    assert lines(run)[-1] == "All shards are done and not merged yet: run the same command again."
    run.output.success.write(b"")
    assert lines(run)[1:] == [
        "Done: 3 of 3 shards (100%), 3,000 pictures, 3,000 with a caption",
        "Everything is merged: the run is complete.",
    ]


def test_captions_by_a_plan_are_a_phase_of_their_own(tmp_path: Path) -> None:
    run = planned(tmp_path / "out", 2, rows=2000, purpose="style", trigger_word="x")
    now = time.time()
    for shard in range(2):
        done(run, shard, at=now, seconds=100)
    done(run, 0, at=now, seconds=1, phase="plan")
    assert lines(run)[1:4] == [
        "Done: 2 of 2 shards (100%), 2,000 pictures, 2,000 with a caption",
        "Captions by the plan: 1 of 2 shards (50%), 1,000 pictures, 1,000 with a caption",
        "Left: 1 shard, 1,000 pictures; at 1,000.0 pictures/s 1.0 s of work",
    ]


def test_what_is_no_run_and_what_is_another_runs(tmp_path: Path) -> None:
    with pytest.raises(ScaleError, match="is not the OUTPUT of a run"):
        read_status(Output(Place(tmp_path)))
    run = planned(tmp_path / "out", 2, rows=2000)
    done(run, 0, at=0, seconds=1, manifest="another")
    with pytest.raises(ScaleError, match=r"00000\.json is the marker of another shard or run"):
        read_status(run.output)
    run.output.marker("score", 0).write(b"{")
    with pytest.raises(ScaleError, match="is no marker of a run"):
        read_status(run.output)


def test_the_rate_is_that_of_the_last_half_hour_of_work() -> None:
    def shards(*stretches: tuple[float, float, int, float]) -> np.ndarray:
        """Workers that do shards of 1,000 pictures in so many seconds, from one time to another."""
        rows = [
            (at, seconds, 1000)
            for begin, end, workers, seconds in stretches
            for at in np.arange(begin + seconds, end + 1, seconds)
            for _ in range(workers)
        ]
        return np.array(rows, np.float64)

    assert rate_of(shards((0, 100, 1, 10))) == pytest.approx(100)
    assert rate_of(shards((0, 36_000, 8, 100))) == pytest.approx(80)
    # A night between two runs is no time of work, and what was long ago does not count.
    assert rate_of(shards((0, 600, 4, 100), (30_000, 30_600, 4, 100))) == pytest.approx(40)
    assert rate_of(shards((0, 36_000, 1, 100), (36_000, 40_000, 16, 100))) == pytest.approx(160)
    # After a night of slow shards a few quick ones; after an old one a single new one.
    assert rate_of(shards((0, 36_000, 1, 400), (90_000, 90_003, 1, 1))) == pytest.approx(1000)
    assert rate_of(np.array([[0.0, 10.0, 1000], [90_000.0, 10.0, 1000]])) == pytest.approx(100)
    assert rate_of(np.array([[0.0, 0.0, 10]])) > 0
