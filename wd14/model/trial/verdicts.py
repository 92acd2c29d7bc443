"""What trials found, remembered by machine and model in the cache folder: `runtimes.json`.

Nothing here fails a job: a file that is damaged or cannot be read counts as none, and one that cannot be written means
that nothing is measured.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from wd14.cache_folders import cache_folder
from wd14.errors import StoreError
from wd14.model.trial.best_batch import LARGEST
from wd14.model.trial.candidates import Candidate, Verdict
from wd14.regular_files import open_file, read_file
from wd14.stop import StopToken
from wd14.text import count
from wd14.threads import available_cores

FILE_NAME = "runtimes.json"
_LOCK = "runtimes.lock"
#: Raised when trials come to measure something else: what was remembered counts no more.
_TRIAL_VERSION = 1
#: Trials that are remembered; the oldest goes first. (Of a model there are two or three.)
MOST = 128
_LARGEST = 1 << 20
#: Bytes that must be free for a trial to be made: more than what most of them write.
_ROOM = 1 << 16
#: No speed and no difference is as large (nor is it NaN or infinite).
_BEYOND = 1e9
#: Seconds for which another process's trial is waited for.
_PATIENCE = 300.0
_PACKAGES = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-rocm", "openvino")
_DRIVER = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a trial is to find out."""

    model: str  #: its identity
    device: str
    precision: str


@dataclass(frozen=True, slots=True)
class Remembered:
    """A trial that was remembered."""

    machine: str
    asked: Asked
    name: str  #: the model as the user wrote it
    verdicts: tuple[Verdict, ...]

    def __str__(self) -> str:
        """The model, what was asked, and the speeds, best first: `owner/model (auto, exact): cpu 2.79 pictures/s`."""
        working = sorted((each for each in self.verdicts if each.speed), key=lambda each: -each.speed)
        broken = "".join(f"; {each.candidate}: {each.problem}" for each in self.verdicts if not each.speed)
        speeds = ", ".join(map(str, working))
        return f"{self.name} ({self.asked.device}, {self.asked.precision}): {speeds} pictures/s{broken}"


def machine() -> str:
    """The machine and what runs models on it, in words: `Intel(R) Xeon(R) …, 2 cores, onnxruntime 1.32.0`."""
    return _machine(available_cores())


@cache
def _machine(cores: int) -> str:
    words = [_processor(), count(cores, "core")]
    for package in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            words.append(f"{package} {version(package)}")
    driver = _first_line(_DRIVER)
    return ", ".join([*words, *([driver] if driver else []), f"trial {_TRIAL_VERSION}"])


def recall(asked: Asked) -> tuple[Verdict, ...] | None:
    """What a trial found on this machine; None = there was none. One for `fast` tried all that is exact as well."""
    found = {each.asked: each.verdicts for each in remembered() if each.machine == machine()}
    return found.get(asked, found.get(replace(asked, precision="fast")))


def remember(asked: Asked, name: str, verdicts: Sequence[Verdict]) -> None:
    """Remembers a trial, in place of an earlier one. To be called while `measuring` holds the lock."""
    new = Remembered(machine(), asked, name, tuple(verdicts))
    others = [each for each in remembered() if (each.machine, each.asked) != (new.machine, new.asked)]
    text = json.dumps({"trials": [asdict(each) for each in [*others, new][-MOST:]]}, indent=1)
    with contextlib.suppress(OSError, StoreError):
        path = cache_folder() / FILE_NAME
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        try:
            temporary.write_text(text + "\n", encoding="utf-8")
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def remembered() -> list[Remembered]:
    """All trials that are remembered, of any machine that shares the cache folder; oldest first."""
    with contextlib.suppress(OSError, StoreError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return [_parsed(each) for each in json.loads(read_file(cache_folder() / FILE_NAME, _LARGEST))["trials"]]
    return []


def forget_all() -> int:
    """Forgets all trials; returns how many there were.

    Raises:
        StoreError: the file cannot be removed.
    """
    number, path = len(remembered()), cache_folder() / FILE_NAME
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"{path} cannot be removed: {error.strerror or error}") from error
    return number


@contextlib.contextmanager
def measuring(stop: StopToken | None) -> Iterator[bool]:
    """Holds the right to measure, which one process of a machine has at a time; waits for it.

    Yields whether there is any sense in measuring: False where nothing can be remembered, or another process still
    measures after five minutes.

    Raises:
        JobStoppedError: a stop was asked for.
    """
    try:
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
        _check_room(folder)
        handle = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR | getattr(os, "O_NONBLOCK", 0), 0o644)
    except (OSError, StoreError):
        yield False
        return
    try:
        yield _lock(handle, stop or StopToken())
    finally:
        os.close(handle)


def _check_room(folder: Path) -> None:
    """Writes as much as a trial takes, and removes it; raises OSError where the folder or the disk takes it not."""
    probe = folder / f"runtimes.room.{os.getpid()}.tmp"
    try:
        probe.write_bytes(bytes(_ROOM))
    finally:
        probe.unlink(missing_ok=True)


def _lock(handle: int, stop: StopToken) -> bool:
    if sys.platform == "win32":
        return True
    import fcntl

    ends = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stop.check()
            if time.monotonic() > ends:
                return False
            stop.wait(0.2)
        except OSError:
            return True  # a file system without locks: two processes may measure at once, and the last one counts
        else:
            return True


def _parsed(values: Mapping[str, Any]) -> Remembered:
    """A trial as `remember` wrote it; raises TypeError where it is something else, as after an edit by hand."""
    verdicts = tuple(
        Verdict(Candidate(**each["candidate"]), each["images_per_second"], each["difference"], _text(each["problem"]))
        for each in values["verdicts"]
    )
    for each in verdicts:
        _check(each)
    asked = Asked(**{name: _text(value) for name, value in values["asked"].items()})
    return Remembered(_text(values["machine"]), asked, _text(values["name"]), verdicts)


def _check(verdict: Verdict) -> None:
    candidate, speed, difference = verdict.candidate, verdict.images_per_second, verdict.difference
    batch_is_one = candidate.batch is None or (type(candidate.batch) is int and 0 < candidate.batch <= LARGEST)
    numbers = [number for number in (speed, difference) if number is not None]
    if not (
        isinstance(candidate.device, str)
        and candidate.precision in ("exact", "fast")
        and isinstance(candidate.fused, bool)
        and batch_is_one
        and all(type(number) in (int, float) and 0 <= number < _BEYOND for number in numbers)
    ):
        raise TypeError(f"expected a verdict, found {verdict!r}")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a text, found {value!r}")
    return value


def _processor() -> str:
    """The processor's name."""
    with contextlib.suppress(OSError), open_file(Path("/proc/cpuinfo")) as file:
        for line in file.read(1 << 16).decode("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _first_line(path: Path) -> str:
    with contextlib.suppress(OSError), open_file(path) as file:
        return file.readline(200).decode("utf-8", "replace").strip()
    return ""
