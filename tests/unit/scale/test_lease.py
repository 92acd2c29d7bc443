"""Two runs on one output: the second sees the first, and takes over from a dead one only."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from wd14.errors import JobStoppedError, ScaleError
from wd14.places import Place
from wd14.scale import lease
from wd14.scale.lease import Lease, holders
from wd14.scale.output import Output
from wd14.stop import StopToken

ROOT = Path(__file__).parents[3]
_HOLD = """
import sys, time
from wd14.places import Place
from wd14.scale.lease import Lease
from wd14.scale.output import Output
from wd14.stop import StopToken
with Lease(Output(Place(sys.argv[1])), sys.argv[2], print, StopToken()):
    print("at work", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def output(tmp_path: Path) -> Output:
    return Output(Place(tmp_path / "out"))


def take(output: Output, name: str = "driver", said: list[str] | None = None, stop: StopToken | None = None) -> Lease:
    return Lease(output, name, (said if said is not None else []).append, stop or StopToken())


def held_by_a_process(output: Output, name: str = "driver") -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(output.root), name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "at work\n"
    return process


def from_another_machine(output: Output, *, beat: int, age: float) -> None:
    """Makes the lease that is there look as if a run of another machine had written it."""
    place = output.root / "running/driver.json"
    told = json.loads(place.read()) | {"machine": "elsewhere", "host": "node-7", "process": 12, "beat": beat}
    place.write(json.dumps(told | {"at": time.time() - age}).encode())


def test_a_second_run_says_who_is_at_work_and_a_killed_one_is_replaced_at_once(output: Output) -> None:
    with held_by_a_process(output) as process:
        for name in ("driver", "part-3"):
            with pytest.raises(ScaleError, match=rf"a run on .* \(process {process.pid}, last sign .* ago\) is"):
                take(output, name).__enter__()
        process.send_signal(signal.SIGKILL)
        process.wait()
    said: list[str] = []
    with take(output, said=said):
        assert [each.process for each in holders(output)] == [os.getpid()]
    assert list(holders(output)) == []
    assert said[0].endswith("has ended without saying so: going on in its place.")


def test_parts_go_together_each_number_once(output: Output) -> None:
    with held_by_a_process(output, "part-0") as process:
        with take(output, "part-1"), pytest.raises(ScaleError, match=r"part 0 on .* is at work"):
            take(output, "part-0").__enter__()
        with pytest.raises(ScaleError, match="part 0 on"):
            take(output, "driver").__enter__()
        process.communicate("")
    assert list(holders(output)) == []


def test_a_run_of_another_machine_is_replaced_when_it_shows_no_sign(
    output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "BEAT", 0.2)
    monkeypatch.setattr(lease, "STALE_AFTER", 0.6)
    monkeypatch.setattr(lease, "_LOOK", 0.05)
    with take(output):
        from_another_machine(output, beat=5, age=7200)
        left = output.root.local / "running/driver.json"
        text = left.read_bytes()
    left.write_bytes(text)  # as the killed run left it
    # A clock that is hours behind does not make it dead: its sign changes.
    sign = threading.Timer(0.1, lambda: from_another_machine(output, beat=6, age=7200))
    sign.start()
    with pytest.raises(ScaleError, match=r"a run on node-7 \(process 12, last sign 2 h 00 min ago\) is at work"):
        take(output).__enter__()
    sign.join()
    said: list[str] = []
    with take(output, said=said):
        pass
    assert "A run on node-7 (process 12, last sign 2 h 00 min ago) was at work here: waiting up to" in said[0]
    left.write_bytes(text)
    stop = StopToken()
    stop.request("Ctrl-C")
    with pytest.raises(JobStoppedError, match="Ctrl-C"):
        take(output, stop=stop).__enter__()


def test_a_run_shows_signs_of_life(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "BEAT", 0.02)
    end = time.monotonic() + 60
    with take(output):
        while next(holders(output)).beat < 2:
            assert time.monotonic() < end
            time.sleep(0.01)


def test_a_run_that_was_replaced_is_stopped(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "BEAT", 0.05)
    stop = StopToken()
    with take(output, stop=stop):
        first = output.root / "running/driver.json"
        other = json.loads(first.read()) | {"token": "f" * 16, "host": "node-8"}
        end = time.monotonic() + 60
        while not stop.wait(0.02):  # again, where a sign of ours was just on its way
            assert time.monotonic() < end
            first.write(json.dumps(other).encode())
        assert "node-8" in str(stop.reason)
    assert [each.host for each in holders(output)] == ["node-8"]  # not ours to remove
