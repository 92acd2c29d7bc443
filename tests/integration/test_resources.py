"""What a job takes, it gives back: file handles, threads, temporary folders, memory; done, failed or stopped."""

from __future__ import annotations

import ast
import gc
import os
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.faults import small_model, small_pictures
from tests.support.stopping_host import StoppingHost
from tests.support.tally import tally
from wd14.config import CaptionConfig
from wd14.errors import AllRowsFailedError, CaptionerError, ConfigError, JobStoppedError, ModelError
from wd14.hosts.local import LocalHost
from wd14.pipeline import caption_dataset, run_job
from wd14.types import Progress

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")


def open_files() -> set[str]:
    """Files, pipes and sockets that this process holds, without what libraries keep from their first use on."""
    found = set()
    for handle in Path("/proc/self/fd").iterdir():
        try:
            found.add(f"{handle.name} {handle.readlink()}")
        except OSError:  # the handle of the listing itself
            continue
    return found


def threads() -> set[str]:
    """Threads, without the one that tqdm starts for the whole process when somebody first draws a bar."""
    return {thread.name for thread in threading.enumerate() if type(thread).__name__ != "TMonitor"}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return small_model(tmp_path / "model")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return small_pictures(tmp_path / "source")


@pytest.fixture
def balance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: Path, model: Path) -> Iterator[None]:
    """Whatever the test does in between, in the end everything is as it was."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    caption_dataset(source, CaptionConfig(custom_model=str(model)), output=tmp_path / "sets" / "first")  # warm
    gc.collect()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("TMPDIR", str(temporary))
    files, running, here = open_files(), threads(), Path.cwd()
    yield
    end = time.monotonic() + 3
    while (threads() - running or open_files() - files) and time.monotonic() < end:
        gc.collect()
        time.sleep(0.05)
    assert threads() - running == set()
    assert open_files() - files == set()
    assert list(temporary.iterdir()) == []
    assert Path.cwd() == here
    left = [place.name for place in (tmp_path / "sets").iterdir() if place.name.startswith(".")]
    assert left == []
    tally("jobs whose resources were counted")


def host(source: Path, output: Path, stops: Callable[[Progress], bool] = lambda _: False, **values: Any) -> LocalHost:
    return StoppingHost(source, values, output, stops=stops)


@pytest.mark.usefixtures("balance")
def test_after_a_job_that_is_done(source: Path, model: Path, tmp_path: Path) -> None:
    for _ in range(3):
        assert run_job(host(source, tmp_path / "sets" / "out", custom_model=str(model))).failed == 0
    fresh = run_job(host(source, tmp_path / "sets" / "out", custom_model=str(model), cache=False, caption_files=True))
    assert fresh.captioned == 12


@pytest.mark.usefixtures("balance")
@pytest.mark.parametrize("kind", ["parquet", "arrow", "tar", "metadata"])
def test_after_other_kinds_of_sources(source: Path, model: Path, tmp_path: Path, kind: str) -> None:
    pictures = sorted(source.glob("*.png"))
    place = tmp_path / "other"
    place.mkdir()
    if kind == "metadata":
        (source / "metadata.jsonl").write_text("".join(f'{{"file_name": "{path.name}"}}\n' for path in pictures))
        place = source
    elif kind == "tar":
        import tarfile

        with tarfile.open(place / "a.tar", "w") as tar:
            for path in pictures:
                tar.add(path, path.name)
    else:
        import datasets

        table = datasets.Dataset.from_dict(
            {"image": [{"bytes": path.read_bytes(), "path": path.name} for path in pictures]}
        )
        if kind == "parquet":
            table.to_parquet(str(place / "a.parquet"))
        else:
            table.save_to_disk(str(place / "saved"))
            place /= "saved"
        del table
    for _ in range(2):
        done = run_job(host(place, tmp_path / "sets" / "out", custom_model=str(model)))
        assert done.total == len(pictures)
    failing = host(place, tmp_path / "sets" / "out", custom_model=str(model), max_megapixels=0.1, image_field="nothing")
    with pytest.raises(CaptionerError):
        run_job(failing)


@pytest.mark.usefixtures("balance")
def test_after_a_job_that_failed_somewhere(source: Path, model: Path, tmp_path: Path) -> None:
    output = tmp_path / "sets" / "out"
    Image.new("RGB", (5000, 5000)).save(source / "large.png")
    (source / "zz.png").write_bytes(b"no picture")
    with pytest.raises(ConfigError):
        run_job(host(source, output, thresh=2))
    with pytest.raises(CaptionerError):
        run_job(host(tmp_path / "nothing", output, custom_model=str(model)))
    with pytest.raises(ModelError):
        run_job(host(source, output, custom_model=str(source)))
    with pytest.raises(CaptionerError):
        run_job(host(source, output, custom_model=str(model), device="cuda"))
    with pytest.raises(CaptionerError):
        run_job(host(source, output, custom_model=str(model), on_error="stop"))
    for picture in source.rglob("*.png"):
        picture.write_bytes(b"no picture")
    with pytest.raises(AllRowsFailedError):
        run_job(host(source, output, custom_model=str(model)))


@pytest.mark.usefixtures("balance")
def test_after_a_job_that_was_stopped_at_any_moment(source: Path, model: Path, tmp_path: Path) -> None:
    stopped = 0
    for asked in range(1, 7):
        questions = iter(range(1, 1000))
        quick = host(
            source,
            tmp_path / "sets" / "out",
            stops=lambda _, at=asked, questions=questions: next(questions) >= at,  # type: ignore[misc]
            custom_model=str(model),
            cache=bool(asked % 2),
        )
        try:
            run_job(quick)
        except JobStoppedError:
            stopped += 1
    assert stopped >= 1


@pytest.mark.usefixtures("balance")
def test_after_a_listener_that_fails(source: Path, model: Path, tmp_path: Path) -> None:
    """The host's own errors end the job as well, and nothing stays behind."""

    def say(line: str) -> None:
        if line.startswith("Model"):
            raise BrokenPipeError

    values = {"custom_model": str(model), "cache": False}
    with pytest.raises(BrokenPipeError):
        run_job(LocalHost(source, values, tmp_path / "sets" / "out", say=say))


