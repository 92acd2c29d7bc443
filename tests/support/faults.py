"""The command line in processes that something happens to: killed, stopped, refused by the disk.

A server imports the package once and forks a process for every run, so a hundred faults take seconds. The fork calls
`wd14.cli.main.main` with its own arguments, folder, output files and signals, and ends as the program ends.
"""

from __future__ import annotations

import codecs
import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from PIL import Image

ROOT = Path(__file__).parents[2]

#: What the system is asked when files are worked with. Python tells about each before it happens.
FILE_EVENTS = frozenset(
    {
        *("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.listdir", "os.scandir", "os.link"),
        *("fcntl.flock", "sqlite3.connect", "shutil.rmtree"),
    }
)


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    status: int  #: exit status; -9 for SIGKILL and so on
    out: str
    err: str
    seconds: float
    events: int  #: file operations that were counted; 0 where the process could not say
    megabytes: float  #: memory at its most

    @property
    def said(self) -> str:
        """All that it wrote."""
        return self.out + self.err


class Faults:
    """Runs the command line, with a fault. A context manager.

    Args:
        folder: the current folder of the runs.
        env: more variables of the environment.
    """

    def __init__(self, folder: Path, env: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        more = {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "OPENBLAS_NUM_THREADS": "1"}
        more |= {"WD14_CACHE": str(folder / "own-cache"), **(env or {})}
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.support.faults"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=os.environ | more,
        )

    def run(
        self,
        *words: str | Path,
        send: int = 0,
        after: float = 0.0,
        at_event: int = 0,
        under: Path | None = None,
        error: int = 0,
        largest_file: int | None = None,
        user: int | None = None,
        setup: str = "",
        patience: float = 240.0,
    ) -> Outcome:
        """Runs `wd14-captioner` to its end.

        Args:
            words: the arguments.
            send: a signal to send.
            after: when to send it, in seconds from the start …
            at_event: … or the number of the file operation, from 1, that it comes right before; with `error`, the
                number of the one that fails.
            under: count only operations on paths below this.
            error: number of the system's error with which operation `at_event` and all later ones fail.
            largest_file: bytes that a file may have; writing more fails.
            user: id of the user to become.
            setup: Python to run in the process before the program.
            patience: seconds after which it is killed.
        """
        request = {
            "words": [os.fsdecode(word) for word in words],
            "send": int(send),
            "after": after,
            "at_event": at_event,
            "under": None if under is None else str(under),
            "error": error,
            "largest_file": largest_file,
            "user": user,
            "setup": setup,
            "folder": str(self._folder),
            "patience": patience,
        }
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        return Outcome(**json.loads(self._server.stdout.readline()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.communicate(timeout=30)


def small_pictures(folder: Path, number: int = 12) -> Path:
    """A folder of that many small pictures, one of them with transparency, in two folders."""
    (folder / "more").mkdir(parents=True)
    for index in range(number - 1):
        place = folder / "more" if index % 3 == 0 else folder
        Image.new("RGB", (40 + index, 30), (index * 20 % 256, 255 - index * 9 % 256, 128)).save(
            place / f"{index:02}.png"
        )
    Image.new("RGBA", (40, 30), (200, 30, 30, 99)).save(folder / "clear.png")
    return folder


def small_model(folder: Path) -> Path:
    """A tagger that is opened in some milliseconds and whose captions differ from picture to picture."""
    from tests.support.onnx_models import random_weights, save_model, write_csv

    save_model(folder / "model.onnx", random_weights(24, seed=3, scale=1 / 40), size=32)
    write_csv(folder / "selected_tags.csv", [9] * 4 + [0] * 18 + [4] * 2)
    return folder


class Scene:
    """A source, a model, an output folder and a cache of a test's own, and what a run is to leave there.

    Args:
        folder: holds them all.
        faults: runs the command line.
        more: further options of every run.
    """

    def __init__(self, folder: Path, faults: Faults, *more: str) -> None:
        self.folder = folder
        self.faults = faults
        self.source = small_pictures(folder / "source")
        self.model = small_model(folder / "model")
        self.output = folder / "sets" / "out"
        self.cache = folder / "cache"
        self.more = more
        self.before = tree(self.source)
        self.whole = self.run()
        assert self.whole.status == 0, self.whole.said
        self.expected = content(self.output)
        self.clear()

    def run(self, *words: str | Path, **fault: Any) -> Outcome:
        """Runs the command, the same each time but for `words`."""
        options = ("--output", self.output, "--generation-model", self.model, "--cache-folder", self.cache)
        return self.faults.run("caption", self.source, *options, *self.more, *words, **fault)

    def clear(self, *, cache: bool = True) -> None:
        """Begins anew: no output, and no stored scores."""
        shutil.rmtree(self.output.parent, ignore_errors=True)
        if cache:
            shutil.rmtree(self.cache, ignore_errors=True)

    def check_nothing_lost(self) -> None:
        """After whatever happened: the source untouched, no half dataset in sight, a store that opens."""
        from wd14.model.score_store.store import ScoreStore

        assert tree(self.source) == self.before
        for place in self.output.parent.iterdir() if self.output.parent.exists() else ():
            if not is_leftover(place):
                assert is_complete(place), f"{place} is half a dataset"
                assert content(place) == self.expected
        lines: list[str] = []
        with ScoreStore.open(self.cache, log=lines.append) as store:
            assert store.reason is None
        assert lines == []

    def check_again(self) -> None:
        """The same command once more ends as if nothing had happened, and clears what was left."""
        taken = {place.name for place in self.output.parent.iterdir()} if self.output.parent.exists() else set()
        again = self.run()
        assert again.status == 0, again.said
        new = {place.name for place in self.output.parent.iterdir()} - taken
        assert len(new) == 1, new
        place = self.output.parent / new.pop()
        assert is_complete(place)
        assert content(place) == self.expected
        assert not any(is_leftover(left) for left in self.output.parent.iterdir())
        assert tree(self.source) == self.before


def is_leftover(place: Path) -> bool:
    """Whether it is what a run that did not end leaves: hidden, and of our names."""
    return place.name.startswith(".") and place.name.endswith((".wd14-partial", ".wd14-lock"))


def tree(folder: Path) -> dict[str, str]:
    """Everything in a folder: relative path -> hash of the bytes, `/` for a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "/"
        for path in sorted(folder.rglob("*"))
    }


def content(dataset: Path) -> dict[str, str]:
    """A dataset's files without what tells of the run: the time, and which captions came from stored scores."""
    return {name: digest for name, digest in tree(dataset).items() if not name.startswith(".wd14")}


def is_complete(dataset: Path) -> bool:
    """Whether a folder is a whole dataset: every line's picture is there, every picture has a line, a report."""
    train = dataset / "train"
    lines = (train / "metadata.jsonl").read_text("utf-8").splitlines()
    names = {json.loads(line)["file_name"] for line in lines}
    report = json.loads((dataset / ".wd14" / "report.json").read_text("utf-8"))
    others = {"metadata.jsonl", *(path.name for path in train.glob("*.txt"))}
    pictures = {path.name for path in train.iterdir()} - others
    json.loads((dataset / ".wd14" / "provenance.json").read_text("utf-8"))
    return names == pictures and len(lines) == report["summary"]["rows"] - report["summary"]["failed"]


# ── The server ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _serve() -> None:
    # What a run imports late, so that the forks have it: also those that may not read our files.
    import onnxruntime  # noqa: F401
    from PIL import Image

    import wd14.cli.main
    import wd14.hosts.local
    import wd14.pipeline  # noqa: F401

    Image.init()
    codecs.lookup("utf-8-sig")
    for line in sys.stdin:
        request = json.loads(line)
        sys.stdout.write(json.dumps(_run(request)) + "\n")
        sys.stdout.flush()


def _run(request: dict[str, Any]) -> dict[str, Any]:
    import time

    # Pipes and not files, which a limit on files would be for as well. They are emptied while it runs: it may say much.
    (out, out_end), (err, err_end), (count, count_end) = os.pipe(), os.pipe(), os.pipe()
    begun = time.monotonic()
    child = os.fork()
    if child == 0:
        os.dup2(out_end, 1)
        os.dup2(err_end, 2)
        _child(request, count_end)
    for end in (out_end, err_end, count_end):
        os.close(end)
    reading = [_Reading(pipe) for pipe in (out, err, count)]
    if request["send"] and not request["at_event"]:
        time.sleep(request["after"])
        os.kill(child, request["send"])
    watchdog = threading.Timer(request["patience"], os.kill, (child, signal.SIGKILL))
    watchdog.start()
    _, status, used = os.wait4(child, 0)
    watchdog.cancel()
    watchdog.join()  # no thread is left when the next run is forked
    seconds = time.monotonic() - begun
    texts = [pipe.text() for pipe in reading]
    return {
        "status": os.waitstatus_to_exitcode(status),
        "out": texts[0],
        "err": texts[1],
        "seconds": seconds,
        "events": int(texts[2] or 0),
        "megabytes": used.ru_maxrss / 1024,
    }


class _Reading:
    """Reads a pipe to its end, in a thread: no thread of it is left when the next run is forked."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._bytes = b""
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        with os.fdopen(self._pipe, "rb") as file:
            self._bytes = file.read()

    def text(self) -> str:
        self._thread.join()
        return self._bytes.decode("utf-8", "surrogateescape")


def _child(request: dict[str, Any], count: int) -> None:
    """The program, in the forked process; never returns."""
    code = 70
    try:
        sys.stdin.close()
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        os.chdir(request["folder"])
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if request["largest_file"] is not None:
            import resource

            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (request["largest_file"], resource.RLIM_INFINITY))
        if request["user"] is not None:
            os.setgid(request["user"])
            os.setuid(request["user"])
        exec(request["setup"], {})
        events = _watch(request)
        from wd14.cli.main import main

        try:
            code = main(request["words"])
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        os.write(count, str(events[0]).encode())
        if sys.stdout is not None:
            sys.stdout.flush()
    except BaseException:  # noqa: BLE001 - shown as Python shows it
        import traceback

        traceback.print_exc()
        code = 1
    finally:
        sys.stderr.flush()
        os._exit(code)


def _watch(request: dict[str, Any]) -> list[int]:
    """Counts file operations, and lets the fault happen at its number."""
    seen = [0]
    under, at, failing = request["under"], request["at_event"], request["error"]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in FILE_EVENTS:
            return
        if under is not None and not any(
            isinstance(a, (str, bytes, Path)) and under in os.fsdecode(a) for a in arguments
        ):
            return
        if failing and (event == "shutil.rmtree" or (event == "open" and not _writes(arguments))):
            return  # no operation of the system, or one that only reads
        seen[0] += 1
        if not at or seen[0] < at:
            return
        if failing:
            raise OSError(failing, os.strerror(failing))
        if seen[0] == at:
            os.kill(os.getpid(), request["send"])

    sys.addaudithook(hook)
    return seen


def _writes(arguments: tuple[Any, ...]) -> bool:
    mode, flags = arguments[1], arguments[2]
    if isinstance(mode, str):
        return any(sign in mode for sign in "wxa+")
    return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


#: What a system says when it does not take what is to be written.
WRITE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES)

if __name__ == "__main__":
    _serve()
