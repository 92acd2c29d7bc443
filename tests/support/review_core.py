"""The review page's own scripts without its interface, in a browser: tests call them with data, and compare."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.browser import Tab
from wd14.review.page import SCRIPTS

_PAGE = Path(__file__).parents[2] / "wd14" / "review" / "page"
#: What tests ask for; everything is worked out in the browser, and JSON comes back.
_ASK = """
window.ask = {
  folded: (texts) => texts.map(folded),
  quoted: quotedWord,
  wire: () => review.entries.map((entry) => review.wire(entry)),
  open: (data) => { window.review = new Review(data); },
  filter: (text) => {
    const { error } = review.setFilter(text);
    return error ?? Array.from(review.visible);
  },
  refusal: (method, ...values) => {
    try {
      review[method](...values);
    } catch (error) {
      return error.message;
    }
    return "done";
  },
  captions: () => Array.from({ length: review.rows }, (_, row) => review.caption(row)),
  doubts: () => Array.from({ length: review.rows }, (_, row) => review.doubt(row)),
  state: () => Array.from({ length: review.rows }, (_, row) => ({
    base: review.baseCaption(row), now: review.caption(row), slides: review.slides(row),
    rejected: review.isRejected(row), edited: review.isEdited(row), tokens: review.tokens(row),
    parts: review.parts(row),
  })),
};
"""


def open_core(tab: Tab, folder: Path) -> None:
    """Opens a page with the scripts up to the class `Review`, in one scope as in the real page."""
    names = SCRIPTS[: SCRIPTS.index("review_edits.js") + 1]
    scripts = "\n".join((_PAGE / name).read_text("utf-8") for name in names)
    page = folder / "core.html"
    page.write_text(
        f'<!doctype html><meta charset="utf-8"><script>(() => {{"use strict";\n{scripts}\n{_ASK}}})();</script>',
        "utf-8",
    )
    tab.open(page)


def call(tab: Tab, function: str, *values: Any) -> Any:
    """What a function of the page, `ask.captions` or `review.edit`, gives for values."""
    return tab.js(f"{function}({', '.join(json.dumps(value) for value in values)})")
