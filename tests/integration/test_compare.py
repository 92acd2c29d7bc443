"""`wd14-captioner compare`: what it says of two runs over the same pictures, and what it leaves alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.integration.conftest import Run
from tests.integration.test_check import contents
from tests.support.scale_sets import parquet_files, picture_folder, tar_files
from tests.support.scripted_model import Tag, save_scripted_model
from wd14.comparing import compare
from wd14.errors import ConfigError, DeviceError, JobStoppedError
from wd14.stop import StopToken


@pytest.fixture
def models(tmp_path: Path) -> list[str]:
    """Two models that agree on the sky: the second one has more of a dress and less of a smile."""
    both = [Tag("general", 9, 0.9), Tag("sky", 0, 0.5), Tag("clock", 0, 0.002)]
    first = [*both, Tag("smile", 0, 0.36), Tag("dress", 0, 0.3), Tag("hat", 0, 0.8)]
    second = [Tag("boat", 0, 0.7), Tag("dress", 0, 0.37), Tag("smile", 0, 0.32), *both[:2], Tag("clock", 0, 0.004)]
    save_scripted_model(tmp_path / "first", first)
    save_scripted_model(tmp_path / "second", second)
    return [str(tmp_path / "first"), str(tmp_path / "second")]


def test_two_models_side_by_side(photos: Path, models: list[str], cli: Run) -> None:
    (photos / "damaged.png").write_bytes((photos / "coffee.png").read_bytes()[:5000])
    before = contents(photos)
    words = ("compare", photos, "--custom-model", models[0], "--with", f"custom-model={models[1]}")
    done = cli(*words, "--cache-folder", "x")
    assert "unrecognized arguments: --cache-folder" in done.stderr  # nothing is stored

    lines = cli(*words).stdout.splitlines()
    said = " ".join(" ".join(lines).split())
    assert "Sample: 6 of 6 pictures of photos " in said
    assert "Not compared: damaged.png: " in said
    assert (
        "Scores of 5 tags that both models know: the largest difference is 0.07 (dress, astronaut.png);"
        " 99.9 % of all are 0.07 or less, the mean is 0.022." in said
    )
    assert (
        "Captions: 5 of 5 pictures changed; of 15 tags 10 lost, 10 gained. Their scores, as given, are within 0.45 of"
        " the threshold, half of them within 0.05." in said
    )
    rows = [line.split() for line in lines if line.endswith("  astronaut.png")]
    assert rows == [
        ["gained", "dress", "0.3000", "0.3700", "0.35", "astronaut.png"],
        ["lost", "smile", "0.3600", "0.3200", "0.35", "astronaut.png"],
        ["lost", "hat", "0.8000", "-", "0.35", "astronaut.png"],
        ["gained", "boat", "-", "0.7000", "-", "astronaut.png"],
    ]

    done = cli(*words, "--json", "--sample", "2", "--rating", "first")
    found = json.loads(done.stdout)
    assert "Sample: 2 of 6 pictures" in done.stderr
    assert (found["total"], found["pictures"], found["captions"]) == (6, 2, {"changed": 2, "of": 2})
    assert found["tags"]["of"] == 8
    assert found["scores"]["mean"] == pytest.approx((0.07 + 0.04 + 0.002) / 5, abs=1e-6)  # low scores count as well
    assert found["scores"]["percentile_99.9"] == pytest.approx(0.07, abs=1e-6)
    largest = found["tags"]["largest"][0]
    assert (largest["tag"], largest["gained"]) == ("dress", True)
    assert largest["distance"] == pytest.approx(0.05, abs=1e-6)
    assert [found[side]["model"] for side in ("before", "after")] == models
    assert found["before"]["pictures_per_second"] > 0
    assert found["speedup"] > 0
    assert contents(photos) == before


def test_what_shapes_no_score_is_scored_once(photos: Path, models: list[str], cli: Run) -> None:
    words = ("compare", photos, "--custom-model", models[0], "--with", "thresh=0.3", "--with", "remove_underscore=yes")
    said = " ".join(cli(*words).stdout.split())
    assert said.count("The model runs on") == 1
    assert "thresh=0.3, remove_underscore=yes: no score changes by that, so the pictures were scored once." in said
    assert "Scores of 6 tags: equal." in said
    assert "Captions: 5 of 5 pictures changed; of 15 tags 0 lost, 5 gained." in said


def test_fast_where_nothing_gains_says_so(photos: Path, models: list[str], cli: Run) -> None:
    """`precision=fast` is what is compared where nobody says, and the CPU has no 16 bits in onnxruntime."""
    said = " ".join(cli("compare", photos, "--custom-model", models[0], "--device", "cpu").stdout.split())
    assert "Both ran in the same way (cpu, exact): what differs in speed is chance." in said
    assert "Scores of 6 tags: equal." in said
    assert "Captions: 0 of 5 pictures changed; they have the same 15 tags." in said


@pytest.mark.parametrize("make", [picture_folder, tar_files, parquet_files])
def test_the_sample_is_even_and_has_as_many_pictures_as_asked_for(
    make: Callable[[Path, int], Path], tmp_path: Path, models: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make(tmp_path / "set", 900)
    taken: list[str] = []
    from wd14 import comparing

    def run(self: Any, rows: Any, *more: Any) -> Any:
        taken[:] = [row.key for row in rows]
        return real(self, rows, *more)

    real = comparing._Comparing._run
    monkeypatch.setattr(comparing._Comparing, "_run", run)
    found = compare(str(source), {"custom_model": models[0]}, ["thresh=0.3"], pictures=30)
    assert (found.pictures, found.total) == (30, 900)
    numbers = [int(re.findall(r"\d+", key)[-1]) for key in taken]
    assert all(15 <= after - before <= 50 for before, after in pairwise(numbers))  # 30 of 900
    assert (numbers[0] < 30, numbers[-1] >= 840) == (True, True)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["thresh"], "--with is 'thresh'; expected PARAMETER=VALUE"),
        (["tresh=0.3"], "there is no parameter 'tresh'; did you mean thresh?"),
        (["thresh=2"], "Tag Confidence Threshold (thresh) is '2'; allowed: a number from 0 to 1"),
        (["max_tags=0"], "--with max_tags=0 changes nothing"),
        (["purpose=style"], "Purpose (purpose) cannot be compared: a plan is made of all pictures"),
        (["split=test"], "Split (split) cannot be compared: it says which pictures there are"),
        (["generation_model=builtin/none"], "builtin/none adds no tag"),
    ],
)
def test_changes_that_cannot_be_compared(changes: list[str], words: str, photos: Path, models: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        compare(str(photos), {"custom_model": models[0]}, changes)
    assert words in str(caught.value)


def test_a_variant_is_compared_with_a_model_of_ones_own(photos: Path, models: list[str]) -> None:
    found = compare(str(photos), {"custom_model": models[0]}, ["generation-model=builtin/colours"])
    assert found.after.model == "builtin/colours"
    assert found.scores.tags == 1  # a rating


def test_numbers_of_pictures_and_pictures_that_are_none(tmp_path: Path, models: list[str], cli: Run) -> None:
    (tmp_path / "bad").mkdir()
    for number in range(3):
        (tmp_path / "bad" / f"{number}.png").write_bytes(b"no picture")
    done = cli("compare", "bad", "--custom-model", models[0])
    assert done.returncode == 1
    assert "not one picture of the sample could be compared; the first: 0.png: " in done.stderr
    done = cli("compare", "bad", "--custom-model", models[0], "--sample", "0")
    assert done.returncode == 2
    assert "the sample has 0 pictures; allowed: from 1 to 2,000" in done.stderr


def test_what_may_not_work_is_tried_first(photos: Path, models: list[str]) -> None:
    phases: list[str] = []
    with pytest.raises(DeviceError, match="CoreML"):
        compare(
            str(photos),
            {"custom_model": models[0]},
            ["device=coreml"],
            progress=lambda progress: phases.append(progress.phase),
        )
    assert set(phases) <= {"Sample"}


def test_a_stop_is_obeyed(photos: Path, models: list[str]) -> None:
    stop = StopToken()
    with pytest.raises(JobStoppedError):
        compare(
            str(photos),
            {"custom_model": models[0]},
            progress=lambda progress: stop.request() if progress.phase.startswith("As given") else None,
            stop=stop,
        )


def test_tags_are_known_by_the_words_of_the_captions(tmp_path: Path, models: list[str]) -> None:
    """Spaces and an order of their own change captions, not tags; a replaced tag has no score on the other side."""
    Image.new("RGB", (60, 60)).save(tmp_path / "a.png")
    (tmp_path / "set").mkdir()
    (tmp_path / "a.png").rename(tmp_path / "set" / "a.png")
    config = {"custom_model": models[0]}
    found = compare(str(tmp_path / "set"), config, ["tag_order=score"])
    assert (found.captions_changed, found.changed_tags) == (1, ())
    found = compare(str(tmp_path / "set"), config, ["tag_replacement=hat -> cap"])
    assert {(tag.tag, tag.gained, tag.before is None, tag.after is None) for tag in found.changed_tags} == {
        ("hat", False, False, False),
        ("cap", True, True, False),
    }
