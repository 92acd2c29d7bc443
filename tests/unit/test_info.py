"""`info.md`, the user's guide that the host shows: its steps and its models."""

from __future__ import annotations

from pathlib import Path

import pytest

from wd14.model.files.registry import MODELS

GUIDE = (Path(__file__).parents[2] / "info.md").read_text("utf-8")


@pytest.mark.parametrize("heading", ["1. Prepare", "2. Configure", "3. Queue", "4. View", "Model variants"])
def test_it_goes_through_the_steps(heading: str) -> None:
    assert f"\n## {heading}\n" in GUIDE


@pytest.mark.parametrize("model", [model.id for model in MODELS])
def test_every_model_is_in_it(model: str) -> None:
    owner, name, *_ = model.split("/")
    assert f"{name}`" in GUIDE or f"{owner}/{name}`" in GUIDE
