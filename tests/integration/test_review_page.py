"""The review page in real browsers: what it shows, and that a person's corrections come back from it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import ROOT
from tests.support import axe
from tests.support.browser import Tab
from tests.support.hostile_page import hostile_data
from tests.support.planted import plant
from tests.support.review_page import (
    PANELS,
    captions,
    edit,
    open_page,
    open_panel,
    saved,
    set_filter,
    settle,
    show_captions,
    wait_usable,
)
from wd14.review.page import write_page

PICTURES = 24


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 drawn pictures, captioned from scores that were written into them; tests only read it."""
    folder = tmp_path_factory.mktemp("review")
    planted = plant(folder, pictures=PICTURES)
    words = ["wd14-captioner", "caption", str(planted.pictures), "--custom-model", str(planted.model)]
    words += ["--cache-folder", str(folder / "scores"), "--trigger-words", "alicew", "--purpose", "character"]
    return run([*words, "--remove-underscore", "--max-tokens", "60"], folder / "set", folder)


@pytest.fixture(scope="module")
def page(dataset: Path) -> Path:
    """Its page."""
    return dataset / ".wd14" / "review.html"


def run(command: list[str], output: Path, folder: Path) -> Path:
    """Runs a command of ours in a folder; gives the output's folder."""
    env = os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    words = [sys.executable, "-m", "wd14.cli", *command[1:], "--output", str(output)]
    subprocess.run(words, check=True, env=env, cwd=folder, stdout=subprocess.DEVNULL, timeout=120)
    return output


def written(output: Path) -> dict[str, str]:
    """The captions of a dataset, by the names of the pictures."""
    lines = (output / "train" / "metadata.jsonl").read_text("utf-8").splitlines()
    return {row["file_name"]: row["caption"] for row in map(json.loads, lines)}


def test_corrections_made_offline_come_back_as_the_page_showed_them(
    tab: Tab, page: Path, dataset: Path, tmp_path: Path
) -> None:
    tab.set_offline(True)
    open_page(tab, page)
    show_captions(tab)
    assert captions(tab) == written(dataset)

    set_filter(tab, "closed_eyes -standing")
    some = captions(tab)
    wanted = [name for name, text in written(dataset).items() if "closed eyes" in text and "standing" not in text]
    assert list(some) == wanted
    assert 0 < len(some) < PICTURES
    assert str(len(some)) in edit(tab, "remove", "shown", "closed eyes")
    assert captions(tab) == {}
    tab.click("#undo")
    assert captions(tab) == some
    tab.click("#redo")
    set_filter(tab, "")

    edit(tab, "add", "all", "full moon")
    edit(tab, "replace", "all", "smile", "wide grin")
    open_panel(tab, "thresholds")
    tab.fill("#slider-general", "0.65")
    settle(tab)
    tab.click('#grid .cell[title$="02.png"] .check')
    edit(tab, "reject", "selection")
    shown = captions(tab)
    assert len(shown) == PICTURES - 1
    assert all("full moon" in text for text in shown.values())

    tab.reload()
    assert "beforeunload" in tab.dialogs()
    wait_usable(tab)
    show_captions(tab)
    assert captions(tab) == shown
    edits, command = saved(tab)
    assert tab.console_errors() == []
    assert [each for each in tab.requests() if not each.startswith(page.parents[1].as_uri())] == []

    first, second = (run(command, tmp_path / name, edits.parent) for name in ("first", "second"))
    assert written(first) == shown
    assert (first / "train" / "metadata.jsonl").read_bytes() == (second / "train" / "metadata.jsonl").read_bytes()


def test_nothing_in_a_dataset_becomes_markup_or_script(tab: Tab, tmp_path: Path) -> None:
    write_page(tmp_path / "review.html", hostile_data())
    open_page(tab, tmp_path / "review.html")
    for panel in PANELS:
        open_panel(tab, panel)
        tab.run("for (const each of document.querySelectorAll('details')) each.open = true;")
        settle(tab)
        assert_harmless(tab)
    for below in ("caption", "tags"):
        tab.fill("#below", below)
        settle(tab)
    for row in (1, 6, 13):
        tab.click(f"#cell-{row}")
        tab.press("Enter")
        settle(tab)
        assert_harmless(tab)
        tab.press("Escape")
    edit(tab, "add", "all", '<img src=x onerror="window.hit=13">')
    set_filter(tab, '"<img src=x onerror=window.hit=14>" javascript:window.hit=15 (')
    tab.click("#history")
    settle(tab)
    assert_harmless(tab)


