"""A process of ours: its streams, Ctrl-C while it imports, and its end."""

from __future__ import annotations

import errno
import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from wd14.process import LenientStream

ROOT = Path(__file__).parents[2]


class FullDisk(io.StringIO):
    def write(self, _: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_what_nobody_takes_is_dropped() -> None:
    closed = io.StringIO()
    closed.close()
    for stream in (FullDisk(), closed):
        lenient = LenientStream(stream)
        for _ in range(2):
            assert lenient.write("line") == 4
            lenient.flush()
        assert lenient.is_lost


def test_what_is_taken_arrives_and_a_wrong_character_is_still_an_error() -> None:
    arrived = io.BytesIO()
    lenient = LenientStream(io.TextIOWrapper(arrived, encoding="ascii"))
    lenient.write("a")
    lenient.flush()
    assert arrived.getvalue() == b"a"
    assert lenient.encoding == "ascii"
    with pytest.raises(UnicodeEncodeError):
        lenient.write("ü")
    assert not lenient.is_lost


def _take_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def run(code: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        # A shell that runs the tests in the background has its programs ignore Ctrl-C.
        preexec_fn=_take_ctrl_c,
    )


def test_a_thread_that_hangs_in_a_library_does_not_spoil_the_end() -> None:
    code = """
import atexit, sys, threading
from wd14 import process
atexit.register(lambda: print("at exit"))
threading.Thread(target=threading.Event().wait, name="wd14-session", daemon=True).start()
print("buffered")
process.run_to_its_end(lambda: sys.exit(130))
"""
    done = run(code)
    assert (done.returncode, done.stdout, done.stderr) == (130, "buffered\nat exit\n", "")


@pytest.mark.parametrize("imported", ["argparse", "pydantic", "numpy"])
@pytest.mark.parametrize("program", ["wd14.cli.entry", "main"])
def test_ctrl_c_during_the_imports_is_said_in_a_line(imported: str, program: str) -> None:
    code = f"""
import os, signal, sys
class CtrlC:
    def find_spec(self, name, *_):
        if name == {imported!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.modules.pop({imported!r}, None)
sys.meta_path.insert(0, CtrlC())
sys.path.append({str(ROOT)!r})
from {program} import main
main()
"""
    done = run(code, "caption", "nothing-of-that-name")
    assert (done.returncode, done.stdout) == (130, ""), done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("wd14-captioner: stopped")
