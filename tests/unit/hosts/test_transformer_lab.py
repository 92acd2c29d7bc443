"""What both Transformer Lab hosts do: begin, progress and end of a job, names of datasets, messages."""

from __future__ import annotations

import errno
import io
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wd14.config import CaptionConfig
from wd14.errors import ConfigError, JobStoppedError, OutputError, SourceNotFoundError
from wd14.hosts.base import Host
from wd14.hosts.transformer_lab import (
    TransformerLabHost,
    failure_reason,
    json_object,
    output_name,
    run_and_report,
    say,
    slug,
    stop_message,
    success_message,
    unknown_dataset,
)
from wd14.types import Destination, Progress, Summary, Written

SUMMARY = Summary(total=500, captioned=400, from_scores=98, failed=2, seconds=1.0, output="x")
HALF = Progress(done=12, total=500, failed=0, from_scores=0, pictures_per_second=1.0, remaining_seconds=None)


class Recorder(TransformerLabHost):
    """A host that remembers what it was told."""

    report_every = 1.0
    no_dataset_message = "No dataset is chosen."

    def __init__(self, **values: object) -> None:
        super().__init__()
        self._values = values
        self.begins = True
        self.lines: list[str] = []
        self.percents: list[int] = []
        self.failures: list[tuple[str, bool]] = []
        self.stop_pressed = False

    def begin(self) -> None:
        if not self.begins:
            raise OutputError("cannot begin")

    def destination(self, config: CaptionConfig, source_name: str) -> Destination:
        raise NotImplementedError

    def log(self, line: str) -> None:
        self.lines.append(line)

    def finish(self, summary: Summary) -> None:
        self.end_reported = True

    def _find_source(self, name: str) -> str | Path:
        return name

    def _report_progress(self, progress: Progress, *, percent: int) -> bool:
        self.percents.append(percent)
        return self.stop_pressed

    def _report_failure(self, message: str, *, stopped: bool) -> None:
        self.failures.append((message, stopped))


@pytest.mark.parametrize("values", [{}, {"dataset_name": ""}, {"dataset_name": "None"}, {"dataset_name": None}])
def test_a_job_without_a_dataset_fails(values: dict[str, object]) -> None:
    with pytest.raises(SourceNotFoundError, match=r"No dataset is chosen\."):
        Recorder(**values).source(CaptionConfig())


@pytest.mark.parametrize("key", ["dataset_name", "dataset", "dataset_id"])
def test_the_dataset_may_have_several_keys(key: str) -> None:
    assert Recorder(**{"dataset_name": "", key: " pics "}).source(CaptionConfig()) == "pics"


@pytest.mark.parametrize(("value", "said"), [("True", 1), (True, 1), ("what", 1), ("False", 0), (False, 0), ("", 0)])
def test_a_job_never_writes_into_its_source_and_says_so(value: object, said: int) -> None:
    host = Recorder(in_place=value, thresh="0.5")
    assert host.settings() == {"thresh": "0.5"}
    words = "In Place is left at its default here: a job does not write into the dataset that it reads."
    assert host.lines == [words] * said


def test_progress_is_shown_and_reported_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    host = Recorder()
    for done in range(1, 1001):
        now[0] += 1 / 32
        host.progress(Progress(done, 1000, 0, 0, 32.0, None))
    assert len(host.percents) == 32
    assert len(host.lines) == 3
    assert host.lines[0] == "320 of 1,000 pictures (32%), 32.0 pictures/s"
    assert not host.stop.requested


@pytest.mark.parametrize(("done", "total", "percent"), [(100, 100, 99), (50, 100, 49), (50, None, 0)])
def test_100_percent_is_kept_for_the_end(done: int, total: int | None, percent: int) -> None:
    host = Recorder()
    host.progress(Progress(done, total, 0, 0, 1.0, None))
    assert host.percents == [percent]


