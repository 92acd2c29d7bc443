"""The disk refuses: full, over quota, read-only, broken, at every step; and files that change under the reader."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import sqlite3
import struct
import subprocess
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.support.faults import WRITE_ERRORS, Faults, Scene, content, is_complete, tree
from tests.support.tally import tally

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs fork")

NOBODY = 65534


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faults]:
    with Faults(tmp_path_factory.mktemp("runs")) as server:
        yield server


@pytest.fixture
def scene(faults: Faults, tmp_path: Path) -> Scene:
    return Scene(tmp_path, faults)


def injected(number: int = 1) -> None:
    tally("faults injected", number)
    tally("losses", 0)


@pytest.mark.parametrize("number", WRITE_ERRORS, ids=lambda number: errno.errorcode[number])
def test_an_output_that_refuses_from_some_step_on_leaves_nothing_half(scene: Scene, number: int) -> None:
    """One line with the system's reason, exit status 1, and again works."""
    steps = scene.run(under=scene.output.parent).events
    scene.clear(cache=False)
    for step in sorted({1, 2, steps, *random.Random(number).sample(range(3, steps), 5)}):
        failed = scene.run(at_event=step, under=scene.output.parent, error=number)
        injected()
        assert failed.status in (0, 1), failed.said  # 0 = only what clears up behind a finished dataset was refused
        assert "Traceback" not in failed.said, failed.said
        if failed.status == 1:
            assert os.strerror(number) in failed.err
            assert "wd14-captioner: cannot write" in failed.err
        scene.check_nothing_lost()
        scene.check_again()
        scene.clear(cache=False)


@pytest.mark.parametrize("number", WRITE_ERRORS, ids=lambda number: errno.errorcode[number])
def test_a_store_that_refuses_costs_no_dataset(scene: Scene, number: int) -> None:
    for step in (1, 2, 4):
        done = scene.run(at_event=step, under=scene.cache, error=number)
        injected()
        assert done.status == 0, done.said
        assert content(scene.output) == scene.expected
        scene.check_again()
        scene.clear()


