"""`info.md`, the user's guide that the host shows: nothing of the panel is missing from it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from wd14.config import CaptionConfig
from wd14.model.files.registry import MODELS

GUIDE = (Path(__file__).parents[2] / "info.md").read_text("utf-8")
ROWS = {
    cells[1].strip("`"): cells
    for line in GUIDE.splitlines()
    if len(cells := [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]) == 4
}


def in_words(default: object) -> str:
    """A default as the panel shows it."""
    if isinstance(default, bool):
        return "on" if default else "off"
    return "empty" if default in (None, "", (), {}) else str(default)


@pytest.mark.parametrize("key", [*CaptionConfig.model_fields])
def test_every_parameter_has_its_row(key: str) -> None:
    field = CaptionConfig.model_fields[key]
    title, _, default, text = ROWS[key]
    assert title == field.title
    assert default.strip("`").strip() == in_words(field.default).strip()
    assert text


def test_it_has_no_row_that_is_no_parameter() -> None:
    assert set(ROWS) - {"Key", "---"} == set(CaptionConfig.model_fields)


@pytest.mark.parametrize("heading", ["1. Prepare", "2. Configure", "3. Queue", "4. View", "Model variants"])
def test_it_goes_through_the_steps(heading: str) -> None:
    assert f"\n## {heading}\n" in GUIDE


@pytest.mark.parametrize("model", [model.id for model in MODELS])
def test_every_model_is_in_it(model: str) -> None:
    owner, name, *_ = model.split("/")
    assert f"{name}`" in GUIDE or f"{owner}/{name}`" in GUIDE
