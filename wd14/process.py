"""The process, where it is ours: streams that cost no job, Ctrl-C during the imports, and the end.

Imports nothing of the package, so that it is there at once.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

#: Exit status of a process that was stopped.
STOPPED = 130

#: Seconds in which our threads may end by themselves when the process ends.
_THREADS_END = 0.2


class LenientStream:
    """A text stream that nobody may be reading: once it takes nothing any more, what is written is dropped.

    A terminal that was closed, a reader that left (`| head`) and a full disk under stdout are no reasons to lose a job.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.is_lost = False  #: whether something that was written was dropped

    def write(self, text: str) -> int:
        """Writes a text, or drops it."""
        if not self.is_lost:
            with self._losing_what_cannot_be_written():
                self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Passes on what is buffered, or drops it."""
        if not self.is_lost:
            with self._losing_what_cannot_be_written():
                self._stream.flush()

    @contextlib.contextmanager
    def _losing_what_cannot_be_written(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            self.is_lost = True
        except ValueError:  # it is closed; or a character cannot be encoded, which is a mistake of the caller's
            if not self._stream.closed:
                raise
            self.is_lost = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def secure_streams() -> None:
    """Opens stdin, stdout and stderr where they are closed, and makes the last two lenient."""
    with contextlib.suppress(OSError):
        # A file of ours that got the number of a closed stream would receive what libraries print there.
        while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:
            pass
        os.close(handle)
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115, PTH123
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
        if not isinstance(stream, LenientStream):
            setattr(sys, name, LenientStream(stream))


@contextlib.contextmanager
def ended_by_ctrl_c() -> Iterator[None]:
    """Ctrl-C ends the process at once and without a traceback. For imports: nothing has begun that could be lost."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return

    def end(*_: object) -> NoReturn:
        say_stopped()
        os._exit(STOPPED)

    signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def say_stopped() -> None:
    """Says on stderr that the program was stopped."""
    with contextlib.suppress(OSError):
        os.write(2, b"wd14-captioner: stopped\n")


def run_to_its_end(run: Callable[[], object]) -> None:
    """Runs what the process is for. Returns to a host's harness; a program ends with `SystemExit`.

    Raises:
        SystemExit: of `run`, or because of Ctrl-C.
    """
    status: int | str | None = None
    try:
        run()
    except KeyboardInterrupt:  # outside of what says more
        say_stopped()
        status = STOPPED
    except SystemExit as end:
        status = end.code
    _end_if_threads_run(status if isinstance(status, int) else 0 if status is None else 1)
    if status:
        sys.exit(status)


def _end_if_threads_run(status: int) -> None:
    """Ends the process at once where a thread may still run in a library; else returns.

    Such a thread waits for something: a session that is being opened, a hung network drive. An interpreter that shuts
    down under a thread in native code aborts the process. All that an interpreter does at its end for others is done.
    """
    with contextlib.suppress(ValueError):  # not the main thread
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    _flush()
    deadline = time.monotonic() + _THREADS_END
    for thread in _our_threads():
        thread.join(max(0.0, deadline - time.monotonic()))
    # `datasets` reads the hub ahead in threads of Arrow, of which Python knows nothing.
    if _our_threads() or "datasets" in sys.modules:
        atexit._run_exitfuncs()
        _flush()
        os._exit(status)


def _our_threads() -> list[threading.Thread]:
    here = threading.current_thread()
    return [each for each in threading.enumerate() if each.name.startswith("wd14-") and each is not here]


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
