"""How the benchmarks measure: rates, medians, child processes, and two checkouts in turns."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from benchmarks import compare
from benchmarks.measure import ROOT, Rounds, Table, pace, run_caption, run_child, steady_rate, tree_memory, written_at


def test_a_steady_rate_leaves_out_the_start() -> None:
    slow_start = [10.0, 20, 30, 40, 50, 60, 70, 80]
    assert steady_rate([*slow_start, 80.5, 81, 81.5, 82]) == 2.0


def test_the_pace_of_a_short_run_is_that_of_all_its_pictures_but_the_first_few() -> None:
    pairs = [2.0 * (index // 2) for index in range(24)]  # two at once, both done at the same time
    assert pace(pairs) == pytest.approx(1.0, rel=0.01)
    assert pace([-100.0, *pairs]) == pytest.approx(1.0, rel=0.01)


def test_rounds_and_table() -> None:
    rounds = Rounds()
    for value in (3.0, 1.0, 2.5):
        rounds.add(value)
    assert (rounds.last, rounds.text(1)) == (2.5, "2.5 (1.0-3.0)")
    table = Table()
    table.add("speed", rounds.text(0))
    assert table.markdown().splitlines()[2:] == ["| speed | 2 (1-3) |"]
    table.add_grid(["", "speed"], [["ours", "2"]])
    assert table.markdown().split("\n\n")[0] == "|  | speed |\n| --- | --- |\n| ours | 2 |"


def test_files_are_timed_in_the_order_of_writing(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    for name, when in (("train/b.txt", 5), ("a.txt", 7), ("a.jpg", 9)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (when, when))
    assert written_at(tmp_path, [".txt"]) == [5, 7]
    assert written_at(tmp_path) == [9]


def test_a_child_that_fails_ends_the_benchmark_with_its_output() -> None:
    with pytest.raises(SystemExit, match=r"ended with 3:\nwhy"):
        run_child([sys.executable, "-c", "import sys; print('why'); sys.exit(3)"])


@pytest.mark.skipif(not tree_memory(os.getpid()), reason="needs /proc")
def test_memory_is_that_of_all_descendants() -> None:
    hold = "held = b'x' * 60_000_000; import time; time.sleep(1.5)"
    start = f"Thread(target=lambda: run([sys.executable, '-c', {hold!r}])).start()"
    parent = f"import sys; from subprocess import run; from threading import Thread; {start}; {hold}"
    assert 120e6 < run_child([sys.executable, "-c", parent]).peak_bytes < 300e6


def test_a_caption_run_uses_the_package_of_the_checkout(tmp_path: Path) -> None:
    package = tmp_path / "wd14" / "cli"
    package.mkdir(parents=True)
    (tmp_path / "wd14" / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text("import sys, wd14; print(wd14.__file__, *sys.argv[1:])")
    child = run_caption(Path("in"), Path("out"), checkout=tmp_path, batch_size=2, cache=False, caption_files=True)
    options = "caption in --output out --batch-size 2 --no-cache --caption-files"
    assert child.output == f"{tmp_path}/wd14/__init__.py {options}\n"


def test_checkouts_are_measured_in_turns_and_compared_within_a_round(tmp_path: Path) -> None:
    order = []

    def measure(checkout: Path, number: int) -> dict[str, float]:
        order.append((number, checkout))
        return {"rate": {tmp_path: 2.0, ROOT: 3.0}[checkout] * 10**number}

    table = Table()
    compare.Pair(tmp_path, 2, table).measure("name", measure)
    assert order == [(0, ROOT), (0, tmp_path), (1, tmp_path), (1, ROOT)]
    assert table.rows == [
        ("name: rate", "before 11.00 (2.00-20.00), this 16.50 (3.00-30.00), ratio 1.500 (1.500-1.500)")
    ]


def test_another_checkout_without_a_package_is_refused(tmp_path: Path) -> None:
    (tmp_path / "wd14").mkdir()
    with pytest.raises(SystemExit, match="holds no package wd14"):
        compare.check(tmp_path)
