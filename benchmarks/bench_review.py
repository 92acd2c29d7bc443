"""The review page: how soon it can be used and how quickly it answers, and what its thumbnails cost a run."""

from __future__ import annotations

import os
import tempfile
from functools import partial
from pathlib import Path

from PIL import Image

from benchmarks import models, pictures, tiny
from benchmarks.bench_pipeline import Options
from benchmarks.measure import Rounds, Table, fresh, run_caption, timed
from benchmarks.review_rows import made_up_page
from tests.support.browser import PROGRAMS, Browser, Missing, Tab, launch
from wd14.review.page import write_page

#: What is done to the page, and the element that shows the answer. Each round does it and takes it back.
_STEPS = {
    "a filter of one tag": ("filter", ("some_tag_3", ""), "#count"),
    "a filter of three words": ("filter", ("some_tag_5 -some_tag_7 tags:>20", ""), "#count"),
    "a jump of a threshold from 0.35 to 0.5, with its effect": ("thresholds", ("0.5", "0.35"), ".slider-effect"),
    "a jump of a threshold, with all tags counted": ("tags", ("0.5", "0.35"), ".tags-said"),
    "a step of a threshold from 0.35 to 0.36, with its effect": ("thresholds", ("0.36", "0.35"), ".slider-effect"),
}

#: Sets a value as a person does; the time until the answer stands in the page and is drawn.
_STEP = """(async () => {
    const box = document.querySelector(INPUT), answer = document.querySelector(ANSWER);
    const began = performance.now();
    const answered = new Promise((done) => new MutationObserver((_, observer) => { observer.disconnect(); done(); })
        .observe(answer, {childList: true, characterData: true, subtree: true}));
    box.value = VALUE;
    box.dispatchEvent(new Event("input", {bubbles: true}));
    box.dispatchEvent(new Event("blur")); // a filter is applied now, not after the pause that typing is given
    await answered;
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    return performance.now() - began;
})()"""


def review(options: Options, table: Table) -> None:
    """The page in each browser that is there; then runs with and without it."""
    print(f"\nreview, {options.reviewed:,} pictures")
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        page = _made_up(Path(folder), options.reviewed)
        table.add(f"page of {options.reviewed:,} pictures, MB", f"{page.stat().st_size / 1e6:.1f}")
        for name in PROGRAMS:
            try:
                profile = Path(folder) / name
                profile.mkdir()
                with launch(name, profile) as browser:
                    _in_browser(browser, page, options, table)
            except Missing as missing:
                print(f"  {name}: {missing}")
    _thumbnails(options, table)


def _made_up(folder: Path, count: int) -> Path:
    """A dataset's folder with a page and a thumbnail for each picture; gives the page."""
    thumbnails = folder / "set" / ".wd14" / "thumbnails"
    thumbnails.mkdir(parents=True)
    photo = Image.fromarray(pictures.photographs()[0])
    photo.save(thumbnails.parents[1] / "picture.jpg")
    photo.thumbnail((192, 192))
    photo.save(thumbnails / "0.webp", quality=60)
    for number in range(1, count):
        os.link(thumbnails / "0.webp", thumbnails / f"{number}.webp")
    page = thumbnails.parent / "review.html"
    write_page(page, made_up_page(count, "../"))
    return page


def _in_browser(browser: Browser, page: Path, options: Options, table: Table) -> None:
    usable = Rounds()
    steps = {what: Rounds() for what in _STEPS}
    for _ in range(options.rounds):
        with browser.person() as tab:
            tab.set_viewport(1600, 1000)
            tab.open(page)
            usable.add(tab.wait_until("performance.getEntriesByName('usable')[0]?.startTime", timeout=60) / 1000)
            for what, rounds in steps.items():
                rounds.add(_step(tab, *_STEPS[what]))
    table.add(f"{browser.name}: from the click to a usable page, s", usable.text())
    for what, rounds in steps.items():
        table.add(f"{browser.name}: {what}, ms", rounds.text(0))


def _step(tab: Tab, kind: str, values: tuple[str, str], answer: str) -> float:
    """Milliseconds that the step takes; it is taken back."""
    tab.click("#tab-thresholds")
    tab.click("#tab-tags" if kind != "thresholds" else "#tab-thresholds")
    script = _STEP.replace("ANSWER", repr(answer))
    script = script.replace("INPUT", repr("#filter" if kind == "filter" else "#slider-general"))
    there, back = (tab.js(script.replace("VALUE", repr(value))) for value in values)
    return float(max(there, back))


def _thumbnails(options: Options, table: Table) -> None:
    """Pairs of runs with and without the page: the built-in model's shows the cost, the large one's its share."""
    mixed = options.work / f"mixed-{options.mixed}"
    pictures.make(mixed, options.mixed)
    few = options.work / "photos-24"
    pictures.make(few, 24)
    large = models.make("convnext-b", options.work / "models")
    runs = (("tiny model", mixed, options.mixed, tiny.make(options.work)), ("ConvNeXt-B", few, 24, large))
    for what, photos, count, model in runs:
        cost, share = Rounds(), Rounds()
        for _ in range(options.rounds):
            without = timed(partial(_run, photos, options.work, model, shown=False))
            seconds = timed(partial(_run, photos, options.work, model, shown=True))
            cost.add((seconds - without) / count * 1000)
            share.add(seconds / without - 1)
        table.add(f"{what}: the page and a thumbnail of each of {count} pictures, ms a picture", cost.text(1))
        table.add(f"{what}: ... as a share of the run without them", share.text(3))


def _run(photos: Path, work: Path, model: Path, *, shown: bool) -> None:
    run_caption(photos, fresh(work / "out-review"), custom_model=model, cache=False, review=shown)
