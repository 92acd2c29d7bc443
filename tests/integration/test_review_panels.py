"""The panels of the review page in real browsers: what a person reads off them, and does there."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.browser import Tab
from tests.support.review_page import open_page, open_panel, saved, settle
from wd14.caption.captioner import Captioner
from wd14.config import CaptionConfig
from wd14.page_model import PageModel
from wd14.published import Published
from wd14.review.page import write_page
from wd14.review.page_data import PageContents, page_data
from wd14.review.page_rows import PageRow, PageRows
from wd14.types import Labels, Status

LABELS = Labels(
    names=("general", "long_hair", "smile", "blue_eyes", "hat", "alice_(w)"),
    categories=("rating", "general", "general", "general", "general", "character"),
)
#: One line a picture, the scores of the tags above. At 0.35 and 0.85, 3 have long_hair, 2 smile, 4 blue_eyes, 1 alice.
SCORES = (
    (0.9, 0.80, 0.70, 0.60, 0.10, 0.95),
    (0.9, 0.75, 0.40, 0.50, 0.20, 0.50),
    (0.9, 0.30, 0.10, 0.45, 0.10, 0.10),
    (0.9, 0.55, 0.20, 0.40, 0.10, 0.10),
)
CONFIG = CaptionConfig(trigger_words=("me",), remove_underscore=True)
DECISIONS = (
    {"tag": "smile", "decision": "kept", "rule": "state", "rows": 2, "frequency": 0.5, "lift": 1.5, "reason": ""},
    {"tag": "long_hair", "decision": "folded", "rule": "trait", "rows": 3, "frequency": 0.75, "reason": "on 3 of 4"},
    {"tag": "hat", "decision": "ask", "rule": "outfit", "rows": 1, "frequency": 0.25, "reason": "on 1 of 4"},
)


@pytest.fixture
def data() -> dict[str, Any]:
    return data_of(CONFIG, Published())


def data_of(config: CaptionConfig, published: Published) -> dict[str, Any]:
    """Four captioned pictures and one that failed; the last two captioned ones look alike."""
    model = PageModel(LABELS, config, published)
    captioner = Captioner(LABELS, config, published=published)
    rows = PageRows(", ", model.texts, model.candidates())
    for number, scores in enumerate(np.array(SCORES, np.float32)):
        digest = hashlib.sha256(bytes([number])).digest()
        caption = captioner(scores).text
        row = PageRow(f"{number}.png", Status.CAPTIONED, f"train/{number}.png", digest, caption, scores=scores)
        rows.add(row)
    rows.add(PageRow("bad.png", Status.FAILED, reason="the picture is cut off"))
    contents = PageContents(
        dataset={"name": "panels", "folder": "../", "command": "wd14-captioner caption pictures"},
        mark="now",
        separator=", ",
        triggers=["me"],
        words=model.words,
        rules=model.rules(rows).tables,
        plan={"purpose": "character", "notes": ["one person"], "decisions": list(DECISIONS)},
        findings=[
            {
                "rule": "near-duplicates",
                "severity": "info",
                "reason": "nearly the same",
                "advice": "Keep the best.",
                "rows": [2, 3],
            }
        ],
    )
    return page_data(rows, contents)


def opened(tab: Tab, data: dict[str, Any], folder: Path, panel: str) -> None:
    """Opens a page of the data at one of its panels."""
    write_page(folder / "review.html", data)
    open_page(tab, folder / "review.html")
    open_panel(tab, panel)


def shown(tab: Tab) -> list[str]:
    """The pictures in the grid, by the number in their names."""
    settle(tab)
    names: list[str] = tab.js("[...document.querySelectorAll('#grid .cell')].map((cell) => cell.title)")
    return [Path(name).stem for name in names]


def tags(tab: Tab) -> dict[str, int]:
    """The list of tags, from the top."""
    settle(tab)
    lines = tab.js("""[...document.querySelectorAll('.tags-line:not([hidden])')]
        .sort((one, other) => one.getAttribute('aria-posinset') - other.getAttribute('aria-posinset'))
        .map((line) => ['.tags-name', '.tags-number'].map((part) => line.querySelector(part).textContent))""")
    return {name: int(number) for name, number in lines}


def test_tags_are_counted_filtered_by_and_removed_everywhere_by_keyboard(
    tab: Tab, data: dict[str, Any], tmp_path: Path
) -> None:
    opened(tab, data, tmp_path, "tags")
    assert list(tags(tab).items()) == [("blue eyes", 4), ("me", 4), ("long hair", 3), ("smile", 2), ("alice (w)", 1)]

    tab.click(".tags-search")
    tab.type("HAIR")
    assert tags(tab) == {"long hair": 3}
    tab.press("ArrowDown")
    tab.press("ArrowRight")
    tab.press("Enter")  # those without it
    assert shown(tab) == ["2", "bad"]
    tab.press("ArrowLeft")
    tab.press("Enter")
    assert shown(tab) == ["0", "1", "3"]

    for key in ("ArrowRight", "ArrowRight", "Enter"):
        tab.press(key)
    assert "Remove from 3 pictures …" in tab.text("[role=menuitem]")
    tab.press("r")
    tab.press("Enter")
    tab.wait_until("document.querySelector('dialog[open]') !== null")
    assert "3 pictures" in tab.text("dialog[open]")[0]
    tab.press("Enter")
    assert tags(tab) == {}
    tab.fill(".tags-search", "")
    assert list(tags(tab)) == ["blue eyes", "me", "smile", "alice (w)"]


def test_a_slider_says_what_it_changes_and_the_grid_follows(tab: Tab, data: dict[str, Any], tmp_path: Path) -> None:
    opened(tab, data, tmp_path, "thresholds")
    assert tab.text(".slider-effect") == ["Captions are as the run wrote them."]
    tab.fill("#slider-general", "0.45")  # smile of 1 and blue_eyes of 3 go
    settle(tab)
    assert tab.text(".slider-effect") == ["2 captions change: −2 tags."]
    open_panel(tab, "tags")
    assert tags(tab) == {"me": 4, "blue eyes": 3, "long hair": 3, "smile": 1, "alice (w)": 1}
    open_panel(tab, "about")
    assert "--edits edits.json --category-thresholds general=0.45" in tab.text(".about code")[0]
    open_panel(tab, "thresholds")
    tab.click(".slider-foot .quiet")
    assert shown(tab) == ["1", "3"]
    tab.click(".slider-foot button:last-child")
    settle(tab)
    assert tab.text(".slider-effect") == ["Captions are as the run wrote them."]
    assert tab.js("document.querySelector('#slider-general').value") == "0.35"


def test_a_slider_takes_the_place_of_the_models_thresholds_but_not_of_a_persons(tab: Tab, tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"tag_thresholds": "hat=0.15, blue_eyes=+0.1"})
    published = Published({}, {1: 0.7, 2: 0.4, 3: 0.45, 4: 0.9, 5: 0.9}, is_preferred=True)
    opened(tab, data_of(config, published), tmp_path, "tags")
    assert tags(tab) == {"me": 4, "long hair": 2, "smile": 2, "alice (w)": 1, "blue eyes": 1, "hat": 1}
    open_panel(tab, "thresholds")
    assert tab.text(".slider-own")[0] == "Each tag has the model's own threshold until you move this."
    assert tab.text(".slider-set") == ["By name, 2 tags have a threshold: blue_eyes, hat."]
    tab.fill("#slider-general", "0.35")
    settle(tab)
    assert tab.text(".slider-own")[0] == "One threshold for all tags."
    open_panel(tab, "tags")
    assert tags(tab) == {"me": 4, "blue eyes": 3, "long hair": 3, "smile": 2, "alice (w)": 1, "hat": 1}
    open_panel(tab, "about")
    assert "--category-thresholds general=0.35 --threshold-mode model" in tab.text(".about code")[0]


def test_sliders_without_rules_say_why_they_cannot_be_moved(
    chromium_tab: Tab, data: dict[str, Any], tmp_path: Path
) -> None:
    tab = chromium_tab
    opened(tab, data | {"rules": None, "rules_missing": "The model is not known."}, tmp_path, "thresholds")
    assert tab.text(".slider-missing span") == ["The model is not known."]
    assert tab.js("[...document.querySelectorAll('.sliders input')].every((input) => input.disabled)")


def test_findings_show_their_pictures_and_one_of_two_can_be_rejected(
    tab: Tab, data: dict[str, Any], tmp_path: Path
) -> None:
    opened(tab, data, tmp_path, "findings")
    assert "the picture is cut off" in tab.text(".finding-reason")
    tab.click(".finding-group button")
    assert shown(tab) == ["bad"]
    tab.click(".finding-kind summary")
    tab.click(".finding-tools button")
    assert shown(tab) == ["2", "3"]
    tab.click(".finding-tools button:last-child")
    settle(tab)  # until the pictures, which are not there, have given way to words
    assert [text.partition(": ")[2] for text in tab.text(".side-caption")] == ["", "long hair"]
    tab.click(".side-card:last-child .side-tools .quiet")  # keeps the second, rejects the first
    settle(tab)
    assert tab.text(".side-card .side-tools button:first-child") == ["Take back", "Reject"]
    open_panel(tab, "tags")
    assert tags(tab)["me"] == 3


def test_the_plan_is_sorted_and_leads_to_the_pictures(tab: Tab, data: dict[str, Any], tmp_path: Path) -> None:
    opened(tab, data, tmp_path, "plan")
    assert tab.text(".plan-tag") == ["smile", "long_hair", "hat"]
    tab.click("[data-column=frequency] button")
    assert tab.text(".plan-tag") == ["long_hair", "smile", "hat"]
    tab.click(".plan-tag")  # folded: no caption may have it, so the scores tell the pictures
    assert shown(tab) == ["0", "1", "3"]
    tab.click(".plan-chips button:last-child")
    assert tab.text(".plan-tag") == ["smile"]


def test_charts_have_their_numbers_as_a_table(chromium_tab: Tab, data: dict[str, Any], tmp_path: Path) -> None:
    tab = chromium_tab
    opened(tab, data, tmp_path, "charts")
    labels = tab.js("[...document.querySelectorAll('.chart svg')].map((drawing) => drawing.getAttribute('aria-label'))")
    assert labels[1] == "4 captions with 3.5 tags on average, 5 at most."
    tab.click(".chart:first-child summary")
    settle(tab)
    assert tab.text(".chart:first-child td") == ["1", "2", "2"]  # on 1; on 2 or 3; on 4 pictures
    assert tab.js("document.querySelectorAll('.chart-line').length") == 1


def test_of_copies_of_one_file_the_first_can_be_kept(chromium_tab: Tab, data: dict[str, Any], tmp_path: Path) -> None:
    tab = chromium_tab
    shas = base64.b64decode(data["sha"])
    copied = shas[: 3 * 32] + shas[2 * 32 : 3 * 32] + shas[4 * 32 :]  # 3.png is 2.png, byte for byte
    opened(tab, data | {"sha": base64.b64encode(copied).decode()}, tmp_path, "findings")
    tab.click(".finding-kind summary")
    tab.click(".finding-tools button:last-child")
    settle(tab)
    assert tab.text(".side-twins") == ["Copies of one file: 2.png, 3.png"]
    assert tab.text(".side-tools button") == []  # one of them cannot be rejected by its content
    tab.click(".side-copies button")
    settle(tab)
    tab.wait_until("document.querySelector('#status').textContent === 'Rejected 1 copy, kept the first.'")
    assert tab.js("[...document.querySelectorAll('.side-rejected .thumb-name')].map((name) => name.textContent)") == [
        "train/3.png"
    ]
    file, _ = saved(tab)
    [edit] = json.loads(file.read_text("utf-8"))["edits"]
    assert (edit["op"], edit["keep"], edit["rows"]) == ("reject", "first", [copied[2 * 32 : 3 * 32].hex()])


def test_an_evaluation_has_its_curves_and_their_numbers(
    chromium_tab: Tab, data: dict[str, Any], tmp_path: Path
) -> None:
    tab = chromium_tab
    curve = [3, [4, 2], [3, 2]]  # of 3 captions: at 0.5 all three and one more are kept, at 1 two of them
    data["evaluation"] = {
        "model": "tagger",
        "thresholds": "general 0.35",
        "pictures": 4,
        "edges": [0.5, 1],
        "categories": {"general": [3, [0, 0], [0, 0]]},
        "tags": {"long_hair": curve},
        "in_use": {"long_hair": 0.35},
        "chosen": {"long_hair": 0.5},
        "category_thresholds": {"general": 0.4},
    }
    opened(tab, data, tmp_path, "charts")
    assert tab.text(".evaluation .chart-note") == [
        "general: 3 tags in 4 captions. Threshold: best 0.4. Scores of tagger."
    ]
    tab.click(".evaluation summary")
    settle(tab)
    assert tab.text(".evaluation td") == ["0.000", "-", "0.000"] * 2
    tab.fill(".evaluation select", "tlong_hair")
    said = "long_hair is in 3 of 4 captions. Threshold: in use 0.35, chosen 0.5. Scores of tagger."
    assert tab.text(".evaluation .chart-note") == [said]
    assert tab.text(".evaluation td") == ["0.857", "0.750", "1.000", "0.800", "1.000", "0.667"]
    assert tab.js("document.querySelectorAll('.evaluation .chart-lines line').length") == 2
