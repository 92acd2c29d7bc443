"""The commands, their help and exit codes, and how the command line behaves among other programs."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

import wd14
from tests.integration.conftest import ROOT, Run
from tests.support.onnx_models import wd14_folder
from wd14.cli.main import _parse, main
from wd14.cli.output import say
from wd14.errors import ConfigError, JobStoppedError, ModelError
from wd14.model.files.registry import MODELS
from wd14.parameter_groups import GROUPS

BUILTIN = ("--generation-model", "builtin/colours")


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What is said to words that the command line refuses."""
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    return said.err


def test_models_lists_every_known_model_by_family(cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    done = cli("models")
    assert (done.returncode, done.stderr) == (0, "")
    said = done.stdout.splitlines()
    rows = {line.split()[0]: line.split()[1:] for line in said if line.startswith("  ") and "/" in line.split()[0]}
    assert list(rows) == [model.id for model in MODELS]
    assert [name for name, row in rows.items() if row[0] == "yes"] == ["builtin/colours", "builtin/none"]
    assert rows["SmilingWolf/wd-v1-4-convnext-tagger-v2"][1:] == ["388", "MB", "9,083", "yes", "0.3685"]
    assert " ".join(rows["deepghs/pixai-tagger-v0.9-onnx"][4:]).endswith(" 0.3, character 0.85")
    assert rows["cella110n/cl_tagger_v2/v2_01a"][1:4] == ["2.23", "GB", "108,036"]  # the graph, its weights, its labels
    assert rows["cella110n/cl_tagger_v2/v2_01a"][-1] == "0.55*"
    assert "CL Tagger 2 (CL Tagger v2 Model License 1.0)" in said
    assert "  gated: accept the terms at https://huggingface.co/cella110n/cl_tagger_v2 and set HF_TOKEN" in said
    assert "animetimm dbv4-full (GPL-3.0)" in said
    assert max(map(len, said)) <= 100
    assert "\\" not in done.stdout


def test_models_for_a_program(cli: Run) -> None:
    found = json.loads(cli("models", "--json").stdout)
    assert set(found) == {"machine", "models"}
    by_id = {model["id"]: model for model in found["models"]}
    assert list(by_id) == [model.id for model in MODELS]
    camie = by_id["Camais03/camie-tagger-v2"]
    assert (camie["licence"], camie["tags"], camie["thresholds"]) == ("GPL-3.0", 70527, {"all": 0.492})
    assert camie["uses_own_thresholds"] is True
    assert camie["memory"] > camie["size"] == 788_983_561 + 7_771_946
    assert by_id["animetimm/caformer_b36.dbv4-full"]["terms_at"] == (
        "https://huggingface.co/animetimm/caformer_b36.dbv4-full"
    )


def test_download_of_what_is_here_says_where(cli: Run) -> None:
    done = cli("download", "builtin/colours")
    assert done.returncode == 0
    assert str(ROOT / "wd14" / "model" / "builtin") in done.stdout


def test_download_without_a_network_says_what_to_do(cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    done = cli("download", "SmilingWolf/wd-vit-tagger-v3")
    assert done.returncode == 1
    assert "model.onnx" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bad_cache_folder_is_refused_in_words(cli: Run) -> None:
    done = cli("cache", "--cache-folder", "~nobody-of-that-name/x")
    assert done.returncode == 2
    assert "Score Folder (cache_folder): expected a path" in done.stderr
    assert "Traceback" not in done.stderr


def test_stored_scores_are_shown_and_forgotten(cli: Run, photos: Path) -> None:
    assert "0 scored pictures" in cli("cache").stdout
    cli("caption", photos, "--output", "a", *BUILTIN)
    said = cli("cache").stdout
    assert "5 scored pictures" in said
    assert "5  pictures' facts: size, sharpness" in said
    assert "Forgot the scores of 5 pictures" in cli("cache", "--clear").stdout
    said = cli("cache").stdout
    assert "0 scored pictures" in said
    assert "facts" not in said
    assert "from stored scores" not in cli("caption", photos, "--output", "b", *BUILTIN).stdout


def test_the_scores_of_one_model_are_forgotten_alone(cli: Run, photos: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    wd14_folder(other)
    cli("caption", photos, "--output", "a", *BUILTIN)
    cli("caption", photos, "--output", "b", "--custom-model", str(other))
    assert "5 scored pictures" in cli("cache").stdout  # two models, and the same pictures
    refused = cli("cache", "--clear-model", "builtin/colors")
    assert refused.returncode == 2
    assert "there are scores of" in refused.stderr

    assert "Forgot the scores of 5 pictures" in cli("cache", "--clear-model", str(other)).stdout

    said = cli("cache").stdout
    assert str(other) not in said
    assert "5 from stored scores" in cli("caption", photos, "--output", "c", *BUILTIN).stdout


def test_an_option_must_be_written_out(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "unrecognized arguments: --general" in refused(capsys, "caption", str(photos), "--general", "0.5")


def test_a_list_option_adds_up(cli: Run, photos: Path, tmp_path: Path) -> None:
    cli("caption", photos, "--output", "a", "--trigger-words", "one", "--trigger-words", "two, three", *BUILTIN)
    assert '"caption": "one, two, three' in (tmp_path / "a" / "train" / "metadata.jsonl").read_text()


def _take_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(tmp_path: Path, *words: str | Path, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "wd14.cli", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | env,
        # A shell that runs the tests in the background has its programs ignore Ctrl-C.
        preexec_fn=None if sys.platform == "win32" else _take_ctrl_c,  # noqa: PLW1509 - it takes no lock
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_job_and_leaves_nothing(number: signal.Signals, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    picture = io.BytesIO()
    Image.effect_noise((700, 700), 50).save(picture, "PNG")
    for index in range(300):  # what follows a PNG's end makes it another file, not another picture
        (folder / f"{index}.png").write_bytes(picture.getvalue() + index.to_bytes(2, "big"))
    process = start(tmp_path, "caption", folder, "--output", "out", "--max-data-loader-n-workers", "1", *BUILTIN)
    assert process.stdout is not None
    while not process.stdout.readline().startswith("Model:"):
        assert process.poll() is None
    process.send_signal(number)
    sent = time.monotonic()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert time.monotonic() - sent < 10
    assert "stopped" in said
    assert "Traceback" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["many"]


def test_a_terminal_that_knows_only_ascii_is_no_trouble(photos: Path, tmp_path: Path) -> None:
    (photos / "猫 und Füße.png").write_bytes((photos / "camera.png").read_bytes())
    (photos / "ü kaputt.png").write_text("no picture")
    process = start(tmp_path, "caption", photos, "--output", "out", *BUILTIN, PYTHONIOENCODING="ascii", LC_ALL="C")
    said, complaints = process.communicate(timeout=60)
    assert (process.returncode, complaints) == (0, "")
    assert "kaputt" in said
    assert (tmp_path / "out" / "train" / "猫 und Füße.png").is_file()


def test_a_reader_that_leaves_costs_no_dataset(photos: Path, tmp_path: Path) -> None:
    """`| head -1`: the job goes on. A list that nobody read to its end is not done."""
    for words, status in ((("caption", photos, "--output", "out", *BUILTIN), 0), (("models",), 1)):
        process = start(tmp_path, *words)
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
        process.stderr.close()
        assert process.wait(60) == status
    assert (tmp_path / "out" / "train" / "metadata.jsonl").is_file()


@pytest.mark.parametrize("redirected", [">&-", "2>&-", "<&- >&- 2>&-", "> /dev/full 2> /dev/full"])
def test_streams_that_are_closed_or_full_cost_no_job(redirected: str, photos: Path, tmp_path: Path) -> None:
    words = f"{shlex.quote(sys.executable)} -m wd14.cli caption %s --output out {' '.join(BUILTIN)} {redirected}"
    for source, status in ((photos, 0), (tmp_path / "nothing", 2)):
        done = subprocess.run(
            ["sh", "-c", words % shlex.quote(str(source))],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == status
        assert "Traceback" not in done.stderr + done.stdout
    assert len(list((tmp_path / "out" / "train").iterdir())) == 6


def test_a_line_is_printed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    arrived = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(arrived))
    say("a\x1b")
    assert arrived.getvalue() == b"a\\x1b\n"


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["caption", "x", "--tresh", "0.3"], "--thresh"),
        (["caption", "x", "--tresh=0.30000001"], "--thresh"),
        (["caption", "x", "y", "--undesired-tag", "a"], "--undesired-tags"),
        (["caption", "x", "--general_threshold", "0.3"], "--general-threshold"),
        (["caption", "x", "--no-cach"], "--no-cache"),
        (["captoin", "x"], "caption"),
        (["cache", "--cleann"], "--clean"),
    ],
)
def test_a_mistyped_word_is_answered_with_the_one_that_is_meant(
    words: list[str], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"Did you mean {meant}?" in refused(capsys, *words)


@pytest.mark.parametrize(
    "words",
    [
        *(["caption", "x", "--qqqq"], ["caption", "x", "thresh"], ["photos"]),
        ["cache", "--tresh", "0.3"],  # an option of another command is no help
    ],
)
def test_nothing_is_suggested_for_a_word_like_no_other(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, *words)
    assert "Did you mean" not in said
    assert "--help'" in said


def test_a_forgotten_command_is_answered_with_all_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no command 'photos\\x1b'" in (said := refused(capsys, "photos\x1b"))
    assert "The commands are caption, scale, compare, check, evaluate, review, models, download, cache." in said
    assert "required: COMMAND" in refused(capsys)


def test_what_is_refused_cannot_send_commands_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--\\x1b[31m" in refused(capsys, "caption", "x", "--\x1b[31m")


def test_help_shows_the_parameters_in_groups_with_their_defaults(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit, match="0"):
        main(["caption", "--help"])
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    groups = re.split(r"\n\n(.+):\n", text)
    shown = dict(zip(groups[1::2], groups[2::2], strict=True))
    assert list(shown)[2:] == list(GROUPS)
    for heading, keys in GROUPS.items():
        found = re.findall(r"^  --(?:\[no-\])?([a-z-]+)", shown[heading], re.MULTILINE)
        assert found == [key.replace("_", "-") for key in keys]
    words = " ".join(text.split())
    for line in (
        *("--thresh X A tag is kept when its score is at least this. Default: 0.35.", "--batch-size N Pictures"),
        *("--rating none|first|last", "--device DEVICE", "Choices: auto, cpu,", "--undesired-tags TAGS"),
        *("--[no-]cache Store", "machine. 0 = no extra threads. Default: empty.", "Default: on.", "Default: ', '."),
        *("user's cache folder. Default: empty.", "line: tag,implied tag. Empty = none. Default: empty."),
        *("--general-threshold X", "--custom-model MODEL", "Default: .txt."),
    ):
        assert line in words


def test_the_commands_of_the_readme_are_understood() -> None:
    commands = re.findall(r"^wd14-captioner (.+)$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    assert len(commands) > 5
    for words in (shlex.split(command, comments=True) for command in commands):
        if "--help" not in words:
            assert _parse(words).command == words[0]


def test_the_version_is_said(cli: Run) -> None:
    done = cli("--version")
    assert (done.returncode, done.stdout) == (0, f"wd14-captioner {wd14.__version__}\n")


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ConfigError("thresh is 7\nrating is x"), 2, "wd14-captioner: thresh is 7; rating is x\n"),
        (ModelError("no model\x1b"), 1, "wd14-captioner: no model\\x1b\n"),
        (
            JobStoppedError("asked"),
            130,
            "wd14-captioner: stopped; no dataset was written, and stored scores are kept\n",
        ),
        (KeyboardInterrupt(), 130, "wd14-captioner: stopped; no dataset was written, and stored scores are kept\n"),
    ],
)
def test_exit_codes(
    error: BaseException, code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("wd14.pipeline.run_job", fails)
    assert main(["caption", "photos"]) == code
    assert capsys.readouterr().err == said


def test_an_error_that_nobody_thought_of_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise KeyError("x" * 5000)

    monkeypatch.setattr("wd14.pipeline.run_job", fails)
    assert main(["caption", "photos"]) == 1
    *trace, last = capsys.readouterr().err.splitlines()
    assert trace[0].startswith("Traceback")
    assert last.startswith("wd14-captioner: unexpected error: KeyError: 'xxx")
    assert last.endswith("please report it with the lines above")
    assert len(last) < 500


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.EMFILE, "Too many open files", "/a"), "wd14-captioner: Too many open files: /a\n"),
        (MemoryError(), "wd14-captioner: out of memory: lower --batch-size"),
        (RuntimeError("can't start new thread"), "wd14-captioner: the system starts no more threads: raise the limit"),
    ],
)
def test_troubles_of_the_machine_are_said_in_a_line(
    error: Exception, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("wd14.pipeline.run_job", fails)
    assert main(["caption", "photos"]) == 1
    assert capsys.readouterr().err.startswith(said)


def test_a_folder_that_was_deleted_under_the_program_is_named(cli: Run, photos: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    code = "import os, sys; os.chdir(sys.argv[1]); os.rmdir(sys.argv[1]); from wd14.cli.entry import main; main()"
    for words in (["caption", str(photos)], ["caption", "photos", "--output", str(tmp_path / "out")]):
        gone.mkdir()
        done = subprocess.run(
            [sys.executable, "-c", code.replace("sys.argv[1]", repr(str(gone))), *words, *BUILTIN],
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            check=False,
        )
        assert done.returncode in (1, 2)
        assert "the current folder was deleted" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_stopped_download_says_no_more_than_that(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("wd14.model.files.find.find_model", fails)
    assert main(["download", "owner/name"]) == 130
    assert capsys.readouterr().err == "wd14-captioner: stopped\n"


def test_warnings_of_pillow_are_not_shown(cli: Run, tmp_path: Path) -> None:
    cut = b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01\x12\0\x03\0\0\0\x01\0\x06"  # five entries, and one half of the first
    Image.new("RGB", (20, 20)).save(tmp_path / "a.jpg", exif=cut)
    with pytest.warns(UserWarning, match="Corrupt EXIF data"), Image.open(tmp_path / "a.jpg") as image:
        image.getexif()
    done = cli("caption", "a.jpg", "--output", "out", *BUILTIN)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out" / "train" / "a.jpg").is_file()


def test_the_cache_says_which_model_its_scores_are_of(cli: Run, tmp_path: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    cli("caption", "a.png", "--output", "out", "--generation-model", "builtin/colours")
    said = cli("cache").stdout
    assert "1 scored picture" in said
    assert "1  builtin/colours  (v1 kohya image_size=0 upright)" in said
    assert "Forgot the scores of 1 picture." in cli("cache", "--clear").stdout
    assert "0 scored pictures" in cli("cache").stdout
