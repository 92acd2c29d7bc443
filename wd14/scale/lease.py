"""Who is at work on an output: a file with a sign of life every ten seconds. A second run sees it, says so and stops.

A run of all shards (`driver`) is alone. Parts (`part-3`) go together, each number once. Clocks of two machines are
never compared: whether another one lives is seen by its sign changing.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Self

from wd14.errors import JobStoppedError, PlaceError, ScaleError
from wd14.places import Place
from wd14.regular_files import open_file
from wd14.scale.output import Output
from wd14.stop import StopToken
from wd14.text import duration, printable
from wd14.types import Log

#: Seconds between two signs of life.
BEAT = 10.0
#: Seconds without a sign after which a run of another machine counts as dead.
STALE_AFTER = 60.0
#: Seconds between writing a lease and looking whether another one was written at the same moment.
_SETTLES = 0.2
#: Seconds between two looks at the sign of another run.
_LOOK = 1.0
#: Bytes of a lease's file, at most.
_LARGEST = 1 << 16


@dataclass(frozen=True, slots=True)
class Holder:
    """A run that is at work, or was when it was killed."""

    name: str  #: `driver`, or `part-3`
    token: str  #: of this run alone
    host: str
    machine: str  #: another one for every start of a machine, and for every container on it
    process: int
    born: str  #: tells the process from a later one of the same number
    beat: int  #: signs so far
    at: float  #: of the last sign, by the clock of its machine: seconds since 1970

    def is_dead(self) -> bool:
        """Whether it ran on this machine, and its process is gone."""
        return self.machine == _machine() and _born(self.process) != self.born

    def is_alive(self) -> bool:
        """Whether it runs on this machine, and its process is there."""
        return self.machine == _machine() and self.born != "" and _born(self.process) == self.born

    def __str__(self) -> str:
        age = duration(max(0.0, time.time() - self.at))
        what = "a run" if self.name == "driver" else f"a run of {self.name.replace('-', ' ')}"
        return f"{what} on {printable(self.host)} (process {self.process}, last sign {age} ago)"


def holders(output: Output) -> Iterator[Holder]:
    """Who has a lease of an output, dead or alive.

    Raises:
        PlaceError: the output cannot be read.
    """
    for name in (output.root / "running").names():
        if name.endswith(".json") and (found := _read(output, name.removesuffix(".json"))) is not None:
            yield found


class Lease:
    """Says that this process is at work on an output; a context manager.

    A killed run of this machine is taken over at once, one of another machine when it has shown no sign for a minute,
    which is waited for. Entering takes a fifth of a second.

    Args:
        output: the run's folder.
        name: `driver` for a run of all shards; `part-3` for one of several.
        say: where to say what is waited for.
        stop: ends the waiting. It is asked to stop when another run has taken over, because this one showed no sign.

    Raises:
        ScaleError: another run is at work.
        PlaceError: the output cannot be read or written.
        JobStoppedError: a stop was asked for while waiting.
    """

    def __init__(self, output: Output, name: str, say: Log, stop: StopToken) -> None:
        self._output = output
        self._place = _place(output, name)
        self._say = say
        self._stop = stop
        self._mine = Holder(
            name=name,
            token=secrets.token_hex(8),
            host=socket.gethostname(),
            machine=_machine(),
            process=os.getpid(),
            born=_born(os.getpid()),
            beat=0,
            at=time.time(),
        )
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="wd14-lease", daemon=True)

    def __enter__(self) -> Self:
        for other in self._others():
            self._wait_for_end_of(other)
        self._show(0)
        try:
            self._check_alone()
        except BaseException:
            self._remove()
            raise
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(BEAT)
        self._remove()

    def _check_alone(self) -> None:
        """Looks whether another one began at the same moment; the one with the smaller token goes on."""
        self._stop.wait(_SETTLES)
        self._stop.check()
        first = [each for each in self._others() if each.token < self._mine.token and not each.is_dead()]
        now = _read(self._output, self._mine.name)
        if first or now is None or now.token != self._mine.token:
            other = first[0] if first else now or "another run"
            raise ScaleError(f"{other} began at the same moment on {self._output.root}, and goes on")

    def _others(self) -> list[Holder]:
        """Those that this run must not work beside."""
        name, token = self._mine.name, self._mine.token
        found = (each for each in holders(self._output) if each.token != token)
        return [each for each in found if "driver" in (name, each.name) or each.name == name]

    def _wait_for_end_of(self, other: Holder) -> None:
        """Returns when it is dead, and then removes what it left.

        Raises:
            ScaleError: it lives.
        """
        if other.is_alive():
            raise self._busy(other)
        if not other.is_dead():
            left = STALE_AFTER - max(0.0, min(STALE_AFTER - 2.5 * BEAT, time.time() - other.at))
            self._say(f"{_capital(other)} was at work here: waiting up to {duration(left)} for another sign of it.")
            end = time.monotonic() + left
            while time.monotonic() < end:
                self._stop.wait(_LOOK)
                self._stop.check()
                now = _read(self._output, other.name)
                if now is None:
                    return
                if (now.token, now.beat) != (other.token, other.beat):
                    raise self._busy(now)
        self._say(f"{_capital(other)} has ended without saying so: going on in its place.")
        _place(self._output, other.name).remove()

    def _busy(self, other: Holder) -> ScaleError:
        return ScaleError(
            f"{other} is at work on {self._output.root}: wait until it has ended, or stop it. "
            f"What it has done is shown by: wd14-captioner scale {self._output.root} --status"
        )

    def _show(self, beat: int) -> None:
        mine = asdict(self._mine) | {"beat": beat, "at": time.time()}
        self._place.write(json.dumps(mine).encode() + b"\n")

    def _beat(self) -> None:
        beat = 0
        while not self._ended.wait(BEAT):
            beat += 1
            # A sign that cannot be given is given later; whoever cannot write at all fails by his shards.
            with suppress(PlaceError, JobStoppedError):
                now = _read(self._output, self._mine.name)
                if now is not None and now.token != self._mine.token:
                    self._stop.request(f"{now} has taken over, since this one had shown no sign for a minute")
                    return
                self._show(beat)

    def _remove(self) -> None:
        with suppress(PlaceError, JobStoppedError):  # the next run sees that it is dead
            now = _read(self._output, self._mine.name)
            if now is not None and now.token == self._mine.token:
                self._place.remove()


def _place(output: Output, name: str) -> Place:
    return output.root / f"running/{name}.json"


def _read(output: Output, name: str) -> Holder | None:
    place = _place(output, name)
    try:
        return Holder(**json.loads(place.read(_LARGEST)))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise ScaleError(
            f"{place} is not as a run writes it ({error}): remove it, if no run is at work there"
        ) from error


def _capital(holder: Holder) -> str:
    text = str(holder)
    return text[0].upper() + text[1:]


def _machine() -> str:
    """Names this machine since its start, and this container on it."""
    try:
        with open_file("/proc/sys/kernel/random/boot_id") as file:
            boot = file.read(100).decode().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115 - no file, a name
    except OSError:
        return socket.gethostname()


def _born(process: int) -> str:
    """When a process of this machine began; empty where there is none, or where the system does not tell."""
    try:
        with open_file(f"/proc/{process}/stat") as file:
            words = file.read(_LARGEST).rpartition(b")")[2].split()
    except OSError:
        return ""
    return "" if words[0] in (b"Z", b"X") else words[19].decode()
