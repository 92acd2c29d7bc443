"""The rate and the time left, on a clock of the test's own."""

from __future__ import annotations

import pytest

from wd14.progress import ProgressMeter, ShownProgress
from wd14.types import Progress


def at(meter: ProgressMeter, now: float, done: int, total: int | None = 100) -> Progress:
    return meter.progress(done=done, total=total, failed=1, from_scores=2, now=now)


def test_counts_are_passed_on_and_nothing_is_known_at_the_beginning() -> None:
    first = at(ProgressMeter(), 10.0, 0)
    assert first == Progress(0, 100, 1, 2, pictures_per_second=0.0, remaining_seconds=None)


def test_rate_and_time_left_follow_from_the_last_half_minute() -> None:
    meter = ProgressMeter()
    at(meter, 0.0, 0)
    assert at(meter, 5.0, 10).pictures_per_second == pytest.approx(2.0)
    assert at(meter, 5.0, 10).remaining_seconds == pytest.approx(45.0)
    for second in range(6, 60):  # ten times slower from here on
        last = at(meter, float(second), 10 + (second - 5) // 5)
    assert last.pictures_per_second == pytest.approx(0.2, rel=0.1)


def test_the_time_before_the_first_result_does_not_count() -> None:
    meter = ProgressMeter()
    for second in range(20):  # the model is being downloaded
        at(meter, float(second), 0)
    assert at(meter, 20.0, 4).pictures_per_second == pytest.approx(4.0)


def test_without_a_total_there_is_a_rate_and_no_time_left() -> None:
    meter = ProgressMeter()
    at(meter, 0.0, 0, None)
    progress = at(meter, 2.0, 4, None)
    assert (progress.pictures_per_second, progress.remaining_seconds) == (2.0, None)


def test_more_rows_than_the_total_leave_no_time() -> None:
    meter = ProgressMeter()
    at(meter, 0.0, 0)
    assert at(meter, 1.0, 120).remaining_seconds == 0


def test_a_bar_learns_the_total_when_the_dataset_is_open(capsys: pytest.CaptureFixture[str]) -> None:
    shown = ShownProgress(lambda _: None, bar=True)
    shown.show(Progress(0, None, 0, 0, 0.0, None))
    shown.show(Progress(30, 120, 0, 0, 2.0, 45.0))
    shown.close()
    assert "25%" in capsys.readouterr().err
