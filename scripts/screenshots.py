"""Makes docs/review-*.webp: the review page of photographs, as Chromium shows it. `scripts/screenshots` runs it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from scripts.review_pictures import make_pictures
from tests.support.browser import Missing, Tab, launch
from tests.support.review_page import open_panel, set_filter, settle, wait_usable

DOCS = Path(__file__).parents[1] / "docs"
LARGEST = 150_000  #: bytes of a picture


def main() -> int:
    """Captions the photographs, opens their page, and takes the pictures."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        make_pictures(folder / "photographs")
        options = (
            "--custom-model model --cache-folder scores --trigger-words mystyle --remove-underscore --purpose style"
        )
        _run(folder, "caption", "photographs", "--output", "photographs_captions", *options.split())
        _run(folder, "review", "photographs_captions")
        (folder / "browser").mkdir()
        try:
            with launch("chromium", folder / "browser") as browser, browser.person() as tab:
                tab.set_viewport(1280, 800)
                tab.open(folder / "photographs_captions" / ".wd14" / "review.html")
                wait_usable(tab)
                _take(tab)
        except Missing as missing:
            print(f"screenshots: {missing}", file=sys.stderr)
            return 1
    return 0


def _run(folder: Path, *words: str) -> None:
    env = os.environ | {"PYTHONPATH": str(DOCS.parent)}
    subprocess.run(
        [sys.executable, "-m", "wd14.cli", *words], check=True, cwd=folder, env=env, stdout=subprocess.DEVNULL
    )


def _take(tab: Tab) -> None:
    settle(tab)
    _save(tab, "grid")
    tab.click('#grid .cell[title="chelsea_2.png"]', clicks=2)
    settle(tab)
    _save(tab, "picture")
    tab.press("Escape")
    tab.press("Escape")
    set_filter(tab, "outdoors -building")
    open_panel(tab, "tags")
    _save(tab, "tags")
    set_filter(tab, "")
    open_panel(tab, "thresholds")
    tab.fill("#slider-general", "0.6")
    settle(tab)
    _save(tab, "thresholds")
    open_panel(tab, "findings")
    tab.run("document.querySelectorAll('#panel-findings summary')[0].click()")
    settle(tab)
    tab.run(
        "[...document.querySelectorAll('#panel-findings button')].find((each) => /side/.test(each.textContent)).click()"
    )
    settle(tab)
    _save(tab, "findings")


def _save(tab: Tab, name: str) -> None:
    tab.wait_until("[...document.images].every((image) => image.complete)")
    file = DOCS / f"review-{name}.webp"
    screen = file.with_suffix(".png")
    tab.screenshot(screen)
    with Image.open(screen) as picture:
        picture.convert("RGB").save(file, quality=78, method=6)
    screen.unlink()
    print(f"{file.name}: {file.stat().st_size / 1000:.0f} KB")
    if file.stat().st_size > LARGEST:
        raise SystemExit(f"{file} is larger than {LARGEST / 1000:.0f} KB")


if __name__ == "__main__":
    sys.exit(main())
