"""The engine `ray`, with a real Ray of two cores: same bytes, dead workers, a lost node, a stop."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.support import ray_actors
from tests.support.scale_sets import tar_files
from tests.support.scale_workers import done, planned
from wd14.errors import JobStoppedError, ScaleError
from wd14.scale import ray_cluster, ray_engine
from wd14.scale.attempts import KILLED
from wd14.scale.driver import run_scale
from wd14.scale.engines import Resources
from wd14.scale.ray_engine import RayEngine, ShardActor
from wd14.scale.request import ScaleRequest
from wd14.scale.task import Outcome, Task
from wd14.stop import StopToken

MODEL = "builtin/colours"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return tar_files(tmp_path / "pictures", 24, of_a_tar=12)


def outcomes(task: Task, shards: int, stop: StopToken | None = None) -> list[Outcome]:
    engine = RayEngine(Resources(workers=2))
    return list(engine.run(task, range(shards), log=lambda _: None, stop=stop or StopToken()))


@pytest.mark.usefixtures("ray_of_two_cores")
@pytest.mark.parametrize(("number", "rows"), [(24, 6), pytest.param(600, 50, marks=pytest.mark.long)])
def test_two_workers_of_ray_write_the_bytes_of_one_without_it(number: int, rows: int, tmp_path: Path) -> None:
    pictures = tar_files(tmp_path / "pictures", number, of_a_tar=2 * rows)
    task, shards = planned(pictures, tmp_path / "one", rows=rows, custom_model=MODEL)
    done(task, shards)
    lines: list[str] = []
    request = ScaleRequest(
        str(pictures),
        str(tmp_path / "two"),
        {"custom_model": MODEL},
        engine="ray",
        resources=Resources(workers=2),
        shard_rows=rows,
    )

    is_complete = run_scale(request, say=lines.append)

    assert is_complete
    assert "2 workers, each with 1 core" in " ".join(lines)
    expected = {path.name: path.read_bytes() for path in (tmp_path / "one/shards").iterdir()}
    assert len(expected) == number // rows
    assert {path.name: path.read_bytes() for path in (tmp_path / "two/shards").iterdir()} == expected


@pytest.mark.usefixtures("ray_of_two_cores")
def test_a_shard_that_kills_every_worker_is_set_aside_and_the_others_are_done(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_engine, "ShardActor", ray_actors.DeadlyActor)
    task, shards = planned(pictures, tmp_path / "out", rows=6, custom_model=MODEL)

    found = {outcome.shard: outcome for outcome in outcomes(task, shards)}

    assert found.keys() == set(range(shards))
    assert found.pop(ray_actors.DEADLY).set_aside == KILLED
    assert all(outcome.marker is not None for outcome in found.values())


def test_a_stop_ends_the_workers_and_leaves_a_ray_alone_that_was_there(
    ray_of_two_cores: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_engine, "ShardActor", ray_actors.SlowActor)
    stop = StopToken()
    task = Task(str(tmp_path), "m", "score", {}, "a-start")
    running = RayEngine(Resources(workers=2)).run(task, range(4), log=lambda _: None, stop=stop)
    seen = [next(running).shard, next(running).shard]
    threading.Timer(0.5, stop.request).start()
    with pytest.raises(JobStoppedError):
        next(running)

    assert sorted(seen) == [0, 1]
    assert ray_of_two_cores.is_initialized()
    deadline = time.monotonic() + 100
    while ray_of_two_cores.available_resources().get("CPU") != 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert ray_of_two_cores.available_resources().get("CPU") == 2


def test_without_ray_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "ray.data", None)
    with pytest.raises(ScaleError, match=r'pip install "wd14-captioner\[scale\]", or use --engine local'):
        outcomes(Task(str(tmp_path), "m", "score", {}, "a-start"), 1)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("127.0.0.1:1", "No Ray cluster answers at 127.0.0.1:1"),
        ("ray://127.0.0.1:10001", "ray job submit --address"),
    ],
)
def test_a_cluster_that_is_not_there_is_said_at_once(address: str, words: str) -> None:
    class NoRay:
        @staticmethod
        def is_initialized() -> bool:
            return False

    joining = ray_cluster.joined(NoRay, Resources(address=address), lambda _: None)
    with pytest.raises(ScaleError, match=words), joining:
        pass


def test_a_worker_of_another_version_does_nothing(tmp_path: Path) -> None:
    actor = ShardActor(Task(str(tmp_path), "m", "score", {}, "a-start"), "0.0.1")
    [text] = actor({"shard": [3]})["outcome"]
    assert "install the same" in text
    assert not list(tmp_path.iterdir())


@pytest.mark.long
def test_a_node_that_goes_takes_nothing_with_it(pictures: Path, tmp_path: Path) -> None:
    """In a process of its own: a cluster of two nodes, of which one is killed after the first shard."""
    counts = Counter(done_on_two_nodes(pictures, tmp_path))
    assert counts == Counter(range(8))


def done_on_two_nodes(pictures: Path, folder: Path) -> list[int]:
    script = f"""
from ray.cluster_utils import Cluster
from pathlib import Path
from tests.support.scale_workers import planned
from wd14.scale.engines import Resources
from wd14.scale.request import ScaleRequest
from wd14.scale.ray_cluster import import_ray
from wd14.scale.ray_engine import RayEngine
from wd14.stop import StopToken
cluster = Cluster(initialize_head=True, head_node_args={{"num_cpus": 1, "include_dashboard": False}})
node = cluster.add_node(num_cpus=1)
cluster.wait_for_nodes()
task, shards = planned(Path({str(pictures)!r}), Path({str(folder / "out")!r}), rows=3, custom_model="builtin/colours")
running = RayEngine(Resources(workers=2, address=cluster.address)).run(
    task, range(shards), log=lambda _: None, stop=StopToken())
for outcome in running:
    print("SHARD", outcome.shard, outcome.marker is not None, flush=True)
    if node is not None:
        cluster.remove_node(node, allow_graceful=False)
        node = None
cluster.shutdown()
"""
    root = Path(__file__).parents[2]
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=root, timeout=200, check=True
    )
    lines = [line.split() for line in ended.stdout.splitlines() if line.startswith("SHARD")]
    return [int(shard) for _, shard, complete in lines if complete == "True"]
