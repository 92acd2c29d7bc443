"""The review page as a single file with its thumbnails in it, made from the page that lies in a dataset."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from wd14.errors import OutputError
from wd14.regular_files import read_file
from wd14.review.page import write_page
from wd14.review.page_data import PAGE, THUMBNAILS

#: Bytes of thumbnails that a single file holds, some 8,000 of them: a third more as text, which browsers open at once.
MOST_THUMBNAIL_BYTES = 48 << 20

#: Bytes of the largest page and thumbnail that are read.
_LARGEST_PAGE = 1 << 30
_LARGEST_THUMBNAIL = 1 << 20

#: The element of the data; nothing in it can look like its end.
_DATA = re.compile(rb'<script[^>]* id="data"[^>]*>(.*?)</script>', re.DOTALL)


def write_single_file(dataset: Path, target: Path) -> int | None:
    """Writes the page of a finished dataset as a single file; an older one is replaced in one step.

    At the limit of thumbnails it takes 3 s, and memory of some eight times the file's 65 MB.

    Args:
        dataset: its folder, with `.wd14/review.html` and `.wd14/thumbnails/`.
        target: the file to write.

    Returns:
        How many pictures have no thumbnail in it because the limit was reached; None = the dataset has no page.

    Raises:
        OSError: the page cannot be read or written.
        OutputError: what lies there is no review page.
    """
    place = dataset / ".wd14" / PAGE
    if not place.exists():
        return None
    data = data_of(place)
    folder = dataset / ".wd14" / THUMBNAILS
    inlined, left_out = with_inline_thumbnails(data, lambda row: thumbnail_in(folder, row))
    write_page(target, inlined)
    return left_out


def data_of(path: Path) -> dict[str, Any]:
    """The data in a page.

    Raises:
        OSError: it cannot be read.
        OutputError: it is no review page.
    """
    found = _DATA.search(read_file(path, _LARGEST_PAGE))
    try:
        data = json.loads(found[1]) if found else None
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise OutputError(f"{path} is no review page")
    return data


def with_inline_thumbnails(data: Mapping[str, Any], read: Callable[[int], bytes | None]) -> tuple[dict[str, Any], int]:
    """The data of a page that lies alone: with its thumbnails, and without a way to pictures.

    Args:
        data: of a page in its dataset.
        read: gives a row's thumbnail, WebP; None where there is none.

    Returns:
        The data, and how many pictures have none because of `MOST_THUMBNAIL_BYTES`.
    """
    inline: list[str | None] = []
    total = left_out = 0
    for row in range(len(data["status"])):
        thumbnail = read(row)
        fits = thumbnail is not None and total + len(thumbnail) <= MOST_THUMBNAIL_BYTES
        left_out += thumbnail is not None and not fits
        total += len(thumbnail) if thumbnail is not None and fits else 0
        inline.append(base64.b64encode(thumbnail).decode() if thumbnail is not None and fits else None)
    alone = {**data, "thumbnails": {"inline": inline}, "dataset": {**data["dataset"], "folder": ""}}
    return alone, left_out


def thumbnail_in(folder: Path, row: int) -> bytes | None:
    """The thumbnail of a row in a folder of thumbnails; None = it has none: it failed, or the run left it out."""
    try:
        return read_file(folder / f"{row}.webp", _LARGEST_THUMBNAIL)
    except OSError:
        return None
