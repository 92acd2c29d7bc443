"""The other commands, and how the command line behaves among other programs."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from tests.integration.conftest import ROOT, Run
from wd14.config import GROUPS
from wd14.model.files.registry import MODELS

BUILTIN = ("--generation-model", "builtin/colours")


def test_models_lists_every_known_model(cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    done = cli("models")
    assert (done.returncode, done.stderr) == (0, "")
    for model in MODELS:
        line = next(line for line in done.stdout.splitlines() if line.startswith(f"{model.id} "))
        assert ("yes" in line.split()) == (model.id == "builtin/colours")
    assert "Apache-2.0" in done.stdout
    assert "0.3685" in done.stdout


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


def test_stored_scores_are_shown_and_forgotten(cli: Run, photos: Path) -> None:
    assert "0 scored pictures" in cli("cache").stdout
    cli("caption", photos, "--output", "a", *BUILTIN)
    assert "5 scored pictures" in cli("cache").stdout
    assert "Forgot the scores of 5 pictures" in cli("cache", "--clear").stdout
    assert "0 scored pictures" in cli("cache").stdout
    assert "from stored scores" not in cli("caption", photos, "--output", "b", *BUILTIN).stdout


def test_an_option_must_be_written_out(cli: Run, photos: Path) -> None:
    done = cli("caption", photos, "--general", "0.5", *BUILTIN)
    assert done.returncode == 2
    assert "--general" in done.stderr


def test_a_list_option_adds_up(cli: Run, photos: Path, tmp_path: Path) -> None:
    cli("caption", photos, "--output", "a", "--trigger-words", "one", "--trigger-words", "two, three", *BUILTIN)
    assert '"caption": "one, two, three' in (tmp_path / "a" / "metadata.jsonl").read_text()


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
    assert (tmp_path / "out" / "猫 und Füße.png").is_file()


def test_a_reader_that_leaves_does_not_break_the_job(photos: Path, tmp_path: Path) -> None:
    process = start(tmp_path, "models")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
    process.wait(60)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["caption", "x", "--tresh", "0.3"], "--thresh"),
        (["caption", "x", "--tresh=0.3"], "--thresh"),
        (["caption", "x", "--undesired-tag", "a"], "--undesired-tags"),
        (["captoin", "x"], "caption"),
        (["cache", "--clean"], "--clear"),
    ],
)
def test_a_mistyped_word_is_answered_with_the_one_that_is_meant(cli: Run, words: list[str], meant: str) -> None:
    done = cli(*words)
    assert done.returncode == 2
    assert f"Did you mean {meant}?" in done.stderr


def test_nothing_is_suggested_for_a_word_like_no_other(cli: Run) -> None:
    assert "Did you mean" not in cli("caption", "x", "--qqqq").stderr


def test_help_shows_the_parameters_in_groups(cli: Run) -> None:
    help_text = cli("caption", "--help").stdout
    places = [help_text.index(f"\n{heading}:\n") for heading in GROUPS]
    assert places == sorted(places)
    assert help_text.index("--thresh") > help_text.index("\nWhich tags:\n")


def test_models_are_listed_one_a_line_and_printable(cli: Run) -> None:
    lines = cli("models").stdout.splitlines()
    assert all("\\x" not in line for line in lines)
    assert [line.split()[0] for line in lines[1 : 1 + len(MODELS)]] == [model.id for model in MODELS]


def test_the_cache_says_which_model_its_scores_are_of(cli: Run, tmp_path: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    cli("caption", "a.png", "--output", "out", "--generation-model", "builtin/colours")
    said = cli("cache").stdout
    assert "1 scored picture" in said
    assert "1  builtin/colours  (v1 kohya image_size=0 upright)" in said
    assert "Forgot the scores of 1 picture." in cli("cache", "--clear").stdout
    assert "0 scored pictures" in cli("cache").stdout
