"""The report: every row, as it happened, readable at any size."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wd14.data.report import NAMED_FAILURES, ReportWriter, Tally
from wd14.errors import AllRowsFailedError, EmptySourceError
from wd14.types import RowReport, Status


def test_every_row_is_in_the_report_and_in_the_counts(tmp_path: Path) -> None:
    results = [
        RowReport(0, "sub/a.png", Status.CAPTIONED, "a.png", "a.png", "x", sha256="0a", notes=("first of 3 frames",)),
        RowReport(1, "b\udcff\n.png", Status.FAILED, "b.png", reason="the file is empty"),
        RowReport(2, "set.parquet row 2", Status.FROM_SCORES, "c.png", "c.png", "x", saved_sha256="0b"),
        RowReport(3, "d.png", Status.REJECTED, "d.png"),
    ]
    tally = Tally()
    report = ReportWriter(tmp_path / "report.json")
    for result in results:
        report.add(result)
        tally.add(result, result.source)
    summary = tally.summary(seconds=1.0, output="out", device="cpu")
    report.finish(summary)
    assert json.loads((tmp_path / "report.json").read_text("utf-8")) == {
        "rows": [
            {
                "input": "a.png",
                "output": "a.png",
                "status": "captioned",
                "source": "sub/a.png",
                "sha256": "0a",
                "notes": ["first of 3 frames"],
            },
            {
                "input": "b.png",
                "output": None,
                "status": "failed",
                "source": "b\udcff\n.png",
                "reason": "the file is empty",
            },
            {
                "input": "c.png",
                "output": "c.png",
                "status": "captioned-from-scores",
                "source": "set.parquet row 2",
                "saved_sha256": "0b",
            },
            {"input": "d.png", "output": None, "status": "rejected", "source": "d.png"},
        ],
        "summary": {"rows": 4, "captioned": 1, "captioned_from_scores": 1, "rejected": 1, "failed": 1},
    }
    assert (summary.total, summary.succeeded, summary.rejected, summary.failed) == (4, 2, 1, 1)
    assert summary.without_tags == 2, "a rejected picture has no caption that could lack tags"
    assert summary.failures == (("b\udcff\n.png", "the file is empty"),)


def test_a_dataset_of_which_nothing_is_left() -> None:
    tally = Tally()
    with pytest.raises(EmptySourceError):
        tally.check_any()
    tally.add(RowReport(0, "a", Status.REJECTED, "a"), "a")
    with pytest.raises(AllRowsFailedError, match="the edits reject all of 1 picture: take"):
        tally.check_any()
    tally.add(RowReport(1, "b", Status.FAILED, "b", reason="it is empty"), "b")
    with pytest.raises(AllRowsFailedError, match=r"none of 2 .* \(1 rejected by the edits\); the first: b: it is"):
        tally.check_any()
    tally.add(RowReport(2, "c", Status.CAPTIONED, "c"), "c")
    tally.check_any()


def test_an_empty_report_is_a_report_too(tmp_path: Path) -> None:
    ReportWriter(tmp_path / "report.json").finish(Tally().summary(seconds=0, output=None))
    assert json.loads((tmp_path / "report.json").read_text("utf-8"))["rows"] == []


def test_a_million_failures_are_counted_and_a_few_named() -> None:
    tally = Tally()
    for number in range(100):
        tally.add(RowReport(number, f"{number}", Status.FAILED, "a.png", reason="x"), "a.png")
    assert tally.failed == 100
    assert len(tally.failures) == NAMED_FAILURES


def test_the_most_frequent_tags_and_the_captions_without_any() -> None:
    tally = Tally()
    for number, tags in enumerate([["solo", "smile"], ["solo", "hat"], []]):
        tally.add(RowReport(number, "a.png", Status.CAPTIONED, "a.png"), "a.png", tags)
    tally.add(RowReport(3, "b.png", Status.FAILED, "b.png", reason="x"), "b.png")
    tally.add(RowReport(4, "c.png", Status.FROM_SCORES, "c.png"), "c.png", [f"tag_{n}" for n in range(20)])
    summary = tally.summary(seconds=1.0, output="out")
    assert summary.without_tags == 1
    assert len(summary.frequent_tags) == 10
    assert summary.frequent_tags[:3] == (("solo", 2), ("hat", 1), ("smile", 1))
