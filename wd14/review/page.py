"""The page as one HTML file: template, styles, scripts and the dataset's data, with nothing to fetch.

What a dataset says (names, tags, captions) gets into the file at two places, the title and the JSON, and is escaped at
both. The policy allows the page's own script and style by their hashes, and no other.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

#: The scripts in `page/`, in the order in which they become one; the last one starts the page.
SCRIPTS = (
    "spelling.js",
    "caption_parts.js",
    "texts.js",
    "row_lists.js",
    "dataset.js",
    "typed_tags.js",
    "editing.js",
    "token_budget.js",
    "limits.js",
    "captions.js",
    "caption_table.js",
    "score_index.js",
    "tag_search.js",
    "log.js",
    "filter.js",
    "filter_test.js",
    "review.js",
    "review_filter.js",
    "review_thresholds.js",
    "review_edits.js",
    "dom.js",
    "completion.js",
    "dialogs.js",
    "edit_words.js",
    "intended_edit.js",
    "edit_dialog.js",
    "selection.js",
    "ui.js",
    "grid.js",
    "tag_drag.js",
    "tag_editor.js",
    "detail_sections.js",
    "rejection.js",
    "detail.js",
    "menu.js",
    "virtual_list.js",
    "side_by_side.js",
    "tag_list.js",
    "sliders.js",
    "findings.js",
    "plan.js",
    "charts.js",
    "evaluation.js",
    "about.js",
    "side_panels.js",
    "edits_file.js",
    "keeping.js",
    "saving.js",
    "serving.js",
    "keyboard.js",
    "help.js",
    "main.js",
)
STYLES = ("page.css", "controls.css", "pictures.css", "detail.css", "dialogs.css", "panels.css")

_PLACEHOLDER = re.compile(r"\{\{(policy|title|style|data|script)\}\}")
#: What could end the element that holds the JSON, or mean something to an HTML parser; json.dumps escapes U+2028.
_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def page(data: Mapping[str, Any], *, is_served: bool = False) -> str:
    """The whole page as text; `page_parts` takes less memory.

    Args:
        data: the dataset, as `page_data` gives it.
        is_served: whether a server of ours sends it, to which it may talk.
    """
    return "".join(page_parts(data, is_served=is_served))


def page_parts(data: Mapping[str, Any], *, is_served: bool = False) -> Iterator[str]:
    """The page in parts, one after another; the same data give the same text. All of it is ASCII but our own words.

    Args:
        data: as `page`.
        is_served: as `page`.
    """
    script, style = _script(), _style()
    contents: dict[str, Callable[[], Iterator[str]]] = {
        "policy": lambda: iter((_policy(script, style, is_served=is_served),)),
        "title": lambda: iter((_title(data),)),
        "style": lambda: iter((style,)),
        "data": lambda: _json_parts(data),
        "script": lambda: iter((script,)),
    }
    for place, text in enumerate(_PLACEHOLDER.split(_read("page.html"))):
        if place % 2:
            yield from contents[text]()
        else:
            yield text


def write_page(path: Path, data: Mapping[str, Any]) -> None:
    """Writes the page; an older one is replaced in one step.

    Raises:
        OSError: it cannot be written.
    """
    aside = path.with_name(f"{path.name}.new")
    try:
        with aside.open("w", encoding="utf-8", newline="\n") as file:
            for part in page_parts(data):
                file.write(part)
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def _json_parts(data: Mapping[str, Any]) -> Iterator[str]:
    """The JSON of the data, a field at a time: the whole is not in memory twice."""
    for place, (key, value) in enumerate(data.items()):
        yield f"{',' if place else '{'}\n{_json(key)}:{_json(value)}"
    yield "\n}" if data else "{}"


def _json(value: Any) -> str:
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for character, escape in _ESCAPES.items():
        text = text.replace(character, escape)
    return text


def _title(data: Mapping[str, Any]) -> str:
    name = str(data.get("dataset", {}).get("name", ""))
    plain = name.encode("utf-8", "replace").decode()  # a file name may hold bytes that are no text
    return html.escape(f"{plain} · review" if plain else "Review")


def _policy(script: str, style: str, *, is_served: bool) -> str:
    return "; ".join(
        (
            "default-src 'none'",
            "img-src 'self' data: blob: file:",
            f"style-src '{_hash(style)}'",
            f"script-src '{_hash(script)}'",
            "base-uri 'none'",
            "form-action 'none'",
            "connect-src 'self'" if is_served else "connect-src 'none'",
        )
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _script() -> str:
    """All scripts as one function, so that nothing of theirs is global."""
    return '\n(() => {\n"use strict";\n' + "\n".join(map(_read, SCRIPTS)) + "\n})();\n"


@cache
def _style() -> str:
    return "\n" + "\n".join(map(_read, STYLES))


@cache
def _read(name: str) -> str:
    place = files("wd14.review").joinpath("page", name)
    return place.read_text("utf-8")
