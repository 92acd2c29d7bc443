"""The review page on the classic host: where it lies, and that its link leads there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.classic_host import opened_document
from tests.support.classic_sdk import StandIn, Workspace, command_line
from wd14.hosts.plugin.host import PluginHost
from wd14.types import Summary


class Desk(Workspace):
    """A workspace with a finished job in an experiment."""

    def __init__(self, home: Path, experiment: str = "alpha") -> None:
        super().__init__(home)
        self.experiment = experiment
        (self.path / "experiments" / experiment).mkdir(parents=True)
        self.dataset = self.path / "datasets" / "pics_captions-2"
        (self.dataset / ".wd14").mkdir(parents=True)
        (self.dataset / ".wd14" / "review.html").write_text("page")
        self.left_out = 0

    def write(self, dataset: Path, target: Path) -> int:
        target.write_text(f"single file of {dataset.name}")
        return self.left_out

    def finish(self, **more: str) -> None:
        argv = [*command_line({"dataset_name": "pics"}), "--experiment_name", more.get("experiment", self.experiment)]
        host = PluginHost(StandIn(self.path), argv, str(self.path), self.write)
        host.finish(Summary(total=1, captioned=1, from_scores=0, failed=0, seconds=1.0, output=str(self.dataset)))


@pytest.fixture(autouse=True)
def _arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["harness", "--job_id", "1"])


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out.splitlines()[-1]


def test_view_output_ends_with_a_link_to_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    desk = Desk(tmp_path, "my_exp-1.0")
    desk.finish()
    *_, path, link = capsys.readouterr().out.splitlines()
    assert opened_document(desk.path, link) == "single file of pics_captions-2"
    assert Path(path.removeprefix("Review page: ")).read_text() == "single file of pics_captions-2"
    assert desk.data["completion_status"] == "success"


@pytest.mark.parametrize("experiment", ["gone", "", "..", "a b", "../../outside", "\x1b]8;;x"])
def test_where_there_can_be_no_link_the_path_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], experiment: str
) -> None:
    desk = Desk(tmp_path)
    desk.finish(experiment=experiment)
    assert last_line(capsys) == f"Review page: {desk.dataset}/.wd14/review.html"
    assert not (desk.path / "documents").exists()
    assert not (desk.path / "experiments" / "documents").exists()


def test_pictures_without_a_thumbnail_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    desk = Desk(tmp_path)
    desk.left_out = 1200
    desk.finish()
    assert "It has no thumbnails of 1,200 pictures; " in capsys.readouterr().out


def test_a_run_without_a_page_says_nothing_of_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    desk = Desk(tmp_path)
    (desk.dataset / ".wd14" / "review.html").unlink()
    desk.finish()
    assert "eview page" not in capsys.readouterr().out


def test_documents_that_cannot_be_written_fail_no_job(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    desk = Desk(tmp_path)
    (desk.path / "experiments" / "alpha" / "documents").write_text("a file")
    desk.finish()
    line = last_line(capsys)
    assert line.startswith("The review page is not among the documents (")
    assert str(desk.dataset) in line
    assert desk.data["completion_status"] == "success"
