"""The classic host's job record: nothing of it is lost, whoever else writes it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.support.classic_sdk import StandIn, Workspace, command_line
from wd14.hosts.plugin.job_record import JobRecord


class Desk(Workspace):
    """A workspace with one job in it, and the SDK that its record is written with."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.sdk = StandIn(self.path)
        self.job = JobRecord(self.sdk)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(sys, "argv", ["harness", *command_line({})])
    monkeypatch.setattr("wd14.hosts.plugin.job_record._RECORD_PATIENCE", 0.1)
    monkeypatch.setattr("wd14.hosts.plugin.job_record._SHOW_EVERY", 0.0)
    return Desk(tmp_path)


def test_several_fields_are_one_write(desk: Desk) -> None:
    before = desk.sdk.job.writes
    desk.job.look(12.5, generator="1 of 8 pictures", estimated_time_remaining=7)
    assert desk.sdk.job.writes == before + 1
    assert desk.record["progress"] == 12.5
    assert desk.data == {"config": {"a": 1}, "generator": "1 of 8 pictures", "estimated_time_remaining": 7}
    desk.job.note(progress=100, completion_status="success", completion_details="done")
    assert desk.sdk.job.writes == before + 2
    assert (desk.record["progress"], desk.data["completion_details"]) == (100, "done")
    assert desk.record["id"] == "1"


def test_what_stands_still_is_not_written_again(desk: Desk) -> None:
    desk.job.look(50, generator="x")
    before = desk.sdk.job.writes
    for _ in range(20):
        desk.job.look(50, generator="x")
    assert desk.sdk.job.writes == before


def test_nothing_is_shown_once_stop_is_pressed(desk: Desk) -> None:
    desk.press_stop()
    before = desk.sdk.job.writes
    assert desk.job.look(50) is True
    assert desk.sdk.job.writes == before


def test_stop_is_seen_also_while_the_percentage_stands_still(desk: Desk) -> None:
    assert desk.job.look(0) is False
    desk.press_stop()
    assert desk.job.look(0) is True


def test_a_record_that_is_being_rewritten_is_waited_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.job.look(1)
    desk.record_file.write_text("")
    before = desk.sdk.job.writes
    written = []

    def meanwhile(_seconds: float) -> None:
        written.append(desk.sdk.job.writes)
        desk.record_file.write_text(json.dumps(desk.first_record))

    monkeypatch.setattr("wd14.hosts.plugin.job_record.time.sleep", meanwhile)
    desk.job.look(1)
    assert written == [before]
    assert desk.record == desk.first_record


def test_a_stop_pressed_after_the_record_was_lost_is_seen(desk: Desk) -> None:
    assert desk.job.look(1) is False
    desk.record_file.write_text('{"progress": 3, "job_data": {"stop": true}}')
    assert desk.job.look(2) is True
    assert desk.data == {"config": {"a": 1}, "stop": True}


@pytest.mark.parametrize("torn", ["", '{"progress": 3}'])
def test_a_lost_record_is_restored_before_the_end_is_noted(desk: Desk, torn: str) -> None:
    desk.job.look(1)
    desk.record_file.write_text(torn)
    desk.job.note(completion_status="success")
    assert desk.data == {"config": {"a": 1}, "completion_status": "success"}
    assert (desk.record["status"], desk.record["type"], desk.record["experiment_id"]) == (
        "RUNNING",
        "GENERATE",
        "alpha",
    )


def test_a_record_that_was_never_readable_is_said_once(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.record_file.write_text("{")
    for _ in range(2):
        assert desk.job.look(0) is False
    assert capsys.readouterr().out.count("it cannot be read") == 1


def test_a_record_that_cannot_be_written_does_not_end_the_job(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tests.support.classic_sdk.Job._set_json_data", full)
    desk.job.note(start_time="now")
    desk.job.look(10)
    desk.job.set_status("STOPPED")
    assert capsys.readouterr().out.count("No space left") == 1
