"""Datasets and models that ask for more than they may have: a clear end within seconds, in bounded memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.bombs import BOMBS, Bomb, largest_picture
from tests.support.faults import Faults, small_model
from tests.support.tally import tally, tally_most

#: What a job may take whatever is in its dataset, as SECURITY.md says it, and what it may take where no picture is of
#: the largest size that is allowed. The model's own memory comes on top; the test's is small.
MOST_MEGABYTES = 5000
MOST_WITHOUT_THE_LARGEST = 2500
#: Enough on a busy machine; without its limit, each of these takes minutes or all memory.
PATIENCE = 100.0
#: So that a limit that is missing does not take the whole machine with it.
SAFETY = "import resource; resource.setrlimit(resource.RLIMIT_DATA, (6 << 30, 6 << 30))"


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faults]:
    with Faults(tmp_path_factory.mktemp("runs")) as server:
        yield server


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=[name.replace(" ", "-") for name in BOMBS])
def test_a_dataset_that_asks_for_too_much(faults: Faults, tmp_path: Path, bomb: Bomb) -> None:
    (tmp_path / "source").mkdir()
    source = bomb.make(tmp_path / "source")
    model = small_model(tmp_path / "model")
    options = {"--output": tmp_path / "out", "--custom-model": model, "--cache-folder": tmp_path / "cache"}
    words = [word for option in options.items() for word in option]
    run = faults.run("caption", source, *words, *bomb.words, patience=PATIENCE, setup=SAFETY)
    assert run.status in ((0,) if bomb.others_go_on else (1, 2)), run.said
    assert "Traceback" not in run.said, run.said
    assert re.search(bomb.says, run.said), run.said
    assert run.megabytes < MOST_WITHOUT_THE_LARGEST
    tally("files that ask for too much")
    tally_most("their memory at its most, in MB", round(run.megabytes))


@pytest.mark.long
def test_the_largest_picture(faults: Faults, tmp_path: Path) -> None:
    """250 megapixels with transparency, to be turned, in a file of a gigabyte."""
    (tmp_path / "source").mkdir()
    largest_picture(tmp_path / "source" / "a.png")
    model = small_model(tmp_path / "model")
    options = ("--output", tmp_path / "out", "--custom-model", model, "--no-cache")
    run = faults.run("caption", tmp_path / "source", *options, setup=SAFETY)
    assert run.status == 0, run.said
    assert run.megabytes < MOST_MEGABYTES
    tally_most("memory for the largest picture, in MB", round(run.megabytes))
