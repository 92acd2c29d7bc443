"""Where a page of a dataset that lies there goes: into its `.wd14`, with thumbnails beside it, or into one file.

It is made in a hidden folder first. Only what is ours is replaced: a page that says so, and files such as `0.webp`.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from wd14.errors import OutputError
from wd14.regular_files import open_file
from wd14.review.page import write_page
from wd14.review.page_data import PAGE, THUMBNAILS
from wd14.review.single_file import thumbnail_in, with_inline_thumbnails
from wd14.run_folder import RunFolder, clear_leftovers

_OURS = re.compile(r"\d+\.webp", re.ASCII)
#: How a page of ours begins.
_MARK = b'content="wd14-captioner review"'
_HEAD = 4096
_ELSEWHERE = "name a file elsewhere with --output FILE.html"


class PagePlace:
    """A context manager; without `finish` nothing stays.

    Args:
        folder: of the dataset; None = it has none.
        output: the file that is to hold all; None = a page in the folder.

    Attributes:
        page: the file that the page is written to.
        left_out: thumbnails for which one file has no room.

    Raises:
        OutputError: nothing can be written there, or what is there is not ours.
    """

    def __init__(self, folder: Path | None, output: Path | None) -> None:
        if output is None and folder is None:
            raise OutputError(
                "the dataset is no folder that could hold the page: look at its name, or name a file with"
                " --output FILE.html"
            )
        self._is_one_file = output is not None
        self.page = output or Path(folder or "") / ".wd14" / PAGE
        self.page = Path(os.path.abspath(self.page))  # noqa: PTH100 - without `..`, and its links stay
        self._thumbnails = self.page.parent / THUMBNAILS
        self._rows: list[int] = []
        self.left_out = 0
        self._made_folder = False
        try:
            if not self._is_one_file:
                self._made_folder = not os.path.lexists(self.page.parent)
                self.page.parent.mkdir(exist_ok=True)
                _require_folder(self.page.parent)
                if os.path.lexists(self._thumbnails):
                    _require_folder(self._thumbnails)
            clear_leftovers(self.page.parent)
            _require_ours(self.page)
            self._aside = RunFolder(self.page.parent, "review")
        except OSError as error:
            raise self._failed(error) from error

    @property
    def way_to_pictures(self) -> str:
        """From the page to the dataset's folder; "" = pictures are not reachable from it."""
        return "" if self._is_one_file else "../"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._aside.remove()
        if self._made_folder:
            with contextlib.suppress(OSError):  # the page is in it
                self.page.parent.rmdir()

    def put_thumbnail(self, row: int, data: bytes) -> None:
        """Keeps the thumbnail of a row.

        Raises:
            OutputError: it cannot be written.
        """
        try:
            (self._aside.path / f"{row}.webp").write_bytes(data)
        except OSError as error:
            raise self._failed(error) from error
        self._rows.append(row)

    def finish(self, data: Mapping[str, Any]) -> None:
        """Writes the page, and brings it and its thumbnails to their place.

        Raises:
            OutputError: they cannot be written.
        """
        if self._is_one_file:
            data, self.left_out = with_inline_thumbnails(data, lambda row: thumbnail_in(self._aside.path, row))
        try:
            write_page(self._aside.path / PAGE, data)
            if not self._is_one_file:
                self._move_thumbnails()
            (self._aside.path / PAGE).replace(self.page)
        except OSError as error:
            raise self._failed(error) from error

    def thumbnail(self, row: int) -> Path:
        """Where the thumbnail of a row of the finished page lies, if it has one."""
        return self._thumbnails / f"{row}.webp"

    def _move_thumbnails(self) -> None:
        self._thumbnails.mkdir(exist_ok=True)
        for row in self._rows:
            name = f"{row}.webp"
            (self._aside.path / name).replace(self._thumbnails / name)
        kept = {f"{row}.webp" for row in self._rows}
        for name in os.listdir(self._thumbnails):  # noqa: PTH208 - there may be a million
            if name not in kept and _OURS.fullmatch(name):
                (self._thumbnails / name).unlink()

    def _failed(self, error: OSError) -> OutputError:
        advice = "choose another --output" if self._is_one_file else _ELSEWHERE
        return OutputError(f"cannot write {self.page}: {error.strerror or error}; {advice}")


def _require_folder(path: Path) -> None:
    """Nothing is written through a link: a dataset of others could lead it anywhere."""
    if not stat.S_ISDIR(path.lstat().st_mode):
        raise OutputError(f"{path} is no folder of ours: take it away, or {_ELSEWHERE}")


def _require_ours(page: Path) -> None:
    try:
        mode = page.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISREG(mode):
        with open_file(page) as file:
            if _MARK in file.read(_HEAD):
                return
    raise OutputError(f"{page} is there already and is no review page: take it away, or {_ELSEWHERE}")