def test_edits_of_strangers(tab: Tab, tmp_path: Path) -> None:
    """In a file that is opened, and in the browser's storage, which other pages can write to."""
    data = hostile_data() | {"edits": []}
    write_page(tmp_path / "review.html", data)
    open_page(tab, tmp_path / "review.html")

    def open_file(*edits: Any) -> str:
        content = json.dumps(json.dumps({"version": 1, "edits": edits}))
        tab.run(f"""{{
            const files = new DataTransfer();
            files.items.add(new File([{content}], "edits.json"));
            document.querySelector("#file").files = files.files;
            document.querySelector("#file").dispatchEvent(new Event("change"));
        }}""")
        settle(tab, 0.4)
        return tab.text("#status")[0]

    edit = {"op": "add", "tag": "one", "rows": "all", "id": "x", "at": 5}
    copied = [edit, {**edit, "tag": "two"}, {**edit, "tag": "three", "id": {}, "at": "soon"}]
    assert open_file(*copied) == "3 edits taken from edits.json."
    assert open_file(*copied) == "edits.json has no edit that is not here already."
    for wrong in (
        None,
        7,
        {**edit, "op": "constructor"},
        {**edit, "rows": [[]]},
        {**edit, "tag": "<img src=x>", "rows": 1},
    ):
        assert open_file(wrong).startswith("edits.json: Edit 1 of the file is not one")
    assert_harmless(tab)

    kept = {"id": "y", "at": 5, "rev": 0, "undone": False, "op": "add", "tag": "kept", "rows": "0-2"}
    good = json.dumps({"entries": [kept], "thresholds": {"constructor": 1}, "saved": {}})
    rows = ",".join(["0-20"] * 1000)
    bad = json.dumps(
        {"entries": [None, {**kept, "rows": rows}, {**kept, "id": 7}, {**kept, "at": -1}, {**kept, "op": []}]}
    )
    views = (good, '{"size": [100], "below": "toString", "theme": {}, "letters": 1}'), (bad, "null"), ("[", "[]")
    for entries, view in views:
        for key, text in ((data["dataset"]["id"], entries), ("view", view)):
            tab.run(f"localStorage.setItem('wd14-captioner review {key}', {json.dumps(text)})")
        open_page(tab, tmp_path / "review.html")
        settle(tab, 0.4)
        assert_harmless(tab)
        assert tab.text("#edit-count") == ["1" if entries == good else "0"]


def assert_harmless(tab: Tab) -> None:
    """Fails if a text of the dataset came to life, or tried to."""
    assert tab.js("window.hit") is None
    assert tab.js("document.querySelectorAll('script').length") == 2
    assert tab.js("document.querySelectorAll('style').length") == 1
    assert tab.js("document.querySelectorAll('iframe, base, object, embed, meta[http-equiv=refresh]').length") == 0
    attributes = tab.js("""[...document.querySelectorAll("*")].flatMap((element) => [...element.attributes])
        .filter(({name, value}) => /^on/.test(name) || /href|src|action/.test(name) && /^\\s*javascript:/i.test(value))
        .map(({name, value}) => `${name}=${value}`)""")
    assert attributes == []
    usual = ("Failed to load resource", "Blocked attempt to show a 'beforeunload'")
    assert [each for each in tab.console_errors() if not each.startswith(usual)] == []
    assert [each for each in tab.requests() if not each.startswith("file:")] == []


@pytest.mark.parametrize(("width", "height"), [(360, 640), (3840, 2160)])
def test_it_fits_small_and_large_windows(tab: Tab, page: Path, width: int, height: int) -> None:
    tab.open(page)
    tab.set_viewport(width, height)
    wait_usable(tab)
    for panel in PANELS:
        open_panel(tab, panel)
        assert_fits(tab, panel)
    if width < 1000:
        tab.press("Escape")
    tab.click("#grid .cell")
    tab.press("Enter")
    settle(tab)
    assert_fits(tab, "detail")
    tab.press("Escape")
    tab.click("#edit")
    assert_fits(tab, "dialog")


def assert_fits(tab: Tab, what: str) -> None:
    """Fails if the page, or a panel of it, has to be scrolled sideways."""
    too_wide = tab.js("""[document.documentElement, ...document.querySelectorAll(".panel, #scroll, #detail, dialog")]
        .filter((element) => element.scrollWidth > element.clientWidth + 1 && element.getClientRects().length)
        .map((element) => `${element.tagName}#${element.id}: ${element.scrollWidth} in ${element.clientWidth}`)""")
    assert too_wide == [], what
    assert tab.js("document.documentElement.scrollWidth <= innerWidth"), what


def test_a_correction_needs_no_mouse(tab: Tab, page: Path) -> None:
    open_page(tab, page)
    show_captions(tab)
    before = captions(tab)
    press(tab, "/", *"closed_eyes", "Enter", "Control+a", "r", *"smile", "Enter")
    press(tab, "Escape", "ArrowRight", "ArrowRight", "Enter", "x", "ArrowRight", "a", *"full moon", "Enter")
    press(tab, "Escape", "Escape", "/", "Control+a", "Backspace", "Enter")
    after = captions(tab)
    eyes = [name for name, text in before.items() if "closed eyes" in text]
    assert sorted(set(before) - set(after)) == [eyes[2]]
    assert "full moon" in after[eyes[3]]
    assert {name for name, text in before.items() if "smile" in text and "smile" not in after.get(name, "")} == {
        name for name in eyes if "smile" in before[name]
    }
    press(tab, "Control+z", "Control+z", "Control+z")
    assert captions(tab) == before


