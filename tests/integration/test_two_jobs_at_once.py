"""Two jobs at the same time: the same dataset, the same name, the same store."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.faults import ROOT, Faults, Scene, content, is_complete, is_leftover, tree
from tests.support.tally import tally
from wd14.data.partial_folder import PartialFolder
from wd14.run_folder import clear_leftovers

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs fork")


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faults]:
    with Faults(tmp_path_factory.mktemp("runs")) as server:
        yield server


def start(scene: Scene, *more: str) -> subprocess.Popen[str]:
    """A job in a process of its own, which others run beside."""
    words: list[str | Path] = [
        "--output",
        scene.output,
        "--generation-model",
        scene.model,
        "--cache-folder",
        scene.cache,
    ]
    return subprocess.Popen(
        [sys.executable, "-m", "wd14.cli", "caption", str(scene.source), *map(str, words), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"},
    )


def test_jobs_at_once_get_different_names_and_the_same_content(faults: Faults, tmp_path: Path) -> None:
    scene = Scene(tmp_path, faults)
    jobs = [start(scene) for _ in range(4)]
    outputs = [job.communicate(timeout=120)[0] for job in jobs]
    assert [job.returncode for job in jobs] == [0] * 4, outputs
    places = sorted(scene.output.parent.iterdir())
    assert [place.name for place in places] == ["out", "out-2", "out-3", "out-4"]
    for place in places:
        assert is_complete(place)
        assert content(place) == scene.expected
    for output in outputs:
        assert "Traceback" not in output
        assert "not used" not in output, "the store serves them all"
    told = {output.rpartition("Result: ")[2].strip() for output in outputs}
    assert told == {str(place) for place in places}, "each says where it wrote"
    scene.check_nothing_lost()
    tally("jobs run at once", 4)


def test_a_job_beside_killed_ones_keeps_its_folder(faults: Faults, tmp_path: Path) -> None:
    """A new run clears what killed ones left, while another is at work in the same place."""
    scene = Scene(tmp_path, faults)
    slow = start(scene, "--no-cache")
    for step in (60, 75, 90, 60, 75, 90):
        scene.run(send=signal.SIGKILL, at_event=step, under=scene.folder)
        scene.run()
    assert slow.communicate(timeout=120)[0]
    assert slow.returncode == 0
    for place in scene.output.parent.iterdir():
        if not is_leftover(place):
            assert is_complete(place)
            assert content(place) == scene.expected
    assert len([place for place in scene.output.parent.iterdir() if not is_leftover(place)]) >= 7
    assert tree(scene.source) == scene.before
    tally("jobs run at once", 2)


CONTEST = """
import sys
sys.path.insert(0, {root!r})
from pathlib import Path
from wd14.data.partial_folder import PartialFolder
from wd14.run_folder import clear_leftovers
parent = Path(sys.argv[1])
for number in range(150):
    clear_leftovers(parent)
    folder = PartialFolder(parent, "set")
    (folder.path / "file").write_text("mine")
    clear_leftovers(parent)
    assert (folder.path / "file").read_text() == "mine", "another process took it away"
    folder.remove()
"""


def test_processes_that_clear_up_never_take_a_living_folder(tmp_path: Path) -> None:
    """Three of them make and clear partial folders in one place, as fast as they can."""
    jobs = [
        subprocess.Popen(
            [sys.executable, "-c", CONTEST.format(root=str(ROOT)), str(tmp_path)], stderr=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    errors = [job.communicate(timeout=120)[1] for job in jobs]
    assert errors == [""] * 3
    assert list(tmp_path.iterdir()) == []


def test_what_only_looks_like_a_leftover_stays(tmp_path: Path) -> None:
    """A folder of somebody else's, a link, and a lock that is held."""
    (tmp_path / ".somebodys.wd14-partial").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").touch()
    (tmp_path / ".link.wd14-lock").touch()
    (tmp_path / ".link.wd14-partial").symlink_to("elsewhere")
    living = PartialFolder(tmp_path, "set")
    clear_leftovers(tmp_path)
    assert (tmp_path / "elsewhere" / "file").exists()
    assert (tmp_path / ".somebodys.wd14-partial").exists()
    assert living.path.exists()
    living.remove()


def test_a_store_that_is_being_written_by_many(faults: Faults, tmp_path: Path) -> None:
    """Eight jobs with one new store; each reads or writes it, none fails."""
    scene = Scene(tmp_path, faults)
    jobs = [start(scene) for _ in range(8)]
    assert [job.wait(120) for job in jobs] == [0] * 8
    for job in jobs:
        assert job.stdout is not None
        job.stdout.close()
    scene.check_nothing_lost()
    assert "12 from stored scores" in scene.run().out
    tally("jobs run at once", 8)
