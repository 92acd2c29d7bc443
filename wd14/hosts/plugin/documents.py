"""The review page among an experiment's documents, from where the classic host shows it in a browser."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

from wd14.hosts.base import PageWriter
from wd14.text import count

#: Where the host's own SDK takes the host to be.
_ADDRESS = "http://localhost:8338"
#: Names that the host leaves as they are when it looks for a file of them.
_SAFE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", re.ASCII)


def save_review_page(experiments: Path, name: str, dataset: Path, write: PageWriter) -> list[str]:
    """Saves the page of a new dataset where the host can show it, as a single file: it does not reach the pictures.

    Args:
        experiments: folder of the host's experiments.
        name: of the experiment that the job belongs to.
        dataset: the new dataset; the page's folder among the documents is named after it.
        write: makes the page.

    Returns:
        Lines for the job's output; the last one is a link where there can be one. None for a dataset without a page.

    Raises:
        OSError: the page cannot be written.
        OutputError: the dataset's page is none.
    """
    own = dataset / ".wd14" / "review.html"
    if not own.exists():
        return []
    if not (_SAFE_NAME.fullmatch(name) and (experiments / name).is_dir()):
        return [f"Review page: {own}"]
    folder = experiments / name / "documents" / f"review-{dataset.name}"
    folder.mkdir(parents=True, exist_ok=True)
    left_out = write(dataset, folder / "review.html")
    lines = [f"Review page: {folder / 'review.html'}"]
    if left_out:
        lines.append(f"It has no thumbnails of {count(left_out, 'picture')}; {own} has all.")
    address = f"{_ADDRESS}/experiment/{quote(name)}/documents/open/review.html?folder={quote(folder.name)}"
    return [*lines, _link(address, "Click here to open the review page")]


def _link(address: str, text: str) -> str:
    """A link for a terminal (OSC 8); View Output is one, and opens it in a new tab."""
    return f"\x1b]8;;{address}\x1b\\\x1b[4;34m{text}\x1b[0m\x1b]8;;\x1b\\"
