"""`info.md`, the user's guide that the host shows: its steps and its models."""

from __future__ import annotations

import json
import re
from pathlib import Path

from wd14.model.files.registry import MODELS

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "info.md").read_text("utf-8")


def test_it_goes_through_the_steps_in_order() -> None:
    steps = ("1. Prepare", "2. Configure", "3. Queue", "4. View", "5. Train", "Model variants")
    headings = (*steps, "When something goes wrong", "All parameters")
    places = [GUIDE.index(f"\n## {heading}\n") for heading in headings]
    assert places == sorted(places)


def test_it_warns_of_what_the_host_does() -> None:
    words = " ".join(GUIDE.split())
    for warning in (
        "**type `caption` into Caption Column**",  # the trainer's own default finds no captions
        "loads the first 50 pictures only",
        "**drop your pictures** on the page. (*Browse Image Folder* is answered with error 403.)",
        "a `.zip` of pictures as it is",
    ):
        assert warning in words


def test_it_begins_with_six_parameters_that_the_panel_has() -> None:
    table = GUIDE.partition("Six parameters")[2].partition("Everything else")[0]
    titles = re.findall(r"^\| \*\*(.+?)\*\* \|", table, re.MULTILINE)
    shown = [schema["title"] for schema in json.loads((ROOT / "index.json").read_text("utf-8"))["parameters"].values()]
    assert len(titles) == 6
    assert set(titles) <= set(shown)


def test_every_model_is_in_its_table() -> None:
    names = [model.id.split("/")[1] for model in MODELS]
    assert [name for name in names if f"{name}`" not in GUIDE] == []
