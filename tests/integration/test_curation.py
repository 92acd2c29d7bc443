"""Curation as its users see it: a planted dataset whose plan, captions and findings are known beforehand."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Run
from tests.support import planted
from tests.support.planted import IDENTITY, OUTFIT, PICTURES, Planted, plant

THRESHOLD = 0.35


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """The planted dataset; tests only read it."""
    return plant(tmp_path_factory.mktemp("planted"))


@pytest.fixture
def caption(cli: Run, dataset: Planted, tmp_path: Path) -> Any:
    """Captions the planted dataset; gives the output's captions, its plan and what was said."""
    numbers = iter(range(100))

    def run(*words: str, source: Path = dataset.pictures) -> tuple[dict[str, str], dict[str, Any], str]:
        output = tmp_path / f"out{next(numbers)}"
        done = cli(
            *("caption", source, "--output", output, "--custom-model", dataset.model, *words),
            *("--cache-folder", tmp_path / "scores"),
        )
        assert done.returncode == 0, done.stderr + done.stdout
        plan = output / ".wd14" / "plan.json"
        return captions_of(output), json.loads(plan.read_text("utf-8")) if plan.exists() else {}, done.stdout

    return run


def captions_of(output: Path) -> dict[str, str]:
    lines = (output / "train" / "metadata.jsonl").read_text("utf-8").splitlines()
    return {row["file_name"]: row["caption"] for row in map(json.loads, lines)}


def decided(plan: dict[str, Any], decision: str) -> set[str]:
    return {each["tag"] for each in plan["decisions"] if each["decision"] == decision}


def written(
    dataset: Planted, number: int, *, without: Collection[str] = (), also: Mapping[str, str] | None = None
) -> list[str]:
    """The tags that a caption is to have, in the model's order, from what was written into the picture."""
    scores = dataset.tags[planted.name(number)]
    order = [row.split(",")[1] for row in (dataset.model / "selected_tags.csv").read_text("utf-8").splitlines()[1:]]
    kept = [
        tag
        for tag in order
        if scores.get(tag, 0) >= (0.85 if tag.endswith("_(wonder)") else THRESHOLD)
        and tag not in ("general", "sensitive")
        and tag not in without
    ]
    return [(also or {}).get(tag, tag) for tag in kept]


def test_a_character_is_folded_into_its_trigger_word(caption: Any, dataset: Planted) -> None:
    captions, plan, said = caption("--purpose", "character", "--trigger-words", "alicew")
    assert decided(plan, "folded") == set(IDENTITY)
    assert set(OUTFIT) & decided(plan, "folded") == set()
    assert {"alice_(wonder)", "watermark", "aqua_eyes"} <= decided(plan, "dropped")
    by_tag = {each["tag"]: each for each in plan["decisions"] if each["rule"] != "contradiction"}
    assert by_tag["halo"]["rows"] == PICTURES - len(planted.WRONG)
    assert by_tag["halo"]["frequency"] == pytest.approx(55 / 60, abs=1e-3)
    assert by_tag["halo"]["lift"] == pytest.approx((55 / 60) / (171_236 / 7_220_105), rel=0.01)
    contradictions = {each["tag"]: each["rows"] for each in plan["decisions"] if each["rule"] == "contradiction"}
    assert contradictions == {"aqua_eyes": 1, "short_hair": 1}
    differing = [each["name"] for each in plan["differing"]]
    assert differing[:5] == [planted.name(number) for number in planted.WRONG]
    assert differing[5:] == [planted.name(planted.NO_EARS)]

    without = {*IDENTITY, "watermark"}
    for number in range(PICTURES):
        gone = without | {planted.CONTRADICTIONS.get(number, "")}
        expected = ["alicew", *written(dataset, number, without=gone, also={"alice_(wonder)": "wonder"})]
        assert captions[planted.name(number)] == ", ".join(expected), number
    assert "blue_hair" in said
