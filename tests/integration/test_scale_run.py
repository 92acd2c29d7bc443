"""`scale` on this machine, as a user calls it: one run, again, killed, changed, in parts, two at once."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.integration.conftest import ROOT, Run
from tests.support.scale_workers import InProcess
from wd14.cli.main import main
from wd14.scale.task import Outcome, Task
from wd14.stop import StopToken
from wd14.types import Log

#: Pictures of the set, and of a shard: so many shards that a run can be killed between two of them.
PICTURES, ROWS = 120, 6
SHARDS = PICTURES // ROWS
MODEL = ("--custom-model", "builtin/colours")
ROWS_EACH = ("--shard-rows", str(ROWS))
#: Seconds after which something that should have happened never will; a busy machine is slow.
NEVER = 150


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small pictures, each of its own colour."""
    return picture_set(tmp_path_factory.mktemp("set"), PICTURES)


@pytest.fixture(scope="module")
def whole(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a run that nobody disturbs writes."""
    output = tmp_path_factory.mktemp("whole") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("wd14.scale.local_engine.LocalEngine", InProcess)
        assert main(["scale", str(pictures), str(output), *MODEL, *ROWS_EACH]) == 0
    return rows_of(output)


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """Twelve pictures: two shards."""
    return picture_set(tmp_path / "few", 2 * ROWS)


@pytest.fixture
def scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Calls `wd14-captioner scale` in this process, its worker as well, in the test's folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("wd14.scale.local_engine.LocalEngine", InProcess)

    def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
        arguments = ["scale", *map(str, words)]
        try:
            code = main(arguments)
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, code, said.out, said.err)

    return run


def picture_set(folder: Path, pictures: int) -> Path:
    for number in range(pictures):
        below = folder / f"{number % 3}"
        below.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40 + number % 7, 30), (number, 255 - number, 40 * (number % 7))).save(
            below / f"{number:03d}.png"
        )
    return folder


def rows_of(output: Path) -> dict[str, bytes]:
    """The bytes of the shards, by their names."""
    return {path.name: path.read_bytes() for path in sorted((output / "shards").iterdir())}


class Started(subprocess.Popen[str]):
    """A run that goes on beside the test; nothing of it is left behind."""

    def __exit__(self, *problem: object) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        super().__exit__(*problem)  # type: ignore[arg-type]

    def workers(self) -> list[int]:
        """The processes of its workers."""
        found = []
        for status in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                words = status.read_text().rpartition(")")[2].split()
                command = status.with_name("cmdline").read_bytes()
                if int(words[1]) == self.pid and b"spawn_main" in command:
                    found.append(int(status.parent.name))
        return found


def started(folder: Path, source: Path | str, output: Path | str, *more: str) -> Started:
    return Started(
        [sys.executable, "-m", "wd14.cli", "scale", str(source), str(output), *MODEL, *ROWS_EACH, *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"},
        start_new_session=True,
    )


def wait_until(there: Callable[[], object], seconds: float = NEVER) -> None:
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end
        time.sleep(0.01)


def wait_for_shards(output: Path, number: int) -> None:
    """Waits until so many shards are complete."""
    wait_until(lambda: len(list(output.glob("done/*.json"))) >= number)


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def ended() -> Iterator[list[int]]:
    """Processes that must be gone at the end of the test."""
    processes: list[int] = []
    yield processes
    assert processes
    wait_until(lambda: not any(map(is_alive, processes)))


def test_every_picture_has_its_row_and_a_second_run_changes_nothing(few: Path, scale: Run, tmp_path: Path) -> None:
    done = scale(few, "out", *MODEL, *ROWS_EACH)
    assert done.returncode == 0, done.stderr
    assert f"{2 * ROWS} pictures in 2 shards" in done.stdout
    output = tmp_path / "out"
    ids = [row for name in rows_of(output) for row in pq.read_table(output / "shards" / name)["id"].to_pylist()]
    assert ids == sorted(path.relative_to(few).as_posix() for path in few.rglob("*.png"))
    assert (output / "_SUCCESS").exists()
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*") if path.is_file()}
    again = scale(few, "out", *MODEL, *ROWS_EACH)
    assert again.returncode == 0, again.stderr
    assert "complete already" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*") if path.is_file()} == before


def test_a_killed_worker_is_replaced(pictures: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    output = tmp_path / "out"
    with started(tmp_path, pictures, output, "--workers", "2") as run:
        wait_for_shards(output, 1)
        os.kill(run.workers()[0], signal.SIGKILL)
        said, _ = run.communicate(timeout=NEVER)
    assert run.returncode == 0, said
    assert "another one takes its place" in said
    assert rows_of(output) == whole


def test_a_killed_driver_takes_its_workers_along_and_the_next_run_goes_on(
    pictures: Path, whole: dict[str, bytes], tmp_path: Path, ended: list[int]
) -> None:
    output = tmp_path / "out"
    with started(tmp_path, pictures, output, "--workers", "2") as run:
        wait_for_shards(output, 1)
        ended += run.workers()
        os.kill(run.pid, signal.SIGKILL)
        run.wait(10)
        wait_until(lambda: not any(map(is_alive, ended)))
    made = {path.name: path.stat().st_mtime_ns for path in output.glob("done/*.json")}
    assert len(made) < len(whole)
    with started(tmp_path, pictures, output) as again:
        said, _ = again.communicate(timeout=NEVER)
    assert again.returncode == 0, said
    assert f"Going on: {len(made)} of {len(whole)} shards are complete." in said
    assert rows_of(output) == whole
    assert {name: (output / "done" / name).stat().st_mtime_ns for name in made} == made


@pytest.mark.parametrize(("number", "times"), [(signal.SIGINT, 2), (signal.SIGTERM, 1)])
def test_ctrl_c_and_sigterm_end_everything_at_once(
    pictures: Path, tmp_path: Path, ended: list[int], number: signal.Signals, times: int
) -> None:
    """They come to every process of the group, as a terminal and Slurm send them."""
    output = tmp_path / "out"
    with started(tmp_path, pictures, output, "--workers", "2") as run:
        wait_for_shards(output, 1)
        ended += run.workers()
        for _ in range(times):
            os.killpg(run.pid, number)
            time.sleep(0.05)
        said, _ = run.communicate(timeout=NEVER)
    assert run.returncode == 130, said
    assert "Traceback" not in said
    assert "shards that are complete stay" in said
    assert not list(output.rglob("*.partial"))
    assert not list(output.glob("running/*"))


def test_ctrl_c_while_workers_start_leaves_no_traceback(pictures: Path, tmp_path: Path) -> None:
    with started(tmp_path, pictures, tmp_path / "out", "--workers", "2") as run:
        wait_until(run.workers)
        os.killpg(run.pid, signal.SIGINT)
        said, _ = run.communicate(timeout=NEVER)
    assert run.returncode == 130, said
    assert "Traceback" not in said


def test_another_run_at_work_is_named(pictures: Path, scale: Run, tmp_path: Path) -> None:
    output = tmp_path / "out"
    with started(tmp_path, pictures, output) as run:
        wait_for_shards(output, 1)
        os.kill(run.pid, signal.SIGSTOP)
        second = scale(pictures, "out", *MODEL, *ROWS_EACH)
    assert second.returncode == 1, second.stdout
    assert f"process {run.pid}" in second.stderr
    assert "is at work" in second.stderr


def test_what_differs_from_the_run_that_is_there_is_said(few: Path, scale: Run, tmp_path: Path) -> None:
    assert scale(few, "out", *MODEL).returncode == 0

    def refused(*words: str | Path) -> str:
        done = scale(*words)
        assert done.returncode == 2, done.stdout + done.stderr
        return done.stderr

    said = refused(few, "out", *MODEL, "--thresh", "0.5")
    assert "thresh: 0.35 -> 0.5" in said
    assert "scale out NEW_OUTPUT" in said.replace(f"{tmp_path}/", "")
    assert "shard-rows: 10000 -> 7" in refused(few, "out", *MODEL, "--shard-rows", "7")
    assert "format: parquet -> webdataset" in refused(few, "out", *MODEL, "--format", "webdataset")
    assert "source: " in refused(few / "1", "out", *MODEL)
    assert scale(few, "out", *MODEL, "--device", "cpu").returncode == 0  # how it runs is not what comes out
    Image.new("RGB", (30, 30), (0, 90, 0)).save(few / "one more.png")
    assert "the source has changed: 12 files" in refused(few, "out", *MODEL)


def test_an_output_that_holds_something_else_is_left_alone(few: Path, scale: Run, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "letters.txt").write_text("mine")
    done = scale(few, "other", *MODEL)
    assert done.returncode == 2
    assert "letters.txt" in done.stderr
    assert [path.name for path in other.iterdir()] == ["letters.txt"]
    inside = scale(few, few / "out", *MODEL)
    assert inside.returncode == 2
    assert "lies in SOURCE" in inside.stderr
    assert not (few / "out").exists()


def test_parts_share_the_shards_and_the_last_one_merges(few: Path, scale: Run, tmp_path: Path) -> None:
    output = tmp_path / "out"
    part = ("--shard-count", "2", "--shard-index")
    with started(tmp_path, few, output, *part, "1") as second:  # waits for the plan
        first = scale(few, "out", *MODEL, *ROWS_EACH, *part, "0")
        said, _ = second.communicate(timeout=NEVER)
    assert first.returncode == 0, first.stderr
    assert second.returncode == 0, said
    assert ("left to other parts" in first.stdout) or ("left to other parts" in said)
    assert (output / "_SUCCESS").exists()
    assert scale(few, "alone", *MODEL, *ROWS_EACH).returncode == 0
    assert rows_of(output) == rows_of(tmp_path / "alone")
    assert json.loads((output / "report.json").read_bytes())["summary"]["rows"] == 2 * ROWS


def test_a_shard_that_fails_twice_is_set_aside_and_the_rest_goes_on(
    few: Path, scale: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture is lost between the plan and its shard: said, and merged without the shard where that is asked for."""
    lost, output = few / "0" / "000.png", tmp_path / "out"

    class Losing(InProcess):
        def run(self, task: Task, shards: Sequence[int], *, log: Log, stop: StopToken) -> Iterator[Outcome]:
            lost.rename(tmp_path / "lost.png")
            yield from super().run(task, shards, log=log, stop=stop)

    with monkeypatch.context() as patch:
        patch.setattr("wd14.scale.local_engine.LocalEngine", Losing)
        run = scale(few, "out", *MODEL, *ROWS_EACH)
    assert run.returncode == 1, run.stdout
    assert "Set aside: shard 0: " in run.stdout
    assert "1 of 2 shards failed twice" in run.stderr
    assert lost.name in run.stderr
    assert not (output / "_SUCCESS").exists()
    status = scale("out", "--status").stdout
    assert "1 of 2 shards" in status
    assert lost.name in status
    changed = scale(few, "out", *MODEL, *ROWS_EACH)
    assert changed.returncode == 2
    assert "--skip-failed" in changed.stderr
    merged = scale(few, "out", *MODEL, *ROWS_EACH, "--skip-failed")
    assert merged.returncode == 0, merged.stderr
    report = json.loads((output / "report.json").read_bytes())
    assert report["summary"]["rows"] == ROWS
    assert [each["shard"] for each in report["set_aside"]] == [0]
    (tmp_path / "lost.png").rename(lost)
    again = scale(few, "out", *MODEL, *ROWS_EACH)  # it is back: nothing is left out any more
    assert again.returncode == 0, again.stderr
    assert json.loads((output / "report.json").read_bytes())["summary"]["rows"] == 2 * ROWS


def test_a_shard_whose_file_is_lost_is_made_again(few: Path, scale: Run, tmp_path: Path) -> None:
    output = tmp_path / "out"
    assert scale(few, "out", *MODEL, *ROWS_EACH).returncode == 0
    before = rows_of(output)
    (output / "shards" / "00001.parquet").unlink()
    (output / "_SUCCESS").unlink()
    again = scale(few, "out", *MODEL, *ROWS_EACH)
    assert again.returncode == 0, again.stderr
    assert "shard 00001 is made again" in again.stdout
    assert rows_of(output) == before


def test_options_that_do_not_go_together_are_refused(few: Path, scale: Run) -> None:
    for words, named in {
        ("x",): "OUTPUT is missing",
        ("x", "y", "--status"): "one place",
        ("x", "y", "--workers", "0"): "at least 1",
        ("x", "y", "--shard-index", "0"): "--shard-count",
        ("x", "y", "--shard-index", "2", "--shard-count", "2"): "from 0 to 1",
        ("x", "y", "--shard-rows", "many"): "whole number",
        ("x", "y", "--gpus-per-worker", "1"): "--engine ray",
        ("x", "y", "--cache"): "unrecognized",
        (few, "y", *MODEL, "--thresh", "0.001"): "0.01",
    }.items():
        done = scale(*words)
        assert done.returncode == 2, done.stdout
        assert named in done.stderr


def test_a_model_that_cannot_be_had_ends_the_run_before_it_begins(
    few: Path, scale: Run, cli: Run, tmp_path: Path
) -> None:
    done = cli("scale", few, "out", "--custom-model", "nobody/knows-it")
    assert done.returncode in (1, 2)
    assert "nobody/knows-it" in done.stderr
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert scale(few, "out", *MODEL, *ROWS_EACH).returncode == 0  # what was begun is no obstacle


def test_what_is_lost_or_foreign_in_an_output_is_made_again_or_named(
    pictures: Path, whole: dict[str, bytes], scale: Run, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    assert scale(pictures, "out", *MODEL, *ROWS_EACH).returncode == 0
    tags = (output / "tags.csv").read_bytes()
    (output / "shards" / "00003.parquet").unlink()  # of a run that was complete
    shutil.copy(output / "summaries" / "00005.npz", output / "summaries" / "00004.npz")
    (output / "plan" / "00003.json.gz").unlink()
    (output / "labels.json").write_bytes(b"")
    again = scale(pictures, "out", *MODEL, *ROWS_EACH)
    assert again.returncode == 1
    assert "shard 00003 is made again" in again.stdout
    assert "00004.npz has gone, or is not as it was written: remove it" in again.stderr
    (output / "summaries" / "00004.npz").unlink()
    again = scale(pictures, "out", *MODEL, *ROWS_EACH)
    assert again.returncode == 0, again.stderr
    assert "shard 00004 is made again" in again.stdout
    assert rows_of(output) == whole
    assert (output / "tags.csv").read_bytes() == tags
    assert (output / "labels.json").stat().st_size > 100