def test_neither_the_focus_nor_what_was_typed_is_lost(chromium_tab: Tab, page: Path) -> None:
    tab = chromium_tab
    open_page(tab, page)
    focus = "document.activeElement.id || document.activeElement.className"
    press(tab, "/", *"smile", "Enter", "Control+a", "r", *"smile", "Enter")
    assert tab.js(focus) == "nothing"  # no picture is shown any more
    press(tab, "Control+z")
    assert tab.js(focus) == "grid"
    press(tab, "/", "Control+a", "Backspace", "Enter", "Enter", "e", "Control+a", *"my words", "Escape", "j", "k")
    assert tab.js("document.querySelector('#caption-text').value") == "my words"
    tab.js("document.querySelector('#detail .edit-list button').focus()")
    press(tab, "Enter", "Enter")  # take back, and do again
    assert tab.js(f"{focus} + document.activeElement.textContent") == "button smallTake back"
    press(tab, "Escape", "1", "Enter")
    assert "tags-search" in tab.js(focus)
    press(tab, "Escape")
    assert tab.js(focus) == "tab-tags"


def test_a_tag_is_added_to_the_whole_of_a_filter(chromium_tab: Tab, page: Path) -> None:
    tab = chromium_tab
    open_page(tab, page)
    set_filter(tab, "smile OR standing")
    tab.click(".tags-lacking[aria-label^='outdoors:']")
    assert tab.js("document.querySelector('#filter').value") == "(smile OR standing) -outdoors"


def press(tab: Tab, *keys: str) -> None:
    """Presses keys, one after the other, as slowly as a person: Firefox moves the focus later than it says."""
    for key in keys:
        tab.press(key)
        if len(key) > 1 or key in "/rxa":
            settle(tab, 0.2)


def test_edits_of_scattered_pictures_are_there_after_a_reload(chromium_tab: Tab, page: Path) -> None:
    open_page(chromium_tab, page)
    odd = " OR ".join(f"name:{number:02}.png" for number in range(1, PICTURES, 2))
    set_filter(chromium_tab, odd)
    edit(chromium_tab, "add", "shown", "scattered")
    chromium_tab.reload()
    wait_usable(chromium_tab)
    show_captions(chromium_tab)
    set_filter(chromium_tab, "")
    edited = [name for name, text in captions(chromium_tab).items() if text.endswith("scattered")]
    set_filter(chromium_tab, odd)
    assert edited == list(captions(chromium_tab))


def test_tabs_that_are_open_at_once_lose_nothing(tab: Tab, page: Path) -> None:
    open_page(tab, page)
    other = tab.another()
    open_page(other, page)
    edit(tab, "add", "all", "from the first")
    edit(other, "add", "all", "from the second")
    edit(tab, "remove", "all", "solo")
    for each in (tab, other):
        each.to_front()
        each.wait_until("document.querySelector('#edit-count').textContent === '3'")
        show_captions(each)
    shown = captions(tab)
    assert captions(other) == shown
    assert all("from the first" in text and "from the second" in text and "solo" not in text for text in shown.values())
    other.click("#undo")
    tab.to_front()
    tab.wait_until("!document.querySelector('#redo').disabled")
    assert all("solo" in text for text in captions(tab).values())
    edits = json.loads(saved(tab)[0].read_text("utf-8"))["edits"]
    assert [(each["op"], each["tag"]) for each in edits] == [("add", "from the first"), ("add", "from the second")]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_has_no_serious_fault_of_accessibility(
    chromium_tab: Tab, page: Path, dark: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    try:
        script = axe.script(tmp_path_factory.getbasetemp())
    except axe.Unavailable as unavailable:
        pytest.skip(str(unavailable))
    tab = chromium_tab
    tab.set_dark(dark)
    open_page(tab, page)
    tab.run(script)
    rules = ["color-contrast"] if dark else []  # all that the colours of a page can be at fault in
    found = {}
    for panel in PANELS:
        open_panel(tab, panel)
        found[panel] = axe.faults(tab, *rules)
    edit(tab, "add", "all", "full moon")
    tab.click("#grid .cell")
    tab.press("Enter")
    settle(tab)
    found["detail"] = axe.faults(tab, *rules)
    tab.press("Escape")
    for name in ("edit", "history", "help", "filter-help"):
        tab.click(f"#{name}")
        settle(tab)
        found[name] = axe.faults(tab, *rules)
        tab.press("Escape")
    assert {what: faults for what, faults in found.items() if faults} == {}
