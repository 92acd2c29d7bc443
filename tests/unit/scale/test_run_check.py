"""`check` and `review` of what `scale` wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.scale_runs import LABELS, captioned, failed, make_run
from wd14.checking import check_source
from wd14.errors import SourceError
from wd14.reviewing import review_dataset
from wd14.scale.merging import merge


def test_a_check_finds_in_the_shards_what_the_merge_found(tmp_path: Path) -> None:
    """And needs neither the pictures nor the model. The trigger word is known from the run, or given."""
    shards = [
        [captioned("a.png", 1), captioned("b.png", 1, ["smile"]), failed("c.png")],
        [captioned("d.png", 2, ["solo", "1girl", "smile", "red_eyes", "outdoors"])],
    ]
    run = make_run(tmp_path / "out", shards, {"trigger_words": "solo"})
    merge(run.output, run.manifest, run.config, LABELS)
    merged = json.loads((tmp_path / "out/findings.json").read_text())

    report = check_source(tmp_path / "out")

    assert report.pictures == 3
    assert [finding.as_json() for finding in report.findings] == merged["findings"]
    assert {finding.rule: finding.pictures for finding in report.findings}["missing-trigger"] == ("b.png",)
    given = check_source(tmp_path / "out", {"trigger_words": "smile"})
    assert "missing-trigger" not in {finding.rule for finding in given.findings}


def test_a_check_of_a_run_that_is_not_complete_says_so(tmp_path: Path) -> None:
    make_run(tmp_path / "out", [[captioned("a.png", 1)], None, None])
    report = check_source(tmp_path / "out")
    assert (report.pictures, report.remarks[-1]) == (1, "2 of 3 shards: not done yet, or set aside")


def test_a_review_of_a_run_says_what_to_do(tmp_path: Path) -> None:
    make_run(tmp_path / "out", [[captioned("a.png", 1)]])
    with pytest.raises(SourceError, match=r"written by `scale`.*wd14-captioner caption"):
        review_dataset(tmp_path / "out")