@pytest.mark.parametrize("limit", [0, 10, 200, 700])
def test_a_full_disk_is_said_and_leaves_nothing_half(scene: Scene, limit: int) -> None:
    """Every file stops at `limit` bytes, the score store's too."""
    failed = scene.run(largest_file=limit)
    injected()
    assert failed.status == 1, failed.said
    assert "Traceback" not in failed.said, failed.said
    assert "cannot write" in failed.err
    scene.check_nothing_lost()
    scene.check_again()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of 256 KiB, where the system lets us have one."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(place)], check=False, capture_output=True
    )
    if made.returncode:
        pytest.skip("no filesystem may be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_disk_that_fills_up_while_the_job_writes(scene: Scene, small_disk: Path) -> None:
    scene.output = small_disk / "sets" / "out"
    for filled in (250_000, 200_000, 180_000):
        ballast = small_disk / "ballast"
        ballast.write_bytes(bytes(filled))
        failed = scene.run("--caption-files", "--include-scores")
        injected()
        ballast.unlink()
        if failed.status == 0:
            shutil.rmtree(scene.output)
            continue
        assert failed.status == 1, failed.said
        assert "Traceback" not in failed.said, failed.said
        assert "No space left on device" in failed.err
        scene.check_nothing_lost()
        scene.check_again()
        shutil.rmtree(scene.output)


def test_a_disk_that_is_full_of_stored_scores(scene: Scene, small_disk: Path) -> None:
    scene.cache = small_disk / "cache"
    (small_disk / "ballast").write_bytes(bytes(220_000))
    done = scene.run()
    injected()
    assert done.status == 0, done.said
    assert content(scene.output) == scene.expected
    (small_disk / "ballast").unlink()
    scene.check_again()


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_an_output_without_permission_is_said_before_any_work(scene: Scene) -> None:
    scene.folder.chmod(0o755)
    for folder in (scene.folder.parent, scene.folder.parent.parent):
        folder.chmod(0o755)
    scene.output.parent.mkdir()
    scene.output.parent.chmod(0o555)
    failed = scene.run("--no-cache", user=NOBODY)
    injected()
    if "Permission" in failed.err and str(scene.source) in failed.err:
        pytest.skip("the test's own folder is closed to other users")
    assert failed.status == 1, failed.said
    assert "Permission denied" in failed.err
    assert "choose another output" in failed.err
    assert "The model runs" not in failed.out, "said before the model is opened"
    assert tree(scene.source) == scene.before


#: Forbids to write in the folder `more`, as its permissions would for another user than root.
CLOSED_FOLDER = """
import sys
def hook(event, arguments):
    if event == "open" and "/more/." in str(arguments[0]):
        raise PermissionError(13, "Permission denied")
sys.addaudithook(hook)
"""


def test_in_place_a_folder_that_may_not_be_written_to_costs_its_own_rows(scene: Scene) -> None:
    done = scene.run("--in-place", setup=CLOSED_FOLDER)
    injected()
    assert done.status == 0, done.said
    assert "Failed: more/00.png: 00.txt may not be written in its folder: Permission denied" in done.out
    assert "Captioned 8 of 12 pictures" in done.out
    assert len(list(scene.source.rglob("*.txt"))) == 8


# ── Files that change under the reader ──────────────────────────────────────────────────────────────────────────────

#: What happens to a picture when the reader has listed it: Python, run right before its file is opened.
CHANGES = {
    "vanishes": "os.remove(path)",
    "becomes a folder": "os.remove(path); os.mkdir(path)",
    "becomes a pipe": "os.remove(path); os.mkfifo(path)",
    "becomes a dead link": "os.remove(path); os.symlink('/nowhere', path)",
    "is closed to us": "os.remove(path); os.symlink(path, path)",
    "is emptied": "os.truncate(path, 0)",
    "is cut short": "os.truncate(path, 60)",
    "is another picture": "shutil.copy(os.path.dirname(path) + '/02.png', path)",
}

HOOK = """
import os, shutil, sys
path, when, change = {path!r}, {when}, {change!r}
seen = 0
def hook(event, arguments):
    global seen
    if event == "open" and not isinstance(arguments[0], int) and os.fspath(arguments[0]) == path and seen >= 0:
        seen += 1
        if seen == when:
            seen = -1
            exec(change, dict(os=os, shutil=shutil, path=path))
sys.addaudithook(hook)
"""


@pytest.mark.parametrize("change", CHANGES)
def test_a_picture_that_changes_before_it_is_read_fails_alone(scene: Scene, change: str) -> None:
    """Its row has a reason, the others come out, and the job ends. Another picture in its place is simply captioned."""
    path = str(scene.source / "04.png")
    done = scene.run(setup=HOOK.format(path=path, when=1, change=CHANGES[change]))
    injected()
    assert done.status == 0, done.said
    assert done.seconds < 20
    assert "Traceback" not in done.said, done.said
    assert is_complete(scene.output)
    kept = {name for name in content(scene.output) if name.endswith(".png")}
    wanted = {name for name in scene.expected if name.endswith(".png")}
    if change == "is another picture":
        assert kept == wanted
        assert (scene.output / "train" / "04.png").read_bytes() == (scene.source / "02.png").read_bytes()
        return
    assert kept == wanted - {"train/04.png"}, done.said
    assert "Failed: 04.png: " in done.out


def test_a_picture_is_read_once_so_a_later_change_does_not_matter(scene: Scene) -> None:
    """What is written are the bytes that were scored: there is no second look at the file."""
    path = str(scene.source / "04.png")
    done = scene.run(setup=HOOK.format(path=path, when=2, change=CHANGES["vanishes"]))
    injected()
    assert done.status == 0, done.said
    assert (scene.source / "04.png").exists()
    assert content(scene.output) == scene.expected


def test_a_picture_that_is_being_written_is_not_copied_half(scene: Scene) -> None:
    """Somebody keeps writing to a file: the copy is a whole picture with its own caption, or not there."""
    target, going = scene.source / "04.png", threading.Event()
    whole = target.read_bytes()

    def write() -> None:
        while not going.wait(0.001):
            target.write_bytes(whole[:50])
            target.write_bytes(whole)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(8):
            done = scene.run()
            injected()
            assert done.status == 0, done.said
            copy = scene.output / "train" / "04.png"
            assert is_complete(scene.output)
            assert not copy.exists() or copy.read_bytes() == whole
            scene.clear(cache=False)
    finally:
        going.set()
        writer.join()


def test_pictures_that_cannot_be_opened_fail_alone(scene: Scene) -> None:
    os.mkfifo(scene.source / "pipe.png")
    (scene.source / "folder.png").mkdir()
    (scene.source / "loop.png").symlink_to("loop.png")
    (scene.source / "empty.png").touch()
    (scene.source / "null.png").symlink_to("/dev/zero")
    done = scene.run()
    injected(5)
    assert done.status == 0, done.said
    assert "12 of 17 pictures" in done.out
    for name in ("pipe", "folder", "loop", "empty", "null"):
        assert f"Failed: {name}.png: " in done.out


# ── The store ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "damage",
    ["garbage", "cut in the middle", "another program's", "a folder", "zeros inside", "a newer layout"],
)
def test_a_store_that_cannot_be_used_costs_no_dataset(scene: Scene, damage: str) -> None:
    assert scene.run().status == 0
    shutil.rmtree(scene.output.parent)
    store = scene.cache / "scores.sqlite"
    size = store.stat().st_size
    if damage == "garbage":
        store.write_bytes(random.Random(1).randbytes(size))
    elif damage == "cut in the middle":
        os.truncate(store, size // 2)
    elif damage == "zeros inside":
        with store.open("r+b") as file:
            file.seek(4096)
            file.write(bytes(size - 8192))
    elif damage == "a folder":
        store.unlink()
        store.mkdir()
    else:
        store.unlink()
        with sqlite3.connect(store) as sql:
            if damage == "another program's":
                sql.execute("CREATE TABLE notes (text)")
            else:
                sql.execute("PRAGMA application_id = 1464086836")
                sql.execute("PRAGMA user_version = 99")
                sql.execute("CREATE TABLE scores (other)")
        sql.close()
    done = scene.run()
    injected()
    assert done.status == 0, done.said
    assert "Traceback" not in done.said, done.said
    assert content(scene.output) == scene.expected
    if damage in ("garbage", "cut in the middle", "zeros inside"):
        scene.check_again()
        scene.check_nothing_lost()


def test_a_store_that_another_program_holds_costs_no_dataset(scene: Scene) -> None:
    assert scene.run().status == 0
    shutil.rmtree(scene.output.parent)
    holder = sqlite3.connect(scene.cache / "scores.sqlite", isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    try:
        done = scene.run()
    finally:
        holder.close()
    injected()
    assert done.status == 0, done.said
    assert done.seconds < 30
    assert content(scene.output) == scene.expected
    scene.check_again()


# ── What a picture says of itself ───────────────────────────────────────────────────────────────────────────────────


def png_header(width: int, height: int) -> bytes:
    """A PNG that says it has that many pixels, and has next to none."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")


def test_bombs_fail_by_their_header_and_long_pictures_are_captioned(scene: Scene) -> None:
    (scene.source / "bomb.png").write_bytes(png_header(60_000, 60_000))
    (scene.source / "bomb2.png").write_bytes(png_header(2**31 - 1, 2**31 - 1))
    Image.new("1", (17_000, 17_000)).save(scene.source / "bomb3.png")  # 289 megapixels in 35 KB
    Image.new("RGB", (20_000, 200), (0, 0, 255)).save(scene.source / "wide.png")
    Image.new("RGB", (5_000, 1), (0, 0, 255)).save(scene.source / "line.png")
    Image.new("RGB", (1, 5_000), (0, 0, 255)).save(scene.source / "pole.png")
    begun = time.monotonic()
    done = scene.run()
    injected(3)
    assert done.status == 0, done.said
    assert time.monotonic() - begun < 30
    assert "15 of 18 pictures" in done.out
    for name, pixels in (("bomb", "3600"), ("bomb2", "4.612e+12"), ("bomb3", "289")):
        assert f"Failed: {name}.png: " in done.out
        assert f"{pixels} megapixels; the limit (Largest Picture) is 250" in done.out


def test_the_limit_of_pixels_is_a_parameter(scene: Scene) -> None:
    Image.new("RGB", (400, 300)).save(scene.source / "large.png")
    assert "13 of 13 pictures" in scene.run().out
    assert "12 of 13 pictures" in scene.run("--max-megapixels", "0.1").out
    assert scene.run("--max-megapixels", "inf").status == 2


def test_a_file_of_more_than_a_gigabyte_fails_unread(scene: Scene) -> None:
    with (scene.source / "huge.png").open("wb") as file:
        file.truncate((1 << 30) + 1)  # a hole: it takes no room
    done = scene.run()
    injected()
    assert done.status == 0, done.said
    assert "Failed: huge.png: the file has 1,073,741,825 bytes; the limit is 1,073,741,824" in done.out
    assert done.seconds < 20