def test_a_slow_report_is_not_followed_by_the_next_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])

    class Slow(Recorder):
        def _report_progress(self, progress: Progress, *, percent: int) -> bool:
            now[0] += 5
            return super()._report_progress(progress, percent=percent)

    host = Slow()
    for _ in range(2):
        host.progress(HALF)
    assert len(host.percents) == 1


def test_stop_in_the_host_stops_the_job() -> None:
    host = Recorder()
    host.stop_pressed = True
    host.progress(HALF)
    assert host.stop.reason == "stopped from the host"


def test_an_error_of_ours_is_shown_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    host = Recorder()
    host.fail(OutputError("cannot write"), Written())
    assert capsys.readouterr().out == "Failed: cannot write\n"
    assert host.failures == [("cannot write", False)]
    assert host.end_reported


def test_an_unexpected_error_is_shown_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    host = Recorder()
    try:
        int("nothing")
    except ValueError as error:
        host.fail(error, Written())
    shown = capsys.readouterr()
    assert shown.out.startswith("Failed: ValueError: invalid literal")
    assert Path(__file__).name in shown.out
    assert shown.err == ""


@pytest.mark.parametrize("cache", [True, False])
@pytest.mark.parametrize("error", [JobStoppedError("stopped"), KeyboardInterrupt()])
def test_a_stop_says_what_is_kept(cache: bool, error: BaseException, capsys: pytest.CaptureFixture[str]) -> None:
    host = Recorder(dataset_name="pics")
    host.source(CaptionConfig(cache=cache))
    host.progress(HALF)
    host.fail(error, Written())
    message = stop_message(HALF, stores_scores=cache)
    assert capsys.readouterr().out == f"{message}\n"
    assert host.failures == [(message, True)]


def test_an_end_after_the_dataset_is_there_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    host = Recorder()
    host.progress(HALF)
    host.fail(KeyboardInterrupt(), Written(output="/datasets/pics_captions"))
    host.fail(OutputError("no answer"), Written(output="/datasets/pics_captions"))
    assert host.failures == [
        ("Stopped when the dataset pics_captions was complete.", True),
        ("no answer; the dataset pics_captions is complete", False),
    ]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (None, None),
        (OutputError("x"), 1),
        (ValueError("x"), 1),
        (JobStoppedError("x"), None),
        (KeyboardInterrupt(), None),
    ],
)
@pytest.mark.parametrize("reported", [True, False])
def test_a_failed_job_exits_with_1_and_is_reported_once(
    error: BaseException | None, status: int | None, reported: bool
) -> None:
    host = Recorder()

    def run_job(given: Host) -> Summary:
        if error is not None:
            if reported:
                given.fail(error, Written())
            raise error
        given.finish(SUMMARY)
        return SUMMARY

    code: object = None
    try:
        run_and_report(host, run_job)
    except SystemExit as exit_:
        code = exit_.code
    assert code == status
    assert len(host.failures) == (0 if error is None else 1)


def test_a_job_that_cannot_begin_is_reported_too() -> None:
    host = Recorder()
    host.begins = False
    with pytest.raises(SystemExit, match="1"):
        run_and_report(host, lambda _: SUMMARY)
    assert host.failures == [("cannot begin", False)]


def test_warnings_of_pillow_are_silenced() -> None:
    def run_job(_: Host) -> Summary:
        warnings.warn_explicit("Corrupt EXIF data", UserWarning, "x.py", 1, module="PIL.TiffImagePlugin")
        return SUMMARY

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run_and_report(Recorder(), run_job)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("My Captions", "my-captions"),
        ("a  -  b", "a-b"),
        ("snake_case stays", "snake_case-stays"),
        ("Ünïcödé", "unicode"),
        ("../x", "x"),
        ("a/b\\c.d", "abcd"),
        ("-_edges_-", "edges"),
        ("日本", ""),
        ("...", ""),
        ("tab\tand\nline", "tab-and-line"),
    ],
)
def test_slugs_are_the_hosts(name: str, expected: str) -> None:
    assert slug(name) == expected