def resident() -> int:
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_memory_does_not_grow_with_the_dataset(model: Path, tmp_path: Path) -> None:
    """A hundred Parquet rows of 1.5 MB, all different, from the model and then from stored scores."""
    import io

    import datasets

    noise = np.random.default_rng(5)
    folder = tmp_path / "parquet"
    folder.mkdir()

    def rows(number: int) -> Any:
        made = []
        for _ in range(number):
            buffer = io.BytesIO()
            Image.fromarray(noise.integers(0, 256, (700, 700, 3), dtype=np.uint8)).save(buffer, "PNG", compress_level=0)
            made.append({"bytes": buffer.getvalue(), "path": "a.png"})
        return datasets.Dataset.from_dict({"image": made})

    peak: list[int] = []

    def watch(_: Progress) -> bool:
        peak.append(resident())
        return False

    def most(shards: int, *, fresh: bool) -> int:
        """The most memory that a job over so many shards had."""
        for shard in range(len(list(folder.iterdir())), shards):
            rows(10).to_parquet(str(folder / f"{shard:02}.parquet"), batch_size=4)
        peak.clear()
        summary = run_job(host(folder, tmp_path / "sets" / "out", watch, custom_model=str(model), cache=not fresh))
        assert summary.failed == 0
        return max(peak)

    # As many as may be under way at once, and three times as many.
    few = max(most(8, fresh=True), most(8, fresh=False))
    many = max(most(24, fresh=True), most(24, fresh=False))
    print(f"80 pictures of 1.5 MB: {few / 1e6:.0f} MB; 240: {(many - few) / 1e6:.0f} MB more")  # noqa: T201
    assert many - few < 120e6, "160 rows more are 235 MB, with their pixels twice that"


# ── What the package never does ─────────────────────────────────────────────────────────────────────────────────────

SOURCES = sorted([*(ROOT / "wd14").rglob("*.py"), ROOT / "main.py"])
#: Calls and modules that run what a file says.
FORBIDDEN_CALLS = {
    *("eval", "exec", "compile", "__import__", "system", "popen", "execv", "execvp", "spawn", "startfile"),
    *("extractall", "extract", "register_custom_ops_library"),
}
FORBIDDEN_KEYWORDS = {"trust_remote_code", "allow_pickle", "shell"}
FORBIDDEN_MODULES = {
    "pickle",
    "cPickle",
    "dill",
    "cloudpickle",
    "marshal",
    "shelve",
    "subprocess",
    "joblib",
    "torch",
    "pty",
}


def test_nothing_that_a_dataset_or_model_holds_is_executed() -> None:
    found = [f"{path.relative_to(ROOT)}, {what}" for path in SOURCES for what in executed_by(path.read_text("utf-8"))]
    trial = "wd14/model/trial/trial.py"  # starts this interpreter with a module of ours
    assert [each for each in found if not (each.startswith(f"{trial}, ") and each.endswith("import subprocess"))] == []


def test_the_search_for_what_is_executed_finds_it() -> None:
    for text in (
        "eval(x)",
        "os.system(x)",
        "import pickle",
        "from torch import nn",
        "f(allow_pickle=True)",
        "tar.extractall(x)",
        "load_dataset(x)",
        "options = {'trust_remote_code': True}",
        "session.register_custom_ops_library(x)",
    ):
        assert executed_by(text), text
    assert executed_by("re.compile(x)\nopen(x)\nf(allow_pickle=False)\n'load_dataset(x)'") == []


def executed_by(text: str) -> list[str]:
    """Where a module's text runs what a file may say, in words."""
    found = []
    if re.search(r"trust_remote_code\W+True", text):
        found.append("trust_remote_code is on")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            called = node.func
            name = getattr(called, "id", getattr(called, "attr", ""))
            owner = getattr(getattr(called, "value", None), "id", "")
            if name == "load_dataset" and 'options["trust_remote_code"] = False' not in text:
                found.append("load_dataset may ask for remote code")
            if name in FORBIDDEN_CALLS and owner != "re":
                found.append(f"line {node.lineno}: {name}()")
            found += [
                f"line {node.lineno}: {key.arg}="
                for key in node.keywords
                if key.arg in FORBIDDEN_KEYWORDS and ast.unparse(key.value) != "False"
            ]
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names]
            found += [
                f"line {node.lineno}: import {name}" for name in names if name.partition(".")[0] in FORBIDDEN_MODULES
            ]
    return found
