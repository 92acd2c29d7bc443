"""`info.md`, the user's guide that the host shows: its steps and its models."""

from __future__ import annotations

from pathlib import Path

from wd14.model.files.registry import MODELS

GUIDE = (Path(__file__).parents[2] / "info.md").read_text("utf-8")


def test_it_goes_through_the_steps_in_order() -> None:
    steps = ("1. Prepare", "2. Configure", "3. Queue", "4. View", "Model variants", "When something goes wrong")
    places = [GUIDE.index(f"\n## {heading}\n") for heading in steps]
    assert places == sorted(places)


def test_every_model_is_in_its_table() -> None:
    names = [model.id.split("/")[1] for model in MODELS]
    assert [name for name in names if f"{name}`" not in GUIDE] == []