def test_a_long_slug_is_cut() -> None:
    assert slug("a" * 200) == "a" * 120
    assert slug("a" * 119 + " " + "b" * 100) == "a" * 119


@given(st.text())
def test_a_slug_is_one_plain_folder_name(name: str) -> None:
    made = slug(name)
    assert slug(made) == made
    assert made.isascii()
    assert made == "" or (Path(made).name == made and len(made) <= 120)
    assert not made.startswith((".", "-"))


def test_an_output_without_a_name_takes_the_sources() -> None:
    assert output_name(CaptionConfig(), "My Pics") == "my-pics_captions"
    assert output_name(CaptionConfig(output_dataset_name="  "), "pics") == "pics_captions"
    assert output_name(CaptionConfig(), "日本") == "dataset_captions"
    assert output_name(CaptionConfig(output_dataset_name="New One"), "pics") == "new-one"


def test_a_name_of_which_nothing_is_left_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"Output Dataset Name \(output_dataset_name\) is '日本'; allowed: a name with"
    ):
        output_name(CaptionConfig(output_dataset_name="日本"), "pics")


def test_an_unknown_dataset_lists_the_first_that_there_are() -> None:
    known = [".hidden", *(f"d{number:02}" for number in reversed(range(30)))]
    assert str(unknown_dataset("x", known, " Advice.")) == (
        "The workspace has no dataset 'x' (deleted or renamed?); there are: "
        f"{', '.join(f'd{number:02}' for number in range(20))}. Advice."
    )
    assert str(unknown_dataset("x", [])).endswith("; there are none.")


@pytest.mark.parametrize(("text", "found"), [('{"a": 1}', {"a": 1}), ("[1]", {}), ("{", {}), ("", {})])
def test_a_json_object_is_read_or_nothing(text: str, found: dict[str, object]) -> None:
    assert json_object(lambda: text) == found


def test_a_json_object_of_a_file_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert json_object((tmp_path / "gone").read_text) == {}


def test_messages_say_how_a_job_ended() -> None:
    assert success_message(SUMMARY) == "captioned 498 of 500 pictures, 2 failed"
    rejected = replace(SUMMARY, captioned=0, from_scores=495, rejected=3)
    assert success_message(rejected) == "captioned 495 of 500 pictures, 3 rejected, 2 failed"
    stopped = "Stopped after 12 of 500 pictures. No dataset was written."
    assert stop_message(HALF, stores_scores=False) == stopped
    assert (
        stop_message(HALF, stores_scores=True) == f"{stopped} Their scores are kept: the next run goes on from there."
    )
    nothing = Progress(0, None, 0, 0, 0.0, None)
    for progress in (None, nothing):
        assert stop_message(progress, stores_scores=True).startswith("Stopped before the first picture was done.")
    between = Progress(0, 500, 0, 0, 0.0, None, span=(0.9, 1.0))
    assert stop_message(between, stores_scores=True) == (
        "Stopped when all pictures were studied. No dataset was written."
        " Their scores are kept: the next run goes on from there."
    )


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (SourceNotFoundError("no\n\nsuch  thing"), "no; such thing"),
        (OSError(errno.ENOSPC, "No space left on device"), "The disk is full"),
        (MemoryError(), "Out of memory: lower Batch Size"),
        (ModuleNotFoundError("No module named 'x'"), "A Python package cannot be imported (No module named 'x')"),
        (ValueError("what"), "ValueError: what"),
        (ValueError("\x1b[2J"), "ValueError: \\x1b[2J"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_reasons_are_one_line_for_a_person(error: BaseException, expected: str) -> None:
    words = failure_reason(error)
    assert words.startswith(expected)
    assert "\n" not in words


def test_lines_are_flushed_and_fit_any_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BufferedWriter(written, 1 << 20), "ascii"))
    say("böse")
    assert written.getvalue() == b"b\\xf6se\n"
