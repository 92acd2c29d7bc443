"""One score store, several processes: at once, and killed at any moment."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from wd14.model.score_store.row_format import floor, rating_mask
from wd14.model.score_store.store import ScoreStore
from wd14.types import FloatArray, Labels

LABELS = Labels(tuple(map(str, range(300))), ("rating",) * 4 + ("general",) * 296)


def sha(number: int) -> bytes:
    return hashlib.sha256(b"%d" % number).digest()


def scores_of(number: int) -> FloatArray:
    values = np.zeros(300, dtype=np.float32)
    values[(number * 7 + np.arange(20) * 11) % 300] = np.linspace(0.02, 0.99, 20, dtype=np.float32)
    return values


#: Puts rows `first`, `first` + `step`, … up to `last`, a write each; prints a line when it begins.
WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.integration import test_scores_processes as here
from wd14.model.score_store.store import ScoreStore

folder, first, last, step = Path(sys.argv[1]), *map(int, sys.argv[2:5])
with ScoreStore.open(folder, log=lambda line: print(line, flush=True)) as store:
    view = store.view("model", "kohya", here.LABELS)
    print("begun", flush=True)
    for number in range(first, last, step):
        view.put([(here.sha(number), here.scores_of(number))])
        if number % 5 == 0:
            store.flush()
"""


def writer(folder: Path, first: int, last: int, step: int) -> subprocess.Popen[str]:
    root = str(Path(__file__).parents[2])
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", WRITER.format(root=root), str(folder), *map(str, (first, last, step))],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def check_rows(store: ScoreStore, numbers: range) -> int:
    """How many rows are there; those that are must be right."""
    view = store.view("model", "kohya", LABELS)
    present = 0
    for number in numbers:
        found = view.get(sha(number))
        if found is not None:
            present += 1
            assert found.tobytes() == floor(scores_of(number), rating_mask(LABELS)).tobytes()
    return present


def test_two_processes_write_one_new_store_at_once(tmp_path: Path) -> None:
    """They also begin it at once, and half of their rows are the same."""
    processes = [writer(tmp_path, 0, 2000, 1), writer(tmp_path, 1000, 3000, 1)]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert outputs == ["begun\n", "begun\n"]
    with ScoreStore.open(tmp_path) as store:
        assert check_rows(store, range(3000)) == 3000
        assert store.stats().scored == 3000


def test_a_reader_sees_what_another_process_has_written(tmp_path: Path) -> None:
    with ScoreStore.open(tmp_path) as store:
        assert check_rows(store, range(100)) == 0
        assert writer(tmp_path, 0, 100, 1).communicate(timeout=60)[0] == "begun\n"
        assert check_rows(store, range(100)) == 100


def test_clearing_beside_a_job_that_writes(tmp_path: Path) -> None:
    process = writer(tmp_path, 0, 4000, 1)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    with ScoreStore.open(tmp_path) as store:
        for _ in range(5):
            store.clear()
            time.sleep(0.02)
    assert process.communicate(timeout=120)[0] == ""
    with ScoreStore.open(tmp_path) as store:
        assert check_rows(store, range(4000)) == store.stats().scored


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_writer_killed_at_any_moment_leaves_a_store_that_opens(tmp_path: Path) -> None:
    """Twelve kills: of a store that is being made, written, or closed. Nothing written before is lost or wrong."""
    moments = random.Random(14)
    lines: list[str] = []
    present = 0
    for attempt in range(12):
        process = writer(tmp_path, 0 if attempt % 2 else 100_000, 200_000, 1)
        assert process.stdout is not None
        if attempt % 3:  # else the kill may come while the store is being opened
            process.stdout.readline()
            time.sleep(moments.uniform(0, 0.15))
        else:
            time.sleep(moments.uniform(0.1, 0.4))
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        with ScoreStore.open(tmp_path, log=lines.append) as store:
            assert store.reason is None
            total = store.stats().scored
            assert total >= present, "rows of earlier runs are still there"
            present = total
    assert lines == []
    with ScoreStore.open(tmp_path) as store:
        assert 0 < check_rows(store, range(3000)) <= present
