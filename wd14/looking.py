"""Looks at the rows of a captioned dataset: their captions, and what is known of their pictures.

    rows ─▶ threads: read, hash, stored facts and scores, or the picture opened ─▶ rows with what is known, in order

Pictures whose facts are stored are not decoded. The model is never run.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from wd14.config import CaptionConfig
from wd14.curation.checks.rule import CheckedRow
from wd14.data.caption_files import caption_file
from wd14.data.reader import Source
from wd14.data.sources.input_rows import CAPTION_COLUMNS
from wd14.data.sources.splits import split_of_folder
from wd14.decoding import PictureLimits
from wd14.errors import ImageTooLargeError, RowError
from wd14.images.facts import facts_of
from wd14.images.opening import PictureFile
from wd14.images.reading import bytes_to_read, read_picture
from wd14.images.thumbnail import SIDE, thumbnail_of
from wd14.model.score_store.store import ScoreStore
from wd14.regular_files import mode_of
from wd14.text import printable
from wd14.threads import OrderedMap
from wd14.types import InputRow

if TYPE_CHECKING:
    from wd14.ensemble_rows import StoredScores


@dataclass(slots=True)
class LookedRow:
    """A row whose picture was looked at."""

    row: InputRow
    checked: CheckedRow
    path: str | None = None  #: of its file below the dataset's folder; None = it has none there
    original: bytes = b""  #: sha256 of the picture that its scores are stored under
    thumbnail: bytes | None = None  #: where thumbnails are wanted, as `images.thumbnail` makes them
    has_new_facts: bool = False
    has_new_thumbnail: bool = False


class Looking:
    """Rows with what is known of their pictures, in order; threads work ahead. A context manager, which ends them.

    Args:
        dataset: as the caller named it.
        source: its rows.
        config: says how it is read.
        store: has facts and thumbnails, and is asked from any thread.
        scores: the stored scores of the model; None = none are wanted.
        original: from the sha256 of a picture to that of the one it was made from, under which scores are stored.
        with_thumbnails: whether rows come with the thumbnail for the review page.
    """

    def __init__(
        self,
        dataset: str,
        source: Source,
        config: CaptionConfig,
        store: ScoreStore,
        scores: StoredScores | None,
        *,
        original: Callable[[bytes], bytes] = lambda digest: digest,
        with_thumbnails: bool = False,
    ) -> None:
        self._root = root_of(dataset)
        self._config = config
        self._store = store
        self._scores = scores
        self._original = original
        self._with_thumbnails = with_thumbnails
        self._has_column = bool({config.caption_column, *CAPTION_COLUMNS} & set(source.columns))
        self._limits = PictureLimits(config)
        workers = max(1, self._limits.workers)
        self._threads: OrderedMap[InputRow, LookedRow] = OrderedMap(
            self._look,
            source,
            workers=workers,
            window=8 + 4 * workers,
            name="wd14-look",
            weigh=_bytes_in_memory,
            most_bytes=self._limits.most_bytes,
        )

    def take(self, timeout: float) -> LookedRow:
        """The next row; raises as `OrderedMap.take`."""
        return self._threads.take(timeout)

    def __enter__(self) -> Looking:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.close()

    def _look(self, row: InputRow) -> LookedRow:
        path = self._path(row)
        name, folder = _place(row, path)
        looked = LookedRow(replace(row, data=None), CheckedRow(name, self._caption(row), folder), path)
        try:
            with self._limits.reading(bytes_to_read(row)):
                self._look_at_picture(looked, read_picture(row))
        except RowError as error:
            looked.checked = replace(looked.checked, error=str(error))
        except MemoryError:
            looked.checked = replace(looked.checked, error=str(ImageTooLargeError("there is not enough memory for it")))
        return looked

    def _look_at_picture(self, looked: LookedRow, data: bytes) -> None:
        digest = hashlib.sha256(data).digest()
        looked.original = self._original(digest)
        facts = self._store.facts(digest)
        if self._with_thumbnails:
            looked.thumbnail = self._store.thumbnail(looked.original) or self._store.thumbnail(digest)
        wants_thumbnail = self._with_thumbnails and looked.thumbnail is None
        if facts is None or wants_thumbnail:
            picture = PictureFile(data, max_pixels=self._limits.max_pixels)
            with self._limits.opening(picture):
                image = picture.rgb(upright=True, at_least=2 * SIDE if facts is not None else None)
                if wants_thumbnail:
                    looked.thumbnail, looked.has_new_thumbnail = thumbnail_of(image), True
                if facts is None:
                    facts, looked.has_new_facts = facts_of(image), True
        scores = self._scores.get(looked.original) if self._scores is not None else None
        looked.checked = replace(looked.checked, facts=facts, digest=digest, scores=scores)

    def _caption(self, row: InputRow) -> str | None:
        """The caption; "" = there is one, and it is empty."""
        if row.caption is not None or row.path is None:
            return row.caption if row.caption is not None or not self._has_column else ""
        there = self._has_column or mode_of(Path(caption_file(row.path, self._config.caption_extension)))
        return "" if there else None

    def _path(self, row: InputRow) -> str | None:
        """Where the picture's file is below the dataset's folder; None = it has none there."""
        if row.path is None:
            return None
        path = os.path.realpath(row.path)
        return Path(path).relative_to(self._root).as_posix() if path.startswith(self._root + os.sep) else None


def _place(row: InputRow, path: str | None) -> tuple[str, str]:
    """A row's name, as short as it is clear, and the folder of its picture below the dataset's and the split's."""
    if path is None:
        return row.label, ""
    relative = printable(path)
    parts = PurePosixPath(relative).parts[:-1]
    return relative, "/".join(parts[1:] if parts and split_of_folder(parts[0]) else parts)


def root_of(dataset: str) -> str:
    """The folder that a dataset's files lie in, without links; of what is no folder, its parent."""
    try:
        path = Path(dataset).expanduser()
    except RuntimeError:
        return dataset
    return os.path.realpath(path if path.is_dir() else path.parent)


def _bytes_in_memory(row: InputRow | LookedRow) -> int:
    return len(row.data) if isinstance(row, InputRow) and row.data is not None else 0
